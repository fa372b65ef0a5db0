"""How right candidates are on labels held out, and whether one is right more often than another. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

FEWEST = 10  # held-out labels from which a share says anything
INTERVAL = 0.05
SURE = 1.96  # standard errors: by chance, one difference in twenty is larger

Right = Mapping[str, float]  # 0 to 1, by item


def figures(right: Right) -> dict[str, float | int]:
    """Return n, and from `FEWEST` on the share that is right with its 95 % interval."""
    # Here: SciPy has no place in the web process.
    from mlassist.certificates import bounds

    n = len(right)
    if n < FEWEST:
        return {"n": n}
    share = sum(right.values()) / n
    if all(each in (0.0, 1.0) for each in right.values()):
        errors = round(n * (1 - share))
        low = 1 - bounds.upper_bound(errors, n, INTERVAL / 2)
        high = 1 - bounds.lower_bound(errors, n, INTERVAL / 2)
    else:
        margin = SURE * deviation(list(right.values())) / math.sqrt(n)
        low, high = max(0.0, share - margin), min(1.0, share + margin)
    return {"n": n, "right": round(share, 4), "low": round(low, 4), "high": round(high, 4)}


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much one candidate is right more often than another on the labels that both have not seen."""

    n: int
    gain: float
    error: float

    @property
    def is_clear(self) -> bool:
        """Tell whether so large a difference is hardly chance."""
        return self.n >= FEWEST and abs(self.gain) > SURE * self.error


def difference(one: Right, other: Right) -> Difference:
    """Compare label by label, so that hard images count for both."""
    shared = sorted(one.keys() & other.keys())
    if len(shared) < 2:
        return Difference(len(shared), 0.0, math.inf)
    apart = [one[each] - other[each] for each in shared]
    return Difference(len(apart), sum(apart) / len(apart), deviation(apart) / math.sqrt(len(apart)))


def deviation(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((each - mean) ** 2 for each in values) / max(1, len(values) - 1))
