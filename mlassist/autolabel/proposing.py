"""Suggestions for many images by a model that was tried: a job in chunks, stopped and resumed at will."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Count, F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from labeling import announcing, jobs, suggestions
from labeling.answers import Answers
from labeling.models import Event, Job, Project, QueueEntry, User
from labeling.suggestions import Placement, Proposal
from mlassist import meanings, runs, switching, versions
from mlassist.autolabel import engines, sentences, thresholds, trials
from mlassist.autolabel.examples import AutoLabelRefused
from mlassist.models import AutoLabeling, ModelVersion, Trial

if TYPE_CHECKING:
    from mlassist.autolabel.looking import Engine, Found

MOST_AT_ONCE, FEWEST_AT_ONCE = 2_000, 16
SECONDS_AT_ONCE = 60  # of work that a killed worker loses, at the most
WHY = gettext_noop("auto-label proposes it")
ASKED_FOR = -0.75  # of drawings: after what people sent back, before what a first model would learn from


def start(trial: Trial, by: User, wanted: Mapping[int, float], count: int | None = None) -> AutoLabeling:
    """Let a tried model propose for all images that wait, or for `count` of them. Raises AutoLabelRefused.

    `wanted` are the thresholds of the test, by class.
    """
    project = trial.project
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        refuse(trial)
        classes = set(project.classes.filter(retired_at=None).values_list("id", flat=True))
        kept = {str(label): round(value, 4) for label, value in wanted.items() if label in classes}
        if not kept:
            raise AutoLabelRefused(_("Choose at least one class."))
        there = trials.waiting_in(project, trial.source).count()
        total = there if count is None else min(there, count)
        if not total:
            raise AutoLabelRefused(_("No image waits for a label here."))
        made = AutoLabeling.objects.create(
            project=project,
            trial=trial,
            model_version=version_for(trial, kept),
            thresholds=kept,
            total=total,
            created_by=by,
        )
        kind = "auto_label" if engines.find(project, trial.engine).quick else "auto_label_slowly"
        made.job = jobs.enqueue(kind, project, {"auto_labeling": made.pk}, total=total, created_by=by)
        made.save(update_fields=["job"])
        Event.record("auto_label", project, by, model=trial.title, images=total, thresholds=kept)
    return made


def refuse(trial: Trial) -> None:
    """Raise AutoLabelRefused unless a trial's model can be let at many images now."""
    project = trial.project
    refuse_unseen(project)
    if project.is_hiding_faces:
        raise AutoLabelRefused(_("Faces are being hidden. Wait until that is done."))
    trials.offered(project, trial.engine)
    if trial.seconds is None or (trial.job is not None and trial.job.state != Job.State.DONE):
        raise AutoLabelRefused(_("Generate test results first, and look at them."))
    in_use = project.classes.filter(retired_at=None).values_list("id", flat=True)
    is_own = trial.engine.startswith("version/")  # whose classes are known
    if not is_own and set(trial.prompts) != {str(label) for label in in_use}:
        raise AutoLabelRefused(_("Classes have changed since the test. Generate test results again."))
    adopted = switching.last_swap(project)
    if project.is_classification and adopted is not None and adopted.created_at > trial.created_at:
        raise AutoLabelRefused(_("The backbone has changed since the test. Generate test results again."))
    if running(project) is not None:
        raise AutoLabelRefused(_("Auto label is at work already. Wait for it, or stop it."))


def refuse_unseen(project: Project) -> None:
    """Raise AutoLabelRefused where nobody would be shown what a model proposes."""
    if project.assist_mode == Project.AssistMode.OFF:
        raise AutoLabelRefused(_(sentences.SWITCHED_OFF))


def running(project: Project) -> AutoLabeling | None:
    at_work = AutoLabeling.objects.filter(project=project, job__state__in=Job.UNFINISHED)
    return at_work.select_related("job", "trial").first()


