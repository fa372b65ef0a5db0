"""What becomes of a labeler whom gold items show to err too often: told, paused, let go on."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from labeling import announcing, gold, probation, worker_quality
from labeling.models import Event, GoldItem, Membership, Project, User
from labeling.probation import Posterior, Verdict


@dataclass(frozen=True, slots=True)
class Record:
    """What gold items say of a labeler in all; the verdict is about those since a manager looked last."""

    hits: int
    misses: int
    verdict: Verdict
    posterior: Posterior

    @property
    def asked(self) -> int:
        return self.hits + self.misses


def weigh(project: Project, labeler: User, item: GoldItem) -> None:
    """Look at a labeler's record after an answer to a gold item, and at the item's own."""
    if gold.retire_if_misleading(item):
        return
    membership = Membership.objects.filter(project=project, user=labeler, flagged_at=None).first()
    if membership is None:  # a site admin, or known to err already
        return
    record = records(project, [membership])[labeler.pk]
    if record.verdict.flagged:
        flag(membership, record)


def records(project: Project, members: Iterable[Membership]) -> dict[int, Record]:
    """Return the record of each member by their user's id."""
    since = {each.user_id: each.judged_since for each in members}
    answers: dict[int, list[tuple[bool, bool]]] = defaultdict(list)
    said = gold.answers_of(project, since).values_list("page__labeler", "found", "answered_at")
    for user, right, at in said:
        looked = since[user]
        answers[user].append((bool(right), looked is None or (at is not None and at > looked)))
    found = {}
    for user in since:
        rights = [right for right, _ in answers[user]]
        verdict = probation.judge(right for right, counts in answers[user] if counts)
        hits, misses = sum(rights), len(rights) - sum(rights)
        found[user] = Record(hits, misses, verdict, probation.posterior(hits, misses))
    return found


def members_quality(project: Project, members: Sequence[Membership]) -> dict[int, dict[str, Any]]:
    """Return by user what is known of how well they label: {record, measured}."""
    found, measured = records(project, members), worker_quality.newest(project)
    return {user: {"record": record, "measured": measured.get(user)} for user, record in found.items()}


def flag(membership: Membership, record: Record) -> None:
    """Note that a member errs too often, and do what the project says."""
    project, user = membership.project, membership.user
    now = timezone.now()
    paused = now if project.gold_rule == Project.GoldRule.PAUSE else None
    fresh = Membership.objects.filter(pk=membership.pk, flagged_at=None)
    if not fresh.update(flagged_at=now, paused_at=paused or membership.paused_at):
        return
    facts: dict[str, Any] = {"user": user.pk, "hits": record.verdict.hits, "misses": record.verdict.misses}
    Event.record("labeler_flagged", project, None, **facts, paused=paused is not None)
    if project.gold_rule != Project.GoldRule.OFF:
        announcing.announce("flagged", project, None, **facts, who=user.label, paused=paused is not None)


def pause(membership: Membership, by: User) -> None:
    """Hand a member no more images; what they have on screen can still be submitted."""
    with transaction.atomic():
        open_now = Membership.objects.filter(pk=membership.pk, paused_at=None)
        if open_now.update(paused_at=timezone.now()):
            Event.record("labeler_paused", membership.project, by, user=membership.user_id)


def lift(membership: Membership, by: User) -> None:
    """Let a member go on, and begin their test anew: what was missed before is forgiven."""
    with transaction.atomic():
        rows = Membership.objects.select_for_update().filter(pk=membership.pk)
        before = rows.values("paused_at", "flagged_at").first()
        if before is None or not any(before.values()):
            return
        rows.update(paused_at=None, flagged_at=None, judged_since=timezone.now())
        Event.record("labeler_resumed", membership.project, by, user=membership.user_id)
