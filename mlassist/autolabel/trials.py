"""Trying a model on a few images: asked for by people, done by a job, told in full to the page."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from labeling import classes, jobs
from labeling.models import DataSource, Item, Job, Project, QueueEntry, User
from mlassist.autolabel import engines, examples, prompts, sentences
from mlassist.autolabel.examples import AutoLabelRefused
from mlassist.models import Trial, TrialImage

if TYPE_CHECKING:
    from mlassist.autolabel.looking import Engine

SHOWN = 4  # test images
OTHERS = 20  # in the strip below
MOST_IMAGES = 200  # that one trial looks at
OUTSIDE = "outside"  # the engine of what programs send


def start(
    project: Project,
    by: User,
    engine: str,
    *,
    source: DataSource | None = None,
    said: Mapping[int, str] | None = None,
    items: Sequence[int] = (),
) -> Trial:
    """Keep the prompts of classes, and try a model on images: those named, or the first few of the choice.

    Raises AutoLabelRefused.
    """
    offer = offered(project, engine)
    shown = some(project, source, items)
    if not shown and items:
        raise AutoLabelRefused(_("These images can no longer be shown here. Load the page again."))
    if not shown:
        raise AutoLabelRefused(_("There is no image to try it on yet. Import some first."))
    with transaction.atomic():
        keep_prompts(project, said or {}, by)
        noted = [note(each) for each in examples.of(project)] if offer.asks_for == "examples" else []
        if offer.asks_for == "examples" and not noted:
            raise AutoLabelRefused(_("Choose at least one example first."))
        at_work = Trial.objects.filter(project=project, job__state__in=Job.UNFINISHED)
        for other in at_work.select_related("job"):
            assert other.job is not None
            jobs.cancel(other.job)
        in_use = project.classes.filter(retired_at=None)
        trial = Trial.objects.create(
            project=project,
            source=source,
            engine=engine,
            title=offer.title,
            prompts={str(each.pk): each.description or each.name for each in in_use},
            examples=noted,
            created_by=by,
        )
        add_images(trial, shown)
        queue(trial, by)
    return trial


def offered(project: Project, engine: str) -> engines.Offer:
    """Return a model that can be used now. Raises AutoLabelRefused."""
    if project.task_type == Project.TaskType.SEMANTIC:
        raise AutoLabelRefused(_("Masks cannot be labeled automatically yet."))
    try:
        offer = engines.find(project, engine)
    except engines.NoSuchModel as error:
        raise AutoLabelRefused(str(error)) from error
    if offer.problem:
        raise AutoLabelRefused(offer.problem)
    return offer


def some(project: Project, source: DataSource | None, items: Sequence[int]) -> list[int]:
    """Return images that may be shown: of those named, else the first of the choice, unlabeled ones first."""
    there = examples.presentable(project, source)
    if items:
        known = set(there.filter(pk__in=list(items)).values_list("pk", flat=True))
        return [item for item in dict.fromkeys(items) if item in known][:MOST_IMAGES]
    return [each.pk for each in first(project, source, SHOWN)]


def first(project: Project, source: DataSource | None, count: int, skip: int = 0) -> list[Item]:
    """Return images of the choice, drawn evenly and always the same: unlabeled ones while there are any."""
    there = examples.presentable(project, source)
    waiting = list(there.filter(state=Item.State.UNLABELED)[skip : skip + count])
    return waiting or list(there[skip : skip + count])


def note(example: Any) -> dict[str, Any]:
    said = {"class": example.label_class_id, "item": example.item_id}
    return said if example.bbox is None else {**said, "bbox": example.bbox}


def keep_prompts(project: Project, said: Mapping[int, str], by: User) -> None:
    """Keep what models are told of classes. Raises AutoLabelRefused."""
    known = {each.pk: each for each in project.classes.filter(retired_at=None)}
    for pk, prompt in said.items():
        if pk not in known:
            raise AutoLabelRefused(_("This project has no class with the id %(id)s.") % {"id": pk})
        text = prompt.strip()[: prompts.LONGEST]
        if text == known[pk].name:
            text = ""  # the name is the prompt of a class without one
        if text != known[pk].description:
            classes.edit(known[pk], by, description=text)


def add_images(trial: Trial, items: Sequence[int]) -> int:
    """Have a trial look at more images; returns how many are new to it."""
    known = set(trial.images.values_list("item_id", flat=True))
    fresh = [item for item in items if item not in known]
    if len(known) + len(fresh) > MOST_IMAGES:
        text = _("A test looks at %(most)s images at most. Generate test results anew to see others.")
        raise AutoLabelRefused(text % {"most": MOST_IMAGES})
    TrialImage.objects.bulk_create(
        [TrialImage(trial=trial, item_id=item, position=len(known) + at) for at, item in enumerate(fresh)],
        ignore_conflicts=True,
    )
    return len(fresh)


def look_at(trial: Trial, items: Sequence[int], by: User) -> None:
    """Preview further images. Raises AutoLabelRefused."""
    with transaction.atomic():
        if add_images(trial, some(trial.project, trial.source, items) if items else []):
            queue(trial, by)


def queue(trial: Trial, by: User) -> None:
    trial.job = jobs.enqueue("try_model", trial.project, {"trial": trial.pk}, created_by=by)
    trial.save(update_fields=["job"])


def newest(project: Project, source: DataSource | None = None) -> Trial | None:
    """Return the last trial of a choice of images; runs of own models, and what programs send, need none."""
    tried = TrialImage.objects.filter(trial=OuterRef("pk"))
    return Trial.objects.filter(Exists(tried), project=project, source=source).order_by("-pk").first()


@jobs.handler("try_model", cluster="ml", priority=1)
def look(job: jobs.RunningJob) -> dict[str, Any]:
    """Ask a trial's model about those of its images that it has not seen."""
    from mlassist.autolabel import looking

    trial = Trial.objects.select_related("project").get(pk=job.payload["trial"])
    try:
        return look_with(looking.ready(trial), trial, job)
    except looking.CannotLook as error:
        raise jobs.JobFailed(str(error)) from error


