"""Weights that are replaced under the same name: nothing mixes what two networks have seen."""

import numpy as np

from clustering import embeddings
from clustering.models import EmbeddingSet
from labeling import jobs
from labeling.models import Event, Job
from mlassist import featurization, former, survey, switching
from mlassist.backbones import catalog
from mlassist.models import BackboneOffer, Certificate, Run
from tests import factories
from tests.mlassist.eyes import OTHER, Eyes, OtherEyes, featurize, open_eyes
from tests.mlassist.playing import COUNT, give, play
from tests.mlassist.test_swaps import certify
from tests.mlassist.test_switching import tick


def other_weights(project, monkeypatch):
    """Replace the network behind every name, and let it look at some new images and then all others."""
    open_eyes(monkeypatch, OtherEyes)
    factories.make_items(project, 5, size=40)
    featurize(project)


def test_vectors_of_two_networks_are_never_in_one_set(looked_at, items, monkeypatch):
    before = dict(zip(*embeddings.load(looked_at), strict=True))
    other_weights(looked_at, monkeypatch)
    after = dict(zip(*embeddings.load(looked_at), strict=True))
    assert len(after) == 17
    assert all(np.allclose(after[item.pk], np.roll(before[item.pk], 1), atol=1e-3) for item in items)
    name = f"bundled~{Eyes.fingerprint[:8]}"
    assert dict(EmbeddingSet.objects.values_list("backbone", "weights")) == {
        "bundled": OtherEyes.fingerprint, name: Eyes.fingerprint,
    }  # fmt: skip
    old = dict(zip(*embeddings.load(looked_at, name), strict=True))
    assert all(np.array_equal(old[item.pk], before[item.pk]) for item in items)
    assert Event.objects.get(verb="backbone_adopted").data == {"backbone": "bundled", "instead_of": name}


def test_weights_that_come_back_and_go_again_make_no_mess(looked_at, monkeypatch):
    for size, eyes in ((40, OtherEyes), (44, Eyes), (48, OtherEyes)):
        open_eyes(monkeypatch, eyes)
        factories.make_items(looked_at, 2, size=size)
        featurize(looked_at)
    assert embeddings.count(looked_at) == 18
    assert EmbeddingSet.objects.get(backbone="bundled").weights == OtherEyes.fingerprint
    assert EmbeddingSet.objects.count() == 4


def test_a_chunk_that_is_under_way_when_weights_are_replaced_stores_nothing(looked_at, monkeypatch):
    class Surprised(Eyes):
        def embed(self, images):
            open_eyes(monkeypatch, OtherEyes)
            return super().embed(images)

    open_eyes(monkeypatch, Surprised)
    new = factories.make_items(looked_at, 5, size=40)
    featurization.queue_chunks(looked_at)
    jobs.run(Job.objects.get(kind="featurize", state="queued").pk)
    assert not embeddings.among(embeddings.set_of(looked_at), [item.pk for item in new])
    featurize(looked_at)
    assert EmbeddingSet.objects.get(backbone="bundled").weights == OtherEyes.fingerprint
    assert embeddings.count(looked_at) == 17


def test_chunks_that_were_given_up_before_are_no_hole_in_the_new_set(looked_at, items, monkeypatch):
    Job.objects.filter(kind="featurize").update(state="failed")
    other_weights(looked_at, monkeypatch)
    assert embeddings.count(looked_at) == 17


def test_replaced_weights_supersede_the_certificate_and_the_model(project, pool, labeler, manager):
    old = certify(project, labeler)
    former.make_way("bundled", "abc")
    old.refresh_from_db()
    assert old.state == "superseded"
    assert old.reason.startswith("The weights of the backbone were replaced.")
    assert old.model_version.backbone == "bundled~before"
    assert embeddings.count(project) == 0
    assert embeddings.count(project, "bundled~before") == COUNT
    own = embeddings.set_of(project)
    items = [item.pk for item in pool]
    vectors = embeddings.load(project, "bundled~before")[1]
    embeddings.add(own, items, np.roll(vectors, 1, axis=1), weights="abc")
    assert play(project) == "round"
    new = Certificate.objects.exclude(pk=old.pk).get()
    assert (new.state, new.attempt, new.model_version.backbone) == ("valid", 2, "bundled")
    assert play(project) is None


def test_a_round_waits_until_the_new_network_has_seen_the_images(project, pool, labeler):
    give(project, labeler, 54, "manual")
    assert play(project) == "round"
    former.make_way("bundled", "abc")
    assert play(project) is None
    own, items, vectors = embeddings.set_of(project), [item.pk for item in pool], np.eye(COUNT, 24)
    run = Run.objects.create(project=project, kind="featurization", backbone="bundled")
    embeddings.add(own, items[:300], vectors[:300], weights="abc")
    assert play(project) is None
    embeddings.add(own, items[300:], vectors[300:], weights="abc")
    Run.objects.filter(pk=run.pk).update(state="done", finished_at=run.started_at)
    assert play(project) == "round"


def test_the_queue_is_ordered_anew_when_there_is_no_model_yet(project, pool):
    assert play(project) == "order"
    former.make_way("bundled", "abc")
    items = [item.pk for item in pool]
    embeddings.add(embeddings.set_of(project), items, np.eye(COUNT, 24), weights="abc")
    assert play(project) == "order"
    assert play(project) is None


def test_the_survey_sees_that_weights_were_replaced(looked_at, monkeypatch, tmp_path):
    (tmp_path / "weights").write_bytes(b"others")
    monkeypatch.setattr(survey, "MEASURED_SECONDS", 0.01)
    monkeypatch.setattr(
        catalog, "offers", lambda: [catalog.Offer("bundled", "Ours", "", tmp_path / "weights")]
    )
    open_eyes(monkeypatch, OtherEyes)
    jobs.run(jobs.enqueue("survey").pk)
    assert embeddings.count(looked_at) == 0
    assert BackboneOffer.objects.get(name="bundled").problem == ""
    featurize(looked_at)
    assert embeddings.count(looked_at) == 12
    assert set(looked_at.embedding_sets.values_list("backbone", flat=True)) == {"bundled", "bundled~01234567"}


def test_a_change_to_weights_that_are_replaced_begins_anew(looked_at, manager, monkeypatch):
    switching.choose(looked_at, OTHER, manager)
    featurize(looked_at)
    open_eyes(monkeypatch, lambda name: OtherEyes(name) if name == OTHER else Eyes(name))
    former.make_way(OTHER, OtherEyes.fingerprint)
    tick(looked_at)
    assert looked_at.next_backbone == OTHER
    assert not Event.objects.filter(verb="backbone_adopted").exists()
    featurize(looked_at)
    tick(looked_at)
    assert (looked_at.backbone, looked_at.next_backbone) == (OTHER, "")
    assert EmbeddingSet.objects.get(backbone=OTHER).weights == OtherEyes.fingerprint


def test_the_longest_name_has_room_for_a_former_network(project, items):
    name = "file/" + "x" * 75
    for weights in ("abc", "def"):
        embeddings.add(embeddings.set_of(project, name), [items[0].pk], np.eye(1, 4), weights=weights)
        former.make_way(name, "new")
    names = EmbeddingSet.objects.values_list("backbone", flat=True)
    assert sorted(len(each) for each in names) == [75, 75]
