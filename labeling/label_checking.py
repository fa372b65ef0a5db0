"""Looking at a file of labels before anything changes: which images it means, and what is wrong with it."""

import contextlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from django.db import DatabaseError
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from labeling import fitting, jobs
from labeling.formats import incoming
from labeling.formats.files import Archive
from labeling.formats.label_studio import PREDICTION
from labeling.formats.pictures import Size
from labeling.formats.records import Category, Picture, Problem, Record, Shape, Unreadable
from labeling.label_imports import CHECK, OWN_FOLDERS, State, forget_files, path_of
from labeling.listing import readable
from labeling.matching import BY_PATH, Gallery, Image, Match, folder_of
from labeling.models import Annotation, ImportedLabel, Item, Job, LabelImport, Project, QueueEntry

BATCH = 500  # images
MOST_PROBLEMS = 200  # that are kept
MOST_CLASSES = 5_000
MASKS = "masks"  # a format that has one mask for all objects of a class
LONGEST = 300  # characters of a sentence that is kept
STATES = {
    "unread": "The image has not been read yet. Check again when it has.",
    "broken": "The image is damaged.",
    "removed": "The image was taken out of the project.",
}
UNKNOWN = "Loupe does not recognise what this is. Choose the format and check again. It reads {formats}."
NO_LABELS = "The file has no labels for any image."
DAMAGED = "The file is damaged, or not what it says that it is, from image {number:,} on."
NO_IMAGE = "There is no such image in the project."
RIVALS = "Several images could be meant, such as {one} and {other}."
TWICE = "The file has labels for this image already, further up; these are left out."
BLIND = ("validation", "audit", "gold")

log = logging.getLogger(__name__)


def ended(job: Job) -> None:
    """Say why a file could not be looked at, and keep none that may show faces."""
    if job.state in (Job.State.FAILED, Job.State.CANCELLED):
        LabelImport.objects.filter(pk=job.payload["label_import"], state=State.CHECKING).update(
            state=State.UNREADABLE, report={"error": job.error or "It was stopped."}
        )
    assert job.project is not None
    forget_files(job.project)


@jobs.handler(CHECK, cluster="quick", priority=-1, ended=ended)
def check(job: jobs.RunningJob) -> dict[str, Any]:
    """Write down what a file says, and a report of it. After a crash it begins anew."""
    given = LabelImport.objects.select_related("project").filter(pk=job.payload["label_import"]).first()
    if given is None or given.state != State.CHECKING:
        return {}
    given.labels.all().delete()
    survey = Survey(given, job)
    try:
        survey.go()
    except Unreadable as error:
        given.labels.all().delete()
        report = {"error": survey.explained(error), "problems": survey.counts["problems"]}
        finish(given, State.UNREADABLE, {**report, "list": survey.problems}, survey)
        return {"error": report["error"]}
    finish(given, State.READY, survey.report(), survey)
    return {"images": survey.counts["taken"]}


def finish(given: LabelImport, state: str, report: dict[str, Any], survey: "Survey") -> None:
    LabelImport.objects.filter(pk=given.pk, state=State.CHECKING).update(
        state=state, format=survey.format, classes=survey.classes, report=report
    )


@dataclass(frozen=True, slots=True)
class Found:
    """An image of a file, its classes numbered as the report lists them, and which one of the project it is.

    Something of it could not be read where it `is_incomplete`.
    """

    picture: Picture
    match: Match
    is_incomplete: bool = False


