"""Every address by every role: what a role may not see does not exist for it."""

from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from labeling import (
    assigning,
    commenting,
    concord,
    deleting,
    exporting,
    label_imports,
    locks,
    queue,
    review,
    saved,
    teams,
    uploading,
    workforce,
)
from labeling.models import Event, Face, Item, Job, MaskedImage, Membership, Project, User
from tests import factories

PUBLIC, SIGNED_IN, SEE, LABEL, REVIEW, MANAGE = "public", "signed in", "see", "label", "review", "manage"
ADMIN = "admin"
ROLES = {
    "labeler": {SIGNED_IN, SEE, LABEL},
    "reviewer": {SIGNED_IN, SEE, LABEL, REVIEW},
    "manager": {SIGNED_IN, SEE, LABEL, REVIEW, MANAGE},
    "admin": {SIGNED_IN, SEE, LABEL, REVIEW, MANAGE, ADMIN},
    "outsider": {SIGNED_IN},
    "vendor": {SIGNED_IN, SEE, LABEL},
    "vendor_elsewhere": {SIGNED_IN},
}
CREATOR, LEAD = "creator", "lead"  # of projects and teams; of the team at hand
for role, rights in ROLES.items():
    rights |= {CREATOR} if not role.startswith("vendor") else set()
for role in ("manager", "admin"):
    ROLES[role].add(LEAD)

