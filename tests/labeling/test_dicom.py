"""DICOM: what is shown of a real scan, how its window is changed, and that nothing personal is kept."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from django.db import connection
from django.urls import reverse
from PIL import Image
from pydicom.data import get_testdata_file

from clustering import embeddings
from labeling import answers, decoding, dicom, images, importing, queue
from labeling.api import shapes
from labeling.models import Item
from tests import factories


@pytest.fixture
def scan() -> pydicom.Dataset:
    """Return a CT of 128 x 128 pixels, in Hounsfield units less 1,024."""
    return pydicom.dcmread(get_testdata_file("CT_small.dcm"))


def saved(found: pydicom.Dataset) -> bytes:
    out = io.BytesIO()
    found.save_as(out, enforce_file_format=False)
    return out.getvalue()


def grey(data: bytes, **window: float) -> np.ndarray:
    return np.asarray(decoding.look(data, window=window or None).image)[..., 0].astype(int)


def test_values_are_scaled_and_the_file_s_own_window_is_shown(scan) -> None:
    scan.WindowCenter, scan.WindowWidth = [40, 300], [400, 1500]
    found = decoding.look(saved(scan))
    assert (found.format, found.image.size, found.shows_in_browsers) == ("DICOM", (128, 128), False)
    real = scan.pixel_array.astype(float) * scan.RescaleSlope + scan.RescaleIntercept
    assert found.window == dicom.Window(40, 400, real.min(), real.max())
    shown = np.asarray(found.image)[..., 0]
    assert (shown[real <= 40.5 - 200] == 0).all()
    assert (shown[real > 40.5 + 199] == 255).all()
    assert abs(int(shown[real == 40][0]) - 127) <= 1


def test_without_a_window_all_values_are_shown(scan) -> None:
    for name in ("WindowCenter", "WindowWidth"):
        if name in scan:
            delattr(scan, name)
    shown = grey(saved(scan))
    assert (shown.min(), shown.max()) == (0, 255)


def test_monochrome1_is_turned_over(scan) -> None:
    data = saved(scan)
    scan.PhotometricInterpretation = "MONOCHROME1"
    assert abs(grey(saved(scan)) - (255 - grey(data))).max() <= 1  # halves are rounded


def test_colors_are_shown_as_they_are(scan) -> None:
    scan.SamplesPerPixel, scan.PhotometricInterpretation, scan.PlanarConfiguration = 3, "RGB", 0
    scan.BitsAllocated, scan.BitsStored, scan.HighBit, scan.PixelRepresentation = 8, 8, 7, 0
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[...] = (10, 200, 30)
    scan.PixelData = pixels.tobytes()
    found = decoding.look(saved(scan))
    assert (found.image.getpixel((5, 5)), found.window) == ((10, 200, 30), None)


def test_a_compressed_scan_is_read_and_one_that_cannot_be_says_so(scan) -> None:
    assert decoding.look(Path(get_testdata_file("MR_small_RLE.dcm")).read_bytes()).format == "DICOM"
    scan.compress(pydicom.uid.RLELossless)
    scan.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
    with pytest.raises(decoding.BrokenImage, match="does not read"):
        decoding.decode(saved(scan))


def test_hostile_files_give_a_sentence(scan) -> None:
    whole = saved(scan)
    scan.Rows = scan.Columns = 60_000
    huge = saved(scan)
    bare = pydicom.dcmread(io.BytesIO(whole))
    del bare.PixelData
    deflated = whole[:200] + b"1.2.840.10008.1.2.1.99" + whole[222:]
    for data in (huge, saved(bare), deflated, whole[:-20_000], whole[:200], b"\x08\x00" + b"\xff" * 400):
        with pytest.raises(decoding.BrokenImage) as caught:
            decoding.decode(data)
        assert str(caught.value).endswith(".")


@pytest.fixture
def scanned(project, manager, scan, tmp_path) -> Item:
    """Return a scan that was imported into the project, beside a picture."""
    folder = factories.write_folder(tmp_path / "in", 1)
    scan.PatientName, scan.PatientID = "Unmistakable^Name", "UNMISTAKABLE-ID"
    (folder / "scan.dcm").write_bytes(saved(scan))
    importing.add_folder(project, folder, manager)
    factories.run_jobs("quick")
    return Item.objects.select_related("source", "project").get(format="DICOM")


@pytest.mark.django_db
def test_a_labeler_chooses_the_window_and_gets_another_picture(project, scanned, labeler, client) -> None:
    page = queue.claim(project, labeler, 9) or queue.claim(project, labeler, 9)
    queue.claim(project, labeler, 9)
    told = [shapes.page_item(scanned, "", None)["window"]]
    assert page
    assert set(told[0]) == {"center", "width", "low", "high"}
    client.force_login(labeler)
    url = reverse("image", args=[scanned.pk])
    own = client.get(url)
    other = client.get(url, {"center": 40, "width": 80})
    assert own.headers["Content-Type"] == other.headers["Content-Type"] == "image/png"
    seen = np.asarray(Image.open(io.BytesIO(other.content)))[..., 0].astype(int)
    path = Path(scanned.source.location, scanned.path)
    assert (seen == grey(path.read_bytes(), center=40, width=80)).all()
    assert client.get(url, {"center": 40, "width": "-1"}).status_code == 400


@pytest.mark.django_db
def test_nothing_personal_is_kept(scanned, settings, project) -> None:
    kept = [path.read_bytes() for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(row_to_json(i)::text, '') FROM labeling_item i")
        kept.append(cursor.fetchone()[0].encode())
    assert kept
    assert not [data for data in kept if b"nmistakable" in data or b"UNMISTAKABLE" in data]
    assert images.viewable(scanned).media_type == "image/png"


@pytest.mark.django_db
def test_models_look_at_scans_only_where_a_manager_says_so(scanned, project) -> None:
    project.validation_rate = 0
    assert scanned.pk not in embeddings.missing(project)
    assert scanned.pk not in answers.unlabeled(project)
    assert embeddings.count_missing(project) == 1
    project.assists_dicom = True
    assert scanned.pk in embeddings.missing(project)
    assert scanned.pk in answers.ready(project)
    assert embeddings.count_missing(project) == 2
