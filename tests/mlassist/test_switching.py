"""Another backbone for a project: chosen, prepared beside the one in use, swapped in, gone back from."""

from datetime import timedelta

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from clustering import embeddings
from clustering.models import EmbeddingSet, Shard
from labeling import deleting, extensions, jobs, projects
from labeling.models import Event, Job, Project
from mlassist import choices, featurization, loop, survey, switching
from mlassist.models import BackboneOffer, Run, TunedBackbone
from mlassist.templatetags import learning
from tests import factories
from tests.mlassist.eyes import OTHER, Eyes, featurize, offer, open_eyes
from tests.mlassist.playing import COUNT
from tests.mlassist.test_swaps import certify, swap


def tick(project):
    """Let the loop look once; what it wants to learn is not of interest here."""
    loop.tick()
    learning = Job.objects.filter(kind__in=("round", "order"), state="queued")
    learning.update(state="done", finished_at=timezone.now())
    project.refresh_from_db()


# Choosing


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "Choose a backbone."),
        ("file/nowhere", "There is no backbone called file/nowhere."),
        ("file/broken", "Broken cannot be used. Its file is damaged."),
        ("tuned/999999/1", "There is no backbone called tuned/999999/1."),
        ("file/\x00", "No backbone is called that."),
        ("file/\ud800", "No backbone is called that."),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(project, manager, name, sentence):
    offer("file/broken", title="Broken", problem="Its file is damaged.")
    offer("tuned/999999/1")
    with pytest.raises(switching.SwitchRefused, match=sentence.replace(".", r"\.")):
        switching.choose(project, name, manager)
    project.refresh_from_db()
    assert project.next_backbone == ""
    assert not Event.objects.filter(verb__startswith="backbone").exists()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [("assist_mode", "off", "switched off"), ("task_type", "detection", "task type")],
)
def test_a_project_without_models_has_no_backbone_to_change(project, manager, other, field, value, sentence):
    setattr(project, field, value)
    project.save()
    with pytest.raises(switching.SwitchRefused, match=sentence):
        switching.choose(project, OTHER, manager)


def test_a_change_can_be_cancelled_while_no_model_helps(looked_at, manager):
    switching.choose(looked_at, OTHER, manager)
    projects.change_settings(looked_at, manager, assist_mode="off")
    switching.choose(looked_at, "bundled", manager)
    looked_at.refresh_from_db()
    assert looked_at.next_backbone == ""


def test_nobody_is_blamed_while_it_is_measured(project, manager, other, client):
    offer("bundled", title="Loupe's own", problem=survey.CUT_SHORT)
    BackboneOffer.objects.filter(name=OTHER).update(problem=survey.CUT_SHORT)
    job = jobs.enqueue("survey")
    seen = {each.offer.name: each for each in choices.backbones(project, 12).here}
    assert (seen["bundled"].state, seen["bundled"].offer.problem) == ("in use", "")
    assert (seen[OTHER].state, seen[OTHER].offer.problem) == ("being measured", "")
    client.force_login(manager)
    page = client.get(f"/projects/{project.pk}/models/").content.decode()
    assert "cannot be loaded" not in page
    with pytest.raises(switching.SwitchRefused, match="Other is being measured"):
        switching.choose(project, OTHER, manager)
    Job.objects.filter(pk=job.pk).update(state="done", finished_at=timezone.now())
    assert "cannot be loaded" in client.get(f"/projects/{project.pk}/models/").content.decode()
    with pytest.raises(switching.SwitchRefused, match="has not come to an end"):
        switching.choose(project, OTHER, manager)


def test_the_outcome_is_told_though_the_row_has_gone(looked_at, manager):
    switching.choose(looked_at, OTHER, manager)
    BackboneOffer.objects.all().delete()
    assert choices.outcome(looked_at).startswith("file/other is being prepared.")


def test_a_project_may_choose_its_own_fine_tuned_backbone(project, manager):
    offer(f"tuned/{project.pk}/1")
    switching.choose(project, f"tuned/{project.pk}/1", manager)
    assert project.next_backbone == f"tuned/{project.pk}/1"