class Survey:
    """Goes through a file: `counts` and `problems` say what was met."""

    def __init__(self, given: LabelImport, job: jobs.RunningJob) -> None:
        self.given, self.project, self.job, self.format = given, given.project, job, given.format
        self.counts: Counter[str] = Counter()
        self.problems: list[dict[str, str]] = []
        self.classes: list[dict[str, Any]] = []
        self.by_name: dict[str, int] = {}
        self.by_id: dict[int, int] = {}
        self.names: list[str] = []
        self.seen: set[int] = set()
        self.asked: Match | None = None  # what a reader wanted to know last

    def go(self) -> None:
        """Look at all of it. Raises Unreadable."""
        with Gallery(images_of(self.project)) as gallery:
            self.gallery = gallery
            pairs = guarded(self.own_folders() if self.format == OWN_FOLDERS else self.file(), self.counts)
            while batch := list(islice(pairs, BATCH)):
                rows = [row for each in batch if (row := self.row(each))]
                ImportedLabel.objects.bulk_create(rows)
                self.job.progress(
                    self.counts["images"], message=f"{self.counts['images']:,} images looked at"
                )
        if not self.counts["images"]:
            raise Unreadable(NO_LABELS)

    def explained(self, error: Unreadable) -> str:
        """Say why a file cannot be read, what was met first in it, and what its format needs."""
        reading = incoming.READINGS.get(self.format)
        if reading is None:  # it is of none, and the error has all of them
            return readable(str(error)).replace("\0", "�")
        said = [tidy(str(error))]
        if self.problems and str(error) == NO_LABELS:
            said.append("{place}: {said}".format(**self.problems[0]))
        return " ".join([*said, reading.needs])

    def own_folders(self) -> Iterator[Found]:
        """Yield each image of the project with the class that its folder is named after."""
        for number, each in enumerate(images_of(self.project), 1):
            name = folder_of(each.path)
            if name is None or each.state:
                continue
            index = self.index_of(Category(number, name))
            yield Found(Picture(number, each.path, 0, 0, [Shape(index)]), Match(each, BY_PATH))

    def file(self) -> Iterator[Found]:
        """Yield each image of a file, its classes numbered as in `classes`, and which one it is."""
        with contextlib.ExitStack() as stack:
            files = incoming.opened(path_of(self.given))
            if isinstance(files, Archive):
                stack.enter_context(files)
            self.format = self.format or incoming.recognise(files) or ""
            if not self.format:
                known = "; ".join(f"{each.title} ({each.takes})" for each in incoming.READINGS.values())
                raise Unreadable(UNKNOWN.format(formats=known))
            yield from self.pictures(incoming.read(self.format, files, self.size_of))

    def pictures(self, records: Iterable[Record]) -> Iterator[Found]:
        has_problems = False  # since the image before: readers say them first
        for each in records:
            if isinstance(each, Category):
                self.by_id[each.id] = self.index_of(each)
            elif isinstance(each, Problem) and self.asked is not None and self.size_in(self.asked) is None:
                self.counts["images"] += 1
                self.say_lost(each.place, self.asked)
                self.asked = None
            elif isinstance(each, Problem):
                self.say("unreadable", each.place, each.said)
                has_problems = True
            else:
                shapes = [replace(shape, category=self.by_id[shape.category]) for shape in each.shapes]
                match = self.asked or self.gallery.find(each.file_name)
                yield Found(replace(each, shapes=shapes), match, has_problems)
                has_problems, self.asked = False, None

    def size_of(self, key: str) -> Size | None:
        """Return path and size of the image that a path without ending means, about which a reader asks."""
        self.asked = self.gallery.find_stem(key)
        return self.size_in(self.asked)

    def size_in(self, match: Match) -> Size | None:
        image = match.image
        return None if image is None or image.state else (image.path, image.width, image.height)

    def index_of(self, category: Category) -> int:
        """Return the number of a class; names that differ only in case are one. Raises Unreadable."""
        name = tidy(" ".join(category.name.split())) or f"class {category.id}"
        index = self.by_name.setdefault(name.lower(), len(self.classes))
        if index == len(self.classes):
            if index >= MOST_CLASSES:
                raise Unreadable(f"The file has more than {MOST_CLASSES:,} classes.")
            parent = tidy(" ".join(category.supercategory.split()))
            self.names.append(name)
            self.classes.append({"name": name, "parent": parent, "images": 0, "regions": 0})
        return index

    def row(self, found: Found) -> ImportedLabel | None:
        """Return what is written down of an image, None where it is none of the project's."""
        image, match, place = found.match.image, found.match, found.picture.file_name
        self.counts["images"] += 1
        self.counts["regions"] += len(found.picture.shapes)
        if image is None or image.state:
            self.say_lost(place, match)
            return None
        if image.item in self.seen:
            self.say("twice", place, TWICE)
            return None
        self.seen.add(image.item)
        self.counts[f"by_{match.by}"] += 1
        return self.fitted(found, image)

    def say_lost(self, place: str, match: Match) -> None:
        """Say why labels are for no image that can have them."""
        if match.image is not None:
            self.say(match.image.state, place, STATES[match.image.state])
        elif match.rivals:
            self.say("ambiguous", place, RIVALS.format(one=match.rivals[0], other=match.rivals[1]))
        else:
            self.say("unmatched", place, NO_IMAGE)

    def fitted(self, found: Found, image: Image) -> ImportedLabel:
        picture, told = found.picture, found.picture.provenance
        fitted = fitting.fit(picture, target(self.project, image), self.names)
        self.counts += fitted.counts
        for kind, said in fitted.problems:
            self.note(kind, picture.file_name, said)
        for index in {each["class"] for each in fitted.regions}:
            self.classes[index]["images"] += 1
        for each in fitted.regions:
            self.classes[each["class"]]["regions"] += 1
        if self.format == MASKS and self.project.draws_shapes:
            self.counts["merged"] += len(picture.shapes)
        is_prediction, confidence = told.get("origin") == PREDICTION, told.get("confidence")
        # What could not be read or taken may have been all there is: that is not the same as nothing.
        is_empty = (
            not picture.shapes
            and not found.is_incomplete
            and self.project.task_type != Project.TaskType.MULTICLASS
        )
        empty = "" if not is_empty else "told" if told.get("origin") and not is_prediction else "maybe"
        self.counts += Counter(
            taken=bool(fitted.regions),
            taken_regions=len(fitted.regions),
            predictions=is_prediction,
            **{f"empty_{empty}": 1} if empty else {},
        )
        return ImportedLabel(
            label_import=self.given,
            item_id=image.item,
            regions=fitted.regions,
            is_prediction=is_prediction,
            empty=empty,
            confidence=confidence if isinstance(confidence, float) and 0 <= confidence <= 1 else None,
        )

    def say(self, kind: str, place: str, said: str) -> None:
        """Count what cannot be taken, and keep the first ones."""
        self.counts[kind] += 1
        self.note(kind, place, said)

    def note(self, kind: str, place: str, said: str) -> None:
        self.counts["problems"] += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append({"kind": kind, "place": tidy(place), "said": tidy(said)})

    def report(self) -> dict[str, Any]:
        """Return the counts, and how many images have labels, are asked blind, or are not in the file."""
        rows = ImportedLabel.objects.filter(label_import=self.given)
        readable_items = Item.objects.filter(project=self.project).exclude(read_at=None)
        there = readable_items.exclude(state__in=(Item.State.BROKEN, Item.State.REMOVED)).count()
        more = {
            **prospects(rows),
            "blind": rows.filter(item__entry__kind__in=BLIND).count(),
            "matched": len(self.seen),
            "without": max(0, there - len(self.seen)),
        }
        self.count_free(rows.filter(has_answer()))
        return {**self.counts, **more, "list": self.problems}

    def count_free(self, answered: QuerySet[ImportedLabel]) -> None:
        """Count the images of each class that have no label or answer, given those that have."""
        for each in self.classes:
            each["free"] = each["images"]
        for regions in answered.values_list("regions", flat=True).iterator():
            for index in {each["class"] for each in regions}:
                self.classes[index]["free"] -= 1


