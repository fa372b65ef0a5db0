"""A round of a project with boxes, from answers to proposals, by a real detector."""

import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from django.utils import timezone

from labeling import answers, jobs
from labeling.models import Annotation, Event, Item, Job, Project, QueueEntry, Region, Suggestion
from mlassist import crops, loop, objects, runs
from mlassist.custom import choice, making, work
from mlassist.models import ModelVersion, Run
from tests import factories
from tests.mlassist.eyes import featurize, open_eyes

pytest.importorskip("torch")

from mlassist import detecting
from mlassist.detectors import learning, scaling, teaching

pytestmark = pytest.mark.django_db

SIZE = (120, 80)


@pytest.fixture
def quick(monkeypatch, settings, tmp_path):
    """Teach for seconds, in a home of its own."""
    settings.LOUPE_HOME = tmp_path
    for name in ("FEWEST_VIEWS", "MOST_VIEWS"):
        monkeypatch.setattr(learning, name, 64)
    monkeypatch.setattr(learning, "WARM_UP", 5)
    monkeypatch.setattr(learning, "AVERAGED", 0.9)
    monkeypatch.setattr(scaling, "FEWEST_PIXELS", 100 * 100)
    monkeypatch.setattr(teaching, "FEWEST_TO_FOLD", 100)
    open_eyes(monkeypatch)


@pytest.fixture
def drawn(manager, labeler, quick):
    """A project of boxes with twenty images, of which people have drawn on twelve and blindly on four."""
    project = factories.make_project(
        manager=manager, labeler=labeler, classes=["circle", "square"], task_type="detection"
    )
    items = factories.make_scenes(project, 20, size=SIZE)
    Project.objects.filter(pk=project.pk).update(validation_rate=0.2)
    for at, item in enumerate(items):
        item.draw = 0.1 if at < 4 else 0.9
    Item.objects.bulk_update(items, ["draw"])
    QueueEntry.objects.filter(item__in=items[4:]).update(kind="manual", inclusion_probability=None)
    for at, item in enumerate(items[:16]):
        answer(item, labeler, "validation" if at < 4 else "manual")
    project.refresh_from_db()
    featurize(project)
    return project


def answer(item, labeler, kind):
    annotation = Annotation.objects.create(
        project=item.project, item=item, labeler=labeler, uuid=uuid.uuid4(), source="human", kind=kind
    )
    Region.objects.bulk_create(
        Region(annotation=annotation, label_class_id=each["class"], bbox=each["bbox"])
        for each in factories.true_regions(item)
    )
    Item.objects.filter(pk=item.pk).update(state="labeled", current_annotation=annotation)
    QueueEntry.objects.filter(item=item).delete()


def test_a_round_teaches_judges_and_proposes_boxes(drawn, monkeypatch):
    monkeypatch.setattr(teaching.Scoring, "untried", half_sure)
    job = Job.objects.create(project=drawn, kind="objects", cluster="long")
    detecting.do_round(job)
    version = ModelVersion.objects.get(project=drawn)
    assert version.labels == 12
    assert version.metrics["validation_n"] == 4
    assert 0 <= version.metrics["blind"]["ap50"] <= 1
    assert len(version.metrics["examples"]["best"]) == 2
    assert [run.state for run in Run.objects.filter(job=job).order_by("id")] == ["done"] * 3
    ready = detecting.load(version)
    assert ready.classes == list(drawn.classes.order_by("position").values_list("id", flat=True))
    # Held out of nothing, nobody knows how good it is, and it proposes nothing yet.
    assert not Suggestion.objects.filter(project=drawn).exists()
    assert not runs.workplace(drawn).exists()
    # Without anything new it is not taught again.
    detecting.do_round(Job.objects.create(project=drawn, kind="objects", cluster="long"))
    assert ModelVersion.objects.filter(project=drawn).count() == 1
    assert Run.objects.filter(project=drawn, kind="inference").count() == 2


