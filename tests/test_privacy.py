"""What people are shown of each other, and of images, on the pages that they may open."""

import pytest
from django.test import Client
from django.urls import reverse

from labeling import commenting, concord, exporting, locks, queue, review, saved, teams
from labeling.models import Item, User
from tests import factories
from tests.places import address
from tests.test_access import ROUTES


@pytest.mark.django_db
def test_a_vendors_person_reads_nothing_of_other_people_teams_and_projects(
    place, vendor, vendor_elsewhere, reviewer, labeler
) -> None:
    for number, each in enumerate((reviewer, labeler)):
        User.objects.filter(pk=each.pk).update(name=f"Unmistakable {number}")
    secret = factories.make_team(reviewer, name="Unmistakable team")
    factories.make_project(manager=reviewer, name="Unmistakable project")
    for person in (vendor, vendor_elsewhere):
        client = Client()
        client.force_login(person)
        for name, (method, _) in ROUTES.items():
            if method != "get" or name in ("invitation", "api-schema", "api-docs"):
                continue
            response = client.get(address(name, place | {"team_id": secret.pk}))
            content = response.content if not response.streaming else b""
            assert b"Unmistakable" not in content, (person.email, name)


@pytest.mark.django_db
def test_a_vendors_reviewer_is_told_of_no_person_outside_of_the_vendors_team(
    place, project, items, vendor, manager, reviewer, labeler, admin
) -> None:
    for each in User.objects.exclude(vendor=vendor.vendor):
        name = f"unmistakable-{each.pk}"
        User.objects.filter(pk=each.pk).update(name=name, email=f"{name}@example.com")
    people = User.objects.in_bulk()
    manager, reviewer, labeler = (people[each.pk] for each in (manager, reviewer, labeler))
    colleague = factories.make_user("c@vendor.example", name="Known colleague", vendor=vendor.vendor)
    teams.join(vendor.vendor, colleague, admin)
    teams.give(project, vendor.vendor, "reviewer", admin)
    shown = items[0]
    for label, person in (("disc", labeler), ("square", reviewer), ("disc", colleague)):
        if not shown.annotations.filter(labeler=person).exists():
            factories.make_annotation(shown, label, person)
    thread = commenting.add(shown, labeler, "Is it?")
    for author in (reviewer, vendor, manager):
        commenting.add(shown, author, "It is.", parent=thread)
    commenting.resolve(thread, manager, resolved=True)
    factories.answer(project, labeler, lambda _: "disc", size=4)
    factories.answer(project, colleague, lambda _: "disc")
    labeled = Item.objects.filter(project=project, state="labeled").exclude(pk=shown.pk)
    theirs = dict(labeled.values_list("pk", "current_annotation__labeler"))
    review.judge(project, reviewer, "approve", [*list(theirs)[:1], shown.pk])
    # Not the labeler's: by the draw they may have been given one image alone.
    rejected = [item for item, person in theirs.items() if person == colleague.pk]
    review.reject(project, rejected[:1], reviewer, "Look again.")
    Item.objects.filter(pk=shown.pk).update(state="needs_review")
    locks.hold(project, reviewer, [each.pk for each in items])
    saved.save(project, reviewer, "Shared view", "", is_shared=True)
    concord.report_of(project)
    mine = exporting.start(project, vendor, "coco", review.Filters())
    factories.run_jobs("quick")
    client = Client()
    client.force_login(vendor)
    pair = "-".join(str(pk) for pk in sorted((labeler.pk, reviewer.pk)))
    chosen = f"?labeler={labeler.pk}&assignment={place['assignment_id']}&disagreement=pair:{pair}"
    urls = {
        (name, ""): address(name, place)
        for name, (method, _) in ROUTES.items()
        if method == "get" and name not in ("invitation", "api-schema", "api-docs")
    }
    urls["export-file", "mine"] = address("export-file", place | {"job_id": mine.pk})
    for name in ("data", "api-items"):
        urls[name, "chosen"] = address(name, place) + chosen
        urls[name, "disputed"] = address(name, place) + "?state=needs_review"
    seen = {}
    for which, url in urls.items():
        # The panel of an image is a part of the gallery, which a script asks for.
        headers = {"HX-Request": "true"} if which[0] == "item-panel" else {}
        response = client.get(url, headers=headers)
        body = b"".join(response.streaming_content) if response.streaming else response.content
        seen[which] = response.status_code, body.decode(errors="replace")
    looked = client.post(reverse("api-locks", args=[project.pk]), {"items": [shown.pk]}, "application/json")
    seen["api-locks", ""] = looked.status_code, looked.content.decode()
    assert {key for key, (_, text) in seen.items() if "unmistakable" in text.lower()} == set()
    assert (seen["export-file", ""][0], seen["export-file", "mine"][0]) == (404, 200)
    for name in ("item-panel", "data", "agreement", "agreement-file", "review", "export-file", "api-item",
                 "api-quality"):  # fmt: skip
        texts = [text for (each, *_), (status, text) in seen.items() if each == name and status == 200]
        assert any(f"person {labeler.pk}" in text for text in texts), name
    assert f"person {reviewer.pk}" in seen["api-locks", ""][1]
    assert "Known colleague" in seen["data", ""][1]


