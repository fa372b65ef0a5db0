"""Template tags that draw the regions of an answer over a picture, and count them by class."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import shapely
from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from labeling import images, meanings
from labeling.geometry import points_of
from labeling.models import Item, LabelClass, Region

register = template.Library()
register.filter(meanings.tally)
register.filter("image_address", images.address)
register.filter("thumbnail_address", images.thumbnail_address)

SMALL, LARGE = 320, 800  # pixels on the screen for which an outline needs points


@register.filter
def tally_as_said(regions: Iterable[Region]) -> list[tuple[LabelClass, int]]:
    """Return the classes that were chosen, whatever they count as now."""
    return list(Counter(each.label_class for each in regions).items())


@register.simple_tag
def drawing(regions: Iterable[Region], item: Item, lone: Collection[int] = ()) -> SafeString:
    """Return regions as an SVG to lie over the picture, each with its name for the pointer.

    Those whose ids are `lone` are marked: nobody else has drawn them.
    """
    shaped = [each for each in regions if each.bbox or each.polygon]
    return over(
        item,
        format_html_join(
            "",
            '<path d="{0}" fill="{1}" fill-opacity=".16" fill-rule="evenodd"/>'
            '<path d="{0}" fill="none" stroke="#000" stroke-opacity=".55" stroke-width="3.5"/>'
            '<path d="{0}" fill="transparent" fill-rule="evenodd" stroke="{1}" stroke-width="{3}"{4}>'
            "<title>{2}</title></path>",
            (
                (
                    path(each, size_of(item) / LARGE),
                    each.label_class.now.color,
                    _("%(name)s: only here") % {"name": each.label_class.now.name}
                    if each.pk in lone
                    else each.label_class.now.name,
                    "4" if each.pk in lone else "1.75",
                    SafeString(' stroke-dasharray="8 5"') if each.pk in lone else "",
                )
                for each in shaped
            ),
        ),
    )


@register.simple_tag
def small_drawing(regions: Iterable[Region], item: Item) -> SafeString:
    """Return the outlines of regions for a thumbnail: few points, and one path for each class."""
    paths: dict[str, list[str]] = defaultdict(list)
    for each in regions:
        if each.bbox or each.polygon:
            paths[each.label_class.now.color].append(path(each, size_of(item) / SMALL))
    return over(
        item,
        format_html_join(
            "",
            '<path d="{0}" fill="none" stroke="#000" stroke-opacity=".55" stroke-width="3"/>'
            '<path d="{0}" fill="none" stroke="{1}" stroke-width="1.5"/>',
            (("".join(each), color) for color, each in paths.items()),
        ),
    )


@register.simple_tag
def face_outlines(item: Item) -> SafeString:
    """Return what is hidden in an image as outlines for a thumbnail."""
    outlines = "".join(
        f"M{said(x)} {said(y)}h{said(width)}v{said(height)}h{said(-width)}z"
        for x, y, width, height in (each.bbox for each in item.faces.all())
    )
    return over(
        item,
        format_html(
            '<path d="{0}" stroke="#000" stroke-opacity=".55" stroke-width="3"/>'
            '<path d="{0}" stroke="#ffb000" stroke-width="1.5"/>',
            outlines,
        )
        if outlines
        else SafeString(),
    )


@register.filter
def plain(number: float) -> str:
    """Return a coordinate as SVG reads it, whatever the language."""
    return said(number)


def over(item: Item, content: SafeString) -> SafeString:
    if not content:
        return SafeString()
    return format_html(
        '<svg class="drawing" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>',
        item.width,
        item.height,
        content,
    )


def size_of(item: Item) -> int:
    return max(item.width or 1, item.height or 1)


def path(region: Region, tolerance: float) -> str:
    """Return a region's outline in the language of SVG paths; the parts of a polygon one after the other."""
    if region.bbox:
        x, y, width, height = region.bbox
        return f"M{said(x)} {said(y)}h{said(width)}v{said(height)}h{said(-width)}z"
    return "".join(ring(part, tolerance) for part in region.polygon or ())


def ring(part: Sequence[float], tolerance: float) -> str:
    points = points_of(part)
    few = shapely.get_coordinates(shapely.LinearRing(points).simplify(tolerance))[:-1]
    kept = few if len(few) >= 3 else points
    return "M" + " ".join(said(number) for number in np.ravel(kept)) + "z"


def said(number: float) -> str:
    return f"{round(float(number), 1):g}" if abs(number) < 1e5 else f"{number:.0f}"
