"""What the tests of the canvas's pure modules draw, and how they ask the browser about many cases at once."""

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

WIDTH, HEIGHT = 120.0, 80.0

batches = settings(
    max_examples=12,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def each(engine: Page, expression: str, cases: Sequence[Any]) -> list[Any]:
    """Return what a function gives for each case."""
    return engine.evaluate(f"cases => cases.map({expression})", list(cases))


def many(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, min_size=5, max_size=30)


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    """Draw whole numbers too: shapes that touch and lines that coincide come from them."""
    return st.one_of(st.integers(int(low), int(high)), st.floats(low, high, width=32))


def points(low: float = -40, high: float = 160) -> st.SearchStrategy[tuple[float, float]]:
    return st.tuples(numbers(low, high), numbers(low, high))


inside = st.tuples(numbers(0, WIDTH), numbers(0, HEIGHT))
boxes = st.builds(
    lambda a, b: [min(a[0], b[0]), min(a[1], b[1]), abs(a[0] - b[0]), abs(a[1] - b[1])], inside, inside
)
