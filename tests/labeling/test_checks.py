"""Objects checked by their crops: who gets which, what an answer changes, what a new model keeps of it."""

import io
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from PIL import Image

from labeling import checks, images, queue, statistics, submission
from labeling.models import Annotation, CheckPage, Item, ObjectCheck, Project, QueueEntry, Suggestion
from tests import factories

pytestmark = pytest.mark.django_db
BOX = [10.0, 20.0, 100.0, 50.0]


def boxes(classes):
    """Return what proposes one box of each class, the same for every image."""
    return lambda item: [
        {"class": each, "bbox": [BOX[0] + 150 * at, *BOX[1:]]} for at, each in enumerate(classes)
    ]


@pytest.fixture
def drawn(manager, labeler, reviewer):
    return factories.make_project(
        manager=manager, reviewer=reviewer, labeler=labeler, task_type="detection", validation_rate=0
    )


@pytest.fixture
def asked(drawn):
    """Twelve images with an object of two classes each, all waiting to be checked."""
    items = factories.make_unread_items(drawn, 12)
    Item.objects.update(width=640, height=480)
    factories.open_queue(drawn, items)
    classes = list(drawn.classes.values_list("id", flat=True))[:2]
    assert factories.ask_about_objects(drawn, items, boxes(classes)) == 24
    drawn.refresh_from_db()
    return items


class CheckMachine(RuleBasedStateMachine):
    """Three people claim and answer, leases run out, models come and go, images get their answers."""

    @initialize()
    def start(self) -> None:
        suffix = uuid.uuid4().hex
        self.people = [factories.make_user(f"{n}-{suffix}@example.com") for n in range(3)]
        self.project = factories.make_project(
            manager=self.people[0], task_type="detection", validation_rate=0
        )
        for person in self.people[1:]:
            factories.add_member(self.project, person)
        self.classes = list(self.project.classes.values_list("id", flat=True))
        self.items = factories.make_unread_items(self.project, 6)
        factories.open_queue(self.project, self.items)
        self.pages: list[CheckPage] = []
        self.said: dict[int, str] = {}
        self.version = 0
        self.ask(3)

    @rule(count=st.integers(1, 3))
    def ask(self, count: int) -> None:
        self.version += 1
        factories.ask_about_objects(
            self.project, self.items, boxes(self.classes[:count]), version=self.version
        )

    @rule(who=st.integers(0, 2), on_screen=st.booleans())
    def claim(self, who: int, on_screen: bool) -> None:
        mine = [page.pk for page in self.pages if on_screen and page.labeler_id == self.people[who].pk]
        page = checks.claim(self.project, self.people[who], mine)
        if page is not None:
            assert page.labeler_id == self.people[who].pk
            assert page.pk not in mine
            assert 1 <= len(page.checks) <= 9
            assert {each.label_class_id for each in checks.shown(page)} == {page.label_class_id}
            self.pages = [each for each in self.pages if each.pk != page.pk] + [page]

    @rule(pick=st.integers(0, 50), wrong=st.integers(0, 9))
    def answer(self, pick: int, wrong: int) -> None:
        if not self.pages:
            return
        page = self.pages[pick % len(self.pages)]
        first = checks.answer(page, page.checks[:wrong], 2.5)
        again = checks.answer(page, page.checks, 9.0)
        assert (again.exceptions, again.seconds) == (first.exceptions, first.seconds)

    @rule(pick=st.integers(0, 50))
    def lease_runs_out(self, pick: int) -> None:
        if self.pages:
            past = timezone.now() - timedelta(seconds=1)
            page = self.pages[pick % len(self.pages)]
            CheckPage.objects.filter(pk=page.pk).update(expires_at=past)
            ObjectCheck.objects.filter(page=page, state="waiting").update(held_until=past)

    @rule(who=st.integers(0, 2))
    def draw_one(self, who: int) -> None:
        page = queue.claim(self.project, self.people[who], 1)
        if page is not None:
            item = page.claims.get().item_id
            submission.submit(page, self.people[who], [submission.Answer(item, uuid.uuid4())])

    @invariant()
    def nothing_is_on_two_screens(self) -> None:
        if not hasattr(self, "project"):
            return
        live = CheckPage.objects.filter(project=self.project, answered_at=None, expires_at__gt=timezone.now())
        held = [each for page in live for each in page.checks]
        assert len(held) == len(set(held))
        open_now = ObjectCheck.objects.filter(pk__in=held, state="waiting")
        assert not open_now.filter(page=None).exists()

    @invariant()
    def what_was_said_stays(self) -> None:
        answered = ObjectCheck.objects.filter(project=getattr(self, "project", None)).exclude(state="waiting")
        now = dict(answered.values_list("id", "state"))
        assert self.said.items() <= now.items() if hasattr(self, "said") else True
        self.said = now

    @invariant()
    def proposals_say_what_people_said(self) -> None:
        for suggestion in Suggestion.objects.filter(project=getattr(self, "project", None)):
            said = checks.said_of([suggestion.item_id])[suggestion.item_id]
            for region in suggestion.regions:
                last = checks.last_word(region["class"], region["bbox"], said)
                assert last == ("confirmed" if region.get("confirmed") else None)


