"""Labels from files: taken in once, and taken back."""

import json
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from labeling import classes, gallery, label_applying, label_classes, label_imports, queue, review, submission
from labeling.answering import Answer, RegionInput
from labeling.importing import ImportRefused
from labeling.labeled import categories
from labeling.models import Annotation, Event, Item, LabelClass, Project, QueueEntry
from tests import factories
from tests.labeling.sent import CSV, person_labels, queued, rectangle, send, take_back, take_in, truth_of

pytestmark = pytest.mark.django_db


def test_final_labels_count_at_once_and_are_taken_back_as_a_whole(project, items, manager) -> None:
    before = queued(project)
    given = send(project, truth_of(items))
    assert take_in(given) == {"label": len(items)}
    for item in Item.objects.filter(pk__in=[each.pk for each in items]):
        label = item.current_annotation
        assert (item.state, label.source, label.origin) == ("labeled", "import", "imported")
        assert [each.label_class.name for each in label.regions.all()] == [factories.true_class(item)]
    assert queued(project) == []
    assert gallery.select(project, gallery.Filters(source="imported")).count() == len(items)
    event = Event.objects.get(verb="import_labels")
    assert (event.data["labels"], event.actor) == (len(items), manager)
    assert take_back(given) == {"undone": len(items)}
    assert queued(project) == before
    assert not Item.objects.filter(project=project, state="labeled").exists()
    assert Annotation.objects.filter(project=project, withdrawal="undone").count() == len(items)


def test_what_people_did_is_left_alone_and_is_never_undone(project, items, labeler, reviewer) -> None:
    page = queue.claim(project, labeler, 1)
    held = page.claims.get().item_id
    answered = next(each for each in items if each.pk != held)
    theirs = person_labels(answered, labeler)
    given = send(project, truth_of(items))
    assert given.report["labeled"] == 1
    assert (given.report["held"], given.report["free"], given.report["beside"]) == (1, len(items) - 2, 1)
    assert take_in(given) == {"label": len(items) - 2, "kept": 1, "held": 1}
    assert label_applying.left_alone(given)[0] == {
        "item": held, "path": Item.objects.get(pk=held).path, "why": "held",
    }  # fmt: skip
    assert Item.objects.get(pk=answered.pk).current_annotation == theirs
    submission.submit(
        page, labeler, [Answer(held, factories.uuid.uuid4(), (RegionInput(project.classes.first().pk),))]
    )
    assert Item.objects.get(pk=held).current_annotation.labeler == labeler
    mine = [each for each in items if each.pk not in (held, answered.pk)]
    review.judge(project, reviewer, "approve", [mine[0].pk])
    review.reject(project, [mine[1].pk], reviewer)
    assert take_back(given) == {"undone": len(items) - 4, "changed": 2, "kept": 1, "held": 1}
    assert Item.objects.get(pk=mine[0].pk).state == "labeled"
    assert Item.objects.get(pk=answered.pk).current_annotation == theirs


def test_an_imported_label_can_be_kept_beside_what_people_said(project, items, labeler) -> None:
    theirs = person_labels(items[0], labeler)
    given = send(project, CSV + f"{items[0].path},square\n")
    assert take_in(given, answered="beside") == {"beside": 1}
    beside = Annotation.objects.get(item=items[0], source="import")
    assert not beside.counted
    assert Item.objects.get(pk=items[0].pk).current_annotation == theirs
    assert take_back(given) == {"undone": 1}


def test_classes_are_mapped_added_or_left_out(project, items, circle) -> None:
    one, two, three, four = items[:4]
    text = f"{one.path},disc\n{two.path},Hexagon\n{three.path},dust\n{four.path},SQUARE\n"
    given = send(project, CSV + text)
    assert take_in(given, wanted={"disc": circle, "dust": None}) == {"label": 3, "left_out": 1}
    labels = {each.pk: each.current_annotation for each in Item.objects.filter(project=project)}
    assert [labels[each.pk].regions.get().label_class.name for each in (one, two, four)] == [
        "circle", "Hexagon", "square",
    ]  # fmt: skip
    assert labels[three.pk] is None
    assert LabelClass.objects.filter(project=project).count() == 4


