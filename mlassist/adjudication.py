"""Which answers get a second look: those in the part that the model is sure of. Needs the model."""

from collections.abc import Sequence

import numpy as np

from labeling import answers
from labeling.models import Item, Project
from mlassist import proving, second_looks
from mlassist.measuring import Labels
from mlassist.models import Certificate, SecondLook
from mlassist.pool import Pool, load_head
from mlassist.predictions import Predictions
from mlassist.trained import Trained

GOOD = 0.7  # chance to be right from which on a label needs no other opinion
SURE = 0.9  # confidence from which on a model's word against a person's is worth another opinion


def of_proof(project: Project, pool: Pool, proof: Certificate) -> int:
    """Have answers that were drawn for a proof looked at again; returns how many more are."""
    drawn = list(proof.draws.values_list("item_id", flat=True))
    rows, labels = pool.labeled(project, answers.blind(project, drawn))
    if not len(rows):
        return 0
    seen = Predictions.of(load_head(proof.model_version), pool.features[rows])
    return ask(project, pool.ids[rows], seen.wrong(labels), proof)


def of_stream(
    project: Project,
    pool: Pool,
    trained: Trained,
    rows: np.ndarray,
    labels: Sequence[tuple[int, ...]],
    scores: np.ndarray,
    lowest: float,
    target: float,
) -> str | None:
    """Have blind answers from the whole pool looked at again before they are tested.

    Returns why an attempt has to wait, None when it need not. `lowest` is the score from which on training
    labels predict that a certificate would hold. There is one wave before each attempt, and another when
    a newer model contradicts much that nobody has looked at: an attempt must come at some time.
    """
    sure = scores >= lowest
    wrong = Predictions.of(trained.head, pool.features[rows]).wrong(labels)
    asked = SecondLook.objects.filter(item__project=project, certificate=None)
    last = Certificate.objects.filter(project=project).order_by("-attempt").first()
    wave = asked.filter(created_at__gt=last.created_at) if last else asked
    known = list(SecondLook.objects.filter(item__project=project).values_list("item_id", flat=True))
    unseen = int((sure & wrong & ~np.isin(pool.ids[rows], known)).sum())
    if (
        not wave.exists()
        or second_looks.too_many(unseen, len(rows), target)
        or second_looks.overturned(project, None).exists()
    ):
        ask(project, pool.ids[rows[sure]], wrong[sure], None)
    count = second_looks.waiting(project)
    if count:
        return f"{count} blind answers are with a second person"
    count = len(second_looks.disputed(project))
    if not second_looks.too_many(count, len(rows), target):
        return None
    return f"{count} blind images on which people do not agree wait for a reviewer"


def of_training(project: Project, pool: Pool, trained: Trained, labels: Labels) -> int:
    """Have labels to learn from looked at again where that pays; returns how many.

    Those that a sure model contradicts, held out, and those that it and other people make doubtful, the
    worst first: a few at a time, since a second label costs as much as a first one.
    """
    if not project.second_labels or project.labels_per_item > 1 or project.most_labels < 2:
        return 0
    if proving.is_too_early(trained.version):
        return 0
    seen = trained.unprompted_predictions
    items = pool.ids[trained.rows[trained.unprompted]]
    contradicted = seen.wrong(trained.unprompted_labels) & (seen.confidence >= SURE)
    quality = labels.of(items)
    doubtful = np.flatnonzero(contradicted | (quality < GOOD))
    worst_first = np.where(contradicted, -seen.confidence, quality)[doubtful].argsort(kind="stable")
    return second_looks.ask_about_labels(
        project, items[doubtful[worst_first]].tolist(), at_once=second_looks.budget(len(trained.rows))
    )


def ask(project: Project, items: np.ndarray, wrong: np.ndarray, proof: Certificate | None) -> int:
    """Ask about the current answers of some items, given whether the model is wrong by them."""
    if project.labels_per_item > 1:
        return 0  # two have agreed on each already
    current = dict(
        Item.objects.filter(
            pk__in=items.tolist(), state="labeled", current_annotation__labeler__isnull=False
        ).values_list("id", "current_annotation_id")
    )
    given = {
        current[item]: not contradicts
        for item, contradicts in zip(items.tolist(), wrong.tolist(), strict=True)
        if item in current
    }
    return second_looks.ask(project, given, proof)
