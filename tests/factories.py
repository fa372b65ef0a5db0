"""Plain functions that make what tests need, through the same code that people use."""

import io
import random
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone
from PIL import Image, ImageDraw

from labeling import checks, importing, jobs, queue, submission, suggestions, teams, validation
from labeling.models import (
    Annotation,
    DataSource,
    Instructions,
    Item,
    Job,
    LabelClass,
    Membership,
    Project,
    QueueEntry,
    Region,
    Team,
    User,
)
from tests import scenes

PASSWORD = "correct horse battery"
CLASSES = ("circle", "square", "triangle")
COLORS = ("#2f6fde", "#d9480f", "#2b8a3e", "#862e9c", "#c2255c", "#0b7285", "#5c940d", "#e67700", "#495057")


def make_user(email: str = "", password: str = PASSWORD, **fields: Any) -> User:
    return User.objects.create_user(email or f"user-{uuid.uuid4().hex[:8]}@example.com", password, **fields)


def make_project(
    *,
    manager: User | None = None,
    reviewer: User | None = None,
    labeler: User | None = None,
    classes: Sequence[str] = CLASSES,
    **fields: Any,
) -> Project:
    """Make a project with its classes and the given people as members."""
    fields = {"name": f"Shapes {uuid.uuid4().hex[:6]}", "task_type": Project.TaskType.MULTICLASS} | fields
    project = Project.objects.create(created_by=manager, **fields)
    LabelClass.objects.bulk_create(
        LabelClass(
            project=project,
            name=name,
            position=position,
            color=COLORS[position % len(COLORS)],
            hotkey=str(position + 1) if position < 9 else "",
        )
        for position, name in enumerate(classes)
    )
    Instructions.objects.create(project=project, version=1, text="Name the shape.", created_by=manager)
    people = {"manager": manager, "reviewer": reviewer, "labeler": labeler}
    for role, user in people.items():
        if user is not None:
            add_member(project, user, role)
    return project


def add_member(project: Project, user: User, role: str = Membership.Role.LABELER) -> Membership:
    return Membership.objects.create(project=project, user=user, role=role)