def test_a_class_of_which_nothing_is_taken_in_is_not_added(project, items, labeler) -> None:
    person_labels(items[0], labeler)
    given = send(project, CSV + f"{items[0].path},plane\n{items[1].path},alien\n")
    assert {each.name: each.choice for each in label_classes.proposed(given)} == {
        "plane": None,
        "alien": "new",
    }
    # Somebody labels the other one before it is taken in: then nothing comes of the class either.
    person_labels(items[1], labeler)
    assert take_in(given, wanted={"plane": "new"}) == {"kept": 2}
    assert not classes.in_use(project).exclude(name__in=factories.CLASSES).exists()
    assert {each.name for each in categories(project, review.Filters())} == set(factories.CLASSES)


def test_an_import_that_was_undone_is_taken_in_again_with_its_classes(project, items) -> None:
    given = send(project, CSV + f"{items[0].path},alien\n{items[1].path},circle\n")
    assert take_in(given) == {"label": 2}
    assert take_back(given) == {"undone": 2}
    assert not classes.in_use(project).filter(name="alien").exists()
    assert "alien" not in {each.name for each in categories(project, review.Filters())}
    with pytest.raises(ImportRefused, match="taken back"):
        label_imports.apply(given, None, mode="suggestions", wanted={})
    again = label_imports.check_again(given, given.created_by)
    assert label_imports.check_again(given, given.created_by) == again != given
    factories.run_jobs("quick")
    again.refresh_from_db()
    assert {each.name: each.choice for each in label_classes.proposed(again)}["alien"] == "new"
    assert take_in(again) == {"label": 2}
    assert (
        classes.in_use(project).get(name="alien").regions.filter(annotation__withdrawn_at=None).count() == 1
    )
    once_more = label_imports.check_again(again, None)
    factories.run_jobs("quick")
    label_imports.discard(once_more)
    assert Path(again.location).exists()


def test_what_was_left_alone_is_taken_in_from_the_same_file_later(project, items, labeler) -> None:
    page = queue.claim(project, labeler, 1)
    given = send(project, truth_of(items))
    assert take_in(given) == {"label": len(items) - 1, "held": 1}
    queue.release(page)
    again = label_imports.check_again(given, given.created_by)
    factories.run_jobs("quick")
    again.refresh_from_db()
    assert (again.report["free"], again.report["labeled"]) == (1, len(items) - 1)
    assert take_in(again) == {"label": 1, "kept": len(items) - 1}


def test_a_worker_that_is_killed_in_the_middle_goes_on_and_writes_nothing_twice(
    project, items, monkeypatch
) -> None:
    monkeypatch.setattr(label_applying, "CHUNK", 4)
    given = send(project, truth_of(items))
    job = label_imports.apply(given, given.created_by, mode="labels", wanted={})
    again = label_imports.apply(given, given.created_by, mode="labels", wanted={})
    assert again == job
    finish = queue.finish
    calls = []

    def killed(current: dict[int, int]) -> None:
        calls.append(current)
        if len(calls) == 2:
            raise RuntimeError("killed")
        finish(current)

    monkeypatch.setattr(label_applying.queue, "finish", killed)
    with pytest.raises(AssertionError, match="killed"):
        factories.run_jobs("quick")
    assert Annotation.objects.filter(project=project).count() == 4
    monkeypatch.setattr(label_applying.queue, "finish", finish)
    label_imports.apply(given, given.created_by, mode="labels", wanted={})
    factories.run_jobs("quick")
    given.refresh_from_db()
    assert given.state == "applied"
    assert Annotation.objects.filter(project=project, withdrawn_at=None).count() == len(items)
    assert Event.objects.filter(verb="import_labels").count() == 1


def test_suggestions_are_shown_to_people_and_are_no_models(manager, labeler) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    Project.objects.filter(pk=project.pk).update(assist_mode="off")
    items = factories.make_scenes(project, 4, size=(64, 48))
    QueueEntry.objects.filter(pk=items[3].pk).update(kind="validation", inclusion_probability=0.2)
    QueueEntry.objects.filter(pk__in=[each.pk for each in items[:3]]).update(
        kind="manual", inclusion_probability=None
    )
    tasks = [
        {
            "data": {"image": f"/data/upload/3/0123abcd-{item.file_name}"},
            "predictions": [{"score": 0.75, "result": [rectangle(25, 25, 50, 50)]}],
        }
        for item in items
    ]
    given = send(project, json.dumps(tasks), "tasks.json")
    assert (given.format, given.report["predictions"], given.report["blind"]) == ("label_studio", 4, 1)
    assert take_in(given, "suggestions") == {"suggestion": 3, "blind": 1}
    assert Item.objects.filter(project=project, state="unlabeled").count() == 4
    project.refresh_from_db()
    page = queue.claim(project, labeler, 1)
    while page.kind != "manual":
        queue.release(page)
        page = queue.claim(project, labeler, 1)
    claim = page.claims.get()
    (region,) = claim.proposal["regions"]
    assert (region["bbox"], claim.proposal["model"]) == ([16, 12, 32, 24], None)
    assert claim.why == "as an imported file suggests it"
    confirmed = RegionInput(region["class"], region["bbox"], origin="accepted")
    submission.submit(page, labeler, [Answer(claim.item_id, factories.uuid.uuid4(), (confirmed,))])
    label = Item.objects.get(pk=claim.item_id).current_annotation
    assert (label.origin, label.model_version) == ("confirmed", None)
    assert take_back(given) == {"undone": 3, "blind": 1}
    assert Item.objects.get(pk=claim.item_id).current_annotation == label
    assert not QueueEntry.objects.filter(project=project, hint__isnull=False).exists()