def test_a_killed_teaching_goes_on_with_the_answers_that_it_began_with(drawn, labeler, monkeypatch):
    job = Job.objects.create(project=drawn, kind="objects", cluster="long")
    began_with = answers.training(drawn)
    folders = []

    def dies(lesson, say, progress):
        (lesson.folder / "some.checkpoint").touch()
        folders.append(lesson.folder)
        raise KeyboardInterrupt

    teach = teaching.teach
    monkeypatch.setattr(teaching, "teach", dies)
    with pytest.raises(KeyboardInterrupt):
        detecting.do_round(job)
    answer(drawn.items.order_by("id")[16], labeler, "manual")

    def goes_on(lesson, say, progress):
        assert len(lesson.labeled) == 12
        assert (lesson.folder / "some.checkpoint").exists()
        (lesson.folder / "some.checkpoint").unlink()
        return teach(lesson, say, progress)

    monkeypatch.setattr(teaching, "teach", goes_on)
    detecting.do_round(job)
    version = ModelVersion.objects.get(project=drawn)
    assert (version.labels, version.revision) == (12, began_with.revision)
    assert loop.news(drawn, version) == 1
    assert not folders[0].exists()


def test_a_teaching_begins_anew_when_an_answer_or_a_file_is_gone(drawn, monkeypatch):
    job = Job.objects.create(project=drawn, kind="objects", cluster="long")
    seen = []

    def dies(lesson, say, progress):
        seen.append((len(lesson.labeled), (lesson.folder / "some.checkpoint").exists()))
        (lesson.folder / "some.checkpoint").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(teaching, "teach", dies)
    learned = Item.objects.filter(pk__in=answers.training(drawn).items.tolist()).order_by("id")
    for at in range(4):
        if at == 1:
            Path(learned[0].source.location, learned[0].path).unlink()
        if at == 3:
            Item.objects.filter(pk=learned[1].pk).update(state="unlabeled", current_annotation=None)
        with pytest.raises(KeyboardInterrupt):
            detecting.do_round(job)
    assert seen == [(12, False), (11, False), (11, True), (10, False)]


def test_an_outline_among_boxes_counts_as_its_box(drawn):
    region = Region.objects.filter(annotation__kind="manual").order_by("id").first()
    left, top, width, height = region.bbox
    corner = [left, top, left + width, top, left + width, top + height]
    Region.objects.filter(pk=region.pk).update(polygon=[corner], bbox=None)
    given = answers.training(drawn)
    shapes = objects.drawn(drawn, given, list(drawn.classes.values_list("id", flat=True)))
    assert not any(each.polygons for each in shapes)
    boxes = shapes[given.annotations.tolist().index(region.annotation_id)].boxes
    assert np.isclose(boxes, [left, top, left + width, top + height]).all(1).any()


def test_crops_are_embedded_and_most_like_themselves(drawn):
    items = list(drawn.items.order_by("id"))
    found = [
        crops.Candidate(item.pk, each["class"], each["bbox"], 0.9)
        for item in items
        for each in factories.true_regions(item)
    ]
    near = [replace(each, bbox=[each.bbox[0] + 1, *each.bbox[1:]]) for each in found]
    vectors, others = detecting.embed_crops(drawn, found), detecting.embed_crops(drawn, near)
    assert np.mean((vectors @ others.T).argmax(1) == np.arange(len(found))) > 0.8
    Path(items[0].source.location, items[0].path).unlink()
    assert not detecting.embed_crops(drawn, found[:1]).any()


def half_sure(classes):
    from mlassist.detectors.scoring import Curve, Scoring

    return Scoring([0.3] * classes, [Curve([0.0, 1.0], [0.02, 0.98])] * classes, [1.0, 0.5, 0.0])


