from datetime import timedelta

import numpy as np
import pytest
from django.conf import settings
from django.utils import timezone

from clustering import embeddings
from labeling import jobs
from labeling.models import Item, Job, Project
from mlassist import facts, featurization
from mlassist.models import Run
from tests import factories
from tests.mlassist.eyes import Eyes, OtherEyes, offer, open_eyes


@pytest.fixture
def eyes(monkeypatch):
    pytest.importorskip("torch")
    open_eyes(monkeypatch)


def look_until_done(project):
    looks = 0
    while featurization.queue_chunks(project):
        factories.run_jobs("ml")
        looks += 1
        assert looks < 10
    return looks


def test_every_readable_image_is_embedded_once(project, items, eyes):
    look_until_done(project)
    assert sorted(embeddings.load(project)[0].tolist()) == sorted(item.pk for item in items)
    run = Run.objects.get(project=project)
    assert (run.kind, run.state, run.done, run.total) == ("featurization", "done", len(items), len(items))
    assert run.metrics["images"] == len(items)
    assert not look_until_done(project)
    assert Job.objects.filter(kind="featurize").count() == 1


def test_chunks_are_not_queued_twice_while_they_wait(project, items, eyes, monkeypatch):
    monkeypatch.setattr(featurization, "FIRST_CHUNK", 4)
    monkeypatch.setattr(featurization, "CHUNK", 5)
    assert featurization.queue_chunks(project) == len(items)
    featurization.queue_chunks(project)
    chunks = [job.payload["items"] for job in Job.objects.filter(kind="featurize").order_by("id")]
    assert [len(chunk) for chunk in chunks] == [4, 5, 3]
    assert sorted(item for chunk in chunks for item in chunk) == sorted(item.pk for item in items)


def test_a_repeated_job_embeds_nothing_again(project, items, eyes):
    look_until_done(project)
    job = Job.objects.get(kind="featurize")
    Job.objects.filter(pk=job.pk).update(state="queued", finished_at=None)
    factories.run_jobs("ml")
    job.refresh_from_db()
    assert job.result == {"embedded": 0}
    assert len(embeddings.load(project)[0]) == len(items)


def test_a_file_that_is_gone_is_passed_over(project, items, eyes):
    lost = Item.objects.select_related("source").get(pk=items[3].pk)
    (settings.BASE_DIR / lost.source.location / lost.path).unlink()
    look_until_done(project)
    assert lost.pk not in embeddings.load(project)[0]
    assert len(embeddings.load(project)[0]) == len(items) - 1


def test_the_bundled_backbone_sees_what_is_alike():
    """Guards the weights, the preprocessing and the folding of batch norms with real images."""
    torch = pytest.importorskip("torch")
    from PIL import Image

    from mlassist.backbones import catalog, loading, network

    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (60, 100, 3)).astype(np.uint8)
    flat = np.tile(np.linspace(0, 255, 100).astype(np.uint8)[None, :, None], (60, 1, 3))
    backbone = loading.load("bundled")
    prepared = [backbone.prepare(Image.fromarray(image)) for image in (noise, noise[:, ::-1], flat)]
    assert {image.shape for image in prepared} == {(backbone.side, backbone.side, 3)}
    vectors = backbone.embed(np.stack(prepared))
    assert vectors.shape == (3, backbone.dimension)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert vectors[0] @ vectors[1] > 0.99  # mirror images are the same to it
    assert vectors[0] @ vectors[2] < 0.9

    own = loading.trained_here(catalog.BUNDLED)
    pixels = torch.from_numpy(np.stack(prepared)).permute(0, 3, 1, 2) / 255 - 0.5
    with torch.inference_mode():
        plain = own(pixels)
        network.fuse_batch_norms(own)
        assert torch.allclose(own(pixels), plain, rtol=1e-3, atol=1e-3)


def test_what_another_project_has_seen_is_copied_and_not_looked_at_again(project, items, manager, eyes):
    look_until_done(project)
    twin = factories.make_project(manager=manager)
    factories.make_items(twin, 12)  # the same files: their content depends on the number alone
    extra = factories.make_items(twin, 3, size=40)
    look_until_done(twin)
    job = Job.objects.get(project=twin, kind="featurize")
    assert (job.result["embedded"], job.result["copied"]) == (len(extra), 12)
    ids, matrix = embeddings.load(twin)
    copied = dict(zip(ids.tolist(), matrix, strict=True))
    content = dict(Item.objects.filter(project=project).values_list("sha256", "id"))
    first, vectors = embeddings.load(project)
    original = dict(zip(first.tolist(), vectors, strict=True))
    for item in Item.objects.filter(project=twin, sha256__in=content):
        assert np.array_equal(copied[item.pk], original[content[item.sha256]])


