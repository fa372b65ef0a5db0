"""What was found in a project's images: people add what was missed and take away what is no face.

To add a box it takes a look at the copy alone. To take one away brings back what is under it, which needs the
original: it is asked for where it is kept, sealed or where the project's images come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from PIL import Image

from labeling import decoding, faces, images, masked, remote, sealing, storing
from labeling.models import DataSource, Event, Face, Item, MaskedImage, Project, User
from labeling.refusals import Refused

SMALLEST = 2  # pixels of a side
MOST = 600  # boxes of one image
UNSURE = 0.5  # of a face, below this score
SHOWN = 60  # images at once
KINDS = ("found", "unsure", "none", "changed")


class FacesRefused(Refused):
    """Why what is hidden stays as it is, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Totals:
    """How many images have copies, how many faces these hide, and how many of them hide none."""

    images: int
    faces: int
    without: int
    waiting: int


def totals(project: Project) -> Totals:
    found = here(project).aggregate(
        images=Count("pk"), without=Count("pk", filter=Q(faces=0)), faces=Sum("faces", default=0)
    )
    waiting = Item.objects.filter(project=project, masked_at=None).exclude(state__in=("broken", "removed"))
    return Totals(**found, waiting=waiting.count() if project.faces else 0)


def count_in(source: DataSource) -> int:
    """Return how many faces are hidden in the images of a source."""
    rows = MaskedImage.objects.filter(project=source.project_id, item__source=source)
    found: int = rows.exclude(item__state=Item.State.REMOVED).aggregate(faces=Sum("faces", default=0))[
        "faces"
    ]
    return found


def here(project: Project) -> QuerySet[MaskedImage]:
    return MaskedImage.objects.filter(project=project).exclude(item__state=Item.State.REMOVED)


def page(
    project: Project, kind: str = "", after: str = "", limit: int = SHOWN
) -> tuple[list[MaskedImage], str]:
    """Return images, those with most faces first, with their boxes; and where the next ones begin."""
    rows = chosen(project, kind)
    count, _, item = after.partition("-")
    if count.isdecimal() and item.isdecimal():
        rows = rows.filter(Q(faces__lt=int(count)) | Q(faces=int(count), item__gt=int(item)))
    boxes = Face.objects.filter(removed_at=None).select_related("added_by")
    rows = rows.select_related("item__source").prefetch_related(Prefetch("item__faces", boxes))
    found = list(rows.order_by("-faces", "item")[: limit + 1])
    shown = found[:limit]
    return shown, f"{shown[-1].faces}-{shown[-1].item_id}" if len(found) > limit else ""


def chosen(project: Project, kind: str) -> QuerySet[MaskedImage]:
    """Return images in which faces are hidden, one that is in doubt, none, or what people have changed."""
    rows, of_it = here(project), Face.objects.filter(item=OuterRef("item"))
    if kind == "found":
        return rows.filter(faces__gt=0)
    if kind == "none":
        return rows.filter(faces=0)
    if kind == "unsure":
        return rows.filter(Exists(of_it.filter(score__lt=UNSURE, removed_at=None)))
    if kind == "changed":
        return rows.filter(Exists(of_it.filter(Q(score=None) | Q(removed_at__isnull=False))))
    return rows


def neighbours(project: Project, row: MaskedImage) -> tuple[int | None, int | None]:
    """Return the items before and after one, in the order of `page`."""
    rows = here(project).order_by("-faces", "item").values_list("item", flat=True)
    later = rows.filter(Q(faces__lt=row.faces) | Q(faces=row.faces, item__gt=row.item_id)).first()
    earlier = rows.filter(Q(faces__gt=row.faces) | Q(faces=row.faces, item__lt=row.item_id)).last()
    return earlier, later


def add(item: Item, bbox: Sequence[float], by: User) -> Face:
    """Hide one more part of an image. Raises FacesRefused."""
    with transaction.atomic():
        row = locked(item)
        x, y, width, height = within(item, bbox)
        if row.faces >= MOST:
            raise FacesRefused(_("So many parts of this image are hidden that no more can be."))
        made = [
            Face.objects.create(item_id=each, x=x, y=y, width=width, height=height, added_by=by)
            for each in same_content(item)
        ]
        try:
            repaint(row, item, original_of(row, item), boxes_of(item))
        except FacesRefused:  # what is hidden stays so, also without the original
            repaint(row, item, images.open_upright(item), [made[0].bbox])
        Event.record("face_added", item.project, by, items=[item.pk])
    return made[0]