class TestChecks(TestCase):
    def test_any_order_of_events(self) -> None:
        run_state_machine_as_test(
            CheckMachine,
            settings=settings(
                max_examples=10,
                stateful_step_count=20,
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )


@pytest.mark.django_db(transaction=True)
def test_whoever_asks_at_the_same_time_gets_other_objects(drawn, asked):
    people = [factories.make_user() for _ in range(4)]
    for person in people:
        factories.add_member(drawn, person)

    def claim(person) -> list[int]:
        try:
            page = checks.claim(drawn, person)
            return page.checks if page else []
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as pool:
        got = [each for found in pool.map(claim, people) for each in found]
    assert len(got) == len(set(got)) > 9


def test_a_page_has_nine_of_a_class_and_confirming_them_accepts_them_on_the_canvas(
    drawn, asked, labeler, api
):
    client, url = api(labeler), f"/api/projects/{drawn.pk}/checks/"
    assert client.get(url).json() == {"waiting": 24}
    page = client.post(url).json()
    assert len(page["crops"]) == 9
    assert page["class"] == drawn.classes.first().pk
    assert page["crops"][0]["bbox"] == BOX
    assert client.get(url).json() == {"waiting": 24}
    assert client.post(url).json() == page  # the same again after a reload
    assert client.post(url, {"holding": [page["page"]]}, format="json").json()["page"] != page["page"]
    wrong = page["crops"][4]
    sent = {"exceptions": [wrong["id"]], "seconds": 4.5}
    first = client.post(f"{url}{page['page']}/", sent, format="json").json()
    assert (first["confirmed"], first["rejected"]) == (8, 1)
    assert client.post(f"{url}{page['page']}/", {"exceptions": []}, format="json").json() == first
    entry = QueueEntry.objects.order_by("priority", "item_id").first()
    assert (entry.item_id, entry.why) == (wrong["item"], checks.LOOKED_WRONG)
    shown = client.post(f"/api/projects/{drawn.pk}/pages/", {"size": 1}, format="json").json()
    assert shown["why"] == "an object looked wrong here"
    assert [each.get("confirmed") for each in shown["items"][0]["suggestion"]["regions"]] == [None]
    confirmed = page["crops"][0]["item"]
    regions = Suggestion.objects.get(item=confirmed).regions
    assert [each.get("confirmed") for each in regions] == [True, None]
    row = statistics.crops_by_labeler(drawn)[0]
    assert (row["crops"], row["refused"], row["seconds"]) == (9, 1, 0.5)


def test_an_exception_from_another_page_is_refused(drawn, asked, labeler, api):
    client, url = api(labeler), f"/api/projects/{drawn.pk}/checks/"
    page = client.post(url).json()
    other = ObjectCheck.objects.filter(page=None).first()
    for nonsense in ([other.pk], [10**30], ["one"], "all", None):
        response = client.post(f"{url}{page['page']}/", {"exceptions": nonsense}, format="json")
        assert response.status_code == 400, nonsense
        assert response.json()["error"]["message"]
    assert client.post(url, {"holding": [10**30]}, format="json").json() == page
    assert client.post(f"{url}{10**30}/").status_code == 404
    assert not ObjectCheck.objects.exclude(state="waiting").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "validation"},
        {"kind": "audit"},
        {"kind": "gold"},
        {"kind": "prelabeled", "certificate": 7},
        {"open_slots": 0},
    ],
)
def test_crops_of_blind_certified_and_held_items_reach_nobody(drawn, asked, labeler, change):
    QueueEntry.objects.update(**change)
    assert checks.waiting(drawn, labeler) == 0
    assert checks.claim(drawn, labeler) is None


def test_nothing_is_asked_of_finished_images_without_help_or_where_several_answer(drawn, asked, labeler):
    Project.objects.filter(pk=drawn.pk).update(assist_mode="off")
    drawn.refresh_from_db()
    assert checks.claim(drawn, labeler) is None
    Project.objects.filter(pk=drawn.pk).update(assist_mode="suggest", labels_per_item=2)
    drawn.refresh_from_db()
    assert factories.ask_about_objects(drawn, asked, version=2, propose=boxes([1])) == 0
    assert checks.waiting(drawn, labeler) == 0
    Project.objects.filter(pk=drawn.pk).update(state="paused")
    drawn.refresh_from_db()
    with pytest.raises(queue.NotRunning):
        checks.claim(drawn, labeler)