def test_folders_of_the_images_name_their_classes(project, items) -> None:
    given = label_imports.from_folders(project, project.created_by)
    factories.run_jobs("quick")
    given.refresh_from_db()
    assert take_in(given) == {"label": len(items)}
    for item in Item.objects.filter(project=project):
        assert item.current_annotation.regions.get().label_class.name == factories.true_class(item)


# Over HTTP


def test_labels_come_in_over_http(project, items, manager, api) -> None:
    client = api(manager)
    url = reverse("api-label-imports", args=[project.pk])
    upload = SimpleUploadedFile("labels.csv", (truth_of(items[:3]) + "x.png,circle\n").encode())
    made = client.post(url, {"file": upload}, format="multipart")
    assert made.status_code == 201, made.data
    factories.run_jobs("quick")
    place = reverse("api-label-import", args=[project.pk, made.data["id"]])
    assert client.get(place).data["report"]["unmatched"] == 1
    refused = client.post(f"{place}apply/", {"as": "labels", "classes": {"zebra": None}}, format="json")
    assert refused.status_code == 400
    for _ in range(2):
        body = {"as": "labels", "classes": {"circle": "new"}}
        assert client.post(f"{place}apply/", body, format="json").status_code == 202
        factories.run_jobs("quick")
    assert client.get(place).data["outcomes"] == {"label": 3}
    assert client.delete(place).status_code == 400
    assert client.post(f"{place}undo/").status_code == 202
    factories.run_jobs("quick")
    assert client.get(place).data["state"] == "undone"
    client.force_login(manager)
    table = client.get(reverse("label-import-problems", args=[project.pk, made.data["id"]]))
    assert "x.png" in table.content.decode()


def test_a_folder_of_yolo_labels_comes_in_from_a_page(manager, client) -> None:
    project = factories.make_project(manager=manager, task_type="detection")
    items = factories.make_scenes(project, 2, size=(64, 48))
    files = {
        "set/data.yaml": b"names: [circle, square]",
        f"set/labels/train/{Path(items[0].path).stem}.txt": b"0 0.5 0.5 0.5 0.5\n",
        "set/labels/val/unknown.txt": b"1 0.5 0.5 0.5 0.5\n",
    }
    client.force_login(manager)
    body = {
        "files": [SimpleUploadedFile(name.rsplit("/")[-1], content) for name, content in files.items()],
        "paths": list(files),
        "format": "",
    }
    made = client.post(reverse("api-label-imports", args=[project.pk]), body).json()
    page = reverse("label-import", args=[project.pk, made["id"]])
    assert "Looking at the file" in client.get(page).content.decode()
    factories.run_jobs("quick")
    text = client.get(page).content.decode()
    assert "found by file name without its ending" in text
    circle = project.classes.get(name="circle")
    client.post(page, {"do": "labels", "class-0": str(circle.pk), "class-1": ""})
    live = client.get(reverse("label-import-live", args=[project.pk, made["id"]]))
    assert "HX-Refresh" not in live.headers
    factories.run_jobs("quick")
    live = client.get(reverse("label-import-live", args=[project.pk, made["id"]]))
    assert live.headers["HX-Refresh"] == "true"
    region = Item.objects.get(pk=items[0].pk).current_annotation.regions.get()
    assert (region.label_class, region.bbox) == (circle, [16, 12, 32, 24])
    assert "image labeled" in client.get(page).content.decode()
    client.post(page, {"do": "undo"})
    factories.run_jobs("quick")
    assert "taken back" in client.get(page).content.decode()
    assert client.get(reverse("label-imports", args=[project.pk])).status_code == 200
