"""What shows faces goes: files that were sent, files of labels, and what was made of images taken back."""

import io
import zipfile
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from labeling import (
    extensions,
    forgetting,
    hiding,
    images,
    importing,
    label_imports,
    masked,
    reading,
    sealing,
    taking_back,
)
from labeling.models import DataSource, Item, MaskedImage
from tests import factories
from tests.coloured import ByColour, picture
from tests.labeling.sent import archive, send, take_in
from tests.labeling.test_faces import hide, shows, upload

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _finder(monkeypatch) -> None:
    monkeypatch.setattr(extensions, "_face_finders", [ByColour()])


def take_back(source: DataSource) -> None:
    taking_back.start(source, source.project.created_by)
    factories.run_jobs("quick")


def files_of(project, folder: str) -> set[str]:
    try:
        return set(default_storage.listdir(f"{folder}/{project.pk}")[1])
    except FileNotFoundError:
        return set()


def test_copies_and_originals_go_with_the_import_unless_an_image_that_stays_shows_them(
    project, manager, reviewer, client, settings, django_capture_on_commit_callbacks
) -> None:
    hide(project, manager)
    with django_capture_on_commit_callbacks(execute=True):
        first = upload(project, manager, "a.png")
        factories.run_jobs("quick")
        second = upload(project, manager, "b.png", "c.png")  # the first is a.png once more
        factories.run_jobs("quick")
    labeled = Item.objects.get(source=second, duplicate_of=None)
    factories.label_one(labeled)
    both = MaskedImage.objects.filter(item__duplicate_of=None)
    copies = set(both.values_list("item__sha256", flat=True))
    originals = set(both.values_list("original_sha256", flat=True))
    take_back(first)
    assert (files_of(project, "masked"), files_of(project, "originals")) == (copies, originals)
    assert len(copies) == len(originals) == 2
    heir = Item.objects.get(project=project, state="unlabeled")
    take_back(second)
    assert files_of(project, "masked") == {labeled.sha256}
    assert files_of(project, "originals") == {labeled.masked.original_sha256}
    assert not default_storage.exists(images.thumbnail_name(heir.sha256))
    assert hiding.kept_originals(project) == 1
    client.force_login(reviewer)
    assert client.get(reverse("image", args=[heir.pk])).status_code == 410
    assert Item.objects.exclude(state="removed").get() == labeled


def test_no_copy_of_an_image_that_is_taken_back_takes_its_place(project, manager, tmp_path) -> None:
    for name in ("a.png", "b.png"):
        factories.write_image(tmp_path / "in" / name)
    source = importing.add_folder(project, tmp_path / "in", manager)
    factories.run_jobs("quick")
    take_back(source)
    assert not project.items.exclude(state="removed").exists()
    assert not project.queue.exists()


def test_what_was_read_while_its_import_was_taken_back_leaves_nothing(project, manager, tmp_path) -> None:
    hide(project, manager)
    (tmp_path / "a.png").write_bytes(picture())
    source = importing.add_folder(project, tmp_path, manager)
    items = list(Item.objects.filter(source=source))
    reading.prepare(source, items)
    seen = [reading.look(each) for each in items]
    assert files_of(project, "masked")
    take_back(source)
    reading.settle(project, items, seen)
    assert not files_of(project, "masked")
    again = importing.add_folder(project, tmp_path, manager)
    items = list(Item.objects.filter(source=again))
    reading.prepare(again, items)
    assert reading.settle(project, items, seen).outdated == 1, "the copy went meanwhile"


def test_files_of_labels_go_when_they_are_read_and_when_hiding_begins(
    project, manager, items, client, settings, django_capture_on_commit_callbacks
) -> None:
    lines = f"file_name,class\n{items[0].path},circle\n"
    packed = archive({"labels.csv": lines.encode(), "images/a.png": picture()})
    uploads = Path(settings.MEDIA_ROOT, "uploads")
    before = send(project, packed, "before.zip")
    assert any(uploads.iterdir())
    with django_capture_on_commit_callbacks(execute=True):
        assert hiding.stake(project).labels == 1
        hide(project, manager)
    assert not any(uploads.iterdir())
    before.refresh_from_db()
    project.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        given = send(project, packed, "labels.zip", format_name="csv")
    assert not any(uploads.iterdir())
    assert (before.state, given.state) == ("ready", "ready")
    client.force_login(manager)
    page = client.get(reverse("label-import", args=[project.pk, given.pk])).content.decode()
    assert label_imports.FORGOTTEN in page
    assert 'value="check"' not in page
    with pytest.raises(importing.ImportRefused, match="was deleted when it was read"):
        label_imports.check_again(given, manager)
    assert take_in(given) == {"label": 1}


@pytest.mark.parametrize(("originals", "kept"), [("keep", 2), ("discard", 0)])
def test_files_that_were_sent_are_kept_sealed_or_not_at_all(
    project, manager, settings, originals, kept, django_capture_on_commit_callbacks
) -> None:
    hide(project, manager, originals)
    with django_capture_on_commit_callbacks(execute=True):
        upload(project, manager, "a.png", "folder/b.png")
        factories.run_jobs("quick")
    left = [each for each in Path(settings.MEDIA_ROOT).rglob("*") if each.is_file()]
    assert not [each for each in left if "uploads" in each.parts]
    sealed = [each for each in left if "originals" in each.parts]
    assert len(sealed) == kept
    for each in left:
        data = each.read_bytes()
        assert each in sealed or not shows(data)
        assert picture(0) not in data
    if kept:
        row = MaskedImage.objects.filter(project=project).first()
        assert shows(masked.unseal(project.pk, row.original_sha256))
        settings.SECRET_KEY = "another"
        with pytest.raises(sealing.Unopened):
            masked.unseal(project.pk, row.original_sha256)


def test_an_archive_goes_when_nothing_in_it_waits_to_be_read(
    project, manager, settings, django_capture_on_commit_callbacks
) -> None:
    hide(project, manager, "discard")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.png", picture(0))
        archive.writestr("b.png", picture(1))
    with django_capture_on_commit_callbacks(execute=True):
        (source,) = importing.add_uploads(project, [SimpleUploadedFile("a.zip", out.getvalue())], manager)
        forgetting.forget_plain(source)
    assert Path(source.location).exists()
    with django_capture_on_commit_callbacks(execute=True):
        factories.run_jobs("quick")
    assert not Path(source.location).exists()
    assert Item.objects.filter(project=project, masked_at__isnull=False).count() == 2