def test_a_new_model_keeps_what_people_said_of_objects_that_it_still_proposes(drawn, asked, labeler):
    page = checks.claim(drawn, labeler)
    checks.answer(page, page.checks[:1], 3)
    refused, confirmed = (each.item_id for each in checks.shown(page)[:2])
    first, second, third = drawn.classes.values_list("id", flat=True)

    def again(item: Item) -> list[dict]:
        near = [BOX[0] + 4, *BOX[1:]]
        return [{"class": first, "bbox": near}, {"class": third, "bbox": near}, *boxes([0, second])(item)[1:]]

    factories.ask_about_objects(drawn, asked, again, version=2)
    by_class = {each["class"]: each for each in Suggestion.objects.get(item=confirmed).regions}
    assert by_class[first]["confirmed"] is True
    assert "confirmed" not in by_class[third]
    assert first not in [each["class"] for each in Suggestion.objects.get(item=refused).regions]
    waiting = ObjectCheck.objects.filter(item__in=[refused, confirmed], state="waiting")
    assert set(waiting.values_list("label_class", "model_version")) == {(second, 2), (third, 2)}


@pytest.mark.parametrize(
    ("change", "kind", "why"),
    [
        ({"kind": "prelabeled", "certificate": 7}, "manual", checks.LOOKED_WRONG),
        ({"kind": "validation"}, "validation", ""),
        ({"open_slots": 0}, "manual", ""),
    ],
)
def test_an_exception_takes_a_proposal_off_certified_pages_and_leaves_blind_and_held_items(
    drawn, asked, labeler, change, kind, why
):
    page = checks.claim(drawn, labeler)
    QueueEntry.objects.update(**change)
    checks.answer(page, page.checks[:1], 3)
    entry = QueueEntry.objects.get(item=checks.shown(page)[0].item_id)
    assert (entry.kind, entry.certificate, entry.why) == (kind, None, why)


def test_a_late_answer_counts_where_it_is_still_needed(drawn, asked, labeler, reviewer):
    late = checks.claim(drawn, labeler)
    past = timezone.now() - timedelta(seconds=1)
    CheckPage.objects.update(expires_at=past)
    ObjectCheck.objects.filter(page=late).update(held_until=past)
    taken = checks.claim(drawn, reviewer)
    assert taken.checks == late.checks
    checks.answer(late, late.checks[:1], 3)
    checks.answer(taken, [], 3)
    states = [ObjectCheck.objects.get(pk=each).state for each in late.checks]
    assert states == ["rejected", *["confirmed"] * 8]
    assert CheckPage.objects.get(pk=taken.pk).exceptions == []


def test_the_database_refuses_answers_without_a_page_and_exceptions_that_nobody_saw(drawn, asked, labeler):
    one = ObjectCheck.objects.first()
    for broken in ({"state": "confirmed"}, {"held_until": timezone.now()}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ObjectCheck.objects.filter(pk=one.pk).update(**broken)
    page = checks.claim(drawn, labeler)
    with pytest.raises(IntegrityError), transaction.atomic():
        CheckPage.objects.filter(pk=page.pk).update(answered_at=timezone.now(), exceptions=[-1])


def test_a_crop_shows_the_object_upright_with_a_quarter_around_it(drawn):
    item = factories.make_scenes(drawn, 1)[0]
    assert images.window([0, 460, 100, 40], 640, 480) == (0, 450, 125, 480)
    data = images.crop(item, [100, 100, 80, 40])
    assert Image.open(io.BytesIO(data)).size == (120, 60)
    assert images.crop(item, [100, 100, 80, 40]) == data


def test_confirmed_objects_count_as_the_answer_of_whoever_sends_them(drawn, asked, labeler):
    page = checks.claim(drawn, labeler)
    checks.answer(page, [], None)
    QueueEntry.objects.exclude(item=checks.shown(page)[0].item_id).delete()
    held = queue.claim(drawn, labeler, 1)
    claim = held.claims.get()
    region = claim.proposal["regions"][0]
    assert (region["confirmed"], region["origin"]) == (True, "accepted")
    given = submission.RegionInput(region["class"], region["bbox"], None, "accepted")
    submission.submit(held, labeler, [submission.Answer(claim.item_id, uuid.uuid4(), (given,))])
    assert Annotation.objects.get().regions.get().origin == "accepted"
