"""What looks like an item: its nearest neighbours in the stored graph, and theirs. Needs numpy alone."""

import heapq
from collections.abc import Iterator

import numpy as np
from django.db import connection

from clustering import embeddings, groups
from clustering.models import EmbeddingSet
from labeling.extensions import register_look_alikes, register_near_duplicates
from labeling.models import Project

PLACE = """
    SELECT s.start + array_position(s.items, %(item)s) - 1 FROM (
        SELECT items, sum(count) OVER (ORDER BY id) - count AS start FROM clustering_shard
        WHERE embedding_set_id = %(set)s AND count > 0
    ) s WHERE %(item)s = ANY(s.items)
"""
AT = """
    SELECT w.row, s.items[w.row - s.start + 1] FROM (
        SELECT items, count, sum(count) OVER (ORDER BY id) - count AS start FROM clustering_shard
        WHERE embedding_set_id = %(set)s AND count > 0
    ) s JOIN unnest(%(rows)s::bigint[]) w(row) ON w.row >= s.start AND w.row < s.start + s.count
"""


@register_look_alikes
def look_alikes(project: Project, item: int, most: int) -> list[int] | None:
    """Return items that look like one, nearest first; None where the graph does not know it yet."""
    known = EmbeddingSet.objects.filter(project=project, backbone=project.backbone).exclude(graph="").first()
    if known is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(PLACE, {"set": known.pk, "item": item})
        found = cursor.fetchone()
        if found is None or found[0] >= known.graph_count:
            return None
        graph = embeddings.open_array(known.graph)
        rows = nearest(graph["row"], graph["cosine"], int(found[0]), most)
        cursor.execute(AT, {"set": known.pk, "rows": rows})
        items = dict(cursor.fetchall())
    return [items[row] for row in rows if row in items]


@register_near_duplicates
def near_duplicates(project: Project) -> Iterator[np.ndarray]:
    """Yield pairs of items that show the same picture, as far as the stored graph knows them."""
    known = EmbeddingSet.objects.filter(project=project, backbone=project.backbone).exclude(graph="").first()
    if known is None:
        return
    graph = embeddings.open_array(known.graph)
    rows = groups.copied_pairs(graph["row"], graph["cosine"])
    shards = known.shards.filter(count__gt=0).order_by("id").values_list("items", flat=True)
    items = np.concatenate([np.array(each, np.int64) for each in shards.iterator(8)])
    yield items[rows]


def nearest(neighbours: np.ndarray, cosines: np.ndarray, row: int, most: int) -> list[int]:
    """Return the rows that are nearest to one over the graph's edges, `neighbours` and `cosines` (n, k).

    The way over several edges is as long as their angles together, which is what the straight way is at most.
    """
    found: list[int] = []
    seen = {row}
    ahead: list[tuple[float, int]] = [(0.0, row)]
    while ahead and len(found) < most:
        so_far, here = heapq.heappop(ahead)
        if here != row:
            if here in seen:
                continue
            seen.add(here)
            found.append(here)
        angles = np.arccos(np.clip(cosines[here].astype(np.float32), -1, 1))
        for angle, there in zip(angles.tolist(), neighbours[here].tolist(), strict=True):
            if there >= 0 and there not in seen:
                heapq.heappush(ahead, (so_far + angle, there))
    return found
