"""Classes of a project that is under way are changed, and nothing that was answered is lost by it."""

import uuid
from itertools import pairwise

import pytest
from django.urls import reverse

from labeling import classes, queue, reverting, submission, uses
from labeling.models import Annotation, Event, Item, LabelClass, QueueEntry
from tests import factories

pytestmark = pytest.mark.django_db


def named(project, name: str) -> LabelClass:
    return project.classes.get(name=name)


def keys(project) -> dict[str, str]:
    return dict(project.classes.values_list("name", "hotkey"))


def names(project) -> list[str]:
    return [each.label_class.name for each in classes.tree(project)]


def test_a_key_that_another_class_has_is_swapped_and_undone(project, manager) -> None:
    event = classes.edit(named(project, "circle"), manager, hotkey="3", name="disc")
    assert keys(project) == {"disc": "3", "square": "2", "triangle": "1"}
    assert event.data["said"] == (
        "“circle” is called “disc” now. Its key was that of “triangle”, which has 1 now."
    )
    reverting.undo(event, manager)
    assert keys(project) == {"circle": "1", "square": "2", "triangle": "3"}


def test_undoing_leaves_what_was_changed_once_more(project, manager) -> None:
    first = classes.edit(named(project, "circle"), manager, name="disc", description="round")
    classes.edit(named(project, "disc"), manager, name="ring")
    reverting.undo(first, manager)
    assert (named(project, "ring").description, reverting.undo(first, manager)) == ("", None)


def test_classes_change_places_within_their_parent(project, manager) -> None:
    classes.edit(named(project, "triangle"), manager, parent=named(project, "circle"))
    assert names(project) == ["circle", "triangle", "square"]
    assert classes.move(named(project, "triangle"), manager, 1) is None
    classes.move(named(project, "square"), manager, -1)
    assert names(project) == ["square", "circle", "triangle"]


def test_a_class_belongs_neither_to_itself_nor_too_deep(project, manager) -> None:
    below = [{"name": name, "parent": above} for above, name in pairwise("abcdef")]
    chain = classes.add_classes(project, ["a", *below])
    with pytest.raises(classes.ProjectRefused, match="would belong to itself"):
        classes.edit(chain[0], manager, parent=chain[3])
    with pytest.raises(classes.ProjectRefused, match="on level 7"):
        classes.edit(chain[0], manager, parent=named(project, "circle"))
    assert named(project, "a").parent is None


def test_a_retired_class_is_no_choice_but_stays_in_labels(project, manager, labeler, items, circle) -> None:
    factories.answer_all(project, labeler)
    before = uses.of(named(project, "circle"))
    event = classes.retire(named(project, "circle"), manager)
    assert before.labeled == uses.of(named(project, "circle")).labeled == 4
    assert circle not in [each.label_class.pk for each in classes.tree(project)]
    with pytest.raises(classes.ProjectRefused, match="Restore it"):
        classes.add(project, ["Circle"], manager)
    reverting.undo(event, manager)
    assert named(project, "circle").retired_at is None


def test_a_page_that_was_open_is_answered_with_a_class_retired_meanwhile(
    project, manager, labeler, items, circle
) -> None:
    page = queue.claim(project, labeler, 1)
    classes.retire(named(project, "circle"), manager)
    answer = submission.Answer(page.claims.get().item_id, uuid.uuid4(), (submission.RegionInput(circle),))
    assert submission.submit(page, labeler, [answer])[0]["status"] == "counted"
    later = queue.claim(project, labeler, 1)
    other = submission.Answer(later.claims.get().item_id, uuid.uuid4(), (submission.RegionInput(circle),))
    with pytest.raises(submission.InvalidAnswer, match="not in use any more"):
        submission.submit(later, labeler, [other])
    assert Annotation.objects.count() == 1


def test_what_waited_with_a_retired_class_proposed_is_asked_one_by_one(
    project, manager, items, circle
) -> None:
    QueueEntry.objects.filter(item__in=items[:4]).update(kind="clustered", proposed_class=circle, group=1)
    assert uses.of(named(project, "circle")).waiting == 4
    classes.retire(named(project, "circle"), manager)
    assert not QueueEntry.objects.filter(kind="clustered").exists()
    assert uses.of(named(project, "circle")).waiting == 0


def test_a_class_comes_back_with_another_key_where_its_own_was_given_away(project, manager) -> None:
    classes.retire(named(project, "circle"), manager)
    classes.add(project, ["star"], manager)
    classes.restore(named(project, "circle"), manager)
    assert keys(project) == {"star": "1", "square": "2", "triangle": "3", "circle": "4"}


def test_the_last_class_stays(project, manager) -> None:
    classes.retire(named(project, "circle"), manager)
    classes.retire(named(project, "square"), manager)
    with pytest.raises(classes.ProjectRefused, match="at least one class"):
        classes.retire(named(project, "triangle"), manager)
    assert named(project, "triangle").retired_at is None
    assert Event.objects.filter(verb="retire_class").count() == 2


def test_the_list_of_classes_changes_in_its_place(client, project, manager, items, circle) -> None:
    client.force_login(manager)
    url = reverse("class-edit", args=[project.pk, circle])
    assert 'value="circle"' in client.get(url).content.decode()  # also without scripts
    form = {"name": "square", "hotkey": "1", "color": "#4f8fe6", "parent": "", "description": ""}
    swapped = {"HX-Request": "true"}
    assert "is there already" in client.post(url, form, headers=swapped).content.decode()
    saved = client.post(url, form | {"name": "disc"}, headers=swapped).content.decode()
    assert "“circle” is called “disc” now." in saved
    undo = reverse("class-undo", args=[project.pk, Event.objects.get(verb="edit_class").pk])
    assert undo in saved
    assert "<html" not in saved
    client.post(undo)
    assert named(project, "circle").pk == circle
    retire = reverse("class-retire", args=[project.pk, circle])
    assert "Nobody can choose “circle” any more. No image is labeled" in client.get(retire).content.decode()
    assert "Restore" in client.post(retire, follow=True).content.decode()


def test_programs_change_retire_and_restore_classes(api, project, manager, labeler, items, circle) -> None:
    factories.answer_all(project, labeler)
    url = f"/api/projects/{project.pk}/classes/{circle}/"
    changed = api(manager).patch(url, {"name": "disc", "color": "#000000"}, format="json").json()
    assert (changed["name"], changed["labels"]["people"], changed["waiting"]) == ("disc", 4, 0)
    assert api(manager).post(f"{url}retire/").json()["retired_at"] is not None
    assert api(manager).post(f"{url}retire/").status_code == 400
    assert api(manager).post(f"{url}restore/").json()["retired_at"] is None
    refused = api(manager).patch(url, {"hotkey": "!"}, format="json")
    assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, ["hotkey"])
    assert Item.objects.filter(state="labeled").count() == 12