def look_with(engine: "Engine", trial: Trial, job: jobs.RunningJob) -> dict[str, Any]:
    from mlassist.autolabel import looking

    waiting = list(trial.images.filter(found__isnull=True, problem="").values_list("item_id", flat=True))
    is_scored = isinstance(engine, looking.Scored)
    measured = []
    for at, some_items in enumerate([waiting] if is_scored else [[item] for item in waiting]):
        job.progress(at, len(waiting))
        found, seconds = looking.timed(engine, some_items)
        measured.append(seconds)
        known = dict(found)
        for item in some_items:
            told = known.get(item)
            problem = sentences.UNREADABLE if told is None else ""
            trial.images.filter(item=item).update(found=told, problem=problem)
    fields: dict[str, Any] = {}
    if trial.seconds is None and measured:
        # The first image also pays for what is made once.
        fields["seconds"] = float(np.mean(measured[1:] or measured))
    if not trial.model and (data := engine.to_bytes()):
        fields["model"] = default_storage.save(f"trials/{trial.project_id}/{trial.pk}", ContentFile(data))
    if isinstance(engine, looking.Scored) and not trial.spread:
        open_items = np.array(of_choice(trial), np.int64)
        fields["spread"] = {str(label): counts for label, counts in engine.spread(open_items).items()}
    Trial.objects.filter(pk=trial.pk).update(**fields)
    return {"trial": trial.pk, "looked_at": len(waiting)}


def of_choice(trial: Trial) -> list[int]:
    """Return the items that a trial's model could propose for."""
    return list(waiting_in(trial.project, trial.source).values_list("pk", flat=True))


def waiting_in(project: Project, source: DataSource | None) -> QuerySet[Item]:
    """Return the images of a choice that wait for a label and may be proposed for.

    What is proposed under a certificate is not among them: no other model's word is worth as much.
    """
    waiting = examples.presentable(project, source).filter(state=Item.State.UNLABELED)
    return waiting.filter(~Exists(certified(project).filter(item=OuterRef("pk"))))


def certified(project: Project) -> QuerySet[QueueEntry]:
    """Return what waits to be confirmed under a certificate."""
    return QueueEntry.objects.filter(project=project, certificate__isnull=False)
