"""Comments on items, and on points of them: threads that are resolved, and who is told."""

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling import announcing
from labeling.models import Annotation, Comment, Event, Item, Membership, Project, Review, User
from labeling.refusals import Refused

LONGEST = 2_000
SHOWN = 3  # comments that a labeler sees beside why an image came back


class CommentRefused(Refused):
    """Why a comment was refused, in a sentence for people."""


def add(
    item: Item,
    author: User,
    text: str,
    *,
    point: tuple[float, float] | None = None,
    parent: Comment | None = None,
) -> Comment:
    """Say something of an item, of a point on it in pixels, or in a thread. Raises CommentRefused."""
    text = text.strip()
    if not text:
        raise CommentRefused("Write something first.")
    if len(text) > LONGEST:
        raise CommentRefused(f"A comment may have at most {LONGEST:,} characters.")
    if parent is not None and (parent.item_id != item.pk or parent.parent_id is not None):
        raise CommentRefused("This thread is about another image.")
    x, y = point if point is not None and parent is None else (None, None)
    if x is not None and y is not None and not (0 <= x <= (item.width or 0) and 0 <= y <= (item.height or 0)):
        raise CommentRefused("This point is outside the image.")
    with transaction.atomic():
        made = Comment.objects.create(
            project_id=item.project_id, item=item, author=author, text=text, x=x, y=y, parent=parent
        )
        Event.record("comment", item.project, author, items=[item.pk], comment=text[:300])
        to = involved(item, parent) - {author.pk}
        if to:
            announcing.announce(
                "comment", item.project, author, to=dict.fromkeys(sorted(to), 1),
                who=author.label, text=text[:300], item=item.pk, name=item.file_name,
            )  # fmt: skip
    return made


def involved(item: Item, parent: Comment | None) -> set[int]:
    """Return the members whom a comment concerns: who labeled, reviewed, or spoke in the thread."""
    people = set(
        Annotation.objects.filter(item=item, labeler__isnull=False).values_list("labeler_id", flat=True)
    )
    people |= set(Review.objects.filter(item=item, undone_at=None).values_list("reviewer_id", flat=True))
    if parent is not None:
        said = Comment.objects.filter(Q(pk=parent.pk) | Q(parent=parent))
        people |= set(said.values_list("author_id", flat=True))
    members = Membership.objects.filter(project=item.project_id, user__in=people)
    return set(members.values_list("user_id", flat=True))


def resolve(comment: Comment, by: User, *, resolved: bool) -> None:
    """Close a thread, or open it again."""
    with transaction.atomic():
        Comment.objects.filter(pk=comment.pk, parent=None).update(
            resolved_at=timezone.now() if resolved else None, resolved_by=by if resolved else None
        )
        verb = "resolve_comment" if resolved else "reopen_comment"
        Event.record(verb, comment.project, by, items=[comment.item_id])


def threads(item: Item) -> QuerySet[Comment]:
    """Return the threads of an item, open ones first, each with its answers."""
    begun = Comment.objects.filter(item=item, parent=None).select_related("author", "resolved_by")
    return begun.prefetch_related("answers__author").order_by(F("resolved_at").asc(nulls_first=True), "id")


def why_back(project: Project, items: list[int]) -> dict[int, str]:
    """Return what reviewers say of items that came back: why they rejected them, and open comments."""
    said: dict[int, list[str]] = {}
    rejected = Review.objects.filter(project=project, item__in=items, verdict="reject", undone_at=None)
    for item, comment in rejected.order_by("id").values_list("item_id", "comment"):
        said[item] = [comment] if comment else []  # the last one counts
    begun = Comment.objects.filter(item__in=items, parent=None, resolved_at=None)
    for item, text in begun.order_by("id").values_list("item_id", "text"):
        said.setdefault(item, []).append(text)
    return {
        item: " ".join(_("“%(text)s”") % {"text": text} for text in texts[: SHOWN + 1])
        for item, texts in said.items()
        if texts
    }
