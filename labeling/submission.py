"""Taking answers: once, in one transaction, never losing one."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy, gettext_noop

from labeling import bias, consensus, decoys, limits, meanings, pausing, proposing, queue, rechecks
from labeling.answering import Answer, InvalidAnswer, check
from labeling.answering import RegionInput as RegionInput
from labeling.meanings import Meanings
from labeling.models import (
    Annotation,
    Claim,
    Decoy,
    Item,
    Page,
    Project,
    QueueEntry,
    Region,
    User,
)
from labeling.models.queueing import QueueKind
from labeling.validation import kind_for

UNDO_WITHIN = timedelta(minutes=10)
NOT_ALIKE = gettext_noop("not like its look-alikes")
NOT_RIGHT = gettext_noop("somebody saw that the proposal is wrong")
TAKEN_UUID = gettext_lazy("A UUID belongs to another answer already. Give each answer a new one.")


@dataclass(slots=True)
class _Desk:
    """All rows that a submission looks at, locked and loaded once."""

    page: Page
    labeler: User
    now: datetime
    items: dict[int, Item]
    claims: dict[int, Claim]
    entries: dict[int, QueueEntry]
    earlier: dict[int, Annotation]
    shown: dict[int, proposing.Answer]
    models: dict[int, int]
    today: Meanings
    reviewed: set[int]
    written: list[tuple[Annotation, Answer]] = field(default_factory=list)


def submit(page: Page, labeler: User, answers: Sequence[Answer]) -> list[dict[str, object]]:
    """Take the answers for a page; returns {item, status} for each.

    Status: `counted`; `kept` when it came late and somebody else answers already; `skipped`;
    `returned` for an exception; `withdrawn` for a repeat of what was taken back since. Sending the
    same UUIDs again changes nothing. Items of the page that are not answered go back to the queue.
    What comes from somebody who works here no longer is kept for the history alone. Raises InvalidAnswer.
    """
    decoy = decoys.of(page)
    check(page, answers, decoy)
    asked = [each for each in answers if decoy is None or each.item != decoy.known.item_id]
    try:
        with transaction.atomic():
            queue.one_at_a_time(page.project, labeler)
            works_here = is_working(page.project, labeler)
            locked = Page.objects.select_for_update(no_key=True).get(pk=page.pk)
            known = repeated(labeler, asked)
            fresh = [each for each in asked if each.uuid not in known]
            is_repeat = bool(asked) and not fresh
            status = known if is_repeat else known | take_all(page, labeler, fresh, works_here=works_here)
            if decoy is not None and works_here:
                hidden = next((each for each in answers if each not in asked), None)
                is_open = locked.state != Page.State.SUBMITTED
                became = take_decoy(decoy, hidden, known.values() if is_repeat else (), is_open)
                status |= {hidden.uuid: became} if hidden else {}
                if decoy.gold is not None:
                    pausing.weigh(page.project, labeler, decoy.gold)
            status = {each.uuid: "kept" for each in answers if each not in asked} | status
    except IntegrityError as error:
        if "uuid" not in str(error):
            raise
        raise InvalidAnswer(TAKEN_UUID) from error
    return [{"item": each.item, "status": status[each.uuid]} for each in answers]


def repeated(labeler: User, answers: Sequence[Answer]) -> dict[UUID, str]:
    """Return what became of the answers that are here already. Raises InvalidAnswer."""
    sent = {each.uuid: each for each in answers}
    status: dict[UUID, str] = {}
    for old in Annotation.objects.filter(uuid__in=sent):
        if old.labeler_id != labeler.pk or old.item_id != sent[old.uuid].item:
            raise InvalidAnswer(TAKEN_UUID)
        is_gone = old.withdrawn_at is not None and not was_for_history(old)
        status[old.uuid] = "withdrawn" if is_gone else status_of(old)
    for claim in Claim.objects.exclude(exception_uuid=None).filter(exception_uuid__in=sent):
        key = cast(UUID, claim.exception_uuid)
        if claim.labeler_id != labeler.pk or claim.item_id != sent[key].item:
            raise InvalidAnswer(TAKEN_UUID)
        status[key] = "returned" if claim.state == Claim.State.RETURNED else "withdrawn"
    return status


def is_working(project: Project, labeler: User) -> bool:
    try:
        limits.member(project, labeler)
    except limits.NotWorking:
        return False
    return True


def take_all(
    page: Page, labeler: User, answers: Sequence[Answer], *, works_here: bool = True
) -> dict[UUID, str]:
    """Take answers that are new, and close the page."""
    desk = open_desk(page, labeler, answers)
    status = {each.uuid: take(desk, each) if works_here else keep(desk, each) for each in answers}
    write(desk)
    queue.release_claims(page)
    # Sent once more, it could be undone as if nobody had looked at it since.
    Page.objects.filter(pk=page.pk).exclude(state=Page.State.SUBMITTED).update(
        state=Page.State.SUBMITTED, submitted_at=desk.now
    )
    return status


def open_desk(page: Page, labeler: User, answers: Sequence[Answer]) -> _Desk:
    """Lock what the answers touch, and what goes back unanswered: claims, then entries, then items, by id."""
    wanted = {each.item for each in answers}
    held = Claim.objects.filter(Q(item__in=wanted) | Q(state=Claim.State.LIVE), page=page)
    claims = list(held.select_for_update(no_key=True).order_by("id"))
    claims_by_item = {each.item_id: each for each in claims if each.item_id in wanted}
    touched = [each.item_id for each in claims]
    entries = QueueEntry.objects.select_for_update().filter(item__in=touched).order_by("item_id")
    not_for_it = queue.asked_elsewhere(page)
    entries_by_item = {each.pk: each for each in entries if each.kind not in not_for_it}
    items = Item.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("id")
    items_by_id = {each.pk: each for each in items}
    standing = Annotation.objects.filter(item__in=wanted, labeler=labeler, withdrawn_at=None)
    shown = proposing.shown(page, list(claims_by_item.values()))
    earlier = {each.item_id: each for each in standing}
    reviewed = set(
        standing.filter(
            item__reviews__created_at__gte=F("created_at"), item__reviews__undone_at=None
        ).values_list("item_id", flat=True)
    )
    return _Desk(
        page=page,
        labeler=labeler,
        now=timezone.now(),
        items=items_by_id,
        claims=claims_by_item,
        entries=entries_by_item,
        earlier=earlier,
        shown=shown,
        models=proposing.models_behind(page, claims_by_item.values(), shown),
        today=meanings.of(page.project),
        reviewed=reviewed | rejected(page, claims_by_item, earlier),
    )


def rejected(page: Page, claims: dict[int, Claim], earlier: dict[int, Annotation]) -> set[int]:
    """Return the items whose answer on a page a reviewer has rejected, unless they are held there anew."""
    answered = [item for item, each in claims.items() if each.state == Claim.State.ANSWERED]
    sent_back = Annotation.objects.filter(
        page=page, item__in=answered, withdrawal=Annotation.Withdrawal.REJECTED
    )
    here = {item for item, each in earlier.items() if each.page_id == page.pk}
    return set(sent_back.values_list("item_id", flat=True)) - here


def take(desk: _Desk, answer: Answer) -> str:
    """Decide what becomes of one answer, and note it down for writing."""
    if answer.exception:
        return take_exception(desk, answer)
    earlier = desk.earlier.get(answer.item)
    if answer.item in desk.reviewed:  # somebody has the last word, which is not the labeler's
        return keep(desk, answer)
    held = hold(desk, answer.item)
    annotation = annotation_for(desk, answer, earlier.counted if earlier and not held else held)
    if earlier:
        Annotation.objects.filter(pk=earlier.pk).update(
            withdrawn_at=desk.now, withdrawn_by=desk.labeler, withdrawal=Annotation.Withdrawal.CORRECTED
        )
    desk.written.append((annotation, answer))
    if held:
        entry = desk.entries[answer.item]
        entry.needed -= 1
        if entry.needed:
            QueueEntry.objects.filter(pk=entry.pk).update(needed=F("needed") - 1)
    let_others_answer(desk, answer.item)
    return status_of(annotation)


def let_others_answer(desk: _Desk, item: int) -> None:
    """Let an item that still needs answers wait for everybody: whom it was assigned to answers it once."""
    entry = desk.entries.get(item)
    if entry is not None and entry.needed and entry.assignment_id is not None:
        QueueEntry.objects.filter(pk=item).update(assignment=None)


def keep(desk: _Desk, answer: Answer) -> str:
    """Write an answer down for the history alone."""
    if answer.exception:
        return "kept"
    annotation = annotation_for(desk, answer, counted=False)
    annotation.withdrawn_at, annotation.withdrawn_by = desk.now, desk.labeler
    annotation.withdrawal = Annotation.Withdrawal.CORRECTED
    desk.written.append((annotation, answer))
    return "kept"


def was_for_history(annotation: Annotation) -> bool:
    """Tell whether an answer never counted: it was withdrawn as it was written."""
    taken_back = annotation.withdrawn_at
    return not annotation.counted and taken_back is not None and taken_back <= annotation.created_at


def status_of(annotation: Annotation) -> str:
    return "kept" if not annotation.counted else "skipped" if annotation.skipped else "counted"


def hold(desk: _Desk, item: int) -> bool:
    """Tell whether the labeler has a slot for the item, taking an open one for a claim that was lost.

    Who corrects an answer takes none: the first answer has used theirs.
    """
    entry = desk.entries.get(item)
    if entry is None:
        return False
    if desk.claims[item].state == Claim.State.LIVE:
        return True
    if entry.open_slots and item not in desk.earlier:
        entry.open_slots -= 1
        QueueEntry.objects.filter(pk=item).update(open_slots=F("open_slots") - 1)
        return True
    return False


def take_exception(desk: _Desk, answer: Answer) -> str:
    """Send an item whose proposal was rejected to the single queue; `kept` when it has an answer by now."""
    entry = desk.entries.get(answer.item)
    claim = desk.claims[answer.item]
    if entry is None or claim.state == Claim.State.ANSWERED:
        return "kept"
    if claim.state == Claim.State.RETURNED:
        return "returned"
    waiting = QueueEntry.objects.filter(pk=entry.pk)
    if claim.state == Claim.State.LIVE:
        waiting.update(open_slots=F("open_slots") + 1)
    if desk.page.kind not in queue.GROUPED:  # nothing was proposed
        Claim.objects.filter(pk=claim.pk).update(state=Claim.State.RELEASED)
        return "returned"
    Claim.objects.filter(pk=claim.pk).update(state=Claim.State.RETURNED, exception_uuid=answer.uuid)
    waiting.update(
        kind=kind_for(desk.page.project, desk.items[answer.item]),
        group=None,
        proposed_class=None,
        priority=-1,
        why=NOT_ALIKE if desk.page.kind == QueueKind.CLUSTERED else NOT_RIGHT,
    )
    return "returned"


def take_decoy(decoy: Decoy, answer: Answer | None, others: Collection[str], is_open: bool) -> str:
    """Note what was said of an image that was only hidden on the page, like of others; its label stays.

    `others` is what became of the answers that were here already, where all were.
    """
    if others and decoy.said:
        return "withdrawn" if set(others) == {"withdrawn"} else decoys.status_of(decoy)
    if answer is None:
        if is_open:
            decoys.forget(decoy)
        return ""
    if answer.exception and decoy.said not in ("", Decoy.Said.EXCEPTION) and not is_open:
        return "kept"
    return decoys.note(decoy, answer)


def annotation_for(desk: _Desk, answer: Answer, counted: bool) -> Annotation:
    page, claim = desk.page, desk.claims[answer.item]
    given = Counter(proposing.region(each.label_class, each.bbox, each.polygon) for each in answer.regions)
    visible = answer.item in desk.shown
    agreed = is_same(desk, given, answer.item) if visible and not answer.skipped else None
    # What was singled out and got a class of its own has been looked at by itself.
    bulk = page.kind in queue.GROUPED and len(desk.claims) > 1 and agreed is not False and not answer.skipped
    entry = desk.entries.get(answer.item) if page.kind == QueueKind.PRELABELED else None
    earlier = desk.earlier.get(answer.item)
    corrected = earlier.certificate if earlier and earlier.page_id == page.pk else None
    return Annotation(
        project=page.project,
        item_id=answer.item,
        uuid=answer.uuid,
        source=Annotation.Source.BULK if bulk else Annotation.Source.HUMAN,
        labeler=desk.labeler,
        page=page,
        kind=page.kind,
        group=page.group,
        skipped=answer.skipped,
        skip_reason=answer.skip_reason,
        counted=counted,
        suggestion_visible=visible,
        agreed=agreed,
        suggestion_hidden=claim.hidden is not None,
        agreement=bias.agreement_with(
            claim, page.kind, answer, agreed, desk.today, page.project.agreement_overlap
        ),
        seconds=answer.seconds,
        instructions_id=page.instructions_id,
        inclusion_probability=claim.inclusion_probability,
        model_version=desk.models.get(answer.item),
        certificate=entry.certificate if entry else corrected,
    )


def is_same(desk: _Desk, given: proposing.Answer, item: int) -> bool:
    """Tell whether an answer is what was shown; the screen may have read a class by what it has become."""
    shown = proposing.by_meaning(desk.shown[item], desk.today)
    return proposing.by_meaning(given, desk.today) == shown


def write(desk: _Desk) -> None:
    """Insert the answers with their regions and finish items that have all they need."""
    answered = [desk.claims[answer.item].pk for _, answer in desk.written]
    Claim.objects.filter(pk__in=answered).update(state=Claim.State.ANSWERED)
    Annotation.objects.bulk_create([annotation for annotation, _ in desk.written])
    Region.objects.bulk_create(
        Region(
            annotation=annotation,
            label_class_id=each.label_class,
            bbox=each.bbox,
            polygon=each.polygon,
            origin=each.origin if annotation.suggestion_visible else Region.Origin.DRAWN,
        )
        for annotation, answer in desk.written
        for each in answer.regions
        if not answer.skipped
    )
    done: dict[int, int] = {}
    shared = consensus.shared_with_others(desk.page, desk.items)
    for annotation, answer in desk.written:
        entry = desk.entries.get(answer.item)
        item = desk.items[answer.item]
        if not annotation.counted or (entry is not None and entry.needed and not answer.skipped):
            continue
        if desk.page.kind == QueueKind.AUDIT and rechecks.take(item, annotation):
            continue
        if item.pk in desk.earlier and rechecks.follow(desk.earlier[item.pk], annotation):
            continue
        if answer.skipped:
            consensus.skip(desk.page, item, answer.skip_reason)
        elif desk.page.project.labels_per_item == 1 and item.pk not in shared:
            done[item.pk] = annotation.pk
        else:
            consensus.settle(desk.page, item, done)
    if done:
        queue.finish(done, audited=desk.page.kind == QueueKind.AUDIT)
        # Drawn again with each correction, an answer would be asked again more often than is noted.
        first = [each for each, _ in desk.written if each.item_id not in desk.earlier]
        rechecks.draw(desk.page.project, desk.labeler, first)


def undo(project: Project, labeler: User) -> tuple[Page, dict[int, Annotation]] | None:
    """Reopen the labeler's last submitted page; returns it with the withdrawn answers by item.

    None when there is none from the last minutes. Items that somebody reviewed or checked since stay as
    they are. Raises limits.NotWorking.
    """
    now = timezone.now()
    with transaction.atomic():
        queue.one_at_a_time(project, labeler)
        limits.member(project, labeler)
        page = (
            Page.objects.select_for_update(no_key=True)
            .filter(project=project, labeler=labeler, state="submitted", submitted_at__gte=now - UNDO_WITHIN)
            .order_by("-submitted_at", "-id")
            .first()
        )
        if page is None:
            return None
        # Also what others hold of it, to be asked again.
        touched = Claim.objects.filter(Q(page=page) | Q(item__in=page.claims.values("item"), state="live"))
        locked = touched.select_for_update(no_key=True).order_by("id")
        claims = {each.item_id: each for each in locked if each.page_id == page.pk}
        entries = set(
            QueueEntry.objects.select_for_update()
            .filter(item__in=claims)
            .order_by("item_id")
            .values_list("item_id", flat=True)
        )
        items = Item.objects.select_for_update(no_key=True).filter(pk__in=claims).order_by("id")
        held = {each.pk: each for each in items}
        # Only now: until here, a reviewer could still have come first.
        answers = {
            each.item_id: each
            for each in Annotation.objects.filter(page=page, withdrawn_at=None, item__in=claims)
            .exclude(item__reviews__created_at__gte=page.submitted_at)
            .exclude(rechecks__second__isnull=False)
            .prefetch_related("regions__label_class__means")
        }
        entries -= rechecks.cancel([each.pk for each in answers.values()])
        Annotation.objects.filter(pk__in=[each.pk for each in answers.values()]).update(
            withdrawn_at=now, withdrawn_by=labeler, withdrawal=Annotation.Withdrawal.UNDONE
        )
        reopen(page, answers, claims, entries, held)
        page.state, page.expires_at = Page.State.OPEN, now + queue.LEASE
        page.save(update_fields=["state", "expires_at"])
        return page, answers


def put_down(page: Page, items: Sequence[int]) -> None:
    """Give back what the labeler holds on other pages of items that they answered late on this one."""
    live = Claim.objects.filter(item__in=items, labeler=page.labeler, state=Claim.State.LIVE)
    elsewhere = dict(live.exclude(page=page).values_list("pk", "item_id"))
    if elsewhere:
        queue.give_back(list(elsewhere.values()))
        Claim.objects.filter(pk__in=elsewhere).update(state=Claim.State.RELEASED)


def reopen(
    page: Page,
    answers: dict[int, Annotation],
    claims: dict[int, Claim],
    entries: set[int],
    items: dict[int, Item],
) -> None:
    """Give the labeler the items of a page back, as far as they can be had. All rows are locked."""
    until = timezone.now() + queue.LEASE
    put_down(page, [item for item, each in answers.items() if each.counted])
    mine = queue.take_back(page, [each for item, each in claims.items() if item not in answers])
    for item in sorted(item for item, each in answers.items() if each.counted):
        mine.append(claims[item].pk)
        standing = Annotation.objects.filter(item=item, counted=True, skipped=False, withdrawn_at=None)
        others = standing.filter(labeler__isnull=False).exclude(pk=answers[item].pk).count()
        kind = page.kind if page.kind in ("audit", "validation") else kind_for(page.project, items[item])
        if item in entries and page.kind == "audit":
            QueueEntry.objects.filter(pk=item).update(needed=F("needed") + 1)
        else:
            wanted = 1 if kind == "audit" else page.project.labels_per_item - others
            slots = consensus.slots(item, wanted)
            if item in entries:
                QueueEntry.objects.filter(pk=item).update(**slots)
            else:
                QueueEntry.objects.create(
                    item_id=item,
                    project=page.project,
                    kind=kind,
                    priority=-1,
                    inclusion_probability=claims[item].inclusion_probability,
                    **slots,
                )
        before = rechecks.reopen(answers[item]) or standing.filter(source="auto").first()
        if before is None and page.kind == "audit":  # of somebody else, that was asked again
            before = standing.exclude(pk=answers[item].pk).order_by("id").first()
        Item.objects.filter(pk=item).update(
            state=Item.State.LABELED if before else Item.State.UNLABELED, current_annotation=before, reason=""
        )
    Claim.objects.filter(pk__in=mine).update(state=Claim.State.LIVE, expires_at=until)