def thresholds_before(project: Project) -> dict[str, float]:
    """Return the thresholds of the last run here, by class id."""
    made = AutoLabeling.objects.filter(project=project).exclude(trial__engine=trials.OUTSIDE)
    last = made.order_by("-pk").first()
    return dict(last.thresholds) if last else {}


def state_of(made: AutoLabeling) -> str:
    """Return the state of its job; "outside" where a program sends what a model says elsewhere."""
    if made.trial.engine == trials.OUTSIDE:
        return trials.OUTSIDE
    return made.job.state if made.job else Job.State.CANCELLED


def version_for(trial: Trial, wanted: Mapping[str, float]) -> ModelVersion:
    """Return the version that suggestions name: the project's own model, or a new one for what was tried."""
    project = trial.project
    if trial.engine.startswith("version/"):
        return engines.version_of(project, trial.engine)
    head = ""
    if trial.model and project.is_classification:
        with default_storage.open(trial.model) as stored:
            name = f"heads/{project.pk}/auto-{trial.pk}.npz"
            head = default_storage.save(name, ContentFile(stored.read()))
    return versions.add(
        project,
        Answers(np.empty(0, np.int64)),
        backbone=trial.engine if head and trial.engine.startswith("hub/") else project.backbone,
        head=head,
        classes=[int(label) for label in wanted],
        metrics={
            "head": trial.title,
            "engine": trial.engine,
            "prompts": trial.prompts,
            "examples": trial.examples,
            "thresholds": dict(wanted),
        },
        meaning=meanings.today(project),
        taught=False,
    )


def announce_end(job: Job) -> None:
    """Tell who has asked for it how it ended; who has stopped it knows."""
    made = AutoLabeling.objects.select_related("project", "trial").get(pk=job.payload["auto_labeling"])
    if job.state == Job.State.CANCELLED:
        return
    announcing.announce(
        "auto_label_done",
        made.project,
        key=f"auto_label:{job.pk}:{job.state}:{made.done}",
        to={made.created_by_id: 1} if made.created_by_id else None,
        model=made.trial.title,
        images=made.done,
        proposed=made.proposed,
        source=made.trial.source_id,
        error=runs.sentence_of(job.error) if job.state == Job.State.FAILED else "",
    )


@jobs.handler("auto_label", cluster="ml", priority=4, ended=announce_end)
def propose_quickly(job: jobs.RunningJob) -> dict[str, Any]:
    """Propose by what the project knows of its images already."""
    return propose(job)


@jobs.handler("auto_label_slowly", cluster="long", priority=4, ended=announce_end)
def propose_slowly(job: jobs.RunningJob) -> dict[str, Any]:
    """Propose by looking at every image, where no training has to wait for it."""
    return propose(job)


def propose(job: jobs.RunningJob) -> dict[str, Any]:
    """Look at what is left of a choice, chunk after chunk; each is written together with how far it is."""
    from mlassist.autolabel import looking

    try:
        return go_through(job, looking.ready)
    except looking.CannotLook as error:
        raise jobs.JobFailed(str(error)) from error


def go_through(job: jobs.RunningJob, ready: Callable[[Trial], "Engine"]) -> dict[str, Any]:
    related = AutoLabeling.objects.select_related("project", "trial__project", "model_version")
    made = related.get(pk=job.payload["auto_labeling"])
    engine = ready(made.trial)
    size = chunk_size(made.trial.seconds or 0.0)
    while items := following(made, size):
        found: dict[int, Found] = {}
        job.progress(made.done, made.total)
        for number, (item, told) in enumerate(engine.look([item for item, draw in items])):
            found[item] = told
            job.progress(made.done + number, made.total)
        write(made, items, found)
    return {"images": made.done, "proposed": made.proposed}


def chunk_size(seconds: float) -> int:
    return int(np.clip(SECONDS_AT_ONCE / max(seconds, 1e-6), FEWEST_AT_ONCE, MOST_AT_ONCE))


