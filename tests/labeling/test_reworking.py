"""Many images go back to people chunk by chunk, and what is there meanwhile is whole at any moment."""

import uuid

import pytest
from django.urls import reverse

from labeling import changes, classes, jobs, queue, reverting, reworking, splitting, submission
from labeling.models import Annotation, Item, Job, Project, QueueEntry, Suggestion
from labeling.reworking import Work
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def gradually(monkeypatch) -> None:
    """More than no image is too many at once."""
    monkeypatch.setattr(reworking, "AT_ONCE", 0)
    monkeypatch.setattr(reworking, "CHUNK", 3)


@pytest.fixture
def labeled(project, labeler, items) -> list[Item]:
    factories.answer_all(project, labeler)
    return items


def state_of(project) -> list[tuple]:
    rows = Item.objects.filter(project=project).order_by("id")
    return list(rows.values_list("id", "state", "reason", "current_annotation", "entry"))


def standing() -> set[int]:
    return set(Annotation.objects.filter(withdrawn_at=None).values_list("id", flat=True))


def split(project, **options):
    return splitting.split(
        project.classes.get(name="circle"), ["disc", "ring"], project.created_by, **options
    )


def work_of(event) -> tuple[Work, str]:
    payload = Job.objects.get(key=f"send_back:{event.pk}").payload
    return Work(payload["named"], payload["hinted"], payload["forgets"]), payload["said"]


def one_chunk(event) -> bool:
    return reworking.send_next(event, *work_of(event))


def test_the_classes_change_at_once_and_the_images_follow(project, labeled, gradually) -> None:
    event = split(project)
    assert [each.label_class.name for each in classes.tree(project)] == ["square", "triangle", "disc", "ring"]
    assert Item.objects.filter(state="unlabeled").count() == 0
    assert one_chunk(event)
    assert Item.objects.filter(state="unlabeled").count() == 3
    factories.run_jobs("quick")
    event.refresh_from_db()
    assert event.data["said"] == "“circle” is split into “disc”, “ring”. 4 images go back to people."
    assert (event.relabelings.count(), Item.objects.filter(state="unlabeled").count()) == (4, 4)
    assert reworking.under_way(project) is None


@pytest.mark.parametrize("hinted", [True, False])
def test_by_a_job_all_becomes_what_it_becomes_at_once(project, labeled, monkeypatch, hinted) -> None:
    before, stood = state_of(project), standing()
    outcomes = []
    for at_once in (2_000, 0):
        monkeypatch.setattr(reworking, "AT_ONCE", at_once)
        monkeypatch.setattr(reworking, "CHUNK", 5)
        event = splitting.start_over(project, [f"star {at_once}"], project.created_by, hinted=hinted)
        factories.run_jobs("quick")
        entries = QueueEntry.objects.order_by("item_id")
        fields = ("item", "kind", "priority", "why", "hint", "needed", "open_slots")
        outcomes.append((list(entries.values_list(*fields)), standing()))
        undone = reverting.undo(event, project.created_by)
        factories.run_jobs("quick")
        undone.refresh_from_db()
        assert undone.data["said"].endswith("12 images go back to people. All labels count again.")
        assert (state_of(project), standing()) == (before, stood)
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][1] == set()


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_undone_while_images_go_back_no_more_go_and_all_return(project, labeled, gradually, chunks) -> None:
    before, stood = state_of(project), standing()
    event = splitting.start_over(project, ["star"], project.created_by, hinted=True)
    for _ in range(chunks):
        one_chunk(event)
    undone = reverting.undo(event, project.created_by)
    assert one_chunk(event) is False  # of a worker that has not heard of it
    factories.run_jobs("quick")
    undone.refresh_from_db()
    assert undone.data["images"] == 3 * chunks
    assert (state_of(project), standing()) == (before, stood)
    assert Job.objects.get(kind="send_back").state == "cancelled"
    assert reworking.under_way(project) is None


