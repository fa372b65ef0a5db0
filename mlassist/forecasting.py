"""When people will be done, with what the next certificate may take off them, and what more labels bring.

Plain numbers: the web process reads this.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

FEWEST_LABELS = 20  # of late, for a pace
SURE = 1.96  # standard errors, for 95 %
FEWEST_MODELS = 3
VAGUE = 0.1  # width of the interval of the newest accuracy, from which on no trend can be told
FLAT = 0.005  # expected gain in accuracy of the next model, below which more labels hardly help


@dataclass(frozen=True, slots=True)
class Pace:
    """Labels that people gave within a day: how many, and the seconds that each took."""

    labels: int
    seconds: float
    deviation: float

    @property
    def is_known(self) -> bool:
        return self.labels >= FEWEST_LABELS and self.seconds > 0

    def seconds_between(self) -> tuple[float, float]:
        """Return the 95 % interval of the mean seconds of a label."""
        margin = SURE * self.deviation / math.sqrt(self.labels)
        return max(self.seconds - margin, 0.1 * self.seconds), self.seconds + margin

    def per_day_between(self) -> tuple[float, float]:
        """Return between how many labels a day may bring, by Poisson's law."""
        margin = SURE * math.sqrt(self.labels)
        return max(self.labels - margin, 1.0), self.labels + margin


@dataclass(frozen=True, slots=True)
class Span:
    """An estimate with the values between which it lies 19 times in 20."""

    likely: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Labels that people still have to give, hours of work and days from now, each with an interval."""

    labels: Span
    hours: Span
    days: Span


def forecast(left: int, taken_over: float, chance: float, pace: Pace) -> Forecast:
    """Foresee the end of `left` images when the model takes over a share of them, with a chance.

    In the best case it takes the share, in the worst nothing.
    """
    best, worst = left * (1 - taken_over), float(left)
    labels = Span(left * (1 - chance * taken_over), best, worst)
    quick, slow = pace.seconds_between()
    few, many = pace.per_day_between()
    return Forecast(
        labels,
        Span(labels.likely * pace.seconds / 3600, best * quick / 3600, worst * slow / 3600),
        Span(labels.likely / pace.labels, best / many, worst / few),
    )


def gain_of_next(history: Sequence[tuple[int, float]], step: int) -> float | None:
    """Return the accuracy that so many more labels are likely to bring; None before there is a trend.

    `history` has (labels, accuracy) of all models. Errors of classifiers fall about as a power of the labels
    (Hestness et al. 2017, arXiv 1712.00409), so a line is fitted to both logarithms.
    """
    points = [(math.log(labels), math.log(max(1 - right, 1e-4))) for labels, right in history if labels > 0]
    if len(points) < FEWEST_MODELS or points[-1][0] <= points[0][0]:
        return None
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if not spread:
        return None
    slope = min(0.0, sum((x - mean_x) * (y - mean_y) for x, y in points) / spread)
    labels, right = history[-1]
    return (1 - right) * (1 - ((labels + step) / labels) ** slope)


def advice(history: Sequence[tuple[int, float]], step: int, width: float, *, agreement: bool = False) -> str:
    """Say what more labels bring, for people; nothing while the accuracy is known to such a width only.

    `agreement`: the accuracy is the mean F1 of an image, so no count of images that are right.
    """
    gain = gain_of_next(history, step)
    if gain is None or width >= VAGUE:
        return ""
    if gain < FLAT:
        return f"{step:,} more labels would hardly improve the model."
    if agreement:
        return (
            f"{step:,} more answered images are likely to raise the model's agreement with people by"
            f" {100 * gain:.1f} points."
        )
    return f"{step:,} more labels are likely to make the model right on {100 * gain:.1f} % more images."
