"""When the loop acts: pure rules, and the few counts they need."""

import math

from labeling.models import Annotation, Project

FIRST_PER_CLASS = 10
FIRST_IN_ALL = 50
GROWTH = 0.3  # new answers per round, as a share of those the last model has seen
SLOW_GROWTH = 0.5
SMALLEST_STEP = 25
FIRST_ORDER = 100  # embedded images that are worth a first ordering


def first_model(answers: int, label_counts: list[int]) -> int:
    """Return how many answers in all the first model needs at the least, given how many show each class.

    Ten of each class, or fifty in all, whichever comes first. One answer may show several classes.
    """
    to_ten_each = sum(max(0, FIRST_PER_CLASS - count) for count in label_counts)
    return min(FIRST_IN_ALL, answers + to_ten_each) if label_counts else FIRST_IN_ALL


def step_after(labels: int, *, slow: bool = False) -> int:
    """Return how many new answers the next model needs after one with that many; `slow` ones take minutes."""
    return max(SMALLEST_STEP, math.ceil((SLOW_GROWTH if slow else GROWTH) * labels))


def order_is_due(embedded: int, ordered: int, *, complete: bool) -> bool:
    """Tell whether to order the queue (again) before there is a model: at doublings, and at the end."""
    return embedded > ordered and (complete or embedded >= max(FIRST_ORDER, 2 * ordered))


def withdrawn_answers(project: Project) -> int:
    """Return how many human answers a reviewer has rejected: the loop has to unlearn them."""
    return Annotation.objects.filter(
        project=project, withdrawal=Annotation.Withdrawal.REJECTED, labeler__isnull=False
    ).count()