def test_a_worker_that_is_killed_leaves_whole_chunks(project, labeled, gradually, monkeypatch) -> None:
    event = splitting.start_over(project, ["star"], project.created_by, hinted=True)
    send = reworking.relabeling.send_back
    calls = iter(range(10))

    def killed(*given, **options):
        done = send(*given, **options)
        if next(calls) == 1:
            raise jobs.Interrupted("killed")
        return done

    monkeypatch.setattr(reworking.relabeling, "send_back", killed)
    jobs.run(Job.objects.get(kind="send_back").pk)
    assert (event.relabelings.count(), Item.objects.filter(state="unlabeled").count()) == (3, 3)
    factories.run_jobs("quick")
    event.refresh_from_db()
    assert (event.relabelings.count(), event.data["images"]) == (12, 12)
    assert Job.objects.get(kind="send_back").state == "done"


def test_an_answer_that_comes_before_its_image_has_its_turn_stands(
    manager, labeler, reviewer, gradually
) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, reviewer=reviewer, labels_per_item=2)
    factories.make_items(project, 1)
    factories.answer(project, labeler)
    event = splitting.start_over(project, ["star"], manager, hinted=True)
    page = queue.claim(project, reviewer, 1)
    star = project.classes.get(name="star").pk
    item = page.claims.get().item_id
    Project.objects.update(most_labels_per_item=2)
    submission.submit(
        page, reviewer, [submission.Answer(item, uuid.uuid4(), (submission.RegionInput(star),))]
    )
    factories.run_jobs("quick")
    kept = Annotation.objects.get(withdrawn_at=None)
    assert kept.labeler == reviewer
    entry = QueueEntry.objects.get()
    assert (entry.needed, entry.open_slots, Item.objects.get().state) == (1, 1, "unlabeled")
    reverting.undo(event, manager)
    factories.run_jobs("quick")
    assert Annotation.objects.filter(withdrawn_at=None).get() == kept


def test_proposals_are_forgotten_bit_by_bit(project, items, labeler, gradually) -> None:
    factories.answer_all(project, labeler)
    Suggestion.objects.bulk_create(
        Suggestion(item=each, project=project, model_version=1, regions=[], confidence=0.5) for each in items
    )
    splitting.start_over(project, ["star"], project.created_by, hinted=False)
    assert Suggestion.objects.count() == 12
    factories.run_jobs("quick")
    assert Suggestion.objects.count() == 0
    assert set(QueueEntry.objects.values_list("why", flat=True)) == {"the classes have changed"}


def test_another_change_that_moves_images_waits(api, project, manager, labeled, gradually) -> None:
    event = split(project)
    url = f"/api/projects/{project.pk}/"
    square = project.classes.get(name="square")
    classes.edit(square, manager, name="quad")
    refused = api(manager).post(f"{url}classes/{square.pk}/split/", {"classes": ["a"]}, format="json")
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == (
        "Images are still on their way after this change: “circle” is split into “disc”, “ring”. "
        "Wait until that is done, or undo it."
    )
    assert api(manager).get(f"{url}class-changes/").json()["under_way"]["kind"] == "send_back"
    assert api(manager).get(f"{url}class-changes/{event.pk}/").json()["is_under_way"]
    assert api(manager).post(f"{url}class-changes/{event.pk}/undo/").status_code == 200
    factories.run_jobs("quick")
    assert api(manager).get(f"{url}class-changes/").json()["under_way"] is None
    splitting.split(square, ["a"], manager)


def test_the_page_shows_how_far_it_is_and_goes_on_with_what_failed(
    client, project, manager, labeled, gradually
) -> None:
    client.force_login(manager)
    event = splitting.start_over(project, ["star"], manager, hinted=True)
    one_chunk(event)
    Job.objects.filter(kind="send_back").update(done=3, total=12)
    settings, work = (reverse(name, args=[project.pk]) for name in ("settings", "class-work"))
    assert "3 of 12 so far" in client.get(settings).content.decode()
    Job.objects.filter(kind="send_back").update(state="failed", error="OSError: gone")
    polled = {"HX-Request": "true"}
    assert "That stopped before it was done" in client.get(work, headers=polled).content.decode()
    assert "so far" in client.post(work, headers=polled).content.decode()
    factories.run_jobs("quick")
    done = client.get(work, headers=polled).content.decode()
    assert "12 images go back to people." in done
    assert "every 2s" not in done
    assert changes.latest(project)[0].event.data["images"] == 12