# route: method, what it takes. A route that is not listed here fails the test.
ROUTES = {
    "healthz": ("get", PUBLIC),
    "favicon": ("get", PUBLIC),
    "sign-in": ("get", PUBLIC),
    "sign-out": ("post", SIGNED_IN),
    "invitation": ("get", PUBLIC),
    "projects": ("get", SIGNED_IN),
    "project-new": ("get", CREATOR),
    "project-new-template": ("post", CREATOR),
    "project-new-name": ("get", CREATOR),
    "profile": ("get", SIGNED_IN),
    "profile-password": ("post", SIGNED_IN),
    "profile-token": ("post", SIGNED_IN),
    "api-webhooks": ("get", MANAGE),
    "api-webhook": ("patch", MANAGE),
    "api-webhook-secret": ("post", MANAGE),
    "api-webhook-test": ("post", MANAGE),
    "api-deliveries": ("get", MANAGE),
    "api-delivery-again": ("post", MANAGE),
    "api-tokens": ("get", SIGNED_IN),
    "api-me": ("get", SIGNED_IN),
    "api-mail": ("get", ADMIN),
    "api-figures": ("get", REVIEW),
    "api-figure": ("get", REVIEW),
    "api-project-tokens": ("get", MANAGE),
    "page-size": ("post", SIGNED_IN),
    "keys": ("post", SIGNED_IN),
    "language": ("post", SIGNED_IN),
    "project": ("get", SEE),
    "project-live": ("get", SEE),
    "figures": ("get", REVIEW),
    "label": ("get", LABEL),
    "data": ("get", REVIEW),
    "data-count": ("get", REVIEW),
    "item-panel": ("get", REVIEW),
    "item-look-alikes": ("get", REVIEW),
    "item-thread": ("get", REVIEW),  # and who had the image on a page
    "review": ("get", REVIEW),
    "review-next": ("get", REVIEW),
    "import": ("get", MANAGE),
    "import-live": ("get", MANAGE),
    "data-sets": ("get", CREATOR),
    "data-sets-live": ("get", CREATOR),
    "api-data-sets": ("get", SIGNED_IN),  # one's own
    "upload-cancel": ("post", MANAGE),
    "label-imports": ("get", MANAGE),
    "label-import": ("get", MANAGE),
    "label-import-live": ("get", MANAGE),
    "label-import-problems": ("get", MANAGE),
    "source": ("get", MANAGE),
    "source-refresh": ("post", MANAGE),
    "source-take-back": ("post", MANAGE),
    "auto-label": ("get", MANAGE),
    "auto-label-live": ("get", MANAGE),
    "auto-label-summary": ("get", MANAGE),
    "auto-label-start": ("get", MANAGE),
    "custom-models": ("get", MANAGE),
    "custom-model": ("get", MANAGE),
    "custom-model-live": ("get", MANAGE),
    "custom-model-change": ("post", MANAGE),
    "custom-model-vote": ("post", MANAGE),
    "custom-model-choice": ("post", MANAGE),
    "models": ("get", REVIEW),
    "models-live": ("get", REVIEW),
    "train": ("post", MANAGE),
    "backbone": ("post", MANAGE),
    "backbone-survey": ("post", MANAGE),
    "fine-tune": ("post", MANAGE),
    "certificate": ("get", SEE),
    "withhold": ("post", MANAGE),
    "preview": ("get", MANAGE),
    "team": ("get", MANAGE),
    "member": ("post", MANAGE),
    "member-limits": ("get", MANAGE),
    "project-teams": ("post", MANAGE),
    "project-team": ("post", MANAGE),
    "invitation-revoke": ("post", MANAGE),
    "member-pause": ("post", MANAGE),
    "agreement": ("get", REVIEW),
    "agreement-file": ("get", REVIEW),
    "gold": ("get", REVIEW),
    "settings-quality": ("post", MANAGE),
    "invitation-resend": ("post", MANAGE),
    "assignments": ("get", MANAGE),
    "assignment-change": ("post", MANAGE),
    "assignment-end": ("post", MANAGE),
    "assignment-resume": ("post", MANAGE),
    "first-password": ("get", SIGNED_IN),
    "teams": ("get", CREATOR),
    "site-team": ("get", LEAD),
    "team-invite": ("post", LEAD),
    "team-invitation": ("post", LEAD),
    "team-person": ("post", LEAD),
    "site-people": ("get", ADMIN),
    "site-person": ("post", ADMIN),
    "faces": ("get", REVIEW),
    "faces-begin": ("post", MANAGE),
    "faces-change": ("post", MANAGE),
    "faces-progress": ("get", REVIEW),
    "face-item": ("get", REVIEW),
    "exports": ("get", REVIEW),
    "exports-live": ("get", REVIEW),
    "export-preview": ("get", REVIEW),
    "export-changes": ("get", REVIEW),
    "settings": ("get", MANAGE),
    "settings-classes": ("post", MANAGE),
    "class-edit": ("get", MANAGE),
    "class-move": ("post", MANAGE),
    "class-retire": ("get", MANAGE),
    "class-merge": ("get", MANAGE),
    "class-split": ("get", MANAGE),
    "class-restore": ("post", MANAGE),
    "class-undo": ("post", MANAGE),
    "class-work": ("get", MANAGE),
    "settings-instructions": ("get", MANAGE),
    "instructions-preview": ("post", MANAGE),
    "instructions-template": ("post", MANAGE),
    "instructions-restore": ("post", MANAGE),
    "instructions-pictures": ("post", MANAGE),
    "instructions-picture": ("get", SEE),
    "settings-state": ("post", MANAGE),
    "settings-taking": ("post", MANAGE),
    "project-delete": ("post", MANAGE),
    "profile-notifications": ("post", SIGNED_IN),
    "notifications": ("get", SIGNED_IN),
    "notifications-read": ("post", SIGNED_IN),
    "bell": ("get", SIGNED_IN),
    "site-mail": ("get", ADMIN),
    "site-mail-again": ("post", ADMIN),
    "webhooks": ("get", MANAGE),
    "webhook": ("get", MANAGE),
    "webhook-live": ("get", MANAGE),
    "webhook-test": ("post", MANAGE),
    "webhook-secret": ("post", MANAGE),
    "delivery-again": ("post", MANAGE),
    "log": ("get", MANAGE),
    "log-file": ("get", MANAGE),
    "site-log": ("get", ADMIN),
    "site-log-file": ("get", ADMIN),
    "image": ("get", REVIEW),
    "thumbnail": ("get", REVIEW),
    "api-projects": ("get", SIGNED_IN),
    "api-project": ("get", SEE),
    "api-start": ("post", MANAGE),
    "api-pause": ("post", MANAGE),
    "api-classes": ("get", MANAGE),
    "api-class": ("get", MANAGE),
    "api-class-move": ("post", MANAGE),
    "api-class-split": ("post", MANAGE),
    "api-class-changes": ("get", MANAGE),
    "api-class-change-preview": ("get", MANAGE),
    "api-class-change": ("get", MANAGE),
    "api-class-change-retry": ("post", MANAGE),
    "api-class-change-undo": ("post", MANAGE),
    "api-class-retire": ("post", MANAGE),
    "api-class-merge": ("post", MANAGE),
    "api-class-restore": ("post", MANAGE),
    "api-notifications": ("get", SIGNED_IN),
    "api-notifications-read": ("post", SIGNED_IN),
    "api-notification-choices": ("get", SIGNED_IN),
    "api-instructions": ("get", SEE),
    "api-instruction-pictures": ("get", MANAGE),
    "api-members": ("get", MANAGE),
    "api-member-pause": ("post", MANAGE),
    "api-member-resume": ("post", MANAGE),
    "api-agreement": ("get", REVIEW),
    "api-gold": ("get", REVIEW),
    "api-gold-item": ("delete", REVIEW),
    "api-member": ("patch", MANAGE),
    "api-invitations": ("get", MANAGE),
    "api-invitation-resend": ("post", MANAGE),
    "api-invitation-revoke": ("post", MANAGE),
    "api-project-teams": ("get", MANAGE),
    "api-assignments": ("get", MANAGE),
    "api-assignment": ("patch", MANAGE),
    "api-assignment-end": ("post", MANAGE),
    "api-assignment-resume": ("post", MANAGE),
    "api-teams": ("get", SIGNED_IN),  # those that one manages
    "api-team": ("get", LEAD),
    "api-team-person": ("patch", LEAD),
    "api-team-invitations": ("get", LEAD),
    "api-team-invitation-resend": ("post", LEAD),
    "api-team-invitation-revoke": ("post", LEAD),
    "api-people": ("get", ADMIN),
    "api-person": ("patch", ADMIN),
    "crop": ("get", REVIEW),  # and who had it on a page
    "api-checks": ("get", LABEL),
    "api-pages": ("post", LABEL),
    "api-items": ("get", REVIEW),
    "api-item": ("get", REVIEW),
    "api-decision": ("post", REVIEW),
    "api-faces": ("get", REVIEW),
    "api-item-faces": ("post", REVIEW),
    "api-item-face": ("delete", REVIEW),
    "api-outline": ("post", REVIEW),  # and who had the image on a page
    "api-reviews": ("post", REVIEW),
    "api-review-undo": ("post", REVIEW),
    "api-review-queue": ("get", REVIEW),
    "api-quality": ("get", REVIEW),
    "api-sampling": ("post", MANAGE),
    "api-locks": ("post", REVIEW),
    "api-look-alikes": ("get", REVIEW),
    "api-comments": ("get", REVIEW),
    "api-comment": ("patch", REVIEW),
    "api-saved-filters": ("get", REVIEW),
    "api-imports": ("get", MANAGE),
    "api-uploads": ("get", MANAGE),
    "api-upload": ("get", MANAGE),
    "api-upload-files": ("get", MANAGE),
    "api-label-imports": ("get", MANAGE),
    "api-label-import": ("get", MANAGE),
    "api-label-import-check": ("post", MANAGE),
    "api-label-import-apply": ("post", MANAGE),
    "api-label-import-undo": ("post", MANAGE),
    "api-source": ("get", MANAGE),
    "api-source-refresh": ("post", MANAGE),
    "api-source-read-again": ("post", MANAGE),
    "api-exports": ("get", REVIEW),
    "api-export-preview": ("post", REVIEW),
    "export-file": ("get", REVIEW),
    "api-export-changes": ("get", REVIEW),
    "api-job": ("get", REVIEW),
    "api-runs": ("get", SEE),
    "api-auto-label": ("get", MANAGE),
    "api-auto-label-examples": ("post", MANAGE),
    "api-auto-label-tests": ("post", MANAGE),
    "api-auto-label-outside": ("post", MANAGE),
    "api-auto-label-runs": ("get", MANAGE),
    "api-auto-label-start-own": ("post", MANAGE),
    "api-custom-models": ("get", MANAGE),
    "api-custom-model": ("get", MANAGE),
    "api-custom-model-choice": ("post", MANAGE),
    "api-backbones": ("get", REVIEW),
    "api-fine-tuning": ("get", REVIEW),
    "api-certificates": ("get", SEE),
    "api-withheld-classes": ("get", SEE),
    "api-events": ("get", MANAGE),
    "api-site-events": ("get", ADMIN),
    "api-schema": ("get", PUBLIC),
    "api-docs": ("get", PUBLIC),
}
# These belong to one person; tests of their own say whose.
OWN = {
    "api-unknown", "api-page", "api-page-submit", "api-page-extend", "api-page-release", "api-page-undo",
    "profile-token-revoke", "run", "certificate-read", "api-check-answer",
    "notification", "notification-read", "api-notification-read", "webhook-delete", "api-saved-filter",
    "api-project-team", "api-token", "api-project-token", "api-upload-chunks", "api-upload-complete",
    "upload-complete", "settings-token", "api-data-set", "api-data-set-files", "api-data-set-chunks",
    "api-data-set-complete", "data-set-complete", "data-set-delete", "import-data-set",
    "auto-label-change", "api-auto-label-example", "api-auto-label-test", "api-auto-label-start",
    "api-auto-label-run", "api-auto-label-suggest",
}  # fmt: skip