def prospects(rows: QuerySet[ImportedLabel]) -> dict[str, int]:
    """Count the images that would get a label, one beside another, or a suggestion, as they are now."""
    waiting = QueueEntry.objects.filter(item=OuterRef("item"), open_slots=F("needed"))
    says = rows.exclude(is_prediction=True).filter(~Q(regions=[]) | Q(empty="told"))
    open_ones = rows.exclude(has_answer())
    free = says.exclude(has_answer()).filter(Exists(waiting))
    return {
        "labeled": rows.filter(has_answer()).count(),
        "held": open_ones.exclude(Exists(waiting)).count(),
        "free": free.count(),
        "beside": says.filter(has_answer()).count(),
        "suggestible": open_ones.exclude(regions=[])
        .filter(item__entry__isnull=False)
        .exclude(item__entry__kind__in=BLIND)
        .count(),
    }


def has_answer() -> Q:
    """Choose the rows whose image has a label, or an answer on the way to one."""
    given = Annotation.objects.filter(
        item=OuterRef("item"), labeler__isnull=False, counted=True, withdrawn_at=None
    )
    return ~Q(item__state=Item.State.UNLABELED) | Q(Exists(given))


def target(project: Project, image: Image) -> fitting.Target:
    return fitting.Target(
        image.width,
        image.height,
        is_classification=project.is_classification,
        is_single=project.task_type == Project.TaskType.MULTICLASS,
        has_boxes=project.task_type == Project.TaskType.DETECTION,
        has_masks=project.task_type == Project.TaskType.SEMANTIC,
    )


def images_of(project: Project) -> Iterator[Image]:
    """Yield the images of a project; copies of one stand for it."""
    rows = Item.objects.filter(project=project).order_by("id")
    names = ("id", "path", "width", "height", "state", "read_at", "duplicate_of_id")
    for pk, path, width, height, state, read_at, original in rows.values_list(*names).iterator(10_000):
        if state == Item.State.BROKEN or (state == Item.State.REMOVED and original is None):
            why = str(state)
        else:
            why = "" if read_at else "unread"
        yield Image(original or pk, path, width or 0, height or 0, why)


def guarded(pairs: Iterator[Found], counts: Counter[str]) -> Iterator[Found]:
    """Go through a file of unknown hands: whatever it makes a reader stumble over, the file is to blame."""
    while True:
        try:
            found = next(pairs, None)
        except (Unreadable, OSError, DatabaseError):
            raise
        except Exception as error:
            log.warning("A file of labels cannot be read.", exc_info=True)
            raise Unreadable(DAMAGED.format(number=counts["images"] + 1)) from error
        if found is None:
            return
        yield found


def tidy(text: str) -> str:
    """Return text as the database takes it, cut off where it is long."""
    text = readable(text).replace("\0", "�")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
