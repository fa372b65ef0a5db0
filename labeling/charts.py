"""Charts as SVG: thin lines, labelled at their ends, colours by class of the stylesheet.

Every chart has role="img" and a title; the pages put the same figures into a table beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

ORIGINS = {
    "person": gettext_lazy("by people"),
    "confirmed": gettext_lazy("confirmed"),
    "auto": gettext_lazy("auto"),
    "imported": gettext_lazy("imported"),
}

WIDTH, HEIGHT = 640.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 116.0, 12.0, 28.0
APART = 20.0  # between two names at the lines' ends: on narrow screens charts.css writes them so large


@dataclass(frozen=True, slots=True)
class Frame:
    """Maps data to the drawing; y grows upwards."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    left: float = LEFT

    def x(self, value: float) -> float:
        span = self.x_high - self.x_low or 1.0
        return self.left + (value - self.x_low) / span * (WIDTH - self.left - RIGHT)

    def y(self, value: float) -> float:
        span = self.y_high - self.y_low or 1.0
        return HEIGHT - BOTTOM - (value - self.y_low) / span * (HEIGHT - TOP - BOTTOM)


def percent(value: float) -> str:
    """Format a share without claiming certainty: only exactly everything is 100 %."""
    shown = min(100 * value, 99.9) if value < 1 else 100.0
    return f"{shown:.1f}".removesuffix(".0") + " %"


def counted(number: int) -> str:
    """Write a count as the reader's language groups its digits."""
    return number_format(number, force_grouping=True)


def share_bar(counts: Mapping[str, int], total: int) -> SafeString:
    """Return a bar of labels by origin; what is left stays empty."""
    spoken = ", ".join(
        f"{counted(counts[origin])} {ORIGINS[origin]}" for origin in ORIGINS if counts.get(origin)
    )
    left = max(0, total - sum(counts.values()))
    parts = []
    at = 0.0
    for origin in ORIGINS:
        width = 1000 * counts.get(origin, 0) / total if total else 0
        if width:
            parts.append((round(at, 2), round(width, 2), origin))
        at += width
    return format_html(
        '<svg class="bar" role="img" viewBox="0 0 1000 10" preserveAspectRatio="none"><title>{}</title>'
        '<rect class="by-nobody" width="1000" height="10"/>{}</svg>',
        _("%(labeled)s, %(left)s left")
        % {"labeled": spoken or _("Nothing labeled yet"), "left": counted(left)},
        format_html_join("", '<rect x="{}" width="{}" height="10" class="by-{}"/>', parts),
    )


def plain_bar(value: float, most: float, fill: str = "") -> SafeString:
    """Return a bar for a table's row; the number stands beside it, so readers aloud pass over it."""
    width = 1000 * value / most if most else 0
    return format_html(
        '<svg class="bar" aria-hidden="true" viewBox="0 0 1000 8" preserveAspectRatio="none">'
        '<rect {} width="{}" height="8"/></svg>',
        format_html('fill="{}"', fill) if fill else mark_safe('class="bar-fill"'),
        round(max(width, 4.0 if value else 0.0), 2),
    )


def next_run_bar(have: int, need: int) -> SafeString:
    width = 1000 * min(1.0, have / need) if need else 0
    return format_html(
        '<svg class="bar" role="img" viewBox="0 0 1000 10" preserveAspectRatio="none"><title>{}</title>'
        '<rect class="by-nobody" width="1000" height="10"/>'
        '<rect class="bar-accent" width="{}" height="10"/></svg>',
        f"{have:,} of {need:,} new labels until the next run",
        round(width, 2),
    )