def test_a_double_click_is_one_choice_and_of_two_managers_the_later_wins(looked_at, manager, admin, other):
    offer("file/third")
    switching.choose(looked_at, OTHER, manager)
    switching.choose(Project.objects.get(pk=looked_at.pk), OTHER, manager)
    assert Event.objects.filter(verb="backbone_chosen").count() == 1
    featurization.pull()
    stale = Project.objects.get(pk=looked_at.pk)
    switching.choose(stale, "file/third", admin)
    featurize(looked_at)
    tick(looked_at)
    assert (looked_at.backbone, looked_at.next_backbone) == ("file/third", "")
    assert Run.objects.get(backbone=OTHER).state == "cancelled"
    assert not embeddings.count(looked_at, OTHER)
    assert list(Event.objects.filter(verb="backbone_chosen").values_list("actor__email", flat=True)) == [
        manager.email,
        admin.email,
    ]


# Preparing and swapping


def test_the_other_backbone_looks_at_all_images_while_the_first_stays_in_use(looked_at, items, manager):
    before = embeddings.load(looked_at)[1]
    switching.choose(looked_at, OTHER, manager)
    featurization.pull()
    run = Run.objects.get(backbone=OTHER)
    assert (run.state, run.total) == ("running", len(items))
    assert {job.priority for job in Job.objects.filter(payload__backbone=OTHER)} == {featurization.BESIDE}
    tick(looked_at)
    assert looked_at.backbone == "bundled"
    featurize(looked_at)
    assert looked_at.backbone == "bundled"
    tick(looked_at)
    assert (looked_at.backbone, looked_at.next_backbone) == (OTHER, "")
    after = embeddings.load(looked_at)[1]
    assert np.allclose(after, np.roll(before, len(OTHER) - len("bundled"), axis=1), atol=1e-3)
    assert Event.objects.get(verb="backbone_adopted").data == {"backbone": OTHER, "instead_of": "bundled"}
    assert set(Run.objects.values_list("backbone", "state")) == {("bundled", "done"), (OTHER, "done")}


def test_progress_and_time_left_are_told(looked_at, items, manager):
    assert extensions.facts(looked_at)["next_backbone"] is None
    switching.choose(looked_at, OTHER, manager)
    featurization.pull()
    told = extensions.facts(looked_at)["next_backbone"]
    assert told == {
        "name": OTHER, "title": "Other", "done": 0, "total": 12, "images_per_second": 100.0,
        "seconds_left": 0, "given_up": 0, "problem": "",
    }  # fmt: skip


def test_a_change_that_is_cancelled_leaves_all_as_it_was(looked_at, items, manager, monkeypatch):
    monkeypatch.setattr(featurization, "FIRST_CHUNK", 4)
    monkeypatch.setattr(featurization, "CHUNK", 4)
    monkeypatch.setattr(featurization, "SMALLEST_CHUNK", 4)
    switching.choose(looked_at, OTHER, manager)
    featurization.pull()
    jobs.run(Job.objects.filter(payload__backbone=OTHER).first().pk)
    switching.choose(looked_at, "bundled", manager)
    featurize(looked_at)
    tick(looked_at)
    assert (looked_at.backbone, looked_at.next_backbone) == ("bundled", "")
    assert Run.objects.get(backbone=OTHER).state == "cancelled"
    assert embeddings.count(looked_at, OTHER) == 4
    assert Event.objects.filter(verb="backbone_cancelled").count() == 1

    switching.choose(looked_at, OTHER, manager)  # goes on where it stopped
    featurize(looked_at)
    tick(looked_at)
    assert looked_at.backbone == OTHER
    assert sorted(embeddings.load(looked_at)[0].tolist()) == sorted(item.pk for item in items)


def test_a_chunk_stops_when_nobody_wants_it_any_more(looked_at, manager, monkeypatch):
    class Slow(Eyes):
        def embed(self, images):
            Project.objects.filter(pk=looked_at.pk).update(next_backbone="")
            return super().embed(images)

    open_eyes(monkeypatch, Slow)
    monkeypatch.setattr(featurization, "SECONDS_BETWEEN_CHECKS", 0.0)
    monkeypatch.setattr("mlassist.embedding.cores", lambda: 1)
    monkeypatch.setattr("mlassist.embedding.ThreadPoolExecutor", InThisThread)
    switching.choose(looked_at, OTHER, manager)
    featurization.pull()
    factories.run_jobs("ml")
    assert Job.objects.get(payload__backbone=OTHER).result == {"embedded": 0}
    assert not embeddings.count(looked_at, OTHER)


