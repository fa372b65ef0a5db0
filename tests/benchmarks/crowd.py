"""Twenty people with known error rates: who is good, and what the labels are worth.

    python -m tests.benchmarks.crowd --data ../shared/data/cifar10.zip [--quick]

People err in 2 to 40 % of cases; half of the errors are the class that is most often taken for the right one.
Probabilities are those of the product's own head on the bundled backbone's embeddings, out of fold, trained
on the labels of that moment. Without the archive the images are scikit-learn's digits.

consensus   share of right labels: what most say, Dawid-Skene, CROWDLAB; for one, two and three answers to an
            image and for answers `where it pays`: one each, then a second one for those that the product
            would choose (and a third where two disagree), a twentieth of the images at a time
people      rank correlation (Spearman) of what each method says of people with their true rates; `gold` from
            known images at the product's rates, a fifth of the first fifty and one in twenty-five after that

The last line is one JSON object, means over seeds.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import datasets
from tests.benchmarks.backbone import DATA, rounded, say
from tests.benchmarks.label_errors import held_out, images_of

PEOPLE = 20
BEST, WORST = 0.02, 0.40
PHOTOS = 4_000
SEEDS = 3
UNIFORM = (1, 2, 3)
ROUNDS = 6


class Crowd:
    """People who answer images with their own error rates; nobody answers an image twice."""

    def __init__(self, truth: np.ndarray, vectors: np.ndarray, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.truth, self.classes = truth, int(truth.max()) + 1
        self.rates = self.rng.permutation(np.linspace(BEST, WORST, PEOPLE))
        means = np.stack([vectors[truth == each].mean(0) for each in range(self.classes)])
        likeness = means @ means.T - 10 * np.eye(self.classes)
        self.confused = likeness.argmax(1)
        self.rows: list[tuple[int, int, int]] = []
        self.asked: dict[int, set[int]] = defaultdict(set)

    def say(self, person: int, item: int) -> int:
        right = int(self.truth[item])
        if self.rng.random() >= self.rates[person]:
            return right
        if self.rng.random() < 0.5:
            return int(self.confused[right])
        return int((right + self.rng.integers(1, self.classes)) % self.classes)

    def answer(self, items: np.ndarray) -> None:
        """Have somebody who has not seen it answer each item."""
        for item in items.tolist():
            left = [each for each in range(PEOPLE) if each not in self.asked[item]]
            person = int(self.rng.choice(left))
            self.asked[item].add(person)
            self.rows.append((item, person, self.say(person, item)))

    def votes(self) -> Any:
        from mlassist import crowd

        item, person, label = np.array(self.rows).T
        return crowd.Votes.of(item, person, label, len(self.truth), PEOPLE, self.classes)

    def gold(self) -> np.ndarray:
        """Return the posterior means of people by known images, for as many answers as each has given."""
        from labeling import gold, probation

        found = []
        for person, given in enumerate(self.votes().given.tolist()):
            known = round(gold.SHARE_FIRST * min(given, gold.FIRST))
            known += round(gold.SHARE_LATER * max(0, given - gold.FIRST))
            right = int((self.rng.random(known) >= self.rates[person]).sum())
            found.append(probation.posterior(right, known - right).mean)
        return np.array(found)


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Return the rank correlation, 0 where everybody is said to be as good."""
    from scipy.stats import spearmanr

    return float(spearmanr(one, other)[0]) if np.ptp(one) > 0 else 0.0


def measured(people: Crowd, vectors: np.ndarray, seed: int) -> dict[str, float]:
    """Return what labels and people are found to be, by each method."""
    from mlassist import crowd

    votes = people.votes()
    labels = crowd.majority(votes).consensus
    probabilities = held_out(vectors, labels, seed)
    ways = {
        "majority": crowd.majority(votes),
        "Dawid-Skene": crowd.dawid_skene(votes),
        "CROWDLAB": crowd.crowdlab(votes, probabilities),
    }
    found = {"labels per image": len(votes) / votes.items}
    for name, way in ways.items():
        found[f"right, {name}"] = float((way.consensus == people.truth).mean())
        found[f"people, {name}"] = spearman(way.quality, -people.rates)
    found["people, gold"] = spearman(people.gold(), -people.rates)
    return found


def where_it_pays(people: Crowd, vectors: np.ndarray, seed: int, rounds: int) -> None:
    """Ask for more answers where the product would, a few in each round."""
    from mlassist import adjudication, crowd, second_looks

    for _ in range(rounds):
        votes = people.votes()
        labels = crowd.majority(votes).consensus
        probabilities = held_out(vectors, labels, seed)
        found = crowd.crowdlab(votes, probabilities)
        sure = probabilities.max(1)
        quality = found.chances[np.arange(votes.items), labels]
        contradicted = (probabilities.argmax(1) != labels) & (sure >= adjudication.SURE)
        lone = votes.counts == 1
        doubtful = np.flatnonzero(lone & (contradicted | (quality < adjudication.GOOD)))
        worst = doubtful[np.where(contradicted, -sure, quality)[doubtful].argsort(kind="stable")]
        chosen = worst[: second_looks.budget(votes.items)]
        people.answer(chosen)
        tally = people.votes().tally()[chosen]
        people.answer(chosen[tally.max(1) < 2])  # these two do not agree


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="cifar10.zip, or its folder")
    parser.add_argument("--pixels", action="store_true", help="digits by their pixels, without a backbone")
    parser.add_argument("--quick", action="store_true", help="few images: shows that it works, and no more")
    options = parser.parse_args()
    datasets.set_up()
    name, vectors, truth = images_of(options.data, 1_000 if options.quick else PHOTOS, options.pixels)
    say(f"{len(truth)} images of {name}")
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for seed in range(1 if options.quick else SEEDS):
        everything = np.arange(len(truth))
        people = Crowd(truth, vectors, seed)
        for times in UNIFORM:
            people.answer(everything)
            found[f"{times} each"].append(measured(people, vectors, seed))
        people = Crowd(truth, vectors, seed)
        people.answer(everything)
        where_it_pays(people, vectors, seed, 2 if options.quick else ROUNDS)
        found["where it pays"].append(measured(people, vectors, seed))
        say(f"seed {seed}: {found['where it pays'][-1]}")
    means = {
        case: {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        for case, rows in found.items()
    }
    print(json.dumps({"quick": options.quick, "images": name, "count": len(truth), **rounded(means)}))


if __name__ == "__main__":
    main()
