"""Certificates for images of boxes: proved on blind answers, labels with shapes, audits, withdrawal."""

import uuid
from dataclasses import replace

import numpy as np
import pytest

from labeling import checks, queue, submission, suggestions, validation
from labeling.models import Annotation, Item, LabelClass, Project, QueueEntry, Region, Suggestion
from mlassist import auditing, detecting, loop, objects, vouching
from mlassist.certificates.bounds import upper_bound
from mlassist.detectors.looking import Seen
from mlassist.detectors.scoring import Curve, Scoring
from mlassist.detectors.shapes import Shapes
from mlassist.detectors.storing import HeldOut, Ready
from mlassist.models import Certificate, ModelVersion, Run
from mlassist.runs import Step
from tests import factories

pytestmark = pytest.mark.django_db

COUNT = 600
BLIND = 0.34
FAR = np.array([50, 50, 50, 50], np.float32)  # how far off a wrong box is


class World:
    """Images of two boxes each, and a detector that is right on those of which it is sure.

    `kinds` are per image: sure and right, sure and wrong, unsure (right half of the time), empty.
    """

    def __init__(self, project: Project, kinds: str) -> None:
        self.project = project
        self.items = factories.make_unread_items(project, COUNT)
        self.classes = list(project.classes.order_by("position").values_list("id", flat=True))
        self.kind = {item.pk: kinds[at % len(kinds)] for at, item in enumerate(self.items)}
        self.lucky = {item.pk for at, item in enumerate(self.items) if at // len(kinds) % 2}
        factories.open_queue(project, self.items)
        scoring = Scoring([0.4] * 3, [Curve([0.0, 1.0], [0.0, 1.0])] * 3, [1.0, 0.0, 0.0])
        held = [item.pk for item in self.items[-200:]]
        seen = dict(self.look_at(None, held, lambda done: None))
        self.ready = Ready(
            "by hand",
            None,  # type: ignore[arg-type]
            scoring,
            self.classes,
            HeldOut(
                held,
                [{"u": 0.5}.get(self.kind[item], 0.0) for item in held],  # where it lies it was right once
                [scoring.confidence(seen[item]) for item in held],
            ),
        )
        self.version = ModelVersion.objects.create(
            project=project, number=1, backbone="bundled", head="none", classes=self.classes, labels=100
        )

    def truth(self, item: int) -> Shapes:
        if self.kind[item] == "e":
            return Shapes.none()
        left = float(item % 7)
        boxes = np.array([[left, 0, left + 20, 20], [left + 30, 30, left + 45, 45]], np.float32)
        return Shapes(boxes, np.array([0, 1]), np.ones(2, np.float32))

    def look_at(self, ready, items, sign_of_life):
        for item in items:
            truth = self.truth(item)
            score = 0.5 if self.kind[item] == "u" else 0.98
            right = self.kind[item] in "re" or (self.kind[item] == "u" and item in self.lucky)
            boxes = truth.boxes if right else truth.boxes + FAR
            found = Shapes(boxes, truth.classes, np.full(len(truth), score, np.float32))
            yield item, Seen(found, found)

    def answer(self, labeler) -> None:
        """Answer the whole blind draw as it is, and ten images of each class beside it."""
        blind = [each for each in self.items if each.draw < self.project.validation_rate]
        others = [each for each in self.items if each.draw >= self.project.validation_rate]
        taught = [each for each in others if self.kind[each.pk] != "e"][:12]
        for kind, some in (("validation", blind), ("manual", taught)):
            made = Annotation.objects.bulk_create(
                Annotation(
                    project=self.project,
                    item=each,
                    labeler=labeler,
                    uuid=uuid.uuid4(),
                    source="human",
                    kind=kind,
                    counted=True,
                    seconds=5,
                )
                for each in some
            )
            Region.objects.bulk_create(
                Region(
                    annotation=annotation,
                    label_class_id=self.classes[shape],
                    bbox=[left, top, right - left, bottom - top],
                )
                for annotation in made
                for shape, (left, top, right, bottom) in enumerate(
                    self.truth(annotation.item_id).boxes.tolist()
                )
            )
            for annotation in made:
                annotation.item.state, annotation.item.current_annotation = "labeled", annotation
            Item.objects.bulk_update([each.item for each in made], ["state", "current_annotation"])
            QueueEntry.objects.filter(item__in=[each.item_id for each in made]).delete()

    def play(self) -> Certificate | None:
        """Judge and propose, as a round does; returns the newest certificate."""
        run = Run.objects.create(project=self.project, kind=Run.Kind.INFERENCE)
        step = Step(run)
        blind = objects.judge(self.project, self.version, self.ready, self.look_at, step)
        objects.propose(
            self.project, self.version, self.ready, blind, self.look_at, lambda version: self.ready, step
        )
        self.log, self.metrics = step.text, step.metrics
        return Certificate.objects.filter(project=self.project).order_by("-attempt").first()


@pytest.fixture
def make(manager, labeler):
    """Make a world with its blind images answered: `make("rru", assist_mode="accept")`."""

    def world(kinds: str, **fields) -> World:
        project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
        wanted = {"target_error": 0.1, "validation_rate": BLIND, "assist_mode": "accept"} | fields
        Project.objects.filter(pk=project.pk).update(**wanted)
        project.refresh_from_db()
        made = World(project, kinds)
        made.answer(labeler)
        return made

    return world


def test_a_detector_of_some_classes_is_measured_on_these_and_certified_for_nothing(make):
    world = make("rrrr")
    look_at = world.look_at

    def look_at_first_class(ready, items, sign_of_life):
        for item, seen in look_at(ready, items, sign_of_life):
            yield item, Seen(*(each.pick(each.classes == 0) for each in (seen.found, seen.mirrored)))

    world.look_at, world.ready = look_at_first_class, replace(world.ready, classes=world.classes[:1])
    certificate = world.play()
    assert certificate is None or certificate.state == "refused"
    world.version.refresh_from_db()
    assert world.version.metrics["accuracy"] == 1
    assert not Annotation.objects.filter(source="auto").exists()


def test_what_one_certificate_covers_does_not_speak_for_the_next(make):
    world = make("rrru")
    first = world.play()
    sure = {item for item in first.evidence["judged"] if world.kind[item] == "r"}
    assert set(first.evidence["inside"]) == sure
    later = sorted(sure)[:20]  # answered after the test: what it says of them is asked of its own detector
    first.evidence["judged"] = [item for item in first.evidence["judged"] if item not in later]
    first.evidence["inside"] = [item for item in first.evidence["inside"] if item not in later]
    blind = objects.Blind(np.array(sorted(world.kind)[:204]), *[np.zeros(204)] * 2, [frozenset()] * 204, 0)
    asked = []
    found = vouching.taken([first], blind, lambda _, items: asked.extend(items) or set(items[:5]))
    assert set(later) <= set(asked)
    assert found == set(first.evidence["inside"]) | set(asked[:5])


def automatic(project):
    return Annotation.objects.filter(project=project, source="auto", withdrawn_at=None)


def test_what_agrees_with_people_is_labeled_with_its_boxes(make):
    world = make("rrru")
    certificate = world.play()
    assert certificate.state == "valid", world.log
    assert certificate.bound <= 0.1
    labels = automatic(world.project).prefetch_related("regions")
    assert {world.kind[each.item_id] for each in labels} == {"r"}
    waiting = [each for each in world.items if each.draw >= BLIND and world.kind[each.pk] == "r"]
    assert len(labels) >= len(waiting) - 12
    assert (world.metrics["auto_labels"], world.metrics["prelabeled"]) == (len(labels), 0)
    first = labels[0]
    boxes = sorted(each.bbox for each in first.regions.all())
    left = float(first.item_id % 7)
    assert boxes == [[left, 0, 20, 20], [left + 30, 30, 15, 15]]
    assert "in agreement with people" in certificate.sentence
    # Labelers may read the figures of runs, but not what was found on blind images.
    world.version.refresh_from_db()
    assert world.version.metrics["examples"]["best"]
    assert not any("examples" in each.metrics for each in Run.objects.filter(project=world.project))


def test_an_image_on_which_somebody_saw_a_wrong_object_is_not_labeled(make, labeler):
    world = make("rrru")
    waiting = QueueEntry.objects.filter(project=world.project, kind="manual").order_by("item_id")
    sure = [each for each in waiting.values_list("item_id", flat=True) if world.kind[each] == "r"][:20]
    items = [each for each in world.items if each.pk in sure]
    box = [{"class": world.classes[0], "bbox": [0.0, 0, 20, 20]}]
    asked = [suggestions.AskedObject(each.pk, world.classes[0], box[0]["bbox"], 0.9, 1, 0) for each in items]
    suggestions.store(world.project, 1, [suggestions.Proposal(each.pk, box, None, 0.9) for each in items])
    suggestions.ask_about_objects(world.project, 1, asked)
    page = checks.claim(world.project, labeler)
    checks.answer(page, page.checks[:1], 2.0)
    assert world.play().state == "valid", world.log
    labeled = set(automatic(world.project).values_list("item_id", flat=True))
    wrong, *others = (each.item_id for each in checks.shown(page))
    assert wrong not in labeled
    assert set(others) <= labeled


def test_a_later_import_is_left_to_people_until_the_next_certificate(make):
    world = make("rrru")
    assert world.play().state == "valid"
    labeled = automatic(world.project).count()
    more = factories.make_unread_items(world.project, 40)
    world.kind |= {each.pk: "r" for each in more}
    factories.open_queue(world.project, more)
    world.play()
    assert automatic(world.project).count() == labeled
    assert Suggestion.objects.filter(item__in=more).exists()


def test_a_detector_that_is_sure_and_wrong_labels_nothing(make):
    world = make("rw")
    certificate = world.play()
    assert certificate.state == "refused"
    assert not automatic(world.project).exists()


def test_few_blind_answers_spend_no_attempt(make):
    world = make("rrru", validation_rate=0.05)
    assert world.play() is None
    assert "blind labels" in world.log
    assert not automatic(world.project).exists()


def test_where_objects_are_few_any_difference_makes_an_image_wrong(make):
    world = make("rrru")
    object.__setattr__(world.ready.held_out, "strict", True)
    certificate = world.play()
    assert certificate.state == "valid"
    assert certificate.is_strict
    assert "correct with" in certificate.sentence
    assert certificate.bound == pytest.approx(upper_bound(0, certificate.n, certificate.alpha), abs=1e-6)


def test_images_without_objects_are_a_claim_of_their_own(make):
    world = make("eru")
    certificate = world.play()
    assert certificate.state == "valid"
    assert set(certificate.evidence["strata"]) == {"objects", "empty"}
    assert certificate.evidence["thresholds"]["empty"] is not None
    assert {world.kind[each.item_id] for each in automatic(world.project)} == {"e", "r"}
    assert automatic(world.project).filter(regions=None).exists()


def test_for_the_whole_set_more_may_be_left_to_the_model(make):
    world = make("rru" * 2 + "rw")
    assert world.play().state == "refused"
    other = make_whole(world)
    assert other.state == "valid"
    assert "All labels together" in other.sentence


def make_whole(world):
    Project.objects.filter(pk=world.project.pk).update(promise="whole", target_error=0.2)
    Certificate.objects.filter(project=world.project).delete()
    world.project.refresh_from_db()
    return world.play()


def test_images_with_a_class_that_is_left_to_people_are_not_labeled(make, manager):
    from mlassist import steering

    world = make("rrru")
    first = LabelClass.objects.get(pk=world.classes[0])
    steering.set_withheld(world.project, first, manager, is_withheld=True)
    world.play()
    assert not automatic(world.project).exists()


def test_in_mode_suggest_certified_shapes_wait_for_a_person(make, labeler):
    world = make("rrru", assist_mode="suggest")
    assert world.play().state == "valid"
    assert not automatic(world.project).exists()
    waiting = QueueEntry.objects.filter(project=world.project, kind="prelabeled")
    assert {world.kind[item] for item in waiting.values_list("item_id", flat=True)} == {"r"}
    assert waiting.exclude(certificate=None).count() == waiting.count() == world.metrics["prelabeled"]


def test_what_is_not_certified_is_proposed_on_single_pages_and_never_blind(make, labeler):
    world = make("u", assist_mode="suggest")
    world.play()
    entry = QueueEntry.objects.filter(project=world.project, kind="manual").first()
    assert Suggestion.objects.filter(item=entry.item_id).exists()
    page = queue.claim(world.project, labeler, 1)
    assert page.kind == "manual"
    assert page.claims.get().proposal["regions"]
    blind = Item.objects.filter(project=world.project, draw__lt=BLIND)
    assert not Suggestion.objects.filter(item__in=blind).exists()


def test_audits_that_draw_other_boxes_withdraw_the_certificate(make, labeler):
    world = make("rrru")
    certificate = world.play()
    auditing.draw(certificate)
    asked = list(certificate.audits.select_related("item"))
    assert len(asked) >= 5
    labeled = automatic(world.project).count()
    for _ in range(len(asked)):
        page = queue.claim(world.project, labeler, 1)
        while page is not None and page.kind != "audit":
            page = queue.claim(world.project, labeler, 1)
        if page is None:
            break
        item = page.claims.get().item
        wrong = submission.RegionInput(world.classes[2], [1.0, 1.0, 5.0, 5.0])
        submission.submit(page, labeler, [submission.Answer(item.pk, uuid.uuid4(), (wrong,))])
    loop.check_audits(world.project)
    certificate.refresh_from_db()
    assert certificate.audits.filter(loss=1.0).exists()
    assert certificate.state == "withdrawn"
    assert automatic(world.project).count() == 0 < labeled


def test_a_detector_that_helps_nobody_proposes_nothing(make):
    world = make("u")
    object.__setattr__(world.ready, "held_out", HeldOut([1, 2], [0.9, 0.8], [0.5, 0.5]))
    world.play()
    assert "none are shown" in world.log
    assert not Suggestion.objects.filter(project=world.project).exists()


def test_nothing_new_means_no_new_detector(make):
    world = make("rrru")
    assert objects.has_news(world.project, world.version)
    newest = Annotation.objects.filter(project=world.project).order_by("-id").first()
    world.version.revision = newest.pk
    assert not objects.has_news(world.project, world.version)


def test_the_module_that_teaches_is_the_one_that_the_loop_starts():
    assert detecting.__name__ == "mlassist.detecting"
    assert loop.round_of(Project(task_type="detection")) == "objects"
    assert loop.round_of(Project(task_type="multiclass")) == "round"
    assert validation.goal(0.1, 0.95) > 0
