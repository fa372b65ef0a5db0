"""What managers are told until they have read it: certificates that were withdrawn."""

from labeling.models import Event, Project, User
from mlassist.models import Certificate

READ = "certificate_notice_read"


def unread(project: Project, user: User) -> list[Certificate]:
    """Return withdrawn certificates, newest first, that a user has not read about; each has `labels_back`.

    Once another certificate has been made since, it is over.
    """
    ended = Certificate.objects.filter(project=project, state=Certificate.State.WITHDRAWN)
    stands = Certificate.objects.filter(project=project, state=Certificate.State.VALID).first()
    if stands is not None:
        ended = ended.filter(withdrawn_at__gt=stands.created_at)
    found = list(ended.order_by("-withdrawn_at"))
    if not found:
        return []
    events = Event.objects.filter(project=project, data__has_key="certificate")
    read = set(events.filter(verb=READ, actor=user.pk).values_list("data__certificate", flat=True))
    back = dict(events.filter(verb="certificate_withdrawn").values_list("data__certificate", "data__labels"))
    waiting = [each for each in found if each.pk not in read]
    for each in waiting:
        each.labels_back = back.get(each.pk, 0)  # type: ignore[attr-defined]
    return waiting


def mark_read(certificate: Certificate, user: User) -> None:
    Event.record(READ, certificate.project, user, certificate=certificate.pk)