def following(made: AutoLabeling, size: int) -> list[tuple[int, float]]:
    """Return (item, draw) of the next images that wait, in the order of their draw."""
    later = Q(draw__gt=made.cursor) | Q(draw=made.cursor, pk__gt=made.cursor_item)
    waiting = trials.waiting_in(made.project, made.trial.source).filter(later)
    return list(waiting.values_list("pk", "draw")[: max(0, min(size, made.total - made.done))])


def obstacle(made: AutoLabeling) -> str:
    """Return why a run must not go on, empty where nothing speaks against it: people change their minds."""
    project = Project.objects.get(pk=made.project_id)
    if project.assist_mode == Project.AssistMode.OFF:
        return sentences.SWITCHED_OFF
    if meanings.is_outdated(made.model_version):
        return sentences.OTHER_CLASSES
    sees_as_the_project = not made.trial.engine.startswith(("hub/", trials.OUTSIDE))
    if project.is_classification and sees_as_the_project and made.model_version.backbone != project.backbone:
        return sentences.OTHER_BACKBONE
    return ""


def write(
    made: AutoLabeling, items: Sequence[tuple[int, float]], found: Mapping[int, list[dict[str, Any]] | None]
) -> None:
    """Store what is proposed of some images and where these wait, and how far that is, all or nothing."""
    with transaction.atomic():
        mine = AutoLabeling.objects.select_for_update().get(pk=made.pk)
        if mine.taken_back_at is not None:
            raise jobs.Cancelled
        if problem := obstacle(made):
            raise jobs.JobFailed(problem)
        if (mine.cursor, mine.cursor_item) != (made.cursor, made.cursor_item):
            raise jobs.Interrupted("another worker has gone on with it")
        proposed = store(made, [item for item, draw in items], found)
        last, draw = items[-1]
        made.cursor, made.cursor_item = draw, last
        made.done += len(items)
        made.proposed += len(proposed)
        made.unreadable += sum(told is None for told in found.values())
        made.save(update_fields=["cursor", "cursor_item", "done", "proposed", "unreadable"])


def store(
    made: AutoLabeling, items: Sequence[int], found: Mapping[int, Sequence[Mapping[str, Any]] | None]
) -> dict[int, list[Mapping[str, Any]]]:
    """Store what is above the thresholds, in place of what such models said before; returns it by item.

    What is on somebody's screen stays as it is there.
    """
    project = made.project
    free = set(in_nobodys_hands(project, items))
    items = [item for item in items if item in free]
    exclusive = project.task_type == Project.TaskType.MULTICLASS
    wanted = {int(label): value for label, value in made.thresholds.items()}
    proposed = {
        item: kept
        for item, told in found.items()
        if item in free and told and (kept := thresholds.kept(told, wanted, exclusive=exclusive))
    }
    earlier = ModelVersion.objects.filter(project=project, taught=False).values_list("number", flat=True)
    gone = [item for item in items if item not in proposed]
    suggestions.take_back(project, [*earlier, made.model_version.number], gone)
    suggestions.order_queue(project, placements(project, proposed))
    suggestions.store(project, made.model_version.number, proposals(proposed))
    return proposed


def in_nobodys_hands(project: Project, items: Sequence[int]) -> list[int]:
    """Lock the places in the queue of those items that nobody holds, until the end of the transaction."""
    waiting = QueueEntry.objects.filter(project=project, item__in=list(items), open_slots=F("needed"))
    locked = waiting.select_for_update(skip_locked=True).order_by("item_id")
    return list(locked.values_list("item_id", flat=True))


def proposals(proposed: Mapping[int, Sequence[Mapping[str, Any]]]) -> Iterable[Proposal]:
    for item, regions in proposed.items():
        top = thresholds.likeliest(regions)[0]
        yield Proposal(item, [dict(each) for each in regions], top["class"], certainty(regions))


def certainty(regions: Sequence[Mapping[str, Any]]) -> float:
    """Return how sure a model is of all that it proposes of an image."""
    return round(float(np.mean([each["confidence"] for each in regions])), 4)


