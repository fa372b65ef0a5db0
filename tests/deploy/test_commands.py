"""Loupe's commands, called as an administrator does."""

import io
import json
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labeling import importing, sources
from labeling.models import ApiToken, DataSource, Item, User
from tests import factories


def run(*words: str, **options) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


@pytest.fixture
def password(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{factories.PASSWORD}\n"))


@pytest.mark.django_db
def test_createuser(password):
    run("createuser", "Ada@Example.com", "--admin", "--password-stdin")
    ada = User.objects.get()
    assert (ada.email, ada.is_superuser, ada.check_password(factories.PASSWORD)) == (
        "ada@example.com",
        True,
        True,
    )
    for wrong in ("ADA@example.com", "ada"):
        with pytest.raises(CommandError):
            run("createuser", wrong, "--password-stdin")


@pytest.mark.django_db
def test_token_prints_the_token_alone(labeler):
    secret = run("token", "Labeler@example.com")
    assert len(secret.splitlines()) == 1
    assert ApiToken.objects.get().digest == ApiToken.digest_of(secret.strip())
    with pytest.raises(CommandError):
        run("token", "nobody@example.com")


@pytest.mark.django_db
def test_import_reads_a_folder_and_reports_what_it_could_not_use(project, tmp_path):
    folder = factories.write_folder(tmp_path / "in", 6)
    (folder / "broken.png").write_bytes(b"no image")
    (folder / "again.png").write_bytes((folder / "circle" / "00000.png").read_bytes())
    said = run("import_images", project.name, str(folder))
    assert "6 images ready" in said
    assert "1 duplicates" in said
    assert "1 damaged" in said
    assert "broken.png" in said


@pytest.mark.django_db
def test_import_takes_labels_from_folders(project, tmp_path):
    folder = factories.write_folder(tmp_path / "in", 8, classes=("circle", "Square", "hexagon"))
    said = run("import_images", str(project.pk), str(folder), "--labels-from-folders")
    assert "Classes added: hexagon." in said
    assert "8 images labeled" in said
    found = Item.objects.filter(project=project).order_by("path")
    assert {each.state for each in found} == {"labeled"}
    for item in found:
        names = [region.label_class.name.lower() for region in item.current_annotation.regions.all()]
        assert names == [factories.true_class(item).lower()]
        assert item.current_annotation.origin == "imported"
    assert list(project.classes.values_list("name", flat=True)) == [*factories.CLASSES, "hexagon"]
    assert not project.queue.exists()


@pytest.mark.django_db
def test_import_refuses_with_a_sentence(project, tmp_path):
    with pytest.raises(CommandError, match="no project"):
        run("import_images", "Nothing", str(tmp_path))
    with pytest.raises(CommandError):
        run("import_images", project.name, str(tmp_path / "missing"))
    assert not DataSource.objects.exists()


@pytest.mark.django_db
def test_export_writes_the_whole_file(project, tmp_path):
    folder = factories.write_folder(tmp_path / "in", 4)
    run("import_images", project.name, str(folder), "--labels-from-folders")
    out: Path = tmp_path / "labels.json"
    said = run("export", project.name, "--format", "coco", "--out", str(out))
    content = json.loads(out.read_text())
    assert "4 images" in said
    assert (len(content["images"]), len(content["annotations"])) == (4, 4)
    assert [path.name for path in tmp_path.glob(".*")] == []
    with pytest.raises(CommandError, match="no folder"):
        run("export", project.name, "--out", str(tmp_path / "missing" / "x.json"))
    few = tmp_path / "few.json"
    run("export", project.name, "--out", str(few), "--class", "Circle", "--source", "imported")
    assert {each["category_id"] for each in json.loads(few.read_text())["annotations"]} == {
        project.classes.get(name="circle").pk
    }
    with pytest.raises(CommandError, match="no class 'zebra'"):
        run("export", project.name, "--out", str(few), "--class", "zebra")


@pytest.mark.django_db
def test_labels_of_a_file_are_reported_and_taken_in(project, items, labeler, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text(f"filename;label\n{items[0].path};circle\n{items[1].path};alien\nnowhere.png;circle\n")
    said = run("import_labels", project.name, str(table), "--check-only")
    assert "2 images can get a final label now" in said
    assert "nowhere.png: There is no such image" in said
    assert not project.label_imports.exists()
    said = run("import_labels", project.name, str(table), "--as", "labels")
    assert "Classes added: alien." in said
    assert "2 images labeled" in said
    (tmp_path / "bad.csv").write_text("a,b\n")
    with pytest.raises(CommandError, match="names no column for file_name"):
        run("import_labels", project.name, str(tmp_path / "bad.csv"))


@pytest.mark.django_db
def test_a_bucket_is_added_with_credentials_of_the_environment_alone(project, monkeypatch):
    seen = {}

    def add(target, given, by):
        seen.update(given)
        raise importing.ImportRefused("It was only looked at.")

    monkeypatch.setattr(sources, "add", add)
    monkeypatch.setenv("LOUPE_SOURCE_KEY", "who")
    monkeypatch.setenv("LOUPE_SOURCE_SECRET", "knows")
    words = ("s3://bucket/**", "--refresh", "daily", "--endpoint", "https://s3.example.com", "--every-page")
    with pytest.raises(CommandError, match="only looked at"):
        run("import_images", project.name, *words)
    assert (seen["key"], seen["secret"], seen["refresh"], seen["every_page"]) == (
        "who",
        "knows",
        "daily",
        True,
    )
    with pytest.raises(CommandError, match="--refresh is for an address"):
        run("import_images", project.name, "/tmp", "--refresh", "daily")
