"""Template tags of detectors: what they found over a picture, and how sure they are as others are found."""

from collections.abc import Sequence
from typing import Any

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from labeling import charts
from labeling.models import Item
from labeling.templatetags import drawing
from mlassist.models import Certificate
from mlassist.reports import Proposed, by_class

register = template.Library()
register.filter(by_class)

STRATA = {"objects": "images with objects", "empty": "images on which nothing is found"}
MOST_WRITTEN = 15  # regions of a picture: with more, confidences would cover what they speak of
MOST_LISTED = 4
WRITTEN = 18  # times the height of what is written into a picture, its longer side is


@register.simple_tag
def precision_chart(curve: Sequence[tuple[float, float]], ap50: float) -> SafeString:
    return charts.precision_chart(curve, f"AP50 {charts.percent(ap50)}")


@register.filter
def score(confidence: float) -> str:
    """Write a confidence as proposals do: never more certain than it is."""
    return f"{min(confidence, 0.99):.2f}".removeprefix("0")


@register.filter
def scores(confidences: Sequence[float]) -> str:
    """Write how sure a detector is of a class's regions: of each, or from the most to the least."""
    if len(confidences) <= MOST_LISTED:
        return " ".join(score(each) for each in confidences)
    return f"× {len(confidences)}, {score(max(confidences))} to {score(min(confidences))}"


@register.simple_tag
def proposed_drawing(found: Sequence[Proposed], item: Item, lines: int = WRITTEN) -> SafeString:
    """Return what was found as an SVG to lie over the picture: dashed, each with its confidence.

    As many `lines` would fit on the picture's longer side as its confidences are written.
    """
    size = drawing.size_of(item)
    height = size / lines
    written = len(found) <= MOST_WRITTEN
    rows = []
    for each in found:
        left, top = corner(each)
        rows.append(
            (
                drawing.path(each.region, size / drawing.LARGE),
                each.region.label_class.color,
                f"{each.region.label_class.name} {score(each.confidence)}",
                round(max(0.0, left) + height / 4, 1),
                round(max(0.0, top) + height, 1),
                round(height, 1),
                score(each.confidence),
            )
        )
    return drawing.over(
        item,
        format_html_join(
            "",
            '<path d="{0}" fill="none" stroke="#000" stroke-opacity=".55" stroke-width="3.5"'
            ' stroke-dasharray="6 5"/>'
            '<path d="{0}" fill="transparent" fill-rule="evenodd" stroke="{1}" stroke-width="2"'
            ' stroke-dasharray="6 5"><title>{2}</title></path>',
            (row[:3] for row in rows),
        )
        + format_html_join(
            "", '<text x="{}" y="{}" font-size="{}">{}</text>', (row[3:] for row in rows if written)
        ),
    )


@register.filter
def strata(certificate: Certificate) -> list[dict[str, Any]]:
    """Return the kinds of images that were tested by themselves: {name, passed, threshold} and the figures.

    The figures are those of the largest part that passed, else of the one that failed; none without a test.
    """
    tested = certificate.evidence.get("strata") or {}
    thresholds = certificate.evidence.get("thresholds") or {}
    rows = []
    for name in STRATA if len(tested) > 1 else ():
        steps = tested.get(name, [])
        passed = [each for each in steps if each["passed"]]
        last = (passed or steps or [{}])[-1]
        threshold = thresholds.get(name)
        rows.append({**last, "name": STRATA[name], "passed": threshold is not None, "threshold": threshold})
    return rows


def corner(proposed: Proposed) -> tuple[float, float]:
    """Return the upper left corner of a region."""
    region = proposed.region
    if region.bbox:
        return float(region.bbox[0]), float(region.bbox[1])
    parts = region.polygon or [[0.0, 0.0]]
    return min(min(part[::2]) for part in parts), min(min(part[1::2]) for part in parts)
