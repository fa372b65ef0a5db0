import numpy as np
import pytest
from django.conf import settings

from clustering import embeddings
from labeling.models import Item, Job
from mlassist import featurization
from mlassist.models import Run
from tests import factories


class Eyes:
    """A backbone that sees the mean colour."""

    side, dimension = 8, 3

    def use_one_thread(self):
        pass

    def prepare(self, image):
        return np.asarray(image.resize((8, 8)))

    def embed(self, images):
        means = images.mean((1, 2)).astype(np.float32)
        return means / np.linalg.norm(means, axis=1, keepdims=True)


@pytest.fixture
def eyes(monkeypatch):
    backbones = pytest.importorskip("mlassist.backbones")
    monkeypatch.setattr(backbones, "load", lambda name: Eyes())


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

    from mlassist import backbones

    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (60, 100, 3)).astype(np.uint8)
    flat = np.tile(np.linspace(0, 255, 100).astype(np.uint8)[None, :, None], (60, 1, 3))
    backbone = backbones.load("bundled")
    prepared = [backbone.prepare(Image.fromarray(image)) for image in (noise, noise[:, ::-1], flat)]
    assert {image.shape for image in prepared} == {(96, 96, 3)}
    vectors = backbone.embed(np.stack(prepared))
    assert vectors.shape == (3, backbone.dimension)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert vectors[0] @ vectors[1] > 0.99  # mirror images are the same to it
    assert vectors[0] @ vectors[2] < 0.9

    import torchvision
    from safetensors.torch import load_file

    plain = torchvision.models.regnet_x_400mf(num_classes=200).eval()
    plain.load_state_dict(
        {name: each.float() for name, each in load_file(backbones.WEIGHTS / "bundled.safetensors").items()}
    )
    seen: dict[str, torch.Tensor] = {}
    plain.trunk_output.block4.register_forward_hook(lambda module, given, out: seen.update(last=out))
    pixels = torch.from_numpy(np.stack(prepared)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        plain((pixels - backbones.MEAN) * backbones.SCALE)
        network = backbone.network.float()
        folded = network((pixels - backbones.MEAN) * backbones.SCALE)
        backbone.network.to(backbone.dtype)
    assert torch.allclose(folded[:, 160:], seen["last"].mean((2, 3)), rtol=0.05, atol=0.05)
