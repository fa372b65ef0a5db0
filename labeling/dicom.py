"""DICOM images: the values that a file holds, and how a window of them looks.

Of a data set nothing but the picture is taken: no name, no date, no other text leaves these functions.
"""

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom.pixels import apply_color_lut, apply_rescale, pixel_array

from labeling.decoding import BrokenImage, refuse_pixels

DEFLATED = b"1.2.840.10008.1.2.1.99"  # a whole data set compressed, of any size once unpacked
META = 4_096  # bytes that say how the rest is written

warnings.filterwarnings("ignore", module=r"pydicom\..*")  # of tags that nothing is read from


@dataclass(frozen=True, slots=True)
class Window:
    """Which values are shown, from black to white, and which values there are (Hounsfield units in a CT)."""

    center: float
    width: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        return {"center": self.center, "width": self.width, "low": self.low, "high": self.high}


def open_set(data: bytes) -> pydicom.Dataset:
    """Read a data set, and see that its picture may be decoded. Raises BrokenImage."""
    if DEFLATED in data[:META]:
        raise BrokenImage("The DICOM file is deflated as a whole. Save it in another transfer syntax.")
    found = pydicom.dcmread(io.BytesIO(data), force=True)
    if "PixelData" not in found or not found.get("Rows") or not found.get("Columns"):
        raise BrokenImage("The DICOM file holds no picture.")
    refuse_pixels(found.Columns, found.Rows)
    if "TransferSyntaxUID" not in getattr(found, "file_meta", {}):
        found.file_meta = pydicom.dataset.FileMetaDataset()
        found.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    return found


def values(found: pydicom.Dataset) -> np.ndarray:
    """Return the first frame: real values of one channel, or three channels of 8 bits. Raises BrokenImage."""
    try:
        frame = pixel_array(found, index=0)
    except (NotImplementedError, RuntimeError) as error:
        name = found.file_meta.TransferSyntaxUID.name
        raise BrokenImage(
            f"The DICOM file is compressed in a way that Loupe does not read ({name})."
        ) from error
    if found.PhotometricInterpretation == "PALETTE COLOR":
        return deep_to_bytes(apply_color_lut(frame, found))
    if frame.ndim == 3:
        return deep_to_bytes(frame)
    return np.asarray(apply_rescale(frame, found), np.float32)


def deep_to_bytes(frame: np.ndarray) -> np.ndarray:
    return frame if frame.dtype == np.uint8 else (frame >> 8 * (frame.dtype.itemsize - 1)).astype(np.uint8)


def window_of(found: pydicom.Dataset, real: np.ndarray) -> Window | None:
    """Return the first window that a file asks for, else all of its values; None where it is in color."""
    if real.ndim == 3:
        return None
    low, high = float(real.min()), float(real.max())
    center, width = first(found, "WindowCenter"), first(found, "WindowWidth")
    if center is None or width is None or width < 1:
        center, width = (low + high) / 2, max(high - low, 1.0)
    return Window(center, width, low, high)


def first(found: pydicom.Dataset, name: str) -> float | None:
    """Return the first of the numbers that a tag holds, None where it holds none."""
    held: Any = found.get(name)
    try:
        return float(held[0] if isinstance(held, pydicom.multival.MultiValue) else held)
    except (TypeError, ValueError, IndexError):
        return None


def shown(real: np.ndarray, window: Window | None, *, is_inverted: bool) -> Image.Image:
    """Return how a window of values looks: DICOM's linear function (PS3.3, C.11.2.1.2)."""
    if window is None:
        return Image.fromarray(real, "RGB") if real.shape[-1] == 3 else Image.fromarray(real[..., 0], "L")
    width = max(window.width - 1, 1e-6)
    grey = np.clip((real - (window.center - 0.5)) / width + 0.5, 0, 1) * 255
    grey = np.rint(255 - grey if is_inverted else grey).astype(np.uint8)
    return Image.fromarray(grey, "L")


def render(data: bytes, wanted: Mapping[str, float] | None = None) -> tuple[Image.Image, Window | None]:
    """Decode a DICOM file to an RGB image, shown by its own window or the `wanted` center and width.

    Raises BrokenImage.
    """
    found = open_set(data)
    real = values(found)
    window = window_of(found, real)
    used = window
    if window is not None and wanted is not None:
        used = Window(wanted["center"], wanted["width"], window.low, window.high)
    is_inverted = found.PhotometricInterpretation == "MONOCHROME1"
    return shown(real, used, is_inverted=is_inverted).convert("RGB"), window