def progress_chart(series: Sequence[Mapping[str, Any]], total: int) -> SafeString:
    """Return labels by origin over time, stacked, each area named at its end."""
    frame = Frame(0, max(1, len(series) - 1), 0, max(total, 1), left=0)
    floor = [0.0] * len(series)
    areas, names = [], []
    for origin, name in ORIGINS.items():
        roof = [low + point[origin] for low, point in zip(floor, series, strict=True)]
        if roof[-1] > floor[-1]:
            top = [(frame.x(i), frame.y(value)) for i, value in enumerate(roof)]
            bottom = [(frame.x(i), frame.y(value)) for i, value in enumerate(floor)]
            areas.append((origin, polygon([*top, *reversed(bottom)]), polygon(top)))
            names.append((frame.y((roof[-1] + floor[-1]) / 2) + 4, f"{name} {roof[-1] - floor[-1]:,.0f}"))
        floor = roof
    names.append((TOP + 4, f"all {total:,}"))
    return chart(
        f"Labels over time: {', '.join(text for _, text in names)}",
        goal_line(TOP, 0)
        + format_html_join(
            "",
            '<polygon class="area by-{0}" points="{1}"/><polyline class="edge edge-{0}" points="{2}"/>',
            areas,
        )
        + end_labels(names)
        + baseline(moment(series[0]["at"], series[-1]["at"]), "now", 0),
    )


def accuracy_chart(
    points: Sequence[Mapping[str, float]], goal: float, what: str = "Accuracy", unit: str = "labels"
) -> SafeString:
    """Return a model's accuracy over labels, with its interval and the goal.

    Of models from the same labels only the last one counts; nothing is drawn of a single one.
    """
    points = list({each["labels"]: each for each in points}.values())
    if len(points) < 2:
        return SafeString("")
    known = [each for each in points if each["high"] - each["low"] < 1]  # blind labels gave an interval
    lows = [each["accuracy"] for each in points] + [each["low"] for each in known]
    low = max(0.0, min([goal, *lows]) - 0.05)
    frame = Frame(min(each["labels"] for each in points), max(each["labels"] for each in points), low, 1.0)
    line = [(frame.x(each["labels"]), frame.y(each["accuracy"])) for each in points]
    band = [(frame.x(each["labels"]), frame.y(each["high"])) for each in known]
    band += [(frame.x(each["labels"]), frame.y(each["low"])) for each in reversed(known)]
    last = points[-1]
    labels = [(line[-1][1] + 4, percent(last["accuracy"])), (frame.y(goal) + 4, f"goal {percent(goal)}")]
    return chart(
        f"{what} over {unit}: {percent(last['accuracy'])} with {last['labels']:,} {unit}",
        format_html('<polygon class="band" points="{}"/>', polygon(band))
        + goal_line(frame.y(goal))
        + format_html('<polyline class="line" points="{}"/>', polygon(line))
        + format_html_join(
            "", '<circle class="dot" cx="{}" cy="{}" r="2.5"/>', [rounded(each) for each in line]
        )
        + end_labels(labels, strong=0)
        + scale(frame, (low, 1.0))
        + baseline(f"{points[0]['labels']:,} {unit}", f"{last['labels']:,} {unit}"),
    )


def coverage_chart(curve: Sequence[Mapping[str, float]], goal: float, chosen: float | None) -> SafeString:
    """Return precision against coverage with its lower bound, and the chosen point."""
    lows = [each["low"] for each in curve]
    low = max(0.0, min([goal, *lows]) - 0.03)
    frame = Frame(0, 1, low, 1.0)
    line = [(frame.x(each["coverage"]), frame.y(each["precision"])) for each in curve]
    bound = [(frame.x(each["coverage"]), frame.y(each["low"])) for each in curve]
    inside = format_html('<polygon class="band" points="{}"/>', polygon([*line, *reversed(bound)]))
    inside += goal_line(frame.y(goal))
    inside += format_html('<polyline class="line" points="{}"/>', polygon(line))
    if chosen is not None:
        nearest = min(curve, key=lambda each: abs(each["coverage"] - chosen))
        at = rounded((frame.x(chosen), frame.y(nearest["precision"])))
        inside += format_html(
            '<line class="goal" x1="{}" x2="{}" y1="{}" y2="{}"/>'
            '<circle class="chosen" cx="{}" cy="{}" r="5"/>',
            at[0], at[0], at[1], HEIGHT - BOTTOM, *at,
        )  # fmt: skip
    end = line[-1][0] + 8
    labels = [
        (frame.y(goal) + 4, f"goal {percent(goal)}"),
        (line[-1][1] + 4, "measured", end),
        (bound[-1][1] + 4, "certain", end),
    ]
    return chart(
        "Share of right proposals against the share of images that get one, with the bound that is certain",
        inside + end_labels(labels) + scale(frame, (low, 1.0)) + baseline("0 % of images", "100 %"),
    )


