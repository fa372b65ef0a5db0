"""Models of boxes that nobody has taught, as versions of a project: under a certificate like any other."""

import random
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from PIL import Image, ImageDraw

from labeling import importing
from labeling.models import Annotation, Item, Job, Project, QueueEntry, Region, Suggestion
from mlassist import detecting, loop
from mlassist.autolabel import examples, looking, outside, proposing, rivals, trials, untaught
from mlassist.detectors import learning, storing, teaching
from mlassist.detectors.shapes import Shapes
from mlassist.models import Certificate, ModelVersion, Run
from mlassist.runs import Step
from tests import factories
from tests.mlassist.eyes import featurize
from tests.mlassist.test_detecting import quick

__all__ = ["quick"]  # a fixture

pytestmark = pytest.mark.django_db

WIDTH, HEIGHT, SIDE = 80, 64, 24
COUNT, BLIND, LEARNED, EXAMPLES = 52, 20, 12, 4


def disc_on(number: int) -> list[float]:
    """Return the box of the only disc on a picture."""
    chance = random.Random(number)
    return [chance.randrange(8, WIDTH - SIDE - 8), chance.randrange(8, HEIGHT - SIDE - 8), SIDE, SIDE]


def draw_disc(path: Path, number: int) -> None:
    ground = Image.effect_noise((WIDTH, HEIGHT), 12).point(lambda value: min(255, value + 80))
    picture = Image.merge("RGB", [ground] * 3)
    left, top, width, height = disc_on(number)
    ImageDraw.Draw(picture).ellipse([left, top, left + width, top + height], fill=(200, 30, 30))
    picture.save(path)


def truth_of(item: Item) -> list[float]:
    return disc_on(int(Path(item.path).stem))


@pytest.fixture
def discs(manager, labeler, quick, monkeypatch) -> Project:
    """A project whose model by four examples was let at an image; nobody has answered anything."""
    monkeypatch.setattr(teaching, "FEWEST_TO_FOLD", 8)
    for name in ("FEWEST_VIEWS", "MOST_VIEWS"):
        monkeypatch.setattr(learning, name, 16)  # too few to learn discs
    project = factories.make_project(
        manager=manager, labeler=labeler, classes=["disc"], task_type="detection"
    )
    folder = Path(settings.MEDIA_ROOT).parent / "discs"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(COUNT):
        draw_disc(folder / f"{number:03}.png", number)
    importing.add_folder(project, folder, manager)
    factories.run_jobs("quick")
    wanted = {"validation_rate": 0.2, "target_error": 0.3, "confidence": 0.8, "assist_mode": "accept"}
    Project.objects.filter(pk=project.pk).update(**wanted)
    project.refresh_from_db()
    items = list(project.items.order_by("path"))
    for at, item in enumerate(items):
        item.draw = 0.1 if at < BLIND else 0.3 + at / 100
    Item.objects.bulk_update(items, ["draw"])
    waiting = QueueEntry.objects.filter(item__in=items[BLIND:])
    waiting.update(kind="manual", inclusion_probability=None)
    featurize(project)
    label = project.classes.get()
    for item in items[-EXAMPLES:]:
        examples.add(label, item, truth_of(item), manager)
    trial = trials.start(project, manager, "examples")
    factories.run_jobs("ml")
    trial.refresh_from_db()
    proposing.start(trial, manager, {label.pk: 0.3}, 1)
    factories.run_jobs("long")
    return project


def answer(items: list[Item], labeler, kind: str) -> None:
    for item in items:
        made = factories.make_annotation(item, "disc", labeler, kind=kind, counted=True)
        Region.objects.filter(annotation=made).update(bbox=truth_of(item))
        Item.objects.filter(pk=item.pk).update(state="labeled", current_annotation=made)
        QueueEntry.objects.filter(item=item).delete()


def play(project: Project) -> ModelVersion:
    """Do a round, as the process that the loop starts does; returns the version in use."""
    job = Job.objects.create(project=project, kind="objects", cluster="long")
    detecting.do_round(job)
    project.refresh_from_db()
    version = ModelVersion.objects.filter(project=project, taught=True).order_by("number").last()
    assert version is not None
    return version


