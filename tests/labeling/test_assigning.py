"""What is assigned goes to nobody else, and never gets stuck."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from labeling import accounts, assigning, checks, members, queue, review, submission, suggestions, teams
from labeling.assigning import Part
from labeling.models import (
    Annotation,
    AssignedItem,
    Assignment,
    Claim,
    Membership,
    Notification,
    Page,
    Project,
    QueueEntry,
    User,
)
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting(project):
    """Twenty items that wait one by one, none of them asked blind."""
    items = factories.make_unread_items(project, 20)
    factories.open_queue(project, items)
    return items


@pytest.fixture
def other(project) -> User:
    user = factories.make_user("other@example.com")
    factories.add_member(project, user)
    return user


def items_for(project: Project, labeler: User) -> set[int]:
    """Return all that somebody is handed, and give it back."""
    pages: list[Page] = []
    while page := queue.claim(project, labeler, 9, [each.pk for each in pages]):
        pages.append(page)
    found = set(Claim.objects.filter(page__in=pages).values_list("item_id", flat=True))
    for page in pages:
        queue.release(page)
    return found


def pks(items) -> set[int]:
    return {each.pk for each in items}


def assign_list(project, manager, items, **who) -> assigning.Made:
    return assigning.assign(project, manager, Part(listed=tuple(str(each.pk) for each in items)), **who)


def test_assigned_images_go_to_their_labeler_first_and_to_nobody_else(
    project, manager, labeler, other, waiting
) -> None:
    made = assign_list(project, manager, waiting[10:14], labeler=labeler)
    assert made.count == 4
    assert pks(queue.claim(project, labeler, 4).claims.select_related("item")) != set()
    assert set(Claim.objects.values_list("item_id", flat=True)) == pks(waiting[10:14])
    queue.release(Page.objects.get())
    assert items_for(project, other) == pks(waiting) - pks(waiting[10:14])
    assert items_for(project, labeler) == pks(waiting)


def test_who_gets_only_what_is_assigned_gets_blind_images_beside_it_and_then_nothing(
    project, manager, labeler, waiting
) -> None:
    membership = Membership.objects.get(project=project, user=labeler)
    members.set_limits(membership, manager, only_assigned=True)
    assert queue.claim(project, labeler, 9) is None
    assign_list(project, manager, waiting[:3], labeler=labeler)
    assert items_for(project, labeler) == pks(waiting[:3])
    Project.objects.filter(pk=project.pk).update(validation_share=1.0)
    project.refresh_from_db()
    suggestions.ask_blind(project, [waiting[9].pk], 1, probability=0.1)
    assert queue.claim(project, labeler, 1).claims.get().item_id == waiting[9].pk
    queue.release(Page.objects.latest("id"))
    assigning.end(Assignment.objects.get(), manager)
    assert queue.claim(project, labeler, 1) is None


def test_a_share_is_exact_and_drawn_out_of_order(project, manager, labeler, waiting) -> None:
    assert assigning.assign(project, manager, Part(share=0.3), labeler=labeler).count == 6
    chosen = sorted(AssignedItem.objects.values_list("item_id", flat=True))
    first = min(pks(waiting))
    assert chosen not in (list(range(first, first + 6)), list(range(first + 14, first + 20)))
    assert assigning.assign(project, manager, Part(share=0.3), labeler=labeler).count == 6
    assert AssignedItem.objects.values("item").distinct().count() == 12


def test_names_patterns_and_classes_choose(project, manager, labeler, waiting) -> None:
    listed = Part(listed=("000003.png", " 000004.png ", str(waiting[5].pk), "nowhere.png", ""))
    made = assigning.assign(project, manager, listed, labeler=labeler)
    assert (made.count, made.unknown) == (3, ("nowhere.png",))
    assert assigning.assign(project, manager, Part(name="00001?.png"), labeler=labeler).count == 10
    with pytest.raises(assigning.AssignmentRefused, match="No image that waits fits"):
        assigning.assign(project, manager, Part(name="00001*"), labeler=labeler)
    circle = project.classes.get(name="circle")
    proposed = [suggestions.Proposal(each.pk, [], circle.pk, 0.9) for each in waiting[:3]]
    suggestions.store(project, 1, proposed)
    assert assigning.assign(project, manager, Part(label_class=circle), labeler=labeler).count == 3


def test_underscores_and_percent_signs_of_a_name_stand_for_themselves() -> None:
    assert assigning.pattern("a_1%*.png") == r"a\_1\%%.png"
    assert assigning.pattern("cam") == "%cam%"


def test_what_is_held_answered_or_asked_blind_is_passed_over(
    project, manager, labeler, other, waiting
) -> None:
    held = {each.item_id for each in queue.claim(project, other, 4).claims.all()}
    blind = set(suggestions.ask_blind(project, [waiting[-1].pk, waiting[-2].pk], 2, probability=0.1))
    made = assigning.assign(project, manager, Part(share=1.0), labeler=labeler)
    assigned = set(made.assignment.items.values_list("item_id", flat=True))
    assert assigned == pks(waiting) - held - blind


def test_an_assignment_outlives_the_model_a_rejection_and_being_asked_blind(
    project, manager, reviewer, labeler, other, waiting
) -> None:
    assigned = waiting[:4]
    assign_list(project, manager, assigned, labeler=labeler)
    circle = project.classes.get(name="circle").pk
    places = [suggestions.Placement(each.pk, "clustered", 0, 1, circle, "") for each in waiting]
    suggestions.order_queue(project, places)
    assert items_for(project, other).isdisjoint(pks(assigned))

    suggestions.ask_blind(project, [assigned[0].pk], 1, probability=0.1)
    assert QueueEntry.objects.get(pk=assigned[0].pk).assignment_id is None
    suggestions.stop_asking_blind(project, [assigned[0].pk])
    assert QueueEntry.objects.get(pk=assigned[0].pk).assignment_id is not None

    factories.answer(project, labeler, lambda item: "circle", size=9)
    assert review.reject(project, [each.pk for each in assigned], reviewer)
    assert items_for(project, other).isdisjoint(pks(assigned))
    assert pks(assigned) <= items_for(project, labeler)


def test_taking_back_an_answer_leaves_the_image_with_its_labeler(
    project, manager, labeler, other, waiting
) -> None:
    assign_list(project, manager, waiting[:2], labeler=labeler)
    factories.answer(project, labeler, lambda item: "circle", size=4)
    page, answers = submission.undo(project, labeler)
    assert len(answers) == 2
    queue.release(page)
    assert items_for(project, other).isdisjoint(pks(waiting[:2]))


def test_with_several_answers_an_image_waits_for_everybody_after_the_first(
    manager, labeler, waiting, project
) -> None:
    Project.objects.filter(pk=project.pk).update(labels_per_item=2)
    project.refresh_from_db()
    QueueEntry.objects.update(needed=2, open_slots=2)
    assign_list(project, manager, waiting[:1], labeler=labeler)
    assert waiting[0].pk not in items_for(project, manager)
    factories.answer(project, labeler, lambda item: "circle", size=1)
    (row,) = assigning.progress(project)
    assert [row[name] for name in ("total", "left", "answered", "done")] == [1, 0, 1, 0]
    assert waiting[0].pk in items_for(project, manager)


def test_a_lost_claim_is_not_taken_back_from_whom_the_image_is_assigned_to(
    project, manager, labeler, other, waiting
) -> None:
    page = queue.claim(project, other, 4)
    Claim.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    queue.reclaim_expired(project, timezone.now())
    assigning.assign(project, manager, Part(share=1.0), labeler=labeler)
    queue.extend(page)
    assert len(queue.lost(page)) == 4


def test_a_team_gets_what_is_assigned_to_it_also_who_joins_later(project, manager, other, waiting) -> None:
    team = factories.make_team(manager, factories.make_user())
    teams.give(project, team, "labeler", manager)
    assign_list(project, manager, waiting[:2], team=team)
    late = factories.make_user()
    teams.join(team, late, manager)
    assert pks(waiting[:2]) <= items_for(project, late)
    assert items_for(project, other).isdisjoint(pks(waiting[:2]))


def test_an_end_gives_items_to_everybody_and_can_be_taken_back(
    project, manager, labeler, other, waiting
) -> None:
    made = assign_list(project, manager, waiting[:5], labeler=labeler)
    factories.answer(project, labeler, lambda item: "circle", size=1)
    assigning.end(made.assignment, manager)
    rest = items_for(project, other) & pks(waiting[:5])
    assert len(rest) == 4
    taken = assign_list(project, manager, [each for each in waiting if each.pk == min(rest)], labeler=other)
    assert taken.count == 1
    assert assigning.resume(made.assignment, manager) == 3
    assert items_for(project, other) & pks(waiting[:5]) == {min(rest)}


@pytest.mark.django_db(transaction=True)
def test_two_managers_at_once_do_not_give_an_image_to_two(project, manager, labeler, other, waiting) -> None:
    made = assign_list(project, manager, waiting[:5], labeler=labeler)
    assigning.end(made.assignment, manager)

    def resume() -> int:
        try:
            return assigning.resume(made.assignment, manager)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assign_list(project, manager, waiting[:3], labeler=other)
            resumed = pool.submit(resume)
            while not is_somebody_waiting():
                assert not resumed.done()
        assert resumed.result() == 2


def is_somebody_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0


@pytest.mark.parametrize("how", ["member off", "member out", "account off", "team out", "left the team"])
def test_nothing_waits_for_somebody_who_cannot_come(
    project, manager, admin, labeler, other, waiting, how
) -> None:
    team = factories.make_team(manager, factories.make_user("inside@example.com"))
    given = teams.give(project, team, "labeler", manager)
    is_team = how in ("team out", "left the team")
    assign_list(project, manager, waiting[:5], **({"team": team} if is_team else {"labeler": labeler}))
    membership = Membership.objects.select_related("user", "project").get(project=project, user=labeler)
    {
        "member off": lambda: members.deactivate(membership, manager),
        "member out": lambda: members.remove(membership, manager),
        "account off": lambda: accounts.deactivate(labeler, admin),
        "team out": lambda: teams.take_away(given, manager),
        "left the team": lambda: teams.leave(team.people.get(), manager),
    }[how]()
    assert Assignment.objects.get().ended_at is not None
    assert items_for(project, other) == pks(waiting)


def test_crops_of_assigned_images_are_theirs_too(manager, labeler) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    items = factories.make_unread_items(project, 2)
    factories.open_queue(project, items)
    box = lambda item: [{"class": project.classes.first().pk, "bbox": [1, 1, 4, 4]}]  # noqa: E731
    factories.ask_about_objects(project, items, box)
    assign_list(project, manager, items[:1], labeler=labeler)
    assert [each.item_id for each in checks.shown(checks.claim(project, manager))] == [items[1].pk]
    assert [each.item_id for each in checks.shown(checks.claim(project, labeler))] == [items[0].pk]


def test_who_is_assigned_images_is_told(project, manager, labeler, waiting) -> None:
    from labeling import announcing

    assign_list(project, manager, waiting[:3], labeler=labeler)
    told = Notification.objects.get(user=labeler, kind="assigned")
    assert announcing.kind_of("assigned").say(told.data, 1) == "manager has assigned 3 images to you."


def test_the_page_assigns_shows_how_far_it_is_and_takes_back(
    client, project, manager, labeler, waiting
) -> None:
    client.force_login(manager)
    url = reverse("assignments", args=[project.pk])
    given = {"who": f"user-{labeler.pk}", "by": "share", "share": "50"}
    page = client.post(url, given, follow=True).content.decode()
    assert "10 images are assigned to labeler." in page
    factories.answer(project, labeler, lambda item: "circle", size=4)
    page = client.get(url).content.decode()
    pk = Assignment.objects.get().pk
    assert f'state=labeled&amp;assignment={pk}">4</a>' in page.replace("&assignment", "&amp;assignment")
    for state, count in (("labeled", 4), ("unlabeled", 6)):
        shown = client.get(reverse("data", args=[project.pk]), {"state": state, "assignment": pk})
        assert len(shown.context["items"]) == count
    page = client.post(reverse("assignment-end", args=[project.pk, pk]), follow=True).content.decode()
    assert reverse("assignment-resume", args=[project.pk, pk]) in page
    client.post(reverse("assignment-resume", args=[project.pk, pk]))
    assert QueueEntry.objects.filter(assignment=pk).count() == 6


def test_programs_assign_too(api, project, manager, labeler, other, outsider, waiting) -> None:
    client, url = api(manager), f"/api/projects/{project.pk}/assignments/"
    body = {"items": ["000001.png", "none.png"], "labeler": labeler.pk}
    made = client.post(url, body, format="json")
    assert (made.status_code, made.json()["total"], made.json()["unknown"]) == (201, 1, ["none.png"])
    assert client.get(url).json()["results"][0]["left"] == 1
    one = f"{url}{made.json()['id']}/"
    assert client.patch(one, {"labeler": other.pk}, format="json").json()["labeler"] == other.pk
    assert client.patch(one, {"labeler": outsider.pk}, format="json").status_code == 404
    assert client.post(f"{one}end/").json()["ended_at"]
    assert client.post(f"{one}resume/").json()["ended_at"] is None
    refused = client.post(url, {"labeler": labeler.pk}, format="json")
    assert refused.status_code == 400
    assert client.post(url, {"share": 2, "labeler": labeler.pk}, format="json").status_code == 400


ITEMS = 8


class AssignmentMachine(RuleBasedStateMachine):
    """Managers assign, change, end and resume; people come and go; labelers work; a model orders."""

    @initialize(labels_per_item=st.integers(1, 2), rate=st.sampled_from([0.0, 0.3]))
    def start(self, labels_per_item: int, rate: float) -> None:
        suffix = uuid.uuid4().hex
        self.boss = factories.make_user(f"boss-{suffix}@example.com")
        self.people = [factories.make_user(f"{n}-{suffix}@example.com") for n in range(4)]
        self.project = factories.make_project(manager=self.boss, labels_per_item=labels_per_item)
        self.members = [factories.add_member(self.project, each) for each in self.people[:2]]
        self.team = factories.make_team(self.boss, *self.people[2:])
        teams.give(self.project, self.team, "labeler", self.boss)
        Project.objects.filter(pk=self.project.pk).update(validation_rate=rate, validation_share=0.3)
        self.project.refresh_from_db()
        self.items = factories.make_unread_items(self.project, ITEMS)
        factories.open_queue(self.project, self.items)
        self.pages: list[Page] = []

    @rule(first=st.integers(0, ITEMS - 1), count=st.integers(1, 5), who=st.integers(0, 2))
    def assign(self, first: int, count: int, who: int) -> None:
        whom = {"team": self.team} if who == 2 else {"labeler": self.people[who]}
        part = Part(listed=tuple(str(each.pk) for each in self.items[first : first + count]))
        try:
            assigning.assign(self.project, self.boss, part, **whom)
        except assigning.AssignmentRefused:
            return

    @rule(pick=st.integers(0, 50), how=st.sampled_from(["end", "resume", "change"]), who=st.integers(0, 1))
    def steer(self, pick: int, how: str, who: int) -> None:
        found = list(Assignment.objects.filter(project=self.project).order_by("id"))
        if not found:
            return
        assignment = found[pick % len(found)]
        try:
            if how == "end":
                assigning.end(assignment, self.boss)
            elif how == "resume":
                assigning.resume(assignment, self.boss)
            else:
                assigning.change(assignment, self.boss, labeler=self.people[who])
        except assigning.AssignmentRefused:
            return

    @rule(who=st.integers(0, 3), is_off=st.booleans())
    def come_and_go(self, who: int, is_off: bool) -> None:
        if who < 2:
            rows = Membership.objects.select_related("user", "project", "team")
            (members.deactivate if is_off else members.reactivate)(
                rows.get(pk=self.members[who].pk), self.boss
            )
        else:
            person = self.team.people.select_related("team", "user").get(user=self.people[who])
            (teams.leave if is_off else teams.come_back)(person, self.boss)

    @rule(who=st.integers(0, 3), size=st.sampled_from(queue.SIZES))
    def claim(self, who: int, size: int) -> None:
        for_whom = dict(QueueEntry.objects.filter(project=self.project).values_list("item", "assignment"))
        mine = {None, *assigning.of(self.project, self.people[who])}
        try:
            page = queue.claim(self.project, self.people[who], size)
        except queue.limits.NotWorking:
            return
        if page is not None and page.pk not in [each.pk for each in self.pages]:
            self.pages.append(page)
            assert {for_whom[each.item_id] for each in page.claims.all()} <= mine

    @rule(pick=st.integers(0, 50), how=st.sampled_from(["label", "skip", "exception", "part"]))
    def submit(self, pick: int, how: str) -> None:
        if not self.pages:
            return
        page = Page.objects.select_related("project").get(pk=self.pages[pick % len(self.pages)].pk)
        items = list(page.claims.values_list("item_id", flat=True))[: 1 if how == "part" else None]
        regions = (submission.RegionInput(self.project.classes.first().pk),)
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
        assert submission.submit(page, page.labeler, answers) == submission.submit(
            page, page.labeler, answers
        )

    @rule(pick=st.integers(0, 50), how=st.sampled_from(["release", "extend", "expire"]))
    def hold(self, pick: int, how: str) -> None:
        if not self.pages:
            return
        page = self.pages[pick % len(self.pages)]
        page.refresh_from_db()
        if how == "release":
            queue.release(page)
        elif how == "expire":
            past = timezone.now() - timedelta(seconds=1)
            Claim.objects.filter(page=page, state="live").update(expires_at=past)
        else:
            try:
                queue.extend(page)
            except queue.limits.NotWorking:
                return

    @rule(who=st.integers(0, 3))
    def undo(self, who: int) -> None:
        try:
            submission.undo(self.project, self.people[who])
        except queue.limits.NotWorking:
            return

    @rule(pick=st.integers(0, ITEMS - 1))
    def reject(self, pick: int) -> None:
        review.reject(self.project, [self.items[pick].pk], self.boss)

    @rule(first=st.integers(0, ITEMS - 1), how=st.sampled_from(["order", "blind", "not blind"]))
    def model(self, first: int, how: str) -> None:
        some = [each.pk for each in self.items[first : first + 4]]
        if how == "order":
            places = [suggestions.Placement(each, "clustered", 0, first, None, "") for each in some]
            suggestions.order_queue(self.project, places)
        elif how == "blind":
            suggestions.ask_blind(self.project, some, 2, probability=0.1)
        else:
            suggestions.stop_asking_blind(self.project, some)

    @invariant()
    def what_is_assigned_has_somebody_who_can_answer_it(self) -> None:
        if not hasattr(self, "project"):
            return
        for entry in QueueEntry.objects.filter(project=self.project, assignment__isnull=False):
            assignment = entry.assignment
            assert assignment.ended_at is None
            assert assignment.items.filter(item=entry.pk, is_open=True).exists()
            people = assigning.audience(assignment)
            answered = Annotation.objects.filter(item=entry.pk, withdrawn_at=None, labeler__in=people)
            assert people - set(answered.values_list("labeler", flat=True)), entry.pk

    @invariant()
    def nobody_holds_anything_who_does_not_work_here(self) -> None:
        working = Membership.objects.filter(project=getattr(self, "project", None), is_active=True)
        live = Claim.objects.filter(project=getattr(self, "project", None), state="live")
        assert not live.exclude(labeler__in=working.values("user")).exists()

    @invariant()
    def no_more_hands_than_asked_for(self) -> None:
        for entry in QueueEntry.objects.filter(project=getattr(self, "project", None)):
            live = Claim.objects.filter(item=entry.pk, state="live").count()
            assert entry.open_slots == entry.needed - live


class TestAssignments(TestCase):
    def test_assignments_keep_their_promises(self) -> None:
        run_state_machine_as_test(
            AssignmentMachine,
            settings=settings(
                max_examples=10,
                stateful_step_count=30,
                phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking takes minutes here
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
