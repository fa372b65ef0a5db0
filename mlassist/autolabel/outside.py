"""Suggestions of a model that ran elsewhere, sent by a program, taken in like those of one that ran here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from labeling import geometry, languages
from labeling.answers import Answers
from labeling.models import Event, Item, Project, Suggestion, User
from mlassist import meanings, versions
from mlassist.autolabel import proposing, thresholds, trials
from mlassist.autolabel.examples import AutoLabelRefused
from mlassist.models import AutoLabeling, Trial

MOST_AT_ONCE = 500
MOST_REGIONS = 1_000  # of an image
MOST_TOGETHER = 20_000  # regions at once: more would keep a request busy for seconds

Regions = Sequence[Mapping[str, Any]]


def begin(
    project: Project, by: User, title: str, wanted: Mapping[int, float], said: Mapping[int, str]
) -> AutoLabeling:
    """Note that a model's suggestions are to come; `said` is what it was told of each class."""
    if project.task_type == Project.TaskType.SEMANTIC:
        raise AutoLabelRefused(_("Masks cannot be labeled automatically yet."))
    proposing.refuse_unseen(project)
    classes = list(project.classes.filter(retired_at=None))
    told = {str(each.pk): said.get(each.pk) or each.description or each.name for each in classes}
    kept = {str(each.pk): wanted.get(each.pk, thresholds.FLOOR) for each in classes}
    with transaction.atomic():
        trial = Trial.objects.create(
            project=project, engine=trials.OUTSIDE, title=title, prompts=told, created_by=by
        )
        version = versions.add(
            project,
            Answers(np.empty(0, np.int64)),
            backbone=trials.OUTSIDE,
            head="",
            classes=[each.pk for each in classes],
            metrics={"head": title, "engine": trials.OUTSIDE, "prompts": told, "thresholds": kept},
            meaning=meanings.today(project),
            taught=False,
        )
        made = AutoLabeling.objects.create(
            project=project, trial=trial, model_version=version, thresholds=kept, total=0, created_by=by
        )
        Event.record("auto_label", project, by, model=title, images=0, thresholds=kept)
    return made


def take(made: AutoLabeling, given: Mapping[int, Regions]) -> dict[int, str]:
    """Take suggestions by item; returns what became of each.

    Labeled images, those that are asked blind and those on a screen are left out, `below` are those without
    anything above the thresholds. Sent once more, they take the place of the earlier ones, and count once.
    Raises AutoLabelRefused.
    """
    project = made.project
    open_ones = trials.waiting_in(project, None).filter(
        pk__in=list(given), entry__open_slots=F("entry__needed")
    )
    rows: dict[int, Item] = {each.pk: each for each in open_ones}
    found = {item: checked(project, rows[item], regions) for item, regions in given.items() if item in rows}
    with transaction.atomic():
        # Who takes it back meanwhile waits for this, or has this refused.
        mine = AutoLabeling.objects.select_for_update(of=("self",)).select_related("model_version")
        row = mine.get(pk=made.pk)
        if row.taken_back_at is not None or made.trial.engine != trials.OUTSIDE:
            raise AutoLabelRefused(_("Nothing more is taken here. Begin anew."))
        if problem := proposing.obstacle(row):
            raise AutoLabelRefused(_(problem))
        again = Suggestion.objects.filter(
            project=project, item__in=list(found), model_version=made.model_version.number
        ).count()
        proposed = proposing.store(made, list(found), found)
        fresh = len(found) - again
        AutoLabeling.objects.filter(pk=made.pk).update(
            total=F("total") + fresh, done=F("done") + fresh, proposed=F("proposed") + len(proposed) - again
        )
    return {item: "taken" if item in proposed else "below" if item in found else "left_out" for item in given}


def checked(project: Project, item: Item, regions: Regions) -> list[dict[str, Any]]:
    """Return regions with classes as ids. Raises AutoLabelRefused for those that make no sense here."""
    if len(regions) > MOST_REGIONS:
        raise AutoLabelRefused(_("An image has %(most)s suggestions at most.") % {"most": MOST_REGIONS})
    known: dict[int | str, int] = {}
    for label_class in project.classes.filter(retired_at=None):
        known |= {label_class.pk: label_class.pk, label_class.name: label_class.pk}
    made = []
    for each in regions:
        if each["class"] not in known:
            text = _("This project has no class “%(name)s”.")
            raise AutoLabelRefused(text % {"name": each["class"]})
        bbox, polygon = each.get("bbox"), each.get("polygon")
        is_shaped = bool(bbox or polygon)
        if is_shaped == project.is_classification:
            raise AutoLabelRefused(
                _("Item %(item)s: boxes and polygons belong to projects that draw them, and only there.")
                % {"item": item.pk}
            )
        if is_shaped:
            problem = geometry.misfit(bbox, polygon, item.width or 0, item.height or 0)
            problem = problem or geometry.flaw(bbox, polygon)
            if problem:
                said = {"item": item.pk, "problem": languages.said(problem)}
                raise AutoLabelRefused(_("Item %(item)s: %(problem)s") % said)
        region = {"class": known[each["class"]], "confidence": round(float(each["confidence"]), 4)}
        made.append(region | ({"bbox": bbox} if bbox else {"polygon": polygon} if polygon else {}))
    return surest_of_each(made) if project.is_classification else made


def surest_of_each(regions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each class of a whole image once."""
    best: dict[int, dict[str, Any]] = {}
    for each in sorted(regions, key=lambda each: float(each["confidence"])):
        best[each["class"]] = each
    return list(best.values())