def write_image(path: Path, shape: str = "circle", *, size: int = 32, seed: int = 0, **save: Any) -> Path:
    """Write a small image of a shape; different seeds never give the same bytes."""
    chance = random.Random(f"{shape}-{seed}")
    image = Image.new("RGB", (size, size), tuple(chance.randrange(200, 256) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    low, high = chance.randrange(2, size // 4), size - chance.randrange(2, size // 4)
    color = tuple(chance.randrange(0, 120) for _ in range(3))
    if shape == "circle":
        draw.ellipse((low, low, high, high), fill=color)
    elif shape == "square":
        draw.rectangle((low, low, high, high), fill=color)
    else:
        draw.polygon([(size // 2, low), (low, high), (high, high)], fill=color)
    image.putpixel((seed % size, seed // size % size), (seed % 256, seed // 256 % 256, 7))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **save)
    return path


def picture_file(size: tuple[int, int] = (48, 32), kind: str = "PNG", **save: Any) -> bytes:
    """Return a picture as a file."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(out, kind, **save)
    return out.getvalue()


def write_folder(folder: Path, count: int, classes: Sequence[str] = CLASSES, **image: Any) -> Path:
    """Write `count` images into one folder for each class, the classes in turn."""
    for number in range(count):
        shape = classes[number % len(classes)]
        write_image(folder / shape / f"{number:05}.png", shape, seed=number, **image)
    return folder


def make_items(project: Project, count: int = 12, **image: Any) -> list[Item]:
    """Import images from files written for the occasion; the file name's folder is their class."""
    classes = [each.name for each in project.classes.all()]
    folder = write_folder(
        Path(settings.MEDIA_ROOT).parent / f"images-{uuid.uuid4().hex[:6]}", count, classes, **image
    )
    source = importing.add_folder(project, folder, project.created_by)
    project.refresh_from_db(fields=["validation_rate"])  # which follows the number of images
    run_jobs("quick")
    return list(Item.objects.filter(source=source).order_by("id"))


def make_scenes(project: Project, count: int = 3, *, size: tuple[int, int] = (640, 480)) -> list[Item]:
    """Import images that hold several shapes each, of the project's classes; see `true_regions`."""
    folder = Path(settings.MEDIA_ROOT).parent / f"scenes-{uuid.uuid4().hex[:6]}"
    names = [each.name for each in project.classes.all()]
    for number in range(count):
        shapes = scenes.arrange(number, names, *size)
        scenes.write(folder / f"{number:05}.png", number, shapes, *size)
    source = importing.add_folder(project, folder, project.created_by)
    run_jobs("quick")
    return list(Item.objects.filter(source=source).order_by("path"))


def true_regions(item: Item) -> list[dict[str, Any]]:
    """Return the shapes of an item of `make_scenes` as answers have them: boxes, or polygons."""
    classes = {each.name: each.pk for each in item.project.classes.all()}
    found = scenes.arrange(int(Path(item.path).stem), list(classes), item.width or 0, item.height or 0)
    as_boxes = item.project.task_type == Project.TaskType.DETECTION
    return [
        {"class": classes[each.name], "bbox": each.box()}
        if as_boxes
        else {"class": classes[each.name], "polygon": each.polygon()}
        for each in found
    ]


def prelabel(
    project: Project,
    items: Sequence[Item],
    propose: Callable[[Item], list[dict[str, Any]]] = true_regions,
    *,
    confidence: float = 0.93,
) -> None:
    """Make items wait with shapes proposed for them, each a little less sure than the one before."""
    Project.objects.filter(pk=project.pk).update(validation_rate=0)
    QueueEntry.objects.filter(item__in=items).update(kind="manual", inclusion_probability=None)
    proposals, places = [], []
    for number, item in enumerate(items):
        shapes = [
            {**shape, "confidence": round(confidence - 0.01 * rank, 2)}
            for rank, shape in enumerate(propose(item))
        ]
        top = shapes[0]["class"] if shapes else None
        proposals.append(suggestions.Proposal(item.pk, shapes, top, confidence))
        places.append(suggestions.Placement(item.pk, "prelabeled", number, 1, None, "the model is sure"))
    suggestions.store(project, 1, proposals)
    suggestions.order_queue(project, places)


def ask_about_objects(
    project: Project,
    items: Sequence[Item],
    propose: Callable[[Item], list[dict[str, Any]]] = true_regions,
    *,
    version: int = 1,
) -> int:
    """Propose shapes for items that wait singly, and ask whether they are right, a class at a time."""
    Project.objects.filter(pk=project.pk).update(validation_rate=0)
    QueueEntry.objects.filter(item__in=items).update(kind="manual", inclusion_probability=None)
    shapes = {item.pk: [{"confidence": 0.9, **shape} for shape in propose(item)] for item in items}
    suggestions.store(
        project, version, [suggestions.Proposal(item, each, None, 0.9) for item, each in shapes.items()]
    )
    return suggestions.ask_about_objects(
        project,
        version,
        [
            suggestions.AskedObject(
                item, each["class"], checks.box_of(each), each["confidence"], each["class"], each["class"]
            )
            for item, found in shapes.items()
            for each in found
        ],
    )


def true_class(item: Item) -> str:
    """Return the right answer for an item of `make_items`."""
    return item.path.split("/", 1)[0]


def make_annotation(item: Item, label: str, labeler: User | None, **fields: Any) -> Annotation:
    """Make a bare annotation with one class; does not touch the queue or the item."""
    fields = {"source": Annotation.Source.HUMAN, "uuid": uuid.uuid4()} | fields
    annotation = Annotation.objects.create(project_id=item.project_id, item=item, labeler=labeler, **fields)
    label_class = LabelClass.objects.get(project_id=item.project_id, name=label)
    Region.objects.create(annotation=annotation, label_class=label_class)
    return annotation


def label_one(item: Item) -> None:
    """Give an item a label that counts, without the queue: for tests of what is done with labels."""
    annotation = make_annotation(
        item, item.project.classes.earliest("position").name, item.project.created_by
    )
    Item.objects.filter(pk=item.pk).update(current_annotation=annotation, state=Item.State.LABELED)


def run_jobs(*clusters: str) -> int:
    """Do queued jobs here and now, and the jobs they queue; of all clusters, or only those given."""
    done = 0
    while True:
        queued = Job.objects.filter(state=Job.State.QUEUED, cluster__in=clusters or jobs.CLUSTERS)
        job = queued.order_by("priority", "id").first()
        if job is None:
            return done
        jobs.run(job.pk)
        job.refresh_from_db()
        assert job.state != Job.State.FAILED, job.error
        done += 1


def make_unread_items(project: Project, count: int, paths: Sequence[str] = ()) -> list[Item]:
    """Make bare item rows with evenly spread draws, for tests that need no images."""
    source = DataSource.objects.create(
        project=project, kind=DataSource.Kind.FOLDER, location="/nowhere", name="none"
    )
    return Item.objects.bulk_create(
        Item(
            project=project,
            source=source,
            path=paths[number] if paths else f"{number:06}.png",
            draw=number / count,
            width=8,
            height=8,
            sha256=f"{source.pk}-{number}",
            read_at=timezone.now(),
        )
        for number in range(count)
    )


def open_queue(project: Project, items: Sequence[Item]) -> None:
    """Put items into the queue as reading them does."""
    validation.add_entries(project, [item.pk for item in items])


def answer(project: Project, labeler: User, label: Callable[[Item], str] = true_class, size: int = 1) -> int:
    """Claim a page and answer it, giving each item the class that `label` names; returns how many."""
    page = queue.claim(project, labeler, size)
    if page is None:
        return 0
    classes = dict(project.classes.values_list("name", "id"))
    items = [claim.item for claim in page.claims.filter(state="live").select_related("item")]
    answers = [
        submission.Answer(item.pk, uuid.uuid4(), (submission.RegionInput(classes[label(item)]),))
        for item in items
    ]
    submission.submit(page, labeler, answers)
    return len(answers)


def answer_all(project: Project, labeler: User, label: Callable[[Item], str] = true_class) -> int:
    """Answer pages until none is left."""
    done = 0
    while given := answer(project, labeler, label, size=9):
        done += given
    return done


def make_team(by: User, *people: User, is_vendor: bool = False, name: str = "") -> Team:
    """Make a team with people in it; a vendor's are to be `make_user(vendor=…)`, or become so here."""
    team = teams.create(by, name or f"Team {uuid.uuid4().hex[:6]}", is_vendor=is_vendor)
    for person in people:
        if is_vendor:
            User.objects.filter(pk=person.pk).update(vendor=team)
            person.refresh_from_db()
        teams.join(team, person, by)
    return team