def placements(project: Project, proposed: Mapping[int, Sequence[Mapping[str, Any]]]) -> Iterable[Placement]:
    """Yield where images with a proposal wait: those with the same classes on one page, the surest first.

    For boxes and outlines chance decides.
    What people sent back, and what a file proposes, keeps its place.
    """
    kept = QueueEntry.objects.filter(project=project, item__in=list(proposed)).filter(
        Q(priority__lte=-1) | Q(hint__isnull=False)
    )
    elsewhere = set(kept.values_list("item_id", flat=True))
    for item, regions in proposed.items():
        if item in elsewhere:
            continue
        if project.is_classification:
            classes = sorted({each["class"] for each in regions})
            one = classes[0] if len(classes) == 1 else None
            yield Placement(item, "prelabeled", 1 - certainty(regions), group_of(classes), one, WHY)
        else:
            # What is drawn there measures models later: the surest images would make this one look good.
            yield Placement(item, "manual", ASKED_FOR - chance(item) / 10, None, None, WHY)


def chance(item: int) -> float:
    """Return a number between zero and one that has nothing to do with what an image shows."""
    return int.from_bytes(blake2b(str(item).encode(), digest_size=6).digest()) / 2**48


def group_of(classes: Sequence[int]) -> int:
    """Return what sorts images onto pages: the class, or the same negative number for the same classes."""
    if len(classes) == 1:
        return classes[0]
    digest = blake2b(",".join(map(str, classes)).encode(), digest_size=7).digest()
    return -1 - int.from_bytes(digest)


def stop(made: AutoLabeling, by: User) -> None:
    """Stop at the end of what is under way; what is proposed already stays, and the rest can follow later."""
    if made.job is not None and made.job.state in Job.UNFINISHED:
        jobs.cancel(made.job)
        Event.record("auto_label_stopped", made.project, by, model=made.trial.title)


def resume(made: AutoLabeling, by: User) -> None:
    """Go on where it was stopped or has failed. Raises AutoLabelRefused."""
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=made.project_id)
        if running(made.project) is not None:
            raise AutoLabelRefused(_("Auto label is at work already. Wait for it, or stop it."))
        if made.taken_back_at is not None or made.done >= made.total or made.job is None:
            raise AutoLabelRefused(_("There is nothing left of it to do."))
        if problem := obstacle(made):
            raise AutoLabelRefused(_(problem))
        jobs.retry(made.job)


def take_back(made: AutoLabeling, by: User) -> int:
    """Propose no more what it has proposed; returns for how many images. What people answered stays.

    Raises AutoLabelRefused.
    """
    if made.model_version.taught:
        raise AutoLabelRefused(_("The next training replaces what a model of the project has proposed."))
    with transaction.atomic():
        locked = AutoLabeling.objects.select_for_update().get(pk=made.pk)
        stop(made, by)
        gone = suggestions.take_back(made.project, [made.model_version.number])
        AutoLabeling.objects.filter(pk=locked.pk).update(taken_back_at=timezone.now())
        Event.record("auto_label_taken_back", made.project, by, model=made.trial.title, images=gone)
    return gone


def waiting_of(project: Project, versions_asked: Sequence[int]) -> Counter[int]:
    """Return on how many images the suggestions of model versions wait for somebody now.

    The project's own models propose for all images: there, those count that were asked for, also where a
    newer one has said the same since.
    """
    entries = QueueEntry.objects.filter(project=project)
    waiting = entries.filter(item__suggestion__model_version__in=list(versions_asked))
    counts = waiting.values_list("item__suggestion__model_version").annotate(count=Count("pk"))
    found = Counter(dict(counts))
    own = ModelVersion.objects.filter(project=project, taught=True, number__in=list(versions_asked))
    for number in own.values_list("number", flat=True):
        asked_for = entries.filter(why=WHY, item__suggestion__model_version__gte=number)
        found[number] = asked_for.count()
    return found
