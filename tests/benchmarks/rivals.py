"""Query strategies as others have them, on the same vectors and with the same head. Not a benchmark itself.

TypiClust, BADGE, DropQuery and ProbCover are those of scikit-activeml. BADGE and ProbCover, whose work grows
too fast with the pool, choose from a random part of it. What needs a head starts from random labels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlassist import heads

COVERED = 4_000  # of the pool, seen by ProbCover, which keeps all distances
FEWEST, TIMES = 2_000, 4  # open rows that BADGE chooses from: so many, or times the batch
MANY = 50  # clusters from which TypiClust's authors learn means from batches too


@dataclass(frozen=True, slots=True)
class Question:
    """A pool that is partly labeled, and what the head says of all of it; none before the first labels."""

    vectors: np.ndarray
    truth: np.ndarray
    labeled: np.ndarray
    head: heads.Head | None
    seed: int

    @property
    def open(self) -> np.ndarray:
        return np.setdiff1d(np.arange(len(self.vectors)), self.labeled)

    @property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, len(self.labeled)])

    @property
    def answers(self) -> np.ndarray:
        """As scikit-activeml wants them: not a number where there is none."""
        given = np.full(len(self.vectors), np.nan)
        given[self.labeled] = self.truth[self.labeled]
        return given

    def part(self, count: int) -> np.ndarray:
        """Return so many open rows, drawn at random."""
        return np.sort(self.rng.permutation(self.open)[:count])


Ask = Callable[[Question, int], np.ndarray]


def random(question: Question, count: int) -> np.ndarray:
    return question.part(count)


def core_set(question: Question, count: int) -> np.ndarray:
    """k-center greedy (Sener and Savarese 2018)."""
    vectors, chosen = question.vectors, []
    if len(question.labeled):
        nearest = (vectors @ vectors[question.labeled].T).max(1)
    else:
        nearest = np.full(len(vectors), -2.0, np.float32)
        chosen = question.part(1).tolist()
        nearest = vectors @ vectors[chosen[0]]
    while len(chosen) < count:
        farthest = int(nearest.argmin())
        chosen.append(farthest)
        nearest = np.maximum(nearest, vectors @ vectors[farthest])
    return np.array(chosen)


def margin(question: Question, count: int) -> np.ndarray:
    seen = probabilities(question, question.open)
    best = np.sort(seen, axis=1)
    return question.open[np.argsort(best[:, -1] - best[:, -2], kind="stable")[:count]]


def entropy(question: Question, count: int) -> np.ndarray:
    seen = probabilities(question, question.open)
    spread = -(seen * np.log(np.maximum(seen, 1e-12))).sum(1)
    return question.open[np.argsort(-spread, kind="stable")[:count]]


def typiclust(question: Question, count: int) -> np.ndarray:
    from skactiveml.pool import TypiClust

    kind, settings = clustering(len(question.labeled) + count)
    found = TypiClust(random_state=question.seed, cluster_algo=kind, cluster_algo_dict=settings, k=20).query(
        question.vectors, question.answers, batch_size=count
    )
    return np.asarray(found)


def badge(question: Question, count: int) -> np.ndarray:
    from skactiveml.pool import Badge

    return np.asarray(
        Badge(random_state=question.seed + len(question.labeled)).query(
            question.vectors,
            question.answers,
            clf=trained(question),
            fit_clf=False,
            candidates=question.part(max(FEWEST, TIMES * count)),
            batch_size=count,
        )
    )


def drop_query(question: Question, count: int) -> np.ndarray:
    from skactiveml.pool import DropQuery

    kind, settings = clustering(count)
    seed = question.seed + len(question.labeled)
    settings["random_state"] = seed
    return np.asarray(
        DropQuery(random_state=seed, cluster_algo=kind, cluster_algo_dict=settings).query(
            question.vectors, question.answers, clf=trained(question), fit_clf=False, batch_size=count
        )
    )


def prob_cover(question: Question, count: int) -> np.ndarray:
    """On one random part of the pool, the same for all queries: its radius is that of 95 % pure balls."""
    from skactiveml.pool import ProbCover

    part = np.sort(np.random.default_rng(question.seed).permutation(len(question.vectors))[:COVERED])
    kind, settings = clustering(len(np.unique(question.truth)))
    found = ProbCover(
        n_classes=len(np.unique(question.truth)),
        deltas=np.arange(0.1, 1.5, 0.05),
        random_state=question.seed,
        cluster_algo=kind,
        cluster_algo_dict=settings,
    ).query(question.vectors[part], question.answers[part], batch_size=count)
    return part[np.asarray(found)]


def clustering(count: int) -> tuple[Any, dict[str, Any]]:
    from sklearn.cluster import KMeans, MiniBatchKMeans

    if count <= MANY:
        return KMeans, {"n_init": 1}
    return MiniBatchKMeans, {"n_init": 1, "batch_size": 5_000, "max_iter": 20, "init": "random"}


def probabilities(question: Question, rows: np.ndarray) -> np.ndarray:
    assert question.head is not None
    return question.head.probabilities(question.vectors[rows])


def trained(question: Question) -> Any:
    """Return the head in the shape that scikit-activeml takes."""
    from skactiveml.base import SkactivemlClassifier

    class Trained(SkactivemlClassifier):
        def fit(self, vectors: np.ndarray, labels: np.ndarray, sample_weight: Any = None) -> "Trained":
            return self

        def predict_proba(self, vectors: np.ndarray, **_: Any) -> np.ndarray:
            assert question.head is not None
            return question.head.probabilities(vectors)

        def predict(self, vectors: np.ndarray, **_: Any) -> np.ndarray:
            return self.predict_proba(vectors).argmax(1).astype(float)

    return Trained(classes=np.unique(question.truth))


@dataclass(frozen=True, slots=True)
class Rival:
    """A strategy, whether it needs a head, and up to how many labels it is meant for."""

    ask: Ask
    needs_head: bool = True
    until: int | None = None


RIVALS: dict[str, Rival] = {
    "random": Rival(random, needs_head=False),
    "core-set": Rival(core_set, needs_head=False),
    "margin": Rival(margin),
    "entropy": Rival(entropy),
    "TypiClust": Rival(typiclust, needs_head=False, until=1_000),
    "BADGE": Rival(badge),
    "DropQuery": Rival(drop_query),
    "ProbCover": Rival(prob_cover, needs_head=False, until=1_000),
}
