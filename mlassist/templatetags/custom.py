"""Template tags of custom models: candidates by letter, what they cost."""

import string

from django import template

from mlassist.custom.recipes import is_followed, is_left_alone
from mlassist.runs import sentence_of

register = template.Library()
register.filter("last_sentence", sentence_of)
register.filter(is_followed)
register.filter(is_left_alone)


@register.filter
def letter(number: int) -> str:
    """Return what an unnamed candidate is called: A is the first."""
    return string.ascii_uppercase[number - 1]


@register.filter
def brief(pace: float) -> str:
    """Write how many images a second, as exactly as one would say it."""
    return f"{pace:,.0f}" if pace >= 10 else f"{pace:.1f}"


@register.filter
def takes(images: int, pace: float) -> float:
    """Return for how many seconds images are looked at."""
    return images / pace
