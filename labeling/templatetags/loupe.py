"""Template tags of the interface: tabs, marks, swatches, figures that open what they count, charts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from django import template
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from labeling import announcing, charts, languages, naming, notifications, permissions, prose, telling
from labeling.formats.catalog import FORMATS
from labeling.kinds import ROLES
from labeling.models import LabelClass, Project, User

register = template.Library()

TABS = (
    ("project", _("Dashboard"), "see"),
    ("label", _("Label"), "label"),
    ("data", _("Data"), "review"),
    ("auto-label", _("Auto-label"), "manage"),
    ("models", _("Models"), "review"),
    ("team", _("Team"), "manage"),
    ("exports", _("Export"), "review"),
    ("settings", _("Settings"), "manage"),
)
# Pages without a tab of their own.
INSIDE = {
    "auto-label-summary": "auto-label",
    "auto-label-start": "auto-label",
    "custom-models": "models",
    "custom-model": "models",
    "certificate": "models",
    "export-changes": "exports",
    "run": "models",
    "import": "data",
    "faces": "data",
    "faces-begin": "data",
    "faces-change": "data",
    "face-item": "data",
    "label-imports": "data",
    "label-import": "data",
    "agreement": "team",
    "gold": "team",
    "settings-quality": "settings",
    "review": "data",
    "item-thread": "label",
    "assignments": "team",
    "member-limits": "team",
} | dict.fromkeys(
    (
        "log",
        "webhooks",
        "webhook",
        "class-edit",
        "class-retire",
        "class-merge",
        "class-split",
        "settings-classes",
        "settings-instructions",
        "instructions-preview",
        "instructions-pictures",
        "instructions-template",
    ),
    "settings",
)
MARKS = {
    "person": ("●", "by a person"),
    "confirmed": ("◉", "confirmed proposal"),
    "auto": ("◇", "auto label"),
    "imported": ("⇣", "imported"),
    "rejected": ("✕", "rejected"),
    "needs_review": ("?", "needs review"),
    "left": ("○", "left"),
}

register.simple_tag(charts.share_bar)
register.simple_tag(charts.plain_bar)
register.simple_tag(charts.progress_chart)
register.filter(charts.percent)
register.filter("prose", prose.render)
register.simple_tag(languages.choices, name="own_language_names")


@register.simple_tag(takes_context=True)
def tabs(context: Mapping[str, Any], project: Project) -> list[tuple[str, str, bool]]:
    """Return text and address of the tabs that the visitor's role has, and which one is open."""
    match = context["request"].resolver_match
    here = INSIDE.get(match.url_name, match.url_name) if match else ""
    role = getattr(project, "role", None)
    return [
        (str(text), reverse(name, args=[project.pk]), name == here)
        for name, text, verb in TABS
        if permissions.may(role, verb)
    ]


@register.filter
def may(project: Project, verb: str) -> bool:
    return permissions.may(getattr(project, "role", None), verb)


@register.simple_tag
def unread_notifications(user: User) -> int:
    return notifications.unread(user)


@register.simple_tag
def manages_teams(user: User) -> bool:
    """Tell whether somebody makes teams, or leads one."""
    return permissions.may_create(user) or permissions.led_teams(user).exists()


@register.filter
def kind_title(kind: str) -> str:
    """Return how a kind of announcement is called."""
    known = announcing.kind_of(kind)
    return str(known.title) if known else words(kind)


@register.filter
def role_name(role: str) -> str:
    """Return a role as it stands in a sentence."""
    return str(ROLES[role])


@register.filter
def called(person: User | None, viewer: object) -> str:
    """Return how a person is called before somebody."""
    return naming.called(viewer, person)


@register.simple_tag
def mark(origin: str) -> SafeString:
    """Return the mark of an origin; its name is there for readers aloud."""
    sign, name = MARKS[origin]
    return format_html(
        '<span class="mark mark-{}" title="{}"><span aria-hidden="true">{}</span>'
        '<span class="visually-hidden">{}</span></span>',
        origin, name, sign, name,
    )  # fmt: skip


@register.simple_tag
def modules(*folders: str) -> SafeString:
    """Let the browser fetch all scripts of folders at once, before it has read who imports whom."""
    names = [name for folder in folders for name in scripts(folder)]
    return format_html_join("\n", '<link rel="modulepreload" href="{}">', ((static(name),) for name in names))


@register.simple_tag
def styles(*names: str) -> SafeString:
    """Return links to the style sheets of a page, beside those that every page has."""
    addresses = ((static(f"labeling/{name}.css"),) for name in names)
    return format_html_join("\n", '<link rel="stylesheet" href="{}">', addresses)


@cache
def scripts(folder: str) -> list[str]:
    root = Path(str(finders.find(folder)))
    inner = root.rglob("*.js") if not (root / "main.js").exists() else root.glob("*.js")
    # Types are for editors: no script imports them.
    loaded = sorted(path for path in inner if path.name != "types.js")
    return [f"{folder}/{path.relative_to(root).as_posix()}" for path in loaded]


@register.simple_tag
def swatch(label_class: LabelClass | Mapping[str, Any], digit: str = "") -> SafeString:
    """Return a class's colour, with its digit where there is one; repeated colours get stripes."""
    if isinstance(label_class, LabelClass):
        color, striped = label_class.color, label_class.striped
    else:
        color, striped = label_class["color"], False
    size = 20 if digit else 12
    stripes = (
        format_html(
            '<path d="M0 {0}L{0} 0M0 {1}L{1} 0" stroke="#fff" stroke-opacity=".55" stroke-width="2"/>',
            size,
            size // 2,
        )
        if striped
        else ""
    )
    text = (
        format_html('<text x="10" y="14.5" text-anchor="middle" fill="{}">{}</text>', ink(color), digit)
        if digit
        else ""
    )
    return format_html(
        '<svg class="swatch{}" viewBox="0 0 {} {}" aria-hidden="true">'
        '<rect width="{}" height="{}" fill="{}"/>{}{}</svg>',
        " swatch-digit" if digit else "", size, size, size, size, color, stripes, text,
    )  # fmt: skip


