"""Labels from a model that nobody has taught: tried on a few images, then proposed for all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.models import Annotation, Item, Job, Project, QueueEntry, Suggestion
from mlassist import heads, loop, ordering, versions
from mlassist.autolabel import calibration, examples, proposing, prototypes, thresholds, trials
from mlassist.models import Certificate, Example
from mlassist.pool import Pool
from tests import factories
from tests.mlassist.playing import NAMES, give, play, pool

__all__ = ["pool"]  # a fixture

REGIONS = st.lists(
    st.fixed_dictionaries({"class": st.integers(1, 3), "confidence": st.floats(0, 1)}), max_size=8
)
THRESHOLDS = st.dictionaries(st.integers(1, 3), st.floats(0, 1))


@given(st.lists(REGIONS, max_size=6), THRESHOLDS, st.booleans())
def test_what_is_shown_is_never_more_than_there_is_and_what_is_proposed(images, wanted, exclusive) -> None:
    counts = thresholds.counted(images, wanted, exclusive=exclusive)
    kept = [thresholds.kept(each, wanted, exclusive=exclusive) for each in images]
    assert all(shown <= total for shown, total in counts.values())
    assert sum(shown for shown, _ in counts.values()) == sum(map(len, kept))
    assert not exclusive or all(len(each) <= 1 for each in kept)


@given(REGIONS, THRESHOLDS, st.floats(0, 0.5), st.booleans())
def test_a_higher_threshold_never_shows_more(found, wanted, added, exclusive) -> None:
    higher = {label: value + added for label, value in wanted.items()}
    more = thresholds.kept(found, wanted, exclusive=exclusive)
    assert all(each in more for each in thresholds.kept(found, higher, exclusive=exclusive))


@given(st.integers(0, 1_000), st.booleans())
def test_the_spread_counts_what_would_be_proposed_of_each_class(seed, exclusive) -> None:
    rng = np.random.default_rng(seed)
    chances = rng.dirichlet(np.ones(3), 40).round(4)
    spread = thresholds.spread(chances, [7, 8, 9], exclusive=exclusive)
    for step in (5, 30, 50, 90):
        wanted = dict.fromkeys((7, 8, 9), step / 100)
        found = [[{"class": 7 + at, "confidence": float(p)} for at, p in enumerate(row)] for row in chances]
        told = thresholds.counted(found, wanted, exclusive=exclusive)
        assert {label: shown for label, (shown, _) in told.items()} == {
            label: sum(counts[step:]) for label, counts in spread.items()
        }


@given(st.integers(0, 1_000), st.integers(1, 5))
def test_an_example_is_never_unlike_its_own_class(seed, count) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(200, 12)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    head = prototypes.alike(rows[:count], [(3,)] * count, rows)
    assert (head.probabilities(rows[:count])[:, 0] >= 0.5 - 1e-4).all()


def test_where_several_classes_may_apply_an_example_says_nothing_of_the_others() -> None:
    rng = np.random.default_rng(0)
    has = rng.random((400, 2)) < 0.3
    rows = np.hstack([has, 0.2 * rng.normal(size=(400, 10))]).astype(np.float32) + 0.1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    first = [int(np.flatnonzero(has[:, 0] & ~has[:, 1])[0]), int(np.flatnonzero(has[:, 1])[0])]
    head = prototypes.taught(rows[first], [(1,), (2,)], rows, None, multilabel=True)
    assert ((head.probabilities(rows) >= 0.5) == has).mean() > 0.85


@pytest.fixture
def shown(project, pool, manager) -> Project:
    """A project of three clouds with two examples of each class."""
    for name in NAMES:
        label = project.classes.get(name=name)
        of_it = examples.presentable(project).filter(path__startswith=f"{name}/")
        for item in of_it[:2]:
            examples.add(label, item, None, manager)
    return project


def tried(project, manager, **given):
    trial = trials.start(project, manager, "examples", **given)
    factories.run_jobs("ml")
    trial.refresh_from_db()
    return trial


def all_at(project, value: float) -> dict[int, float]:
    return dict.fromkeys(project.classes.values_list("pk", flat=True), value)


def test_a_test_says_all_it_finds_and_the_run_keeps_exactly_what_the_thresholds_show(shown, manager) -> None:
    trial = tried(shown, manager)
    assert trial.images.count() == trials.SHOWN
    assert all(each.found for each in trial.images.all())
    assert trial.seconds is not None
    wanted = all_at(shown, 0.6)
    made = proposing.start(trial, manager, wanted)
    factories.run_jobs("ml")
    made.refresh_from_db()
    expected = {
        each.item_id: thresholds.kept(each.found, wanted, exclusive=True) for each in trial.images.all()
    }
    stored = Suggestion.objects.in_bulk(list(expected))
    assert {item: each.regions for item, each in stored.items()} == {
        item: [dict(one) for one in kept] for item, kept in expected.items() if kept
    }
    promised = sum(sum(counts[60:]) for counts in trial.spread.values())
    assert made.done == made.total == trials.waiting_in(shown, None).count()
    assert made.proposed == promised == Suggestion.objects.filter(project=shown).count()
    right = [
        factories.true_class(each.item) == each.top_class.name
        for each in Suggestion.objects.filter(project=shown).select_related("item", "top_class")
    ]
    assert np.mean(right) > 0.9


def test_images_asked_blind_are_neither_tried_nor_proposed_for(shown, manager) -> None:
    blind = Item.objects.filter(project=shown, draw__lt=shown.validation_rate)
    trial = tried(shown, manager, items=[blind.first().pk, *trials.some(shown, None, [])])
    assert not trial.images.filter(item__in=blind).exists()
    proposing.start(trial, manager, all_at(shown, 0.05))
    factories.run_jobs("ml")
    assert not Suggestion.objects.filter(item__in=blind).exists()
    assert not QueueEntry.objects.filter(item__in=blind).exclude(kind="validation").exists()
    with pytest.raises(examples.AutoLabelRefused):
        examples.add(shown.classes.first(), blind.first(), None, manager)


def test_a_run_that_is_killed_goes_on_without_doing_chunks_again(shown, manager, monkeypatch) -> None:
    monkeypatch.setattr(proposing, "MOST_AT_ONCE", 100)
    made = proposing.start(tried(shown, manager), manager, all_at(shown, 0.3), 450)
    seen: list[int] = []
    written = proposing.write

    def die_in_the_third(made, items, found) -> None:
        if len(seen) == 200:
            raise MemoryError
        seen.extend(item for item, _ in items)
        written(made, items, found)

    monkeypatch.setattr(proposing, "write", die_in_the_third)
    with pytest.raises(AssertionError):
        factories.run_jobs("ml")
    made.refresh_from_db()
    assert made.done == 200
    monkeypatch.setattr(
        proposing, "write", lambda *given: seen.extend(item for item, _ in given[1]) or written(*given)
    )
    proposing.resume(made, manager)
    factories.run_jobs("ml")
    made.refresh_from_db()
    assert made.done == 450
    assert len(seen) == len(set(seen)) == 450


def test_people_are_asked_to_confirm_it_and_what_they_said_stays(shown, manager, labeler) -> None:
    give(shown, labeler, 9, "manual")
    labeled = set(Annotation.objects.filter(project=shown).values_list("item_id", flat=True))
    made = proposing.start(tried(shown, manager), manager, all_at(shown, 0.4))
    factories.run_jobs("ml")
    assert not Suggestion.objects.filter(item__in=labeled).exists()
    give(shown, labeler, 9, "prelabeled")
    confirmed = Annotation.objects.filter(project=shown, kind="prelabeled")
    assert set(confirmed.values_list("suggestion_visible", "certificate", "model_version")) == {
        (True, None, made.model_version.number)
    }
    assert proposing.take_back(made, manager) > 0
    assert not Suggestion.objects.filter(project=shown).exists()
    assert not QueueEntry.objects.filter(project=shown, kind="prelabeled").exists()
    assert Annotation.objects.filter(project=shown, withdrawn_at=None).count() == 18


def test_its_proposals_stay_until_a_model_of_the_project_has_learned(shown, manager, labeler) -> None:
    proposing.start(tried(shown, manager), manager, all_at(shown, 0.3), 300)
    factories.run_jobs("ml")
    assert versions.newest(shown) is None
    asked = set(ordering.auto_labeled(shown).tolist())
    ordering.place_typical(shown, Pool.of(shown))
    assert set(ordering.auto_labeled(shown).tolist()) == asked
    give(shown, labeler, 60, "manual")
    assert play(shown) == "round"
    newest = versions.newest(shown)
    assert newest is not None
    # Where the project's own model says the same, people are still asked to confirm it.
    still = set(ordering.auto_labeled(shown).tolist())
    assert 0 < len(still) <= len(asked)
    assert still <= asked
    for entry in QueueEntry.objects.filter(project=shown, item__in=still).select_related("item__suggestion"):
        assert entry.group == entry.item.suggestion.top_class_id
    assert set(
        Suggestion.objects.filter(project=shown, item__state="unlabeled").values_list(
            "model_version", flat=True
        )
    ) == {newest.number}


def test_nothing_is_run_that_was_not_tried_and_one_at_a_time(shown, manager) -> None:
    trial = trials.start(shown, manager, "examples")
    with pytest.raises(examples.AutoLabelRefused, match="test results"):
        proposing.start(trial, manager, all_at(shown, 0.5))
    factories.run_jobs("ml")
    trial = trials.Trial.objects.get(pk=trial.pk)
    proposing.start(trial, manager, all_at(shown, 0.5))
    with pytest.raises(examples.AutoLabelRefused, match="already"):
        proposing.start(trial, manager, all_at(shown, 0.5))


def test_a_class_has_five_examples_at_most_and_needs_two_classes(shown, manager) -> None:
    label = shown.classes.get(name="circle")
    more = examples.presentable(shown).filter(path__startswith="circle/")[2:5]
    for item in more:
        examples.add(label, item, None, manager)
    assert Example.objects.filter(label_class=label).count() == 5
    with pytest.raises(examples.AutoLabelRefused, match="5 examples"):
        examples.add(label, examples.presentable(shown).last(), None, manager)
    Example.objects.exclude(label_class=label).delete()
    trial = trials.start(shown, manager, "examples")
    job = Job.objects.get(pk=trial.job_id)
    with pytest.raises(AssertionError, match="two classes"):
        factories.run_jobs("ml")
    job.refresh_from_db()
    assert job.state == "failed"


def test_it_competes_with_what_labels_teach_and_can_be_certified(shown, manager, labeler) -> None:
    proposing.start(tried(shown, manager), manager, all_at(shown, 0.9), 100)
    factories.run_jobs("ml")
    give(shown, labeler, 180, "validation")
    give(shown, labeler, 60, "manual")
    assert play(shown) == "round"
    newest = versions.newest(shown)
    assert newest is not None
    assert "examples" in [each["name"] for each in newest.metrics["candidates"]]
    assert newest.metrics["validation_n"] > 100
    blind = Item.objects.filter(project=shown, draw__lt=shown.validation_rate)
    assert not blind.filter(pk__in=examples.items(shown).tolist()).exists()


def test_a_rival_that_is_better_than_what_labels_teach_is_kept() -> None:
    rng = np.random.default_rng(0)
    classes = np.arange(12) % 3
    rows = (np.eye(3, 30)[classes] + 0.5 * rng.normal(size=(12, 30))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    knowing = heads.Head(
        "prompts", np.array([9, 5, 7, 6]), 20 * np.eye(4, 30)[[0, 1, 2, 3]].T, np.zeros(4), 1.0, False
    )
    labels = [((9, 5, 7)[each],) for each in classes]
    fit = heads.train(rows, labels, rows, rival=knowing)
    assert "prompts" in fit.head.kind
    assert fit.head.classes.tolist() == [5, 7, 9]
    unknown = heads.Head("prompts", np.array([9, 5]), np.eye(2, 30).T, np.zeros(2), 1.0, False)
    assert "prompts" not in heads.train(rows, labels, rows, rival=unknown).head.kind


@given(st.integers(0, 1_000), st.booleans())
def test_calibration_changes_how_sure_a_model_is_and_not_what_it_says(seed, multilabel) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(60, 6)).astype(np.float32)
    head = heads.Head(
        "examples", np.array([8, 3, 5]), 30 * rng.normal(size=(6, 3)), np.zeros(3), 1.0, multilabel
    )
    labels = [
        tuple(rng.choice([3, 5, 8], rng.integers(0, 3) if multilabel else 1, replace=False)) for _ in rows
    ]
    after = calibration.calibrated(head, rows, labels)
    assert multilabel or (after.probabilities(rows).argmax(1) == head.probabilities(rows).argmax(1)).all()
    assert calibration.calibrated(head, rows[:10], labels[:10]) is head
    assert after.temperature > head.temperature


def test_what_examples_say_is_certified_labels_and_goes_back_to_people(shown, manager, labeler) -> None:
    Project.objects.filter(pk=shown.pk).update(assist_mode="accept")
    shown.refresh_from_db()
    proposing.start(tried(shown, manager), manager, all_at(shown, 0.9), 100)
    factories.run_jobs("ml")
    give(shown, labeler, 54, "manual")
    assert play(shown) == "round"
    labels = Annotation.objects.filter(project=shown, source="auto", withdrawn_at=None)
    assert not labels.exists()
    give(shown, labeler, 180, "validation")
    assert play(shown) == "round"
    newest = versions.newest(shown)
    assert newest.metrics["head"] == prototypes.KIND
    certificate = Certificate.objects.get(project=shown, state="valid")
    assert certificate.model_version == newest
    assert set(labels.values_list("certificate", "model_version")) == {(certificate.pk, newest.number)}
    waiting = Item.objects.filter(project=shown, draw__gte=shown.validation_rate).count() - 54
    count = labels.count()
    assert count >= 0.9 * waiting
    assert loop.withdraw(certificate, "Somebody found it wrong.") == count
    assert not labels.exists()
    assert QueueEntry.objects.filter(project=shown, item__state="unlabeled").count() >= count
