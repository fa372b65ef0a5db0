"""Whatever labelers, reviewers and time do, in any order, the queue keeps its promises."""

import uuid
from datetime import timedelta
from unittest import mock

from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from labeling import queue, rechecks, review, submission, suggestions
from labeling.models import Annotation, Claim, Item, Page, Project, QueueEntry
from tests import factories

LABELERS = 3
ITEMS = 7


class QueueMachine(RuleBasedStateMachine):
    """Labelers claim, answer, skip, reject proposals, undo, release and vanish; a reviewer rejects.

    A model groups look-alikes, and each answer on their pages is asked again.
    """

    @initialize(labels_per_item=st.integers(1, 2), more=st.integers(0, 1), rate=st.sampled_from([0.0, 0.5]))
    def start(self, labels_per_item: int, more: int, rate: float) -> None:
        suffix = uuid.uuid4().hex
        self.people = [factories.make_user(f"{n}-{suffix}@example.com") for n in range(LABELERS)]
        self.project = factories.make_project(
            manager=self.people[0],
            labels_per_item=labels_per_item,
            most_labels_per_item=labels_per_item + more,
        )
        for person in self.people[1:]:
            factories.add_member(self.project, person)
        self.classes = list(self.project.classes.values_list("id", flat=True))
        self.items = factories.make_unread_items(self.project, ITEMS)
        Project.objects.filter(pk=self.project.pk).update(validation_rate=rate)
        self.project.refresh_from_db()
        factories.open_queue(self.project, self.items)
        self.pages: list[Page] = []
        self.sent: dict[uuid.UUID, int] = {}

    @rule(who=st.integers(0, LABELERS - 1), size=st.sampled_from(queue.SIZES))
    def claim(self, who: int, size: int) -> None:
        page = queue.claim(self.project, self.people[who], size)
        if page is not None:
            assert page.labeler == self.people[who]
            assert page.claims.filter(state="live").exists()
            if page.pk not in [each.pk for each in self.pages]:
                assert page.claims.count() <= size
                self.pages.append(page)

    @rule(
        pick=st.integers(0, 50),
        choice=st.integers(0, 2),
        how=st.sampled_from(["label", "skip", "exception", "part"]),
    )
    def submit(self, pick: int, choice: int, how: str) -> None:
        if not self.pages:
            return
        page = Page.objects.select_related("project").get(pk=self.pages[pick % len(self.pages)].pk)
        items = list(page.claims.values_list("item_id", flat=True))[: 1 if how == "part" else None]
        regions = (submission.RegionInput(self.classes[choice]),)
        answers = [
            submission.Answer(
                item,
                uuid.uuid4(),
                () if how in ("skip", "exception") else regions,
                skipped=how == "skip",
                exception=how == "exception",
            )
            for item in items
        ]
        first = submission.submit(page, page.labeler, answers)
        if how != "exception":
            self.sent |= {answer.uuid: answer.item for answer in answers}
        # A double click sends the same answers again: nothing changes.
        assert submission.submit(page, page.labeler, answers) == first

    @rule(first=st.integers(0, ITEMS - 1), count=st.integers(2, 5), choice=st.integers(-1, 2))
    def group(self, first: int, count: int, choice: int) -> None:
        alike = self.items[first : first + count]
        proposed = self.classes[choice] if choice >= 0 else None
        suggestions.order_queue(
            self.project,
            [suggestions.Placement(item.pk, "clustered", 0, first, proposed, "") for item in alike],
        )

    @rule(pick=st.integers(0, 50))
    def release(self, pick: int) -> None:
        if self.pages:
            queue.release(self.pages[pick % len(self.pages)])

    @rule(pick=st.integers(0, 50))
    def extend(self, pick: int) -> None:
        if self.pages:
            page = self.pages[pick % len(self.pages)]
            page.refresh_from_db()
            queue.extend(page)

    @rule(pick=st.integers(0, 50))
    def lease_runs_out(self, pick: int) -> None:
        if self.pages:
            past = timezone.now() - timedelta(seconds=1)
            Claim.objects.filter(page=self.pages[pick % len(self.pages)], state="live").update(
                expires_at=past
            )

    @rule(who=st.integers(0, LABELERS - 1))
    def undo(self, who: int) -> None:
        undone = submission.undo(self.project, self.people[who])
        if undone is not None and undone[0].pk not in [page.pk for page in self.pages]:
            self.pages.append(undone[0])

    @rule(pick=st.integers(0, ITEMS - 1))
    def reject(self, pick: int) -> None:
        review.reject(self.project, [self.items[pick].pk], self.people[0])

    @invariant()
    def no_more_hands_than_asked_for(self) -> None:
        if not hasattr(self, "project"):
            return
        for entry in QueueEntry.objects.filter(project=self.project):
            live = Claim.objects.filter(item=entry.pk, state="live").count()
            answers = Annotation.objects.filter(item=entry.pk, counted=True, withdrawn_at=None).count()
            assert entry.open_slots == entry.needed - live, (entry.pk, entry.needed, entry.open_slots, live)
            asked = entry.needed + answers
            assert live + answers <= asked
            again = entry.kind == "audit"
            assert self.project.labels_per_item + again <= asked <= self.project.most_labels + again

    @invariant()
    def nothing_sent_is_lost(self) -> None:
        for answer, item in getattr(self, "sent", {}).items():
            assert Annotation.objects.get(uuid=answer).item_id == item

    @invariant()
    def every_item_is_waiting_or_done(self) -> None:
        for item in Item.objects.filter(project=getattr(self, "project", None)):
            kind = QueueEntry.objects.filter(pk=item.pk).values_list("kind", flat=True).first()
            assert (kind not in (None, "audit")) == (item.state == "unlabeled"), (kind, item.state)
            asked_again = item.rechecks.filter(second=None, first__withdrawn_at=None).count()
            assert asked_again == (kind == "audit")
            assert kind != "audit" or item.state in ("labeled", "needs_review")
            if item.state == "labeled":
                assert item.current_annotation is not None
                assert item.current_annotation.withdrawn_at is None
                assert item.current_annotation.counted

    @invariant()
    def nobody_answers_an_item_twice(self) -> None:
        standing = Annotation.objects.filter(project=getattr(self, "project", None), withdrawn_at=None)
        pairs = list(standing.values_list("item_id", "labeler_id"))
        assert len(pairs) == len(set(pairs))


class TestQueue(TestCase):
    @mock.patch.object(rechecks, "SHARE", 1.0)
    def test_the_queue_keeps_its_promises(self) -> None:
        run_state_machine_as_test(
            QueueMachine,
            settings=settings(
                max_examples=12,
                stateful_step_count=30,
                phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking takes minutes here
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