def routes(patterns: list[Any]) -> list[str]:
    found: list[str] = []
    for each in patterns:
        if isinstance(each, URLResolver):
            found += routes(each.url_patterns)
        elif isinstance(each, URLPattern):
            found.append(each.name or str(each.pattern))
    return found


def test_every_route_says_whom_it_is_for() -> None:
    assert set(routes(get_resolver().url_patterns)) == set(ROUTES) | OWN


@pytest.fixture
def place(project, labeler, reviewer, manager, admin, outsider, items) -> dict[str, Any]:
    """Return a project in which something of everything exists, and what addresses need."""
    from labeling import classes, illustrations, webhooks
    from mlassist.models import CustomModel, Round

    factories.answer(project, reviewer)
    boxes = factories.make_project(manager=manager, reviewer=reviewer, labeler=labeler, task_type="detection")
    factories.ask_about_objects(boxes, factories.make_scenes(boxes, 1, size=(64, 48)))
    circle = project.classes.get(name="circle")
    worker = factories.make_user("night@example.com")
    shift = factories.make_team(manager, worker)
    teams.give(project, shift, "labeler", manager)
    MaskedImage.objects.create(item=items[0], project=project, faces=1)
    assigned = assigning.assign(project, manager, assigning.Part(share=0.5), team=shift)
    exported = exporting.start(project, manager, "coco", review.Filters())
    factories.run_jobs("quick")
    webhook = webhooks.make(project, manager, "https://example.com/hook", ["finished"])
    custom = CustomModel.objects.create(project=project, labels=12)
    Round.objects.create(custom_model=custom, number=1, item=items[0], order=[], found={})
    return {
        "custom_id": custom.pk,
        "number": 1,
        "webhook_id": webhook.pk,
        "delivery_id": webhooks.send_test(webhook, manager).pk,
        "project_id": project.pk,
        "upload_id": uploading.begin(project, manager)[0].pk,
        "label_import_id": label_imports.from_folders(project, manager).pk,
        "table": "pairs",
        "item_id": items[0].pk,
        "source_id": items[0].source_id,
        "face_id": Face.objects.create(item=items[0], x=1, y=1, width=4, height=4).pk,
        "check_id": boxes.checks.first().pk,
        "job_id": exported.pk,
        "class_id": circle.pk,
        "batch_id": review.judge(project, manager, "approve", []).batch.pk,
        "comment_id": commenting.add(items[0], manager, "Look here.").pk,
        "version": 1,
        "sha256": illustrations.add(project, factories.picture_file(), "a.png", manager).sha256,
        "name": "people",
        "event_id": classes.edit(circle, manager, name="disc").pk,
        "membership_id": Membership.objects.get(project=project, user=labeler).pk,
        "invitation_id": workforce.invite(project, manager, "labeler").pk,
        "team_id": shift.pk,
        "team_invitation_id": workforce.invite_to_team(shift, manager).pk,
        "user_id": worker.pk,
        "assignment_id": assigned.assignment.pk,
        "token": workforce.invite(project, manager, "labeler").token,
    }


