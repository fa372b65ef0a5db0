"""TAR archives: read in place like ZIP, whoever packed them; hostile ones are refused with a sentence."""

import gzip
import io
import lzma
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from labeling import completing, importing, reading, storing, tarballs, uploading
from labeling.models import DataSource, Item
from labeling.uploading import Named
from tests import factories
from tests.labeling.test_uploads import send

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return factories.write_folder(tmp_path / "pictures", 6)


def refused(source: DataSource) -> dict[str, str]:
    return {each["name"]: each["reason"] for each in source.refused}


def packed(path: Path, *members: tuple[tarfile.TarInfo, bytes], **options: object) -> Path:
    with tarfile.open(path, "w", **options) as out:  # type: ignore[call-overload]
        for info, data in members:
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_an_archive_is_read_in_place_with_its_folders(project, manager, folder, tmp_path, form) -> None:
    long = "/".join(
        ["a folder with a rather long name, 서울" if form != tarfile.USTAR_FORMAT else "a" * 40] * 3
    )
    contents = {f"{long}/{path.name}": path.read_bytes() for path in sorted(folder.rglob("*.png"))}
    members = [(tarfile.TarInfo(f"./{name}"), data) for name, data in contents.items()]
    archive = packed(tmp_path / "all.tar", *members, format=form)
    source = importing.add_path(project, archive, manager)
    factories.run_jobs("quick")
    items = {each.path: each for each in source.items.select_related("source")}
    assert {path: storing.read_bytes(each) for path, each in items.items()} == contents
    assert {path: b"".join(storing.parts(each, 5, 50)) for path, each in items.items()} == {
        path: data[5:50] for path, data in contents.items()
    }
    assert reading.summary(source)["broken"] == 0


def test_the_systems_tar_is_understood(project, manager, folder, tmp_path) -> None:
    (folder / "circle" / ("long" * 40 + ".png")).write_bytes(next(folder.rglob("*.png")).read_bytes() + b" ")
    for name, option in (("plain.tar", ""), ("small.tgz", "z"), ("small.tar.xz", "J")):
        subprocess.run(["tar", f"-c{option}f", tmp_path / name, "-C", folder, "."], check=True)
        source = importing.add_path(project, tmp_path / name, manager)
        factories.run_jobs("quick", "long")
        assert (reading.summary(source)["total"], reading.summary(source)["error"]) == (7, ""), name
    assert Item.objects.filter(state="unlabeled").count() == 7


def test_links_devices_and_paths_that_lead_out_are_no_images(project, manager, folder, tmp_path) -> None:
    data = next(folder.rglob("*.png")).read_bytes()
    members = [(tarfile.TarInfo(name), data) for name in ("../../out.png", "/etc/in.png", "a.png", "a.png")]
    for kind, name in (
        (tarfile.SYMTYPE, "link.png"),
        (tarfile.LNKTYPE, "hard.png"),
        (tarfile.CHRTYPE, "dev.png"),
    ):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        members.append((info, b""))
    source = importing.add_tar(project, packed(tmp_path / "x.tar", *members), "x.tar", manager)
    assert refused(source) == {
        "../../out.png": tarballs.OUTSIDE,
        "link.png": tarballs.LINK, "hard.png": tarballs.LINK, "dev.png": tarballs.LINK,
        "a.png": importing.registering.TWICE,
    }  # fmt: skip
    assert sorted(source.items.values_list("path", flat=True)) == ["a.png", "etc/in.png"]


def longest_header(good: bytes) -> bytes:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    return info.tobuf(tarfile.GNU_FORMAT) + good


def endless(good: bytes) -> bytes:
    info = tarfile.TarInfo("a.png")
    info.size = 1 << 50
    return info.tobuf(tarfile.GNU_FORMAT) + good


@pytest.mark.parametrize(
    "damage",
    [longest_header, endless, lambda good: good[:700], lambda good: good[:1024], lambda good: b"x" * 5000],
)
def test_an_archive_that_is_no_whole_one_is_refused(
    project, manager, tmp_path, damage: Callable[[bytes], bytes]
) -> None:
    good = packed(tmp_path / "good.tar", (tarfile.TarInfo("a.png"), b"12")).read_bytes()
    (tmp_path / "bad.tar").write_bytes(damage(good))
    with pytest.raises(importing.ImportRefused, match=r"bad\.tar cannot be taken\. (It is not|One of its)"):
        importing.add_tar(project, tmp_path / "bad.tar", "bad.tar", manager)
    assert not DataSource.objects.exists()


# Made when they are needed: what has the time in it would call a test something else in each process.
@pytest.mark.parametrize(
    ("name", "make", "why"),
    [
        ("bomb.tar.gz", lambda: gzip.compress(bytes(80 << 20), 9), "times its"),
        ("bomb.tar.xz", lambda: lzma.compress(bytes(80 << 20), preset=1), "times its"),
        ("cut.tar.gz", lambda: gzip.compress(b"x" * 9_000)[:-9], "its end is missing"),
        ("no.tar.gz", lambda: gzip.compress(b"x" * 9_000), "not a complete TAR"),
    ],
)
def test_a_compressed_archive_that_cannot_be_taken_is_told_and_leaves_nothing(
    project, manager, tmp_path, settings, name, make, why
) -> None:
    (tmp_path / name).write_bytes(make())
    source = importing.add_path(project, tmp_path / name, manager)
    with pytest.raises(AssertionError, match=why):
        factories.run_jobs("quick", "long")
    assert why in reading.summary(source)["error"]
    assert not [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]


def test_archives_of_an_upload_are_sources_and_damaged_ones_keep_nothing_else_out(
    project, manager, folder, tmp_path
) -> None:
    pictures = sorted(folder.rglob("*.png"))
    members = [(tarfile.TarInfo(each.name), each.read_bytes()) for each in pictures[:3]]
    zipped = gzip.compress(packed(tmp_path / "x.tar", *members).read_bytes())
    upload = uploading.begin(project, manager, every_page=True)[0]
    files = {"day/x.tgz": zipped, "bad.zip": b"PK no more", "more/one.png": pictures[4].read_bytes()}
    send(upload, files)
    uploading.name_files(upload, [Named(path, len(data)) for path, data in files.items()])
    completing.complete(upload, manager)
    factories.run_jobs("quick", "long")
    sources = {each.name: each for each in DataSource.objects.filter(upload=upload)}
    assert set(sources) == {"x.tgz", "Browser upload"}
    assert refused(sources["Browser upload"]) == {"bad.zip": "bad.zip is not a complete ZIP archive."}
    assert Item.objects.filter(state="unlabeled").count() == 4
    assert all(each.every_page for each in sources.values())
    left = {path.name for path in uploading.folder_of(upload).rglob("*") if path.is_file()}
    assert left == {"x.tgz.tar", "one.png"}
