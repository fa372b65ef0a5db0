"""Reading images: upright, in every mode, with a sentence for each thing that can be wrong."""

import contextlib
import io
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.data import get_testdata_file

from labeling import decoding


def encode(image: Image.Image, file_format: str, **save) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **save)
    return buffer.getvalue()


def test_exif_orientation_is_applied_once() -> None:
    picture = Image.new("RGB", (40, 20), "red")
    picture.paste("blue", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[decoding.ORIENTATION] = 6  # the camera was turned: shown upright it is 20 wide, 40 high
    upright = decoding.decode(encode(picture, "JPEG", exif=exif, quality=95))
    assert upright.size == (20, 40)
    assert upright.getpixel((10, 5))[2] > 200
    assert upright.getexif().get(decoding.ORIENTATION, 1) == 1


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [
        ("L", "PNG"),
        ("P", "PNG"),
        ("RGBA", "PNG"),
        ("I;16", "PNG"),
        ("CMYK", "JPEG"),
        ("1", "TIFF"),
        ("RGB", "BMP"),
        ("RGB", "WEBP"),
        ("RGBA", "WEBP"),
        ("P", "GIF"),
        ("RGB", "HEIF"),
        ("F", "TIFF"),
    ],
)
def test_every_mode_becomes_rgb(mode: str, file_format: str) -> None:
    data = encode(Image.new(mode, (9, 7)), file_format)
    decoded = decoding.decode(data)
    assert (decoded.mode, decoded.size) == ("RGB", (9, 7))


def test_sixteen_bit_grey_keeps_its_range() -> None:
    deep = Image.new("I;16", (2, 1))
    deep.putpixel((0, 0), 65535)
    deep.putpixel((1, 0), 32768)
    shallow = decoding.decode(encode(deep, "PNG"))
    assert shallow.getpixel((0, 0))[0] == 255
    assert abs(shallow.getpixel((1, 0))[0] - 128) <= 1


def test_grey_of_a_camera_with_fewer_bits_is_not_black() -> None:
    deep = Image.new("I;16", (2, 1))
    deep.putpixel((0, 0), 1023)
    deep.putpixel((1, 0), 512)
    shallow = decoding.decode(encode(deep, "PNG"))
    assert shallow.getpixel((0, 0))[0] == 255
    assert abs(shallow.getpixel((1, 0))[0] - 128) <= 1


def test_a_palette_keeps_its_colors_and_what_is_transparent_is_white() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50] + [0] * 762)
    picture.putdata([0, 1])
    shown = decoding.decode(encode(picture, "PNG", transparency=1))
    assert [shown.getpixel((x, 0)) for x in (0, 1)] == [(10, 20, 30), (255, 255, 255)]


def test_of_what_moves_the_first_frame_is_the_image() -> None:
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "blue", "lime")]
    for kind in ("GIF", "WEBP"):
        moving = encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
        found = decoding.look(moving)
        assert (found.image.size, found.shows_in_browsers, found.pages) == ((8, 6), False, 1)
        assert found.image.getpixel((3, 3))[0] > 200


def test_pages_of_a_tiff_are_counted_and_each_can_be_had() -> None:
    pages = [Image.new("RGB", (8 + number, 6), color) for number, color in enumerate(("red", "blue"))]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert decoding.look(data).pages == 2
    assert [decoding.decode(data, page=page).size for page in (0, 1)] == [(8, 6), (9, 6)]


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    size = 20_000
    header = size.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(decoding.BrokenImage, match="pixels"):
        decoding.decode(bomb)


@pytest.mark.parametrize(
    "data",
    [b"", b"not an image", b"\x89PNG\r\n\x1a\n", encode(Image.new("RGB", (64, 64), "red"), "JPEG")[:-200]],
    ids=["empty", "text", "header only", "cut short"],
)
def test_damaged_bytes_give_a_sentence(data: bytes) -> None:
    with pytest.raises(decoding.BrokenImage) as caught:
        decoding.decode(data)
    assert str(caught.value).endswith(".")


def test_a_file_that_is_too_large_is_refused_by_its_size() -> None:
    with pytest.raises(decoding.BrokenImage, match="200 MB"):
        decoding.refuse_size(200 * 2**20)


def test_formats_that_are_not_on_the_list_are_refused_whatever_their_name() -> None:
    with pytest.raises(decoding.BrokenImage, match="not a JPEG"):
        decoding.decode(encode(Image.new("RGB", (8, 8)), "PPM"))


def samples() -> list[bytes]:
    """Encode one picture in many ways, each with an EXIF block where the format has one."""
    picture = Image.effect_noise((24, 18), 60)
    exif = Image.Exif()
    exif[decoding.ORIENTATION] = 6
    exif[0x010F] = "a maker"
    return [
        encode(picture.convert("RGB"), "JPEG", exif=exif),
        encode(picture.convert("CMYK"), "JPEG", progressive=True),
        encode(picture.convert("RGBA"), "PNG", exif=exif),
        encode(picture.convert("P"), "PNG", transparency=3),
        encode(picture.convert("RGB"), "HEIF"),
        encode(picture.convert("RGB"), "WEBP", exif=exif),
        encode(picture.convert("P"), "GIF"),
        Path(get_testdata_file("MR_small.dcm")).read_bytes(),
        encode(picture.convert("I;16"), "PNG"),
        encode(picture.convert("RGB"), "BMP"),
        encode(picture.convert("P"), "BMP"),
        encode(picture, "TIFF", exif=exif),
        encode(picture.convert("RGB"), "TIFF", compression="tiff_lzw"),
        encode(picture.convert("RGB"), "TIFF", compression="tiff_adobe_deflate"),
        encode(picture.convert("1"), "TIFF", compression="group4"),
    ]


SAMPLES = samples()


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what it puts up with
@settings(max_examples=600)
@given(
    sample=st.sampled_from(SAMPLES),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.floats(0.2, 1) | st.just(1.0),
    near_the_start=st.booleans(),
)
def test_any_bytes_give_rgb_or_a_sentence(sample, changes, cut, near_the_start) -> None:
    data = bytearray(sample)
    reach = min(len(data), 160) if near_the_start else len(data)
    for place, byte in changes:
        data[int(place * reach)] = byte
    data = data[: int(len(data) * cut)]
    with contextlib.suppress(decoding.BrokenImage):
        image = decoding.decode(bytes(data))
        assert image.mode == "RGB"
        assert min(image.size) > 0
