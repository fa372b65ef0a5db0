"""Who else can be asked: what one person answered is checked by somebody else, if there is anybody."""

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q

from labeling.models import Annotation, Membership, Project


def can_be_asked(project: Project, but: Iterable[int | None] = ()) -> bool:
    """Tell whether there is somebody, but for some, to whom images are handed out."""
    answered = Annotation.objects.filter(project=project, labeler=OuterRef("user"))
    members = Membership.objects.filter(project=project, is_active=True, user__is_active=True, paused_at=None)
    others = members.exclude(user__in=[each for each in but if each is not None])
    return others.filter(Q(role=Membership.Role.LABELER) | Exists(answered)).exists()