def precision_chart(curve: Sequence[tuple[float, float]], name: str) -> SafeString:
    """Return precision over the share of drawn objects that are found, named where the line ends.

    `curve` has (recall, precision); beyond its last point above 0 nothing is found.
    """
    points = [(recall, precision) for recall, precision in curve if precision > 0]
    if not points:
        return SafeString("")
    frame = Frame(0, 1, 0, 1)
    line = [(frame.x(recall), frame.y(precision)) for recall, precision in points]
    last = rounded(line[-1])
    return chart(
        f"Share of what is shown that is right, against the share of what people drew that is found: {name}",
        goal_line(frame.y(1.0))
        + format_html('<polyline class="line" points="{}"/>', polygon(line))
        + format_html('<circle class="dot" cx="{}" cy="{}" r="2.5"/>', *last)
        + end_labels([(last[1] + 4, name, last[0] + 8)], strong=0)
        + scale(frame, (0.0, 1.0))
        + baseline("0 % found", "100 %"),
    )


def moment(start: datetime, end: datetime) -> str:
    """Say when a chart begins: the hour today, else the day."""
    return f"{start:%H:%M}" if start.date() == end.date() else f"{start.day} {start:%b}"


def chart(title: str, inside: SafeString) -> SafeString:
    return format_html(
        '<svg class="chart" role="img" viewBox="0 0 {} {}"><title>{}</title>{}</svg>',
        WIDTH,
        HEIGHT,
        title,
        inside,
    )


def goal_line(y: float, left: float = LEFT) -> SafeString:
    return format_html(
        '<line class="goal" x1="{}" x2="{}" y1="{}" y2="{}"/>', left, WIDTH - RIGHT, round(y, 1), round(y, 1)
    )


def baseline(start: str, end: str, left: float = LEFT) -> SafeString:
    """Return the x axis with what stands at its ends."""
    y = HEIGHT - BOTTOM
    return format_html(
        '<line class="axis" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/><text x="{0}" y="{3}">{4}</text>'
        '<text x="{1}" y="{3}" text-anchor="end">{5}</text>',
        left, WIDTH - RIGHT, y, y + 18, start, end,
    )  # fmt: skip


def scale(frame: Frame, ends: tuple[float, float]) -> SafeString:
    rows = [(LEFT - 6, round(frame.y(value) + 4, 1), f"{100 * value:.0f} %") for value in ends]
    return format_html_join("", '<text x="{}" y="{}" text-anchor="end">{}</text>', rows)


def end_labels(labels: Sequence[tuple[Any, ...]], strong: int = -1) -> SafeString:
    """Write names (height, text, perhaps x) at the lines' ends, moved apart until none covers another."""
    order = sorted(range(len(labels)), key=lambda index: labels[index][0])
    heights = [labels[index][0] for index in order]
    for before, after in pairwise(range(len(heights))):
        heights[after] = max(heights[after], heights[before] + APART)
    overflow = max(0.0, heights[-1] - (HEIGHT - BOTTOM))
    rows = []
    for index, height in zip(order, heights, strict=True):
        text, x = labels[index][1], (*labels[index], WIDTH - RIGHT + 8)[2]
        rows.append((round(x, 1), round(height - overflow, 1), "strong" if index == strong else "", text))
    return format_html_join("", '<text x="{}" y="{}" class="{}">{}</text>', rows)


def polygon(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def rounded(point: tuple[float, float]) -> tuple[float, float]:
    return round(point[0], 1), round(point[1], 1)
