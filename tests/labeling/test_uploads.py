"""Uploads in parts: any order of retries, duplicates and crashes gives the exact bytes, and one import."""

import hashlib
import json
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling import completing, reading, uploading
from labeling.models import DataSource, Item, Membership, Upload, UploadFile
from labeling.uploading import Chunk, Named
from tests import factories

pytestmark = pytest.mark.django_db


def pictures(folder: Path, count: int) -> dict[str, bytes]:
    """Return readable pictures by their paths."""
    made = factories.write_folder(folder, count)
    return {str(path.relative_to(made)): path.read_bytes() for path in sorted(made.rglob("*.png"))}


def chunk(file: int, content: bytes, start: int, end: int) -> Chunk:
    data = content[start:end]
    return Chunk(file, start, data, zlib.crc32(data))


def send(upload: Upload, files: dict[str, bytes], **facts: Any) -> list[UploadFile]:
    """Name files, and send all that is missing of them."""
    rows = uploading.name_files(upload, [Named(path, len(data), **facts) for path, data in files.items()])
    for row, data in zip(rows, files.values(), strict=True):
        if not row.reason:
            uploading.take(upload, [chunk(row.pk, data, row.received, len(data))])
    return rows


@pytest.fixture
def upload(project, manager) -> Upload:
    return uploading.begin(project, manager)[0]


def complete(upload: Upload, by: Any, **options: Any) -> Upload:
    completing.complete(upload, by, **options)
    factories.run_jobs("quick", "long")
    upload.refresh_from_db()
    return upload


CONTENT = {"a": bytes(range(97)), "b": bytes(reversed(range(53)))}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["next", "again", "ahead", "changed", "crash", "two"]),
        st.sampled_from(["a", "b"]),
        st.integers(1, 60),
    ),
    max_size=40,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_is_sent_twice_changed_or_cut_off_the_bytes_are_the_same(project, manager, steps) -> None:
    upload = uploading.begin(project, manager)[0]
    rows = uploading.name_files(upload, [Named(name, len(data)) for name, data in CONTENT.items()])
    UploadFile.objects.filter(upload=upload).update(reason="")  # of no type, which does not matter here
    number = dict(zip(CONTENT, (row.pk for row in rows), strict=True))
    here = dict.fromkeys(CONTENT, 0)
    before = {name: chunk(number[name], data, 0, 0) for name, data in CONTENT.items()}
    for act, name, length in steps:
        content, at = CONTENT[name], here[name]
        piece = chunk(number[name], content, at, at + length)
        if act == "crash":  # the bytes are written, the number of them is not
            place = uploading.place_of(upload, number[name])
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
            with place.open("r+b") as half:
                half.seek(at)
                half.write(b"?" * (min(len(content), at + length) - at))
            continue
        sent = {
            "next": [piece],
            "again": [before[name]],
            "ahead": [piece._replace(offset=at + 1)],
            "changed": [piece._replace(data=b"#" * len(piece.data))],
            "two": [piece, piece],
        }[act]
        taken = uploading.take(upload, sent)
        if act in ("next", "two"):
            before[name] = piece
            here[name] = at + len(piece.data)
        assert {each.received for each in taken} <= {at, here[name]}
        assert taken[-1].received == here[name]
    for name, content in CONTENT.items():
        row = UploadFile.objects.get(pk=number[name])
        assert row.received == here[name]
        uploading.take(upload, [chunk(row.pk, content, row.received, len(content))])
        assert uploading.place_of(upload, row.pk).read_bytes() == content


def test_an_upload_is_complete_when_every_byte_is_here_and_not_before(
    project, manager, upload, tmp_path
) -> None:
    files = pictures(tmp_path / "in", 3)
    (path, data), *others = files.items()
    send(upload, dict(others))
    row = uploading.name_files(upload, [Named(path, len(data))])[0]
    uploading.take(upload, [chunk(row.pk, data, 0, len(data) - 1)])
    with pytest.raises(completing.NotWhole, match="1 of the 3 files"):
        completing.complete(upload, manager)
    assert not DataSource.objects.exists()
    uploading.take(upload, [chunk(row.pk, data, len(data) - 1, len(data))])
    assert complete(upload, manager).state == "complete"
    assert {each.path: each.sha256 for each in Item.objects.all()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }
    assert (upload.files, upload.size_bytes) == (3, sum(map(len, files.values())))
    assert not UploadFile.objects.exists()


def test_pressed_twice_it_is_one_import(project, manager, upload, tmp_path) -> None:
    send(upload, pictures(tmp_path / "in", 2))
    for _ in range(2):
        completing.complete(upload, manager)
    complete(upload, manager)
    complete(upload, manager)
    assert (DataSource.objects.count(), Item.objects.count()) == (1, 2)


def test_chosen_again_after_a_reload_only_what_is_missing_is_sent(project, manager, upload, tmp_path) -> None:
    files = pictures(tmp_path / "in", 4)
    named = [Named(path, len(data), modified=1) for path, data in files.items()]
    send(upload, dict(list(files.items())[:3]), modified=1)
    again, is_known = uploading.begin(project, manager, sample=named)
    assert (again, is_known) == (upload, True)
    rows = uploading.name_files(again, named)
    assert [row.received == row.size for row in rows] == [True, True, True, False]
    count = UploadFile.objects.count()
    (wrong, right) = uploading.name_files(again, [Named("wrong.zip", 5), named[3]], known_only=True)
    assert (wrong.reason, right.pk, UploadFile.objects.count()) == (uploading.ANOTHER, rows[3].pk, count)
    changed = uploading.name_files(again, [named[0]._replace(modified=2)])[0]
    assert (changed.received, changed.pk != rows[0].pk) == (0, True)
    other, is_known = uploading.begin(project, manager, sample=[Named("else.png", 7), *named[:0]])
    assert (is_known, other == upload) == (False, False)