def test_a_few_new_answers_or_another_target_teach_nothing_new_unless_somebody_asks(drawn, manager):
    version = ModelVersion.objects.create(
        project=drawn, number=1, backbone="bundled", head="none", labels=9, revision=0
    )
    job = Job(project=drawn, kind="objects", cluster="long")
    assert objects.has_news(drawn, version)
    assert not detecting.is_worth_teaching(drawn, version, job)
    job.created_by = manager
    assert detecting.is_worth_teaching(drawn, version, job)


def test_what_was_looked_at_since_a_change_is_not_looked_at_for_ever(drawn):
    version = ModelVersion.objects.create(
        project=drawn, number=1, backbone="bundled", head="none", labels=12, revision=10**9, embedded=20
    )
    version.metrics = {"outlook": {"needed": 3, "in_sight": True}, "blind_labels": 4}
    version.save()
    assert not loop.round_is_due(drawn, version)
    Event.record("settings", drawn, None, target_error=[0.1, 0.2])
    assert loop.round_is_due(drawn, version)
    run = Run.objects.create(project=drawn, kind="inference", model_version=version)
    Run.objects.filter(pk=run.pk).update(state="done", finished_at=timezone.now())
    assert not loop.round_is_due(drawn, version)
    version.metrics["blind_labels"] = 2  # one more was missing for an attempt, and two have come
    assert loop.round_is_due(drawn, version)


def test_without_enough_answers_there_is_a_sentence_and_no_model(drawn):
    Annotation.objects.filter(project=drawn, kind="manual").update(skipped=True)
    with pytest.raises(detecting.NothingToLearn, match="answered images"):
        detecting.do_round(Job.objects.create(project=drawn, kind="objects", cluster="long"))


def test_the_loop_asks_for_a_detector_once_each_class_was_drawn_often_enough(drawn):
    assert loop.first_model_is_due(drawn)
    loop.advance(drawn)
    assert Job.objects.get(project=drawn, kind="objects").cluster == "long"
    assert "long" in jobs.CLUSTERS


def test_boxes_that_people_drew_come_back_as_they_were(drawn):
    given = answers.training(drawn)
    regions = answers.regions_of(given.annotations.tolist())
    first = Item.objects.get(pk=given.items[0])
    assert sorted(each["bbox"] for each in regions[given.annotations[0]]) == sorted(
        each["bbox"] for each in factories.true_regions(first)
    )
    assert sum(answers.objects_of(drawn).values()) == sum(map(len, regions.values()))


def test_a_detector_that_was_chosen_is_used_as_it_is_and_later_ones_are_made_like_it(
    drawn, manager, monkeypatch
) -> None:
    monkeypatch.setattr(making, "FEWEST", 2)
    circle = drawn.classes.get(name="circle")
    made = making.start(drawn, manager, [circle.pk], ["at rest"])
    work.do(Job.objects.get(pk=made.job_id))
    (candidate,) = made.candidates.all()
    assert (candidate.problem, candidate.metrics["classes"]) == ("", [circle.pk])
    assert candidate.pace is not None
    choice.choose(candidate, manager)
    choice.choose(candidate, manager)  # a double click
    (version,) = ModelVersion.objects.filter(project=drawn)
    assert (version.head, version.labels) == (candidate.model, 12)
    detecting.do_round(loop.unfinished(drawn, "objects"))
    assert ModelVersion.objects.filter(project=drawn).count() == 1
    assert detecting.load(version).classes == [circle.pk]
    assert loop.round_is_due(drawn, version) is False

    lessons = []
    teach = teaching.teach
    monkeypatch.setattr(
        teaching, "teach", lambda lesson, *rest: lessons.append(lesson) or teach(lesson, *rest)
    )
    asked = Job.objects.create(project=drawn, kind="objects", cluster="long")
    with runs.recorded(drawn, asked, Run.Kind.TRAINING, total=1) as step:
        newer = detecting.teach(drawn, step)
    assert [(lesson.kind, lesson.classes) for lesson in lessons] == [("head alone", 1)]
    assert newer.metrics["chosen"] == candidate.title