class InThisThread:
    """A pool of threads without threads, so that what happens inside is part of the test's transaction."""

    def __init__(self, *args, **kwargs):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass

    def map(self, work, things):
        return map(work, things)


def test_images_that_come_during_a_change_are_seen_by_both(looked_at, items, manager):
    switching.choose(looked_at, OTHER, manager)
    featurize(looked_at)
    factories.make_items(looked_at, 5, size=40)
    tick(looked_at)
    assert looked_at.backbone == "bundled"  # five images are missing
    featurize(looked_at)
    assert embeddings.count(looked_at, "bundled") == embeddings.count(looked_at, OTHER) == 17
    tick(looked_at)
    assert looked_at.backbone == OTHER


def test_a_worker_that_dies_in_the_middle_loses_and_doubles_nothing(looked_at, items, manager):
    switching.choose(looked_at, OTHER, manager)
    featurization.pull()
    job = Job.objects.get(payload__backbone=OTHER)
    Job.objects.filter(pk=job.pk).update(
        state="running", attempts=1, lease_until=timezone.now() - timedelta(minutes=1)
    )
    jobs.sweep()
    featurize(looked_at)
    # And once more, as if it had died between its last write and its outcome.
    Job.objects.filter(pk=job.pk).update(state="queued", finished_at=None)
    factories.run_jobs("ml")
    tick(looked_at)
    assert looked_at.backbone == OTHER
    assert sorted(embeddings.load(looked_at)[0].tolist()) == sorted(item.pk for item in items)


def test_weights_that_vanish_stop_a_change_visibly_until_somebody_tries_again(
    looked_at, items, manager, monkeypatch
):
    from mlassist.backbones import loading

    def fail(name):
        raise loading.CannotLoad("The weights have gone away.")

    open_eyes(monkeypatch, fail)
    switching.choose(looked_at, OTHER, manager)
    featurization.pull()
    jobs.run(Job.objects.get(payload__backbone=OTHER).pk)
    featurization.pull()
    tick(looked_at)
    assert (looked_at.backbone, looked_at.next_backbone) == ("bundled", OTHER)
    told = extensions.facts(looked_at)["next_backbone"]
    assert (told["given_up"], told["problem"]) == (12, "The weights have gone away.")
    assert choices.backbones(looked_at, 12).here[1].state == "stopped"

    open_eyes(monkeypatch)
    switching.choose(looked_at, OTHER, manager)
    featurize(looked_at)
    tick(looked_at)
    assert looked_at.backbone == OTHER
    assert embeddings.count(looked_at) == len(items)


def test_a_swap_waits_for_a_round_that_began_with_the_old_backbone(looked_at, manager):
    switching.choose(looked_at, OTHER, manager)
    featurize(looked_at)
    running = Job.objects.create(
        project=looked_at, kind="round", cluster="ml", state="running", lease_until=timezone.now()
    )
    tick(looked_at)
    assert looked_at.backbone == "bundled"
    Job.objects.filter(pk=running.pk).update(state="done", finished_at=timezone.now())
    tick(looked_at)
    assert looked_at.backbone == OTHER


def test_a_project_that_needs_no_model_for_a_while_goes_on_later(looked_at, items, manager):
    switching.choose(looked_at, OTHER, manager)
    featurization.pull()
    projects.change_settings(looked_at, manager, assist_mode="off")
    featurize(looked_at)
    tick(looked_at)
    assert (looked_at.backbone, looked_at.next_backbone) == ("bundled", OTHER)
    assert Run.objects.get(backbone=OTHER).state == "cancelled"
    projects.change_settings(looked_at, manager, assist_mode="suggest")
    featurize(looked_at)
    tick(looked_at)
    assert looked_at.backbone == OTHER


def test_a_deleted_project_is_left_alone(looked_at, manager):
    switching.choose(looked_at, OTHER, manager)
    featurization.pull()
    deleting.delete(looked_at, manager, looked_at.name)
    featurize(looked_at)
    tick(looked_at)
    assert looked_at.backbone == "bundled"
    assert not Run.objects.filter(state="running").exists()


def test_a_paused_project_is_swapped_too(looked_at, manager):
    projects.set_state(looked_at, Project.State.PAUSED, manager)
    switching.choose(looked_at, OTHER, manager)
    featurize(looked_at)
    tick(looked_at)
    assert looked_at.backbone == OTHER