@pytest.mark.django_db
def test_a_labeler_sees_only_pictures_that_were_handed_out_to_them(project, labeler, items, client) -> None:
    client.force_login(labeler)
    assert client.get(reverse("image", args=[items[0].pk])).status_code == 404
    queue.claim(project, labeler, 9)
    page = queue.claim(project, labeler, 9)
    mine = page.claims.first().item_id
    assert client.get(reverse("image", args=[mine])).status_code == 200
    assert client.get(reverse("thumbnail", args=[mine])).headers["Content-Type"] == "image/webp"


@pytest.mark.django_db
def test_crops_are_seen_and_answered_by_those_who_got_them(manager, labeler, admin, outsider, api) -> None:
    project = factories.make_project(manager=admin, labeler=labeler, task_type="detection")
    factories.add_member(project, manager)
    factories.ask_about_objects(project, factories.make_scenes(project, 2, size=(64, 48)))
    page = api(labeler).post(f"/api/projects/{project.pk}/checks/").json()
    url = reverse("api-check-answer", args=[project.pk, page["page"]])
    for other in (manager, admin, outsider):
        assert api(other).post(url).status_code == 404
    image = page["crops"][0]["image"]
    assert [api(each).get(image).status_code for each in (labeler, admin, manager, outsider)] == [
        200, 200, 404, 404,
    ]  # fmt: skip
    assert api(labeler).get(image).headers["Content-Type"] == "image/webp"
    assert api(labeler).get(reverse("image", args=[page["crops"][0]["item"]])).status_code == 404
    assert api(labeler).post(url).status_code == 200


@pytest.mark.django_db
def test_comments_are_read_and_answered_by_who_had_the_image(
    project, labeler, reviewer, items, client
) -> None:
    from labeling import commenting

    item = queue.claim(project, labeler, 1).claims.get().item
    commenting.add(item, reviewer, "Mind the corner.")
    url = reverse("item-thread", args=[project.pk, item.pk])
    client.force_login(labeler)
    assert "Mind the corner." in client.get(url).content.decode()
    assert client.post(url, {"text": "I do."}).status_code == 302
    assert item.comments.get(author=labeler).text == "I do."
    other = next(each for each in items if each.pk != item.pk)
    assert client.get(reverse("item-thread", args=[project.pk, other.pk])).status_code == 404
    client.force_login(reviewer)
    assert client.get(url).headers["Location"] == reverse("item-panel", args=[project.pk, item.pk])


@pytest.mark.django_db
def test_nobody_touches_the_page_of_somebody_else(project, labeler, manager, items, api) -> None:
    page = queue.claim(project, labeler, 1)
    for name in ("api-page-submit", "api-page-extend", "api-page-release"):
        url = reverse(name, args=[project.pk, page.pk])
        assert api(manager).post(url, {"answers": []}, format="json").status_code == 404
    assert api(labeler).post(reverse("api-page-extend", args=[project.pk, page.pk])).status_code == 200
