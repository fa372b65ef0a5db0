"""Which predictions are worth looking at beside the truth: the best and the worst ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np

SHOWN = 6  # of each


def examples(
    items: Sequence[int], losses: Sequence[float], regions: Sequence[list[dict[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    """Return the best and the worst as {item, loss, regions}; of equals, those with most regions first."""
    order = np.lexsort((np.array([-len(each) for each in regions]), np.round(losses, 4)))
    count = min(SHOWN, len(order) // 2) or len(order)
    made = [{"item": items[at], "loss": round(float(losses[at]), 4), "regions": regions[at]} for at in order]
    return {"best": made[:count], "worst": made[len(order) - count :][::-1] if len(order) > count else []}