@pytest.fixture
def vendor(project, admin) -> User:
    """Return somebody of the vendor that works in the project."""
    person = factories.make_user("worker@vendor.example")
    teams.give(project, factories.make_team(admin, person, is_vendor=True), "labeler", admin)
    return person


@pytest.fixture
def vendor_elsewhere(admin) -> User:
    """Return somebody of a vendor that works in another project."""
    person = factories.make_user("worker@elsewhere.example")
    elsewhere = factories.make_project(manager=admin, name="Elsewhere")
    teams.give(elsewhere, factories.make_team(admin, person, is_vendor=True), "reviewer", admin)
    return person


def address(name: str, place: dict[str, Any]) -> str:
    pattern = next(
        each for each in get_resolver().reverse_dict.getlist(name) if set(each[0][0][1]) <= set(place)
    )
    keys = pattern[0][0][1]
    if {"team_id", "invitation_id"} <= set(keys):
        place = place | {"invitation_id": place["team_invitation_id"]}
    return reverse(name, kwargs={key: place[key] for key in keys})


@pytest.mark.django_db
@pytest.mark.parametrize("needs", sorted({needs for _, needs in ROUTES.values()}))
def test_routes_exist_just_for_those_they_are_for(needs, place, request) -> None:
    sessions = {role: session_of(request.getfixturevalue(role)) for role in ROLES}
    for name, (method, its_needs) in sorted(ROUTES.items()):
        if its_needs == needs:
            # To make everything anew for each route would take minutes.
            with transaction.atomic():
                walk(name, method, needs, address(name, place), sessions)
                transaction.set_rollback(True)


