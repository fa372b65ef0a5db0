"""A project in which something of everything exists, and the addresses of it all."""

from typing import Any

from django.urls import get_resolver, reverse

from labeling import (
    assigning,
    classes,
    commenting,
    exporting,
    illustrations,
    label_imports,
    review,
    teams,
    uploading,
    webhooks,
    workforce,
)
from labeling.models import Face, MaskedImage, Membership, Project, User
from mlassist.models import CustomModel, Round
from tests import factories


def furnish(project: Project, manager: User, reviewer: User, labeler: User) -> dict[str, Any]:
    """Make something of everything in a project with items; returns what addresses need."""
    items = list(project.items.order_by("id"))
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


def address(name: str, place: dict[str, Any]) -> str:
    pattern = next(
        each for each in get_resolver().reverse_dict.getlist(name) if set(each[0][0][1]) <= set(place)
    )
    keys = pattern[0][0][1]
    if {"team_id", "invitation_id"} <= set(keys):
        place = place | {"invitation_id": place["team_invitation_id"]}
    return reverse(name, kwargs={key: place[key] for key in keys})