def automatic(project: Project):
    return Annotation.objects.filter(project=project, source="auto", withdrawn_at=None)


def test_it_is_certified_labels_and_loses_its_labels_as_a_detector_does(discs, labeler) -> None:
    items = list(discs.items.order_by("path"))
    shown = items[-EXAMPLES:]
    # One example is answered, another one lies in a draw that has grown since.
    answer([*items[BLIND : BLIND + LEARNED], shown[0]], labeler, "manual")
    answer([*items[:BLIND], shown[1]], labeler, "validation")
    Item.objects.filter(pk=shown[1].pk).update(draw=0.15)
    version = play(discs)
    assert version.metrics["head"] == "Label by example"
    tried = version.metrics["candidates"]
    assert tried["Label by example"] > tried[teaching.RESTING]
    assert version.labels == LEARNED + 1
    assert version.metrics["labels"] == LEARNED
    assert version.metrics["validation_n"] == BLIND

    ready = detecting.load(version)
    assert sorted(ready.held_out.items) == [item.pk for item in items[BLIND : BLIND + LEARNED]]
    certificate = Certificate.objects.get(project=discs)
    assert (certificate.state, certificate.model_version) == ("valid", version), certificate.sentence
    assert {item.pk for item in shown}.isdisjoint(certificate.evidence["judged"])

    waiting = {item.pk: item for item in [*items[BLIND + LEARNED : -EXAMPLES], *shown[2:]]}
    labels = automatic(discs).prefetch_related("regions")
    assert {each.item_id for each in labels} <= set(waiting)
    assert len(labels) >= len(waiting) - 2
    assert {(each.certificate, each.model_version) for each in labels} == {(certificate.pk, version.number)}
    first = labels[0]
    (box,) = (each.bbox for each in first.regions.all())
    assert np.allclose(box, truth_of(waiting[first.item_id]), atol=SIDE / 4)

    count = len(labels)
    assert loop.withdraw(certificate, "Somebody found it wrong.") == count
    assert not automatic(discs).exists()
    back = QueueEntry.objects.filter(project=discs, item__in=list(waiting), open_slots__gt=0)
    assert back.count() == len(waiting)


def test_it_is_the_first_version_where_answers_are_too_few_to_teach(
    discs, manager, labeler, tmp_path
) -> None:
    made = rivals.newest(discs)
    items = list(discs.items.order_by("path"))
    new, known = items[BLIND : BLIND + teaching.FEWEST_IMAGES], items[-2:]
    label = discs.classes.get()
    step = Step(Run.objects.create(project=discs, kind="training"))
    few = [item.pk for item in [*new[1:], *known]]
    drawn = [Shapes.of_regions([{"class": label.pk, "bbox": [4, 4, 20, 20]}], [label.pk]) for _ in few]
    pictures = [np.zeros((HEIGHT, WIDTH, 3), np.uint8) for _ in few]
    material = detecting.Material(teaching.Labeled.of(pictures, drawn), few, few)
    assert untaught.compete(discs, material, [label.pk], tmp_path, detecting.look_at, step) is None

    answer([*new, *known], labeler, "manual")
    version = play(discs)
    assert version.metrics["head"] == "Label by example"
    assert version.metrics["candidates"] == {"Label by example": version.metrics["out_of_fold"]["ap50"]}
    proposed = Suggestion.objects.filter(project=discs, item__state="unlabeled")
    assert {each.model_version for each in proposed} == {version.number}
    # What it looks by must be the same as long as it is in use.
    with default_storage.open(version.head) as stored:
        data = stored.read()
    noted = storing.notes(data)
    assert noted["untaught"]["engine"] == "examples"
    with pytest.raises(looking.CannotLook, match="other weights"):
        untaught.kept(discs, noted["untaught"] | {"weights": "of another network"}, b"", noted["classes"])
    # What programs send cannot be asked again, and what was taken back is not.
    outside.begin(discs, manager, "Elsewhere", {}, {})
    assert rivals.newest(discs) == made
    proposing.take_back(made, manager)
    assert rivals.trial(discs) is None