def test_what_is_missing_can_be_left_out_and_is_told(project, manager, upload, tmp_path) -> None:
    files = pictures(tmp_path / "in", 2)
    send(upload, files)
    uploading.name_files(upload, [Named("never.png", 10), Named("notes.txt", 5), Named(".DS_Store", 5)])
    complete(upload, manager, leave_out=True)
    assert {each["name"]: each["reason"] for each in DataSource.objects.get().refused} == {
        "never.png": uploading.LEFT_OUT,
        "notes.txt": uploading.refusal("notes.txt", 5),
    }
    assert Item.objects.count() == 2


def test_names_are_safe_and_nothing_is_called_twice(project, manager, upload, tmp_path) -> None:
    one, two, three, four = pictures(tmp_path / "in", 4).values()
    deep = "/".join("abcdefgh")
    send(upload, {"../../etc/a.png": one, "etc/a.png": two + b" ", "etc/a.png/b.png": three})
    send(upload, {f"x/{deep}/1.png": four, f"y/{deep}/1.png": four})
    complete(upload, manager)
    source = DataSource.objects.get()
    assert sorted(source.items.values_list("path", flat=True)) == [
        "d/e/f/g/h/1 (2).png", "d/e/f/g/h/1.png", "etc/a (2).png", "etc/a (3).png/b.png", "etc/a.png",
    ]  # fmt: skip
    assert reading.summary(source)["broken"] == 0
    assert all(Path(source.location, path).is_file() for path in source.items.values_list("path", flat=True))


def test_two_that_send_the_same_at_once_write_it_once(
    project, manager, labeler, api, upload, tmp_path
) -> None:
    """Over HTTP, with the sentences that people get."""
    (path, data), *_ = pictures(tmp_path / "in", 1).items()
    at = f"/api/projects/{project.pk}/uploads/{upload.pk}/"
    row = (
        api(manager)
        .post(f"{at}files/", {"files": [{"path": path, "size": len(data)}]}, "json")
        .json()["files"][0]
    )
    line = json.dumps([[row["file"], 0, len(data), zlib.crc32(data)]]).encode()
    put = lambda client, body: client.put(f"{at}chunks/", body, content_type="application/octet-stream")  # noqa: E731
    assert "announces" in put(api(manager), line + b"\n" + data[:-1]).json()["error"]["message"]
    assert "begins with a line" in put(api(manager), b"[[1]]\n").json()["error"]["message"]
    changed = put(api(manager), line + b"\n" + b"#" + data[1:]).json()["chunks"][0]
    assert changed == {"file": row["file"], "received": 0, "problem": uploading.ARRIVED_WRONG}
    for _ in range(2):
        assert put(api(manager), line + b"\n" + data).json()["chunks"][0]["received"] == len(data)
    second = factories.make_user("second@example.com")
    Membership.objects.create(project=project, user=second, role="manager")
    assert put(api(second), line + b"\n" + data).status_code == 403
    assert put(api(labeler), line + b"\n" + data).status_code == 404
    assert api(second).get(at).json()["files_here"] == 1
    assert api(manager).post(f"{at}complete/").json()["state"] == "finishing"
    assert api(second).delete(at).json()["error"]["code"] == "closed"
    factories.run_jobs("quick")
    told = api(manager).post(f"{at}complete/").json()
    assert (told["state"], told["imports"][0]["total"]) == ("complete", 1)


def test_bytes_that_rotted_on_the_disk_are_asked_for_again(project, manager, upload, tmp_path) -> None:
    (path, data), *others = pictures(tmp_path / "in", 2).items()
    send(upload, dict(others))
    row = send(upload, {path: data}, sha256=hashlib.sha256(data).hexdigest().upper())[0]
    uploading.place_of(upload, row.pk).write_bytes(b"?" * len(data))
    with pytest.raises(AssertionError, match="not what was sent"):
        complete(upload, manager)
    upload.refresh_from_db()
    assert upload.state == "open"
    assert "not what was sent" in upload.error
    send(upload, {path: data})
    assert complete(upload, manager).state == "complete"
    assert reading.summary(DataSource.objects.get())["broken"] == 0


def test_a_full_disk_is_told_and_loses_nothing(project, manager, upload, tmp_path, monkeypatch) -> None:
    (path, data), *_ = pictures(tmp_path / "in", 1).items()
    row = uploading.name_files(upload, [Named(path, len(data))])[0]
    uploading.take(upload, [chunk(row.pk, data, 0, 10)])
    with monkeypatch.context() as full:
        full.setattr(uploading, "SPARE", 1 << 60)
        with pytest.raises(uploading.DiskFull, match="kept"):
            uploading.take(upload, [chunk(row.pk, data, 10, 20)])
    assert uploading.take(upload, [chunk(row.pk, data, 10, len(data))])[0].received == len(data)


def test_what_nobody_goes_on_with_is_deleted_after_a_week(project, manager, upload, tmp_path) -> None:
    send(upload, pictures(tmp_path / "in", 2))
    uploading.forget_abandoned()
    assert uploading.progress(upload).files_here == 2
    Upload.objects.update(touched_at=timezone.now() - uploading.KEPT_FOR - timedelta(minutes=1))
    uploading.forget_abandoned()
    upload.refresh_from_db()
    assert (upload.state, uploading.folder_of(upload).exists()) == ("cancelled", False)
    with pytest.raises(uploading.NotOpen, match="cancelled"):
        uploading.name_files(upload, [Named("a.png", 1)])
    with pytest.raises(uploading.NotOpen, match="cancelled"):
        uploading.take(upload, [])
