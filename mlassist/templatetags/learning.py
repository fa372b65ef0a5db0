"""Template tags of what is learned: charts, states of runs, figures in words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling import charts
from labeling.models import Project, User
from mlassist import notices
from mlassist.models import Certificate, Run

register = template.Library()
register.simple_tag(charts.next_run_bar)

STATES = {
    "running": ("", "…"),
    "done": ("badge-good", "✓"),
    "failed": ("badge-bad", "✕"),
    "cancelled": ("", "–"),
    "interrupted": ("", "↻"),
}

Say = Callable[[Any], str]

# Which figures a line shows, in this order; the log has the rest.
FIGURES: dict[str, Say] = {
    "accuracy": lambda value: f"{charts.percent(value)} right on blind labels",
    "validation_n": lambda value: f"{value:,} blind labels",
    "out_of_fold_accuracy": lambda value: f"{charts.percent(value)} right on held-out training labels",
    "head": str,
    "proposals": lambda value: f"{value:,} proposals",
    "auto_labels": lambda value: f"{value:,} auto labels",
    "prelabeled": lambda value: f"{value:,} to confirm",
    "clustered": lambda value: f"{value:,} in groups",
    "images": lambda value: f"{value:,} images",
    "images_per_second": lambda value: f"{value:,} a second",
    "certificate": str,
    "tuned_accuracy": lambda value: f"{charts.percent(value)} right when tuned",
    "frozen_accuracy": lambda value: f"{charts.percent(value)} before",
    "adopted": lambda value: "adopted",
}

# The same for boxes and outlines, where an image can be right in part.
OF_DETECTORS: dict[str, Say] = {name: say for name, say in FIGURES.items() if name != "head"} | {
    "accuracy": lambda value: f"{charts.percent(value)} agreement with people (F1)",
    "validation_n": lambda value: f"{value:,} blind images",
    "out_of_fold_accuracy": lambda value: f"{charts.percent(value)} agreement on images held out",
    "blind": lambda value: f"AP50 {charts.percent(value['ap50'])}",
    "out_of_fold": lambda value: f"AP50 {charts.percent(value['ap50'])} on images held out",
}


@register.simple_tag
def accuracy_chart(points: Sequence[Mapping[str, float]], project: Project) -> SafeString:
    if project.is_classification:
        return charts.accuracy_chart(points, 1 - project.target_error)
    return charts.accuracy_chart(points, 1 - project.target_error, "Agreement with people", "images")


@register.simple_tag
def coverage_chart(
    curve: Sequence[Mapping[str, float]], target_error: float, chosen: float | None
) -> SafeString:
    return charts.coverage_chart(curve, 1 - target_error, chosen or None)


@register.simple_tag
def run_state(state: str) -> SafeString:
    tone, sign = STATES[state]
    return format_html('<span class="badge {}">{} {}</span>', tone, sign, state)


@register.filter
def counts_items(kind: str) -> bool:
    """Tell whether a run's total is a number of images; others count their own steps."""
    return kind in (Run.Kind.FEATURIZATION, Run.Kind.INFERENCE)


@register.filter
def run_seconds(run: Run) -> float:
    return ((run.finished_at or timezone.now()) - run.started_at).total_seconds()


@register.filter
def figures(metrics: Mapping[str, Any], project: Project) -> str:
    """Say a run's or version's figures in a line; where blind labels tell, those held out are left out."""
    told = FIGURES if project.is_classification else OF_DETECTORS
    if metrics.get("blind"):
        told = {name: say for name, say in told.items() if not name.startswith("out_of_fold")}
    return " · ".join(say(metrics[name]) for name, say in told.items() if metrics.get(name))


@register.filter
def pace(embedding: Mapping[str, Any]) -> str:
    """Say how fast images are looked at and for how long still, to follow a count."""
    if embedding["seconds_left"] is None:
        return ""
    speed = embedding["images_per_second"]
    shown = f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}"
    return f" · {shown} a second, {duration(embedding['seconds_left'])} left"


@register.filter
def duration(seconds: float) -> str:
    """Say roughly how long something takes."""
    if seconds < 50:
        return "less than a minute"
    minutes = round(seconds / 60)
    if minutes < 60:
        return "about a minute" if minutes == 1 else f"about {minutes} minutes"
    hours = seconds / 3600
    return "about an hour" if hours < 1.25 else f"about {hours:.1f} hours".replace(".0 ", " ")


@register.filter
def size(megabytes: float) -> str:
    """Say how large files are."""
    number, unit = (megabytes, "MB") if megabytes >= 0.1 else (1000 * megabytes, "kB")
    return f"{number:,.0f} {unit}" if number >= 9.95 else f"{number:.1f} {unit}"


@register.filter
def called(backbone: str, titles: Mapping[str, str]) -> str:
    return titles.get(backbone, backbone)


@register.filter
def hours(count: float) -> str:
    """Say roughly how many hours or minutes."""
    return duration(3600 * count)


@register.filter
def change(backbone: Mapping[str, Any]) -> str:
    """Say how far a change of backbone is."""
    if backbone["problem"]:
        return f"The change to {backbone['title']} has stopped. {sentence(backbone['problem'])}"
    if backbone["done"] >= backbone["total"]:
        return f"{backbone['title']} has seen all images and takes over in a moment."
    seen = f"{backbone['done']:,} of {backbone['total']:,} images{pace(backbone)}"
    return f"{backbone['title']} is being prepared: {seen}. Until then all goes on as it was."


@register.filter
def given_up(embedding: Mapping[str, Any]) -> str:
    """Say how many images could not be looked at, and why."""
    count = embedding["given_up"]
    images = "1 image" if count == 1 else f"{count:,} images"
    return f"{images} could not be looked at. {sentence(embedding['problem'])}"


@register.filter
def unread(project: Project, user: User) -> list[Certificate]:
    """Return the withdrawn certificates that a manager has not read about, with `labels_back`."""
    return notices.unread(project, user)


@register.filter
def complement(share: float) -> float:
    return 1 - share


@register.filter
def sentence(text: str) -> str:
    """End a message that others put together."""
    return text if not text or text.endswith(".") else f"{text}."