def test_a_project_without_images_changes_at_once(project, manager, other, eyes):
    switching.choose(project, OTHER, manager)
    tick(project)
    assert project.backbone == OTHER


# Images that were given up


def test_a_manager_tries_again_what_the_backbone_in_use_has_given_up(
    looked_at, manager, reviewer, client, monkeypatch
):
    class Blind(Eyes):
        def embed(self, images):
            raise RuntimeError("out of memory")

    open_eyes(monkeypatch, Blind)
    offer("bundled", title="Loupe's own")
    factories.make_items(looked_at, 5, size=40)
    featurization.queue_chunks(looked_at)
    jobs.run(Job.objects.get(kind="featurize", state="queued").pk)
    featurization.queue_chunks(looked_at)
    told = extensions.facts(looked_at)["embedding"]
    assert (told["done"], told["given_up"], told["problem"]) == (12, 5, "RuntimeError: out of memory")
    client.force_login(reviewer)
    said = "5 images could not be looked at. RuntimeError: out of memory."
    assert said in client.get(f"/projects/{looked_at.pk}/").content.decode()
    assert "Try again" not in client.get(f"/projects/{looked_at.pk}/models/").content.decode()
    client.force_login(manager)
    page = client.get(f"/projects/{looked_at.pk}/models/").content.decode()
    assert said in page
    assert "Try again" in page
    open_eyes(monkeypatch)
    answer = client.post(f"/projects/{looked_at.pk}/models/backbone/", {"name": "bundled"}, follow=True)
    assert "stays in use and goes on looking at images" in answer.content.decode()
    featurize(looked_at)
    assert embeddings.count(looked_at) == 17


# Sets that nobody needs


def test_old_sets_are_deleted_but_not_the_one_before(
    project, pool, labeler, manager, django_capture_on_commit_callbacks
):
    offer("file/third")
    items = [item.pk for item in pool]
    embeddings.add(embeddings.set_of(project, "file/third"), items, np.eye(COUNT, 4))
    embeddings.add(embeddings.set_of(project, "file/never"), items, np.eye(COUNT, 4))
    swap(project, OTHER, manager)
    swap(project, "file/third", manager)
    switching.tidy()
    assert not Job.objects.filter(kind="forget_embeddings").exists()  # all are young
    long_ago = timezone.now() - timedelta(days=3)
    EmbeddingSet.objects.update(created_at=long_ago)
    Shard.objects.update(created_at=long_ago)
    gone = list(
        Shard.objects.filter(embedding_set__backbone__in=("bundled", "file/never")).values_list(
            "name", flat=True
        )
    )
    switching.tidy()
    switching.tidy()
    with django_capture_on_commit_callbacks(execute=True):
        factories.run_jobs("quick")
    assert Job.objects.get(kind="forget_embeddings").result == {"sets": 2}
    assert set(EmbeddingSet.objects.values_list("backbone", flat=True)) == {OTHER, "file/third"}
    assert not any(default_storage.exists(name) for name in gone)
    switching.tidy()
    assert Job.objects.filter(kind="forget_embeddings").count() == 1


def test_a_set_stays_while_a_certificate_was_proven_on_it_and_its_project_lives(
    project, pool, labeler, manager
):
    certify(project, labeler)
    offer("file/third")
    items = [item.pk for item in pool]
    embeddings.add(embeddings.set_of(project, "file/third"), items, np.eye(COUNT, 4))
    swap(project, OTHER, manager)
    swap(project, "file/third", manager)
    twin = factories.make_project(manager=manager)  # uses what the other has left
    ids = [item.pk for item in factories.make_unread_items(twin, 9)]
    embeddings.add(embeddings.set_of(twin), ids, np.eye(9, 4))
    embeddings.add(embeddings.set_of(twin, "file/third"), ids, np.eye(9, 4))
    EmbeddingSet.objects.update(created_at=timezone.now() - timedelta(days=3))
    Shard.objects.update(created_at=timezone.now() - timedelta(days=3))

    def left(owner):
        switching.tidy()
        factories.run_jobs("quick")
        return set(owner.embedding_sets.values_list("backbone", flat=True))

    assert left(project) == {"bundled", OTHER, "file/third"}
    assert left(twin) == {"bundled"}
    deleting.delete(project, manager, project.name)
    assert left(project) == set()
    assert left(twin) == {"bundled"}