def test_nothing_is_copied_from_another_backbone(project, items, manager, eyes):
    look_until_done(project)
    twin = factories.make_project(manager=manager, backbone="file/other")
    factories.make_items(twin, 12)
    look_until_done(twin)
    assert Job.objects.get(project=twin, kind="featurize").result["copied"] == 0


def test_nothing_is_copied_from_other_weights(project, items, manager, eyes, monkeypatch):
    look_until_done(project)
    twin = factories.make_project(manager=manager)
    factories.make_items(twin, 12)
    open_eyes(monkeypatch, OtherEyes)
    look_until_done(twin)
    assert Job.objects.get(project=twin, kind="featurize").result["copied"] == 0


def test_a_full_disk_is_tried_again_later_a_few_times(project, items, eyes, monkeypatch):
    def full(*args, **fields):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(embeddings, "store_array", full)
        featurization.queue_chunks(project)
        job = Job.objects.get(kind="featurize")
        for _ in range(featurization.MOST_TRIES + 2):
            jobs.run(job.pk)
            job.refresh_from_db()
            assert job.state == "failed"
            assert job.error == (
                "The embeddings cannot be stored: No space left on device. Loupe tries again later."
            )
            featurization.pull()
            assert not Job.objects.filter(kind="featurize", state="queued").exists()
            Job.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(hours=2))
            featurization.try_again(project, "bundled")
        assert job.payload["tries"] == featurization.MOST_TRIES
    assert not Job.objects.filter(kind="featurize", state="queued").exists()
    featurization.retry("bundled")
    look_until_done(project)
    assert embeddings.count(project) == len(items)


def test_what_is_no_number_is_not_stored(project, items, monkeypatch):
    class Damaged(Eyes):
        def embed(self, images):
            return np.full((len(images), 3), np.nan, np.float32)

    open_eyes(monkeypatch, Damaged)
    featurization.queue_chunks(project)
    job = Job.objects.get(kind="featurize")
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, embeddings.count(project)) == ("failed", 0)
    assert "weights are damaged" in job.error


def test_a_slow_backbone_gets_small_chunks(project):
    assert featurization.chunk_size("bundled") == featurization.CHUNK
    offer("file/slow", images_per_second=15.0)
    offer("file/very-slow", images_per_second=0.5)
    assert featurization.chunk_size("file/slow") == 300
    assert featurization.chunk_size("file/very-slow") == featurization.SMALLEST_CHUNK


def test_a_backbone_that_cannot_be_loaded_says_so_in_the_run(project, items, monkeypatch):
    pytest.importorskip("torch")
    from mlassist.backbones import loading

    def fail(name):
        raise loading.CannotLoad("The weights have gone away.")

    open_eyes(monkeypatch, fail)
    featurization.queue_chunks(project)
    job = Job.objects.get(kind="featurize")
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == ("failed", "The weights have gone away.")
    assert featurization.queue_chunks(project) == 0
    run = Run.objects.get(project=project)
    assert (run.state, run.log) == ("failed", "The weights have gone away.\n")
    assert not Job.objects.filter(kind="featurize", state="queued").exists()

    open_eyes(monkeypatch, Eyes)
    assert featurization.retry(project.backbone) == 1
    look_until_done(project)
    assert embeddings.count(project) == len(items)


def test_the_run_tells_how_fast_and_how_long_still(project, items, eyes, monkeypatch):
    monkeypatch.setattr(featurization, "FIRST_CHUNK", 4)
    monkeypatch.setattr(featurization, "CHUNK", 4)
    offer("bundled", images_per_second=6.0)
    monkeypatch.setattr(featurization, "SMALLEST_CHUNK", 4)
    assert facts.embedding(project, "bundled")["seconds_left"] is None
    featurization.queue_chunks(project)
    seen = facts.embedding(project, "bundled")
    assert seen == {"done": 0, "total": 12, "images_per_second": 6.0, "seconds_left": 2}
    jobs.run(Job.objects.filter(kind="featurize").first().pk)
    Run.objects.update(started_at=timezone.now() - timedelta(seconds=2))
    seen = facts.embedding(project, "bundled")
    assert seen["done"] == 4
    assert seen["images_per_second"] == pytest.approx(2.0, rel=0.1)
    assert seen["seconds_left"] == pytest.approx(4, abs=1)


@pytest.mark.parametrize("change", [{"assist_mode": "off"}, {"deleted_at": timezone.now()}])
def test_a_project_without_need_for_embeddings_closes_its_run(project, items, eyes, change):
    featurization.queue_chunks(project)
    Project.objects.filter(pk=project.pk).update(**change)
    featurization.pull()
    assert Run.objects.get(project=project).state == "cancelled"
    factories.run_jobs("ml")
    assert not embeddings.count(project)
    Project.objects.filter(pk=project.pk).update(assist_mode="suggest", deleted_at=None)
    look_until_done(project)
    assert embeddings.count(project) == len(items)
