"""The uniform validation draw: which items are asked blind, and how many are enough."""

import math

from django.db import connection
from django.db.models import Q

from labeling.models import Annotation, Item, Project, QueueEntry

FEW_IMAGES_SHARE = 0.2
MOST = 0.3
FIRST_ATTEMPT = 0.5  # the share of the error budget that the first certification attempt spends


def goal(target_error: float, confidence: float) -> int:
    """Return how many blind labels a certificate is likely to need.

    Four times the fewest that could ever prove the target, ln δ / ln(1 - ε), and 40 % on top, since
    nothing is certified when the first attempt is only just possible.
    """
    fewest = math.ceil(math.log((1 - confidence) * FIRST_ATTEMPT) / math.log(1 - target_error))
    return math.ceil(4 * fewest * 1.4)


def rate_for(pool: int, wanted: int) -> float:
    """Return the share of a pool to ask blind.

    As many as a certificate needs, unless that is so much of a small pool that the certificate would
    cost more than it saves; then a fifth, which still measures the model.
    """
    share = wanted / max(pool, 1)
    return share if share <= MOST else FEW_IMAGES_SHARE


def is_out_of_reach(project: Project) -> bool:
    """Tell whether the project had too few images for a certificate when its draw was settled."""
    return project.validation_rate == FEW_IMAGES_SHARE


def settle_rate(project: Project) -> float:
    """Fix the share of the pool that is drawn, as long as nobody has answered; returns it.

    Draws are nested (an item is in when its `draw` is below the rate), and the rate stays the same
    for later imports, so the validation items are a uniform sample of the whole pool at any time.
    """
    suggested = Q(source=Annotation.Source.IMPORT, counted=False)
    if Annotation.objects.filter(project=project).exclude(suggested).exists():
        return Project.objects.values_list("validation_rate", flat=True).get(pk=project.pk)
    pool = Item.objects.filter(project=project).exclude(state__in=("broken", "removed")).count()
    rate = rate_for(pool, goal(project.target_error, project.confidence))
    Project.objects.filter(pk=project.pk).update(validation_rate=rate)
    project.validation_rate = rate
    waiting = QueueEntry.objects.filter(project=project)
    waiting.filter(item__draw__lt=rate, kind="manual").update(kind="validation", inclusion_probability=rate)
    waiting.filter(item__draw__gte=rate, kind="validation").update(kind="manual", inclusion_probability=None)
    return rate


def kind_for(project: Project, item: Item) -> str:
    """Return the kind of queue entry in which an item is asked from scratch."""
    return "validation" if item.draw < project.validation_rate else "manual"


def add_entries(project: Project, items: list[int]) -> None:
    """Put freshly read items into the queue, shuffled by their draw."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO labeling_queueentry
                (item_id, project_id, kind, priority, why, inclusion_probability, needed, open_slots)
            SELECT i.id, p.id,
                CASE WHEN i.draw < p.validation_rate THEN 'validation' ELSE 'manual' END,
                i.draw, '', CASE WHEN i.draw < p.validation_rate THEN p.validation_rate END,
                p.labels_per_item, p.labels_per_item
            FROM labeling_item i JOIN labeling_project p ON p.id = i.project_id
            WHERE i.id = ANY(%s) AND i.project_id = %s AND i.state = 'unlabeled'
            ON CONFLICT (item_id) DO NOTHING
            """,
            [items, project.pk],
        )