# The page and the API


def test_reviewers_see_the_backbones_and_managers_choose(looked_at, manager, reviewer, api):
    offer("bundled", title="Loupe's own")
    offer("file/broken", title="Broken", problem="Its file is damaged.")
    address = f"/api/projects/{looked_at.pk}/backbones/"
    seen = api(reviewer).get(address).json()
    assert (seen["current"], seen["next"], seen["progress"]) == ("bundled", None, None)
    assert {each["name"]: each["state"] for each in seen["results"]} == {
        "bundled": "in use", OTHER: "ready", "file/broken": "cannot be used",
    }  # fmt: skip
    assert api(reviewer).post(address, {"name": OTHER}, format="json").status_code == 404
    refused = api(manager).post(address, {"name": "file/broken"}, format="json")
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == "Broken cannot be used. Its file is damaged."
    assert api(manager).post(address, {}, format="json").status_code == 400
    chosen = api(manager).post(address, {"name": OTHER}, format="json")
    assert chosen.status_code == 202
    assert chosen.json()["next"] == OTHER
    featurization.pull()
    progress = api(reviewer).get(address).json()["progress"]
    assert (progress["done"], progress["total"]) == (0, 12)
    assert api(manager).post(address, {"name": "bundled"}, format="json").json()["next"] is None


def test_the_page_refuses_and_confirms_in_sentences(looked_at, manager, reviewer, client, settings):
    offer("bundled", title="Loupe's own")
    address = f"/projects/{looked_at.pk}/models/backbone/"
    client.force_login(reviewer)
    assert client.post(address, {"name": OTHER}).status_code == 404
    models = f"/projects/{looked_at.pk}/models/"
    seen = client.get(models).content.decode()
    assert "Use this" not in seen
    assert str(settings.LOUPE_WEIGHTS_DIR) not in seen
    client.force_login(manager)
    seen = client.get(models).content.decode()
    assert "Use this" in seen
    assert str(settings.LOUPE_WEIGHTS_DIR) in seen
    answer = client.post(address, {"name": "file/nowhere"}, follow=True).content.decode()
    assert "There is no backbone called file/nowhere." in answer
    answer = client.post(address, {"name": OTHER}, follow=True).content.decode()
    assert "Other is being prepared" in answer
    answer = client.post(address, {"name": "bundled"}, follow=True).content.decode()
    assert "Loupe&#x27;s own stays in use." in answer


def test_what_is_here_but_damaged_comes_before_what_is_not_here(project):
    offer("torchvision/resnet50", title="A", problem="Not here.")
    offer("file/broken", title="B", problem="Damaged.", megabytes=1.0)
    offer("file/link", title="C", problem="A link to nowhere.")
    offer("hub/someone/vit", title="D", problem="No weights.", megabytes=0.0)
    seen = choices.backbones(project, 12)
    assert [each.offer.title for each in seen.here[1:]] == ["B", "C", "D"]
    assert [each.offer.title for each in seen.absent] == ["A"]


def test_backbones_are_called_by_titles_even_when_they_are_gone(project):
    offer("bundled", title="Loupe's own")
    tuned = f"tuned/{project.pk}/24"
    TunedBackbone.objects.create(project=project, name=tuned, base="bundled", learned_from=[])
    assert choices.titles([tuned, "bundled~acbcf71e", f"{tuned}~before", "hub/acme/vit"]) == {
        tuned: "Fine-tuned from Loupe's own",
        "bundled~acbcf71e": "Loupe's own, with its former weights",
        f"{tuned}~before": "Fine-tuned from Loupe's own, with its former weights",
        "hub/acme/vit": "hub/acme/vit",
    }


@pytest.mark.parametrize(
    ("megabytes", "said"),
    [(0.0004, "0.4 kB"), (0.05, "50 kB"), (0.27, "0.3 MB"), (9.96, "10 MB"), (97, "97 MB")],
)
def test_sizes_of_small_files_are_said_too(megabytes, said):
    assert learning.size(megabytes) == said


def test_looking_again_queues_one_survey(project, manager, client):
    client.force_login(manager)
    for _ in range(2):
        client.post(f"/projects/{project.pk}/models/backbone/survey/")
    job = Job.objects.get(kind="survey")
    assert job.payload == {"anew": True}
    assert not BackboneOffer.objects.exists()
