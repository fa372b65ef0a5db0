"""The audit log: what is written down, how it reads, who may read it."""

import csv
import io
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from labeling import classes, deleting, eventlog, projects, review, workforce
from labeling.models import Event, Membership, User
from tests import factories

pytestmark = pytest.mark.django_db


def told(project, **filters) -> list[str]:
    """Return the log's sentences, newest first."""
    entries, _ = eventlog.page(project, eventlog.Filters(**filters))
    return [f"{each.who} {each.words}." for each in entries]


def test_every_administrative_act_is_a_sentence(project, manager, labeler, outsider, items, client) -> None:
    client.force_login(manager)
    for name, data in (
        ("settings-state", {"state": "paused"}),
        ("settings-classes", {"classes": "star\nmoon"}),
        ("settings-instructions", {"text": "Look twice."}),
    ):
        client.post(reverse(name, args=[project.pk]), data)
    factories.label_one(items[0])
    client.post(reverse("exports", args=[project.pk]), {"format": "coco", "source": "human"})
    factories.run_jobs("quick")
    exported = project.jobs.get(kind="export")
    client.get(reverse("export-file", args=[project.pk, exported.pk]))
    invitation = workforce.invite(project, manager, "labeler", outsider.email)
    membership = workforce.accept(invitation, outsider)
    client.post(reverse("member", args=[project.pk, membership.pk]), {"role": "reviewer"})
    client.post(reverse("member", args=[project.pk, membership.pk]), {"role": "remove"})
    deleting.delete(project, manager, project.name)
    assert told(project) == [
        "manager deleted the project with 12 images.",
        "manager removed outsider from the project.",
        "manager changed the role of outsider from labeler to reviewer.",
        "outsider joined as labeler.",
        "manager invited outsider@example.com as labeler.",
        f"manager downloaded export {exported.pk}.",
        "manager exported labels (source human) as COCO.",
        "manager wrote version 2 of the instructions.",
        "manager added the classes “star”, “moon”.",
        "manager paused labeling.",
        "manager imported 12 files.",
    ]


def test_a_setting_is_told_with_what_it_was_before(project, manager, api) -> None:
    url = reverse("api-project", args=[project.pk])
    api(manager).patch(url, {"target_error": 0.02, "assist_mode": "suggest"}, format="json")
    entry = api(manager).get(reverse("api-events", args=[project.pk])).json()["results"][0]
    assert entry["sentence"] == "manager changed a setting."
    assert entry["changes"] == [{"name": "At least this share right", "before": "95 %", "after": "98 %"}]
    api(manager).patch(url, {"target_error": 0.02}, format="json")
    assert Event.objects.filter(verb="settings").count() == 1  # nothing changed


def test_old_rows_without_a_before_still_read(project, manager) -> None:
    Event.record("settings", project, manager, name="Shapes", target_error=0.1, withheld={"circle": True})
    Event.record("something_else", project, manager)
    (unknown, old), _ = eventlog.page(project, eventlog.Filters())
    assert unknown.words == "did “something else”"
    assert {(each.name, each.before, each.after) for each in old.changes} == {
        ("Name", "", "Shapes"),
        ("At least this share right", "", "90 %"),
        ("“circle” is labeled by", "people and the model", "people only"),
    }


def test_classes_are_added_all_or_none(project, manager) -> None:
    with pytest.raises(projects.ProjectRefused):
        classes.add(project, ["star", "circle"], manager)
    assert not project.classes.filter(name="star").exists()
    assert not Event.objects.filter(verb="add_classes").exists()


def test_the_log_is_filtered_by_verb_person_and_day(project, manager, reviewer, labeler, items) -> None:
    factories.answer_all(project, labeler)
    review.reject(project, [items[0].pk], reviewer, "blurred")
    yesterday = timezone.now() - timedelta(days=1)
    Event.objects.filter(verb="import").update(created_at=yesterday)
    today = timezone.now().date()
    assert told(project, verb="reject") == ["reviewer rejected 1 label: “blurred”."]
    assert told(project, by=manager.pk) == ["manager imported 12 files."]
    assert told(project, until=yesterday.date()) == ["manager imported 12 files."]
    assert told(project, since=today) == ["reviewer rejected 1 label: “blurred”."]


def test_pages_follow_each_other_without_gap_or_repeat(project, manager, client) -> None:
    for number in range(eventlog.PAGE + 3):
        Event.record("instructions", project, manager, version=number)
    client.force_login(manager)
    first = client.get(reverse("log", args=[project.pk]), {"verb": "instructions"})
    second = client.get(
        reverse("log", args=[project.pk]), {"verb": "instructions", "before": first.context["older"]}
    )
    versions = [entry.event.data["version"] for entry, _ in first.context["rows"] + second.context["rows"]]
    assert versions == list(reversed(range(eventlog.PAGE + 3)))
    assert second.context["older"] is None
    assert "verb=instructions&amp;before=" in first.content.decode()


def test_the_file_has_the_filtered_log_and_no_formulas(project, manager, client) -> None:
    User.objects.filter(pk=manager.pk).update(name="=HYPERLINK(1)")
    Event.record("instructions", project, manager, version=2)
    Event.record("pause", project, manager)
    client.force_login(manager)
    answer = client.get(reverse("log-file", args=[project.pk]), {"verb": "instructions"})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["who"] == "'=HYPERLINK(1)"
    assert row["e-mail"] == manager.email
    assert row["what"] == "wrote version 2 of the instructions"
    assert row["verb"] == "instructions"


def test_an_admin_reads_of_all_projects_and_of_accounts(project, manager, admin, client, capsys) -> None:
    other = factories.make_project(manager=manager, name="Other")
    Event.record("pause", project, manager)
    Event.record("start", other, manager)
    call_command("token", manager.email)
    client.force_login(admin)
    page = client.get(reverse("site-log")).content.decode()
    assert "made the API token “command line” of manager" in page
    assert reverse("log", args=[other.pk]) in page
    assert reverse("log", args=[project.pk]) in page
    client.force_login(manager)  # a manager of one project reads of that one alone
    Membership.objects.filter(project=other).delete()
    assert client.get(reverse("log", args=[other.pk])).status_code == 404
    assert client.get(reverse("site-log")).status_code == 404
