"""What an export would hold before it is made, images by their addresses, and the list of exports."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.urls import reverse

from labeling import exporting, extensions, jobs, review
from labeling.exporting import Choice
from labeling.formats import catalog, masks
from labeling.formats.files import Archive, Files, Single
from labeling.formats.records import Picture
from labeling.labeled import Labeled
from labeling.models import Item, Job, Project
from tests import factories
from tests.labeling.exported import draw_all

pytestmark = pytest.mark.django_db


def finished(project: Project, choice: Choice, folder: Path) -> tuple[Job, Path]:
    job = exporting.start(project, project.created_by, choice, review.Filters())
    factories.run_jobs("quick")
    job.refresh_from_db()
    assert job.state == Job.State.DONE, job.error
    path = folder / f"{job.pk}.{job.result['ending']}"
    path.write_bytes(default_storage.open(job.result["name"]).read())
    return job, path


def test_a_preview_says_what_the_export_then_holds(project, labeler, manager, items, tmp_path, api) -> None:
    factories.answer_all(project, labeler)
    square = project.classes.get(name="square").pk
    address = reverse("api-export-preview", args=[project.pk])

    def preview(**asked: Any) -> dict[str, Any]:
        return api(manager).post(address, asked, format="json").json()

    split = {"train": 50, "val": 25, "test": 25}
    for name in ("coco", "csv", "folders", "dataset"):
        said = preview(format=name, images="copy", split=split)
        job, _ = finished(project, Choice(name, "copy", (50, 25, 25)), tmp_path)
        assert (said["images"], said["labels"], said["exact"]) == (12, 12, True)
        assert said["by_split"] == job.result["by_split"]
        assert job.result["bytes"] / 4 < said["size"] < job.result["bytes"] * 4
    assert preview(format="csv", filter={"class": square})["images"] == 4
    assert preview(filter={"class": square, "reviewed": "yes"}) == {
        "images": 0, "labels": 0, "by_split": {}, "size": 0, "exact": True,
    }  # fmt: skip
    assert "yolo99" in preview(format="yolo99")["error"]["message"]


def test_a_preview_of_many_is_told_from_some(project, labeler, items, monkeypatch) -> None:
    factories.answer_all(project, labeler)
    monkeypatch.setattr(exporting, "COUNTED", 5)
    found = exporting.preview(project, Choice("csv", split=(50, 25, 25)), review.Filters())
    assert (found.images, found.labels, found.exact) == (12, 12, False)
    assert found.by_split == {"train": 6, "val": 3, "test": 3}
    assert found.size > 0


def test_the_page_says_what_would_be_exported_or_why_nothing(
    project, labeler, reviewer, items, client
) -> None:
    factories.answer_all(project, labeler)
    client.force_login(reviewer)
    address = reverse("export-preview", args=[project.pk])
    asked = {"format": "csv", "divided": "yes", "train": 50, "val": 25, "test": 25}
    said = " ".join(client.get(address, asked).content.decode().split())
    assert "12 images with 12 labels: 6 train, 3 val, 3 test. The file will have about" in said
    assert "add up to 100" in client.get(address, asked | {"val": 80}).content.decode()
    assert "nothing to export" in client.get(address, {"format": "csv", "reviewed": "yes"}).content.decode()


def test_the_form_keeps_what_was_chosen_after_an_error_and_after_an_export(
    project, labeler, reviewer, items, client
) -> None:
    factories.answer_all(project, labeler)
    client.force_login(reviewer)
    address, square = reverse("exports", args=[project.pk]), project.classes.get(name="square").pk
    asked = {"format": "csv", "images": "link", "divided": "yes", "train": 70, "val": 10, "test": 10}
    refused = client.post(address, asked | {"class": [square], "since": "2020-01-02"})
    assert "have to add up to 100" in refused.content.decode()
    made = client.post(address, asked | {"val": 20, "class": [square], "since": "2020-01-02"}, follow=True)
    assert Job.objects.get(kind="export").payload["filter"]["classes"] == [square]
    for answer in (refused, made):
        page = answer.content.decode()
        for said in (
            'value="csv" checked', 'value="link" selected', 'value="yes" checked', 'value="70"',
            f'value="{square}" checked', 'value="2020-01-02"',
        ):  # fmt: skip
            assert said in page, said


@pytest.mark.parametrize("task_type", ["multiclass", "segmentation"])
def test_linked_images_have_an_address_in_every_format_that_can_say_it(
    task_type, manager, reviewer, labeler, tmp_path, client
) -> None:
    project = factories.make_project(manager=manager, reviewer=reviewer, labeler=labeler, task_type=task_type)
    if task_type == "multiclass":
        factories.make_items(project, 3)
        factories.answer_all(project, labeler)
    else:
        factories.make_scenes(project, 2, size=(160, 120))
        draw_all(project, labeler)
    client.force_login(manager)
    for form in catalog.offered(task_type):
        if form.is_images or not form.links:
            with pytest.raises(exporting.ExportRefused, match=r"copied|copies"):
                exporting.start(project, manager, Choice(form.name, "link"), review.Filters())
            continue
        _, path = finished(project, Choice(form.name, "link"), tmp_path)
        found = addresses(form, path)
        assert found.keys() == set(project.items.values_list("pk", flat=True))
        for item, url in found.items():
            assert url.startswith("http")
            assert client.get(url).status_code == 200
            assert url.endswith(reverse("image", args=[item]))
        if path.suffix == ".zip":
            page = "README.md" if form.name == "dataset" else "README.txt"
            assert b"Authorization: Token" in zipfile.ZipFile(path).read(page)
            assert not [name for name in zipfile.ZipFile(path).namelist() if name.startswith("images/")]


def addresses(form: catalog.Format, path: Path) -> dict[int, str]:
    def of(files: Files) -> dict[int, str]:
        return {each.id: each.url for each in form.read(files) if isinstance(each, Picture)}

    if path.suffix != ".zip":
        return of(Single(path, f"labels.{form.alone}"))
    with Archive(path) as files:
        return of(files)


def test_near_duplicates_are_in_one_split(project, labeler, items, monkeypatch) -> None:
    factories.answer_all(project, labeler)
    together = [[items[0].pk, items[5].pk], [items[5].pk, items[9].pk]]
    monkeypatch.setattr(extensions, "_near_duplicates", [lambda _: iter([np.array(together)])])
    for seed in range(4):
        Project.objects.filter(pk=project.pk).update(seed=seed)
        project.refresh_from_db()
        found = {each.id: each.split for each in Labeled(project, review.Filters(), split=(50, 25, 25))}
        assert len({found[item] for pair in together for item in pair}) == 1
        assert len(set(found.values())) > 1


def test_a_drawing_can_be_exported_as_masks_unless_it_has_too_many_classes(
    manager, reviewer, labeler, tmp_path, monkeypatch
) -> None:
    project = factories.make_project(
        manager=manager, reviewer=reviewer, labeler=labeler, task_type="segmentation"
    )
    factories.make_scenes(project, 2, size=(160, 120))
    draw_all(project, labeler)
    _, path = finished(project, Choice("masks", "copy", (50, 50, 0)), tmp_path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        said = json.loads(archive.read(masks.CLASSES))["classes"]
    assert [each["name"] for each in said] == [each.name for each in project.classes.all()]
    assert {name.split("/")[1] for name in names if name.startswith("masks/")} == {"train", "val"}
    assert len([name for name in names if name.startswith("images/")]) == Item.objects.count() == 2
    monkeypatch.setattr(exporting, "categories", lambda *_: range(256))
    with pytest.raises(exporting.ExportRefused, match="Semantic masks have room for 255 classes"):
        exporting.start(project, manager, Choice("masks"), review.Filters())


def test_older_exports_and_imports_come_by_a_cursor(project, reviewer, manager, client, api) -> None:
    made = [
        jobs.enqueue("export", project, {"format": "csv", "filter": {}}, created_by=manager).pk
        for _ in range(53)
    ]
    seen, cursor = [], ""
    while cursor is not None:
        body = api(reviewer).get(reverse("api-exports", args=[project.pk]), {"cursor": cursor}).json()
        seen += [each["id"] for each in body["results"]]
        cursor = body["next"]
    assert seen == made[::-1]
    client.force_login(reviewer)
    page = client.get(reverse("exports", args=[project.pk])).content.decode()
    assert f"?cursor={made[3]}" in page
    older = client.get(reverse("exports", args=[project.pk]), {"cursor": made[3]})
    assert [each.pk for each in older.context["jobs"]] == made[2::-1]
    for name in ("api-imports", "api-label-imports"):
        body = api(manager).get(reverse(name, args=[project.pk])).json()
        assert (body["results"], body["next"]) == ([], None)
