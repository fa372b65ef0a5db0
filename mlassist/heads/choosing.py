"""Training a head: candidates, and which of them is kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mlassist.heads import propagation
from mlassist.heads.folds import assign_folds, held_out_scores, one_hot, parts
from mlassist.heads.gaussian import Statistics, adapted, nearest_mean
from mlassist.heads.judging import Candidate, Judge
from mlassist.heads.linear import Head, Linear, sigmoid, softmax
from mlassist.heads.logistic import STEPS, one_vs_rest, softmax_regression
from mlassist.heads.propagation import Neighbours, propagated

STRENGTHS = np.logspace(-2, 3, 9)  # inverse regularisation, C
FIRST = 4
WORTH_A_STEP = 0.99  # of the cost before
NO_CLASS = -1  # what rows are taught as that show none of the classes
WORK = 300_000_000  # labels times dimensions times classes: beyond, L-BFGS takes minutes

Report = Callable[[str], None]


@dataclass(slots=True)
class Fit:
    """A trained head and what its cross-validation found; all probabilities are calibrated.

    `out_of_fold` (n, classes) belongs to the training rows in their order.
    """

    head: Head
    out_of_fold: np.ndarray
    accuracy: float
    loss: float
    candidates: list[dict[str, float | str]] = field(default_factory=list)


def train(
    features: np.ndarray,
    labels: Sequence[tuple[int, ...]],
    pool: np.ndarray,
    *,
    graph: Neighbours | None = None,
    multilabel: bool = False,
    judged: np.ndarray | None = None,
    rival: Head | None = None,
    counts: np.ndarray | None = None,
    family: str = "",
    seed: int = 0,
    report: Report = lambda line: None,
) -> Fit:
    """Fit the best head for class ids `labels` of `features` (n, d); `pool` are all features there are.

    `graph` spans the rows of `pool`; multi-class labels that are few spread over it. Multi-class rows must
    have exactly one class. `judged` (n,) chooses the rows that candidates are compared and calibrated on:
    rows that a model picked because it was sure make any model look good. `rival` is a head that has learned
    from none of the labels; it competes where it knows all their classes. `counts` (n,) is how much each
    label counts, one if not given. `family` is the only kind that may win, where one of it can be made.
    A class without any label gets no column, and rows of `NO_CLASS` one beyond the classes. Raises
    ValueError when there is nothing to learn from.
    """
    classes = np.unique([label for row in labels for label in row]).astype(np.int64)
    if not len(classes):
        raise ValueError("No class has a label yet.")
    targets = one_hot(labels, classes)
    folds = assign_folds(targets, multilabel, seed)
    judge = Judge.of(targets, folds, np.ones(len(targets), bool) if judged is None else judged, multilabel)
    counts = np.ones(len(targets), np.float32) if counts is None else counts.astype(np.float32)
    contest = Contest(features, targets, counts, folds, judge, report)
    if rival is not None:
        contest.enter_rival(rival, classes)
    if multilabel:
        contest.enter_logistic(one_vs_rest)
    else:
        enter_exclusive(contest, pool, graph)
    fitting = [each for each in contest.tried if family_of(each.name) == family] or contest.tried
    best = min(fitting, key=lambda each: each.cost)
    weights, bias = best.fit()
    probabilities = (sigmoid if multilabel else softmax)(best.scores / np.float32(best.temperature))
    # The column of no class comes first, as its id is the smallest, and goes last.
    none = int(classes[0] == NO_CLASS)
    order = np.roll(np.arange(len(classes)), -none)
    return Fit(
        Head(
            best.name,
            classes[none:],
            weights[:, order].astype(np.float32),
            bias[order].astype(np.float32),
            best.temperature,
            multilabel,
        ),
        probabilities[:, none:],
        best.accuracy,
        best.loss,
        [
            {"name": each.name, "loss": round(each.loss, 4), "accuracy": round(each.accuracy, 4)}
            for each in contest.tried
        ],
    )


def family_of(name: str) -> str:
    """Return the kind of head that a candidate is by its name; "mixed" for two in one."""
    if " + " in name:
        return "mixed"
    return name.partition(",")[0].partition(" C=")[0]


def enter_exclusive(contest: "Contest", pool: np.ndarray, graph: Neighbours | None) -> None:
    """Let the heads for exclusive classes compete: kinds, the best two in one, and that one levelled."""
    features, targets, counts = contest.features, contest.targets, contest.counts
    counted = targets * counts[:, None]
    count, classes = targets.shape
    graph = graph if propagation.pays(count, classes, len(pool)) else None
    statistics = Statistics.of(pool)
    if graph is not None:
        contest.enter("propagated", lambda rows: propagated(graph, rows, counted[rows], statistics))
    elif classes < 2 or count <= propagation.FEW * classes:
        contest.enter("nearest mean", lambda rows: nearest_mean(features[rows], counted[rows]))
    if not contest.folds.max():
        return
    contest.enter(
        "adapted discriminant", lambda rows: adapted(features[rows], targets[rows], counts[rows], statistics)
    )
    if features.shape[1] * targets.size <= WORK:
        contest.enter_logistic(softmax_regression)
    if len(contest.tried) > 1:
        contest.keep(contest.judge.blend(*sorted(contest.tried, key=lambda each: each.cost)[:2]))
    level = contest.judge.levelled(min(contest.tried, key=lambda each: each.cost))
    if level is not None:
        contest.keep(level)


@dataclass(slots=True)
class Contest:
    """Candidates on the same labels and folds."""

    features: np.ndarray
    targets: np.ndarray
    counts: np.ndarray
    folds: np.ndarray
    judge: Judge
    report: Report
    tried: list[Candidate] = field(default_factory=list)

    def enter(self, name: str, fit: Callable[[np.ndarray], Linear]) -> None:
        """Try a kind of head; `fit` learns from the rows that it is given."""
        maps = [fit(rows) for rows in parts(self.folds)]
        everything = np.arange(len(self.targets))
        self.keep(self.judge.candidate(name, partial(fit, everything), self.scores(maps)))

    def enter_rival(self, rival: Head, classes: np.ndarray) -> None:
        """Try a head that was not made of these labels: all of them are new to it."""
        if not np.isin(classes, rival.classes).all():
            return
        order = np.argsort(rival.classes)
        columns = order[np.searchsorted(rival.classes, classes, sorter=order)]
        weights, bias = rival.weights[:, columns], rival.bias[columns]
        self.keep(self.judge.candidate(rival.kind, lambda: (weights, bias), self.features @ weights + bias))

    def enter_logistic(self, regression: Callable[..., Linear]) -> None:
        """Try logistic regression with the strength of least cost, uphill from the middle of the grid.

        Each fold starts from its own solution for the strength before, and the final fit from the mean of
        the folds': by a third nearer than the head of the round before, which is a blend mostly. No fold
        may start from a head that has seen its held-out rows: stopped early, it would remember them.
        """
        if not self.folds.max():
            self.keep(self.logistic(regression, 1.0, None)[0])
            return
        at, direction = FIRST, 1
        best, maps = self.logistic(regression, STRENGTHS[at], None)
        if self.features.shape[1] * self.targets.size > WORK:
            self.keep(best)
            return
        while 0 <= at + direction < len(STRENGTHS):
            other, others = self.logistic(regression, STRENGTHS[at + direction], maps)
            if other.cost < WORTH_A_STEP * best.cost:
                best, maps, at = other, others, at + direction
            elif direction == 1 and at == FIRST:
                direction = -1
            else:
                break
        self.keep(best)

    def logistic(
        self, regression: Callable[..., Linear], strength: float, before: list[Linear] | None
    ) -> tuple[Candidate, list[Linear]]:
        work = self.features.shape[1] * self.targets.size
        fit = partial(regression, strength=strength, steps=max(STEPS * WORK // max(work, WORK), STEPS // 8))
        folds = parts(self.folds)
        starts: Sequence[Linear | None] = before or [None] * len(folds)
        maps = [
            fit(self.features[rows], self.targets[rows], counts=self.counts[rows], start=start)
            for rows, start in zip(folds, starts, strict=True)
        ]

        def final() -> Linear:
            mean = np.mean([weights for weights, _ in maps], 0), np.mean([bias for _, bias in maps], 0)
            return fit(self.features, self.targets, counts=self.counts, start=mean)

        return self.judge.candidate(f"logistic C={strength:.2g}", final, self.scores(maps)), maps

    def scores(self, maps: list[Linear]) -> np.ndarray:
        return held_out_scores(self.features, self.folds, maps)

    def keep(self, one: Candidate) -> None:
        self.tried.append(one)
        self.report(
            f"{one.name}: out-of-fold loss {one.loss:.3f}, compared at {one.cost:.3f},"
            f" accuracy {one.accuracy:.3f}, temperature {one.temperature:.2f}"
        )
