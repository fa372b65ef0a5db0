"""What a mask covers, as the polygon that is stored. Needs OpenCV."""

import cv2
import numpy as np

TOLERANCE = 1.0  # pixels that an outline may be off
LEAST_PART = 4.0  # square pixels: smaller specks are no part of the object


def polygon(mask: np.ndarray) -> list[list[float]]:
    """Return the outline of a mask (height, width); parts within another are holes."""
    height, width = mask.shape
    # Twice the pixels and an edge of nothing, so that outlines run between pixels.
    fine = np.pad(mask.astype(np.uint8).repeat(2, 0).repeat(2, 1), 1)
    contours, _ = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    parts = []
    for contour in contours:
        smooth = cv2.approxPolyDP(contour, 2 * TOLERANCE, closed=True)
        if len(smooth) < 3 or cv2.contourArea(smooth) < 4 * LEAST_PART:
            continue
        points = ((smooth.reshape(-1, 2) - 0.5) / 2).clip(0, (width, height))
        parts.append([round(float(value), 2) for value in points.ravel()])
    return parts