def session_of(person: User) -> str:
    """Sign somebody in, once for all addresses; returns the value of the cookie."""
    client = Client()
    client.force_login(person)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def walk(name: str, method: str, needs: str, url: str, sessions: dict[str, str]) -> None:
    """Try an address as everybody, and as nobody."""
    for role, rights in ROLES.items():
        client = Client(raise_request_exception=True)
        client.cookies[settings.SESSION_COOKIE_NAME] = sessions[role]
        response = getattr(client, method)(url)
        if needs == PUBLIC or needs in rights:
            assert response.status_code not in (401, 403, 404, 500), (name, role, response.status_code)
            assert not response.headers.get("Location", "").startswith("/sign-in/?"), (name, role)
        else:
            assert response.status_code == 404, (name, role, response.status_code)
    response = getattr(Client(), method)(url)
    if needs == PUBLIC:
        assert response.status_code == 200, name
    else:
        is_sent_away = response.status_code == 401 or response.headers["Location"].startswith("/sign-in/")
        assert is_sent_away, (name, response)


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


@pytest.mark.django_db
def test_a_deleted_project_is_gone_for_everybody_and_leaves_its_log(place, project, manager, client) -> None:
    client.force_login(manager)
    deleting.delete(project, manager, project.name)
    for name, (method, needs) in ROUTES.items():
        if needs in (SEE, LABEL, REVIEW, MANAGE):
            url = address(name, place)
            if f"/{project.pk}/" in url and "/projects/" in url:
                assert getattr(client, method)(url).status_code == 404, name
    factories.run_jobs("quick")
    project.refresh_from_db()
    assert project.emptied_at
    left = {
        model: model.objects.filter(**{field: project}).count()
        for model, field in deleting.owned_by(Project)
        if model is not Job
    }
    assert {model for model, count in left.items() if count} == {Event, Membership}