def ink(color: str) -> str:
    """Return black or white, whichever reads on a colour."""
    red, green, blue = ((int(color[at : at + 2], 16) / 255) ** 2.2 for at in (1, 3, 5))
    return "#000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 else "#fff"


@register.simple_tag
def door(project: Project, count: int, query: str) -> SafeString:
    """Return a figure that opens the items it counts, for those who may see them."""
    text = f"{count:,}"
    if not permissions.may(getattr(project, "role", None), "review"):
        return format_html("{}", text)
    return format_html('<a class="door" href="{}?{}">{}</a>', reverse("data", args=[project.pk]), query, text)


@register.filter
def total(counts: Mapping[str, int]) -> int:
    return sum(counts.values())


@register.filter
def most(rows: Sequence[Mapping[str, int]]) -> int:
    """Return the largest count of rows, the length of a full bar."""
    return max((row["count"] for row in rows), default=0)


@register.filter
def at(mapping: Mapping[Any, Any], key: Any) -> Any:
    return mapping.get(key)


@register.filter
def words(value: str) -> str:
    """Turn a stored name into words."""
    return value.replace("_", " ")


@register.filter
def seconds(value: float | None) -> str:
    """Say a duration as people do."""
    if value is None:
        return ""
    if value < 60:
        return f"{value:.1f} s"
    if value < 3600:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    return f"{value // 3600:.0f} h {value % 3600 // 60:.0f} min"


@register.filter
def worked(hours: float) -> str:
    """Say how long people have worked."""
    minutes = round(60 * hours)
    if minutes < 1:
        return "less than a minute"
    return f"{minutes} min" if minutes < 90 else f"{hours:,.1f} h"


@register.filter
def money(amount: float, currency: str) -> str:
    shown = f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"
    return f"{shown} {currency}".strip()


@register.filter
def times(one: float, other: float) -> float:
    return one * other


@register.filter
def points(share: float) -> str:
    """Say a difference of shares, in percentage points with its sign."""
    return f"{100 * share:+.1f} points".replace("-", "−")


@register.simple_tag
def csv_link(project: Project, name: str) -> SafeString:
    """Return the link to a table of the dashboard as a file."""
    return format_html(
        '<a class="small" href="{}" download aria-label="{} as a CSV file">CSV</a>',
        reverse("figures", args=[project.pk, name]),
        name.capitalize(),
    )


@register.filter
def megabytes(value: int) -> str:
    return f"{value / 2**20:,.1f} MB" if value >= 2**20 else f"{value / 1024:,.0f} kB"


@register.filter
def add_text(text: str, value: object) -> str:
    return f"{text}{value}"


KINDS = {
    "manual": ("by hand", "no proposal: people decide"),
    "clustered": ("look-alikes", "groups of images that look alike, one key for all"),
    "prelabeled": ("to confirm", "the model is sure: people confirm"),
    "validation": ("blind check", "drawn at random, answered without a proposal: they measure the model"),
    "audit": ("audit", "labels that are asked again, blind, of somebody who has not seen the image"),
    "gold": ("known answers", "images with known answers, to measure people"),
    "review": ("review", "people disagree or a reviewer is needed"),
}


@register.filter
def kind_name(kind: str) -> str:
    return KINDS[kind][0]


@register.filter
def kind_hint(kind: str) -> str:
    return KINDS[kind][1]


@register.filter
def filter_words(payload: Mapping[str, Any]) -> str:
    """Say in words which labels an export has; jobs from before classes had names there have a filter."""
    return telling.filter_words(payload.get("chosen", payload["filter"])) or "everything"


@register.filter
def export_words(payload: Mapping[str, Any]) -> str:
    """Say what an export's file is: its format, how images and splits are in it."""
    said = [FORMATS[payload["format"]].title]
    said += {"copy": ["with images"], "link": ["with links"]}.get(payload.get("images", ""), [])
    if payload.get("split"):
        said.append("/".join(f"{share:g}" for share in payload["split"]))
    return ", ".join(said)


@register.filter
def class_words(names: Sequence[str] | None) -> str:
    """Say the classes of an image, each with how often it is there where that is more than once."""
    if names is None:
        return "not in it"
    counts = Counter(names)
    return (
        ", ".join(f"{count} × {name}" if count > 1 else name for name, count in counts.items()) or "nothing"
    )


@register.filter
def outlook(forecast: Mapping[str, Any]) -> str:
    """Say how much work is left, and from an hour on also when the recent pace ends it."""
    about = "About " if round(60 * forecast["hours"]) else ""
    left = f"{about}{hours(forecast['hours'])} of labeling left".capitalize()
    if forecast["hours"] < 1:
        return f"{left}."
    return f"{left}; at the recent pace done {say_date(forecast['date'])}."


def hours(value: float) -> str:
    minutes = round(60 * value)
    if minutes < 60:
        return ("less than a minute", "a minute")[minutes] if minutes <= 1 else f"{minutes} minutes"
    shown = f"{value:,.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")
    return "an hour" if shown == "1" else f"{shown} hours"


def say_date(day: date) -> str:
    """Name a day as people do: today, tomorrow, on Thursday, on 3 December."""
    ahead = (day - timezone.localdate()).days
    if ahead <= 0:
        return "today"
    if ahead == 1:
        return "tomorrow"
    if ahead < 7:
        return f"on {day:%A}"
    return f"on {day.day} {day:%B}" if ahead < 300 else f"in {day:%B %Y}"
