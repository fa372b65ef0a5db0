"""A detector's version with all that its metrics may hold, beside people's answers, without teaching one."""

import uuid
from collections.abc import Sequence
from typing import Any

from labeling.models import Annotation, Item, Project, QueueEntry, Region, User
from mlassist.models import ModelVersion
from mlassist.pictures import examples
from tests import factories

QUALITY = {
    "ap": 0.5517,
    "ap50": 0.8123,
    "mean_iou": 0.7841,
    "per_class": [0.9314, 0.6932, None],
    "curve": [[0.0, 0.99], [0.25, 0.97], [0.5, 0.93], [0.75, 0.81], [0.875, 0.55], [1.0, 0.0]],
    "confusion": [[41, 3, 0, 4], [5, 22, 0, 6], [0, 0, 0, 0], [2, 7, 1, 0]],
}


def answer(items: Sequence[Item], labeler: User) -> None:
    """Give items the answers that are right."""
    for item in items:
        given = Annotation.objects.create(
            project_id=item.project_id,
            item=item,
            labeler=labeler,
            uuid=uuid.uuid4(),
            source="human",
            kind="validation",
            counted=True,
            seconds=9,
        )
        Region.objects.bulk_create(
            Region(
                annotation=given,
                label_class_id=each["class"],
                bbox=each.get("bbox"),
                polygon=each.get("polygon"),
            )
            for each in factories.true_regions(item)
        )
        item.state, item.current_annotation = Item.State.LABELED, given
        item.save()
    QueueEntry.objects.filter(item__in=items).delete()


def guess(item: Item, off: float) -> list[dict[str, Any]]:
    """Return what a detector may find: all regions so far off, without the last one if that is much."""
    found = []
    for rank, each in enumerate(factories.true_regions(item)):
        moved = dict(each, confidence=round(0.96 - 0.07 * rank, 2))
        if "bbox" in each:
            moved["bbox"] = [each["bbox"][0] + off, each["bbox"][1] + off / 2, *each["bbox"][2:]]
        else:
            moved["polygon"] = [[number + off for number in part] for part in each["polygon"]]
        found.append(moved)
    return found if off < 10 else found[:-1]


def make_version(project: Project, items: Sequence[Item], *, blind: bool = True) -> ModelVersion:
    """Make a version, with blind answers to some items or before there are any."""
    number = project.model_versions.count() + 1
    classes = list(project.classes.order_by("position").values_list("id", flat=True))
    metrics: dict[str, Any] = {
        "labels": 120,
        "head": "whole network",
        "candidates": {"head alone": 0.6105, "whole network": 0.7904},
        "out_of_fold": {**QUALITY, "ap50": 0.7904},
        "out_of_fold_accuracy": 0.7412,
        "expected_error": [[0.25, 0.02], [0.5, 0.05], [0.75, 0.14], [1.0, 0.26]],
    }
    if blind:
        offs = [0.0 if at % 2 else 14.0 + 9 * at for at in range(len(items))]
        losses = [0.0 if not off else 0.4 + off / 100 for off in offs]
        metrics |= {
            "blind": QUALITY,
            "validation_n": 84,
            "accuracy": 0.8217,
            "low": 0.7631,
            "high": 0.8702,
            "blind_labels": 84,
            "outlook": {"needed": 202, "message": "", "in_sight": False, "waits": False},
            "examples": examples(
                [each.pk for each in items],
                losses,
                [guess(each, off) for each, off in zip(items, offs, strict=True)],
            ),
        }
    return ModelVersion.objects.create(
        project=project,
        number=number,
        backbone="bundled",
        head="none",
        classes=classes,
        metrics=metrics,
        labels=60 * number,
        revision=0,
        embedded=len(items),
    )