def remove(face: Face, by: User) -> None:
    """Show again what is under a box, and under no other. Raises FacesRefused."""
    with transaction.atomic():
        row = locked(face.item)
        gone = {"removed_at": timezone.now(), "removed_by": by}
        if not Face.objects.filter(pk=face.pk, removed_at=None).update(**gone):
            return  # somebody else was faster
        for each in same_content(face.item)[1:]:  # duplicates show the same copy
            alike = Face.objects.filter(
                item=each, x=face.x, y=face.y, width=face.width, height=face.height, removed_at=None
            )
            Face.objects.filter(pk__in=alike.order_by("id").values("pk")[:1]).update(**gone)
        repaint(row, face.item, original_of(row, face.item), boxes_of(face.item))
        Event.record("face_removed", face.item.project, by, items=[face.item_id])


def locked(item: Item) -> MaskedImage:
    """Let nobody else change what is hidden in an image, and read the item anew. Raises FacesRefused."""
    row = MaskedImage.objects.select_for_update().filter(item=item).first()
    if row is None or item.project.is_hiding_faces:
        raise FacesRefused(_("Faces in this image are not hidden yet."))
    faces.lock_contents(item.project)
    item.refresh_from_db(fields=["sha256", "masked_at", "format"])
    return row


def same_content(item: Item) -> list[int]:
    """Return an item and its duplicates, which show the same copy; the item comes first."""
    repeated = Item.objects.filter(duplicate_of=item, sha256=item.sha256)
    return [item.pk, *repeated.order_by("id").values_list("id", flat=True)]


def within(item: Item, bbox: Sequence[float]) -> tuple[float, float, float, float]:
    """Return what of a box lies in the image. Raises FacesRefused."""
    x, y, width, height = bbox
    left, right = max(x, 0.0), min(x + width, float(item.width or 0))
    top, bottom = max(y, 0.0), min(y + height, float(item.height or 0))
    if right - left < SMALLEST or bottom - top < SMALLEST:
        raise FacesRefused(_("A box has to be at least two pixels wide and high, and inside the image."))
    return left, top, right - left, bottom - top


def boxes_of(item: Item) -> list[tuple[float, float, float, float]]:
    return [each.bbox for each in Face.objects.filter(item=item, removed_at=None)]


def can_remove(row: MaskedImage, item: Item) -> bool:
    """Tell whether there is an original from which a part may come back."""
    if item.project.originals != Project.Originals.KEEP:
        return False
    return row.is_sealed or not storing.is_held(item.source)


def original_of(row: MaskedImage, item: Item) -> Image.Image:
    """Return the upright original. Raises FacesRefused where it was not kept, or is another one by now."""
    if not can_remove(row, item):
        raise FacesRefused(_("The original was not kept, so what is hidden stays hidden."))
    try:
        if row.is_sealed:
            data = masked.unseal(item.project_id, row.original_sha256)
        else:
            data = storing.read_original(item)
            if images.content_of(data, item.page) != row.original_sha256:
                raise FacesRefused(
                    _("Another file lies where the original was, so what is hidden stays hidden.")
                )
        return decoding.decode(data, page=item.page)
    except (decoding.BrokenImage, remote.Unreachable, sealing.Unopened, OSError) as error:
        raise FacesRefused(
            _("The original cannot be read, so what is hidden stays hidden: %(why)s") % {"why": error}
        ) from error


def repaint(row: MaskedImage, item: Item, image: Image.Image, boxes: Sequence[Any]) -> None:
    """Put a copy that hides these boxes in the place of the one before."""
    old = Item(sha256=item.sha256, width=item.width, height=item.height, format=item.format)
    digest = faces.paint(item.project, image, item.format, boxes, row.original_sha256)
    here = same_content(item)
    Item.objects.filter(pk__in=here).update(sha256=digest)
    item.sha256 = digest
    count = Face.objects.filter(item=item, removed_at=None).count()
    MaskedImage.objects.filter(item__in=here).update(faces=count)
    transaction.on_commit(partial(faces.forget_copy, item.project, old))
