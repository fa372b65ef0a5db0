"""The embedding store: immutable float16 shards in Django's storage, listed by rows of Shard.

Vectors are never rows. A chunk writes its file first and registers it in the transaction that ends
the chunk, so that a crash leaves at most a file that nothing refers to.
"""

import io
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Func, IntegerField, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from clustering.models import EmbeddingSet, Shard
from labeling.models import Item, Project


def set_of(project: Project) -> EmbeddingSet:
    """Return the set of the project's current backbone, made when first asked for."""
    return EmbeddingSet.objects.get_or_create(project=project, backbone=project.backbone)[0]


def row_type(dimension: int) -> np.dtype:
    return np.dtype([("item", "<i8"), ("vector", "<f2", (dimension,))])


def missing(project: Project, limit: int | None = None, *, but: Sequence[int] = ()) -> list[int]:
    """Return ids of readable items without an embedding, in the order in which they are read and asked.

    Leaves out those in `but`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT i.id {_MISSING} AND NOT i.id = ANY(%(but)s) ORDER BY i.draw, i.id LIMIT %(limit)s",
            {"project": project.pk, "backbone": project.backbone, "but": list(but), "limit": limit},
        )
        return [row[0] for row in cursor.fetchall()]


def count_missing(project: Project) -> int:
    """Return about how many items `missing` would name; cheap, for progress bars."""
    ready = Item.objects.filter(project=project, read_at__isnull=False).exclude(
        state__in=("broken", "removed")
    )
    known = _shards(project).aggregate(
        embedded=Coalesce(Sum("count"), 0),
        unreadable=Coalesce(Sum(Func("unreadable", function="cardinality", output_field=IntegerField())), 0),
    )
    return max(0, ready.count() - known["embedded"] - known["unreadable"])


_MISSING = """
    FROM labeling_item i
    WHERE i.project_id = %(project)s AND i.read_at IS NOT NULL AND i.state NOT IN ('broken', 'removed')
    AND NOT EXISTS (
        SELECT 1 FROM (
            SELECT unnest(s.items || s.unreadable) AS item FROM clustering_shard s
            JOIN clustering_embeddingset e ON e.id = s.embedding_set_id
            WHERE e.project_id = %(project)s AND e.backbone = %(backbone)s
        ) known WHERE known.item = i.id
    )
"""


def _shards(project: Project) -> QuerySet[Shard]:
    return Shard.objects.filter(embedding_set__project=project, embedding_set__backbone=project.backbone)


def count(project: Project) -> int:
    """Return how many items have an embedding."""
    return _shards(project).aggregate(all=Coalesce(Sum("count"), 0))["all"]


def among(embedding_set: EmbeddingSet, items: Sequence[int]) -> set[int]:
    """Return which of the items the set knows already."""
    wanted = list(items)
    known: set[int] = set()
    for lists in embedding_set.shards.filter(
        Q(items__overlap=wanted) | Q(unreadable__overlap=wanted)
    ).values_list("items", "unreadable"):
        known.update(*lists)
    return known & set(items)


def add(
    embedding_set: EmbeddingSet, items: Sequence[int], vectors: np.ndarray, unreadable: Sequence[int] = ()
) -> Shard | None:
    """Write a shard and register it; returns None when all of it was there already.

    Items that another run of the same chunk has added in the meantime are left out.
    """
    with transaction.atomic():
        EmbeddingSet.objects.select_for_update().get(pk=embedding_set.pk)
        known = among(embedding_set, [*items, *unreadable])
        fresh = [row for row, item in enumerate(items) if item not in known]
        lost = [item for item in unreadable if item not in known]
        if not fresh and not lost:
            return None
        rows = np.empty(len(fresh), row_type(vectors.shape[1]))
        rows["item"] = np.asarray(items, np.int64)[fresh]
        rows["vector"] = vectors[fresh]
        return Shard.objects.create(
            embedding_set=embedding_set,
            name=store_array(f"embeddings/{embedding_set.pk}/{uuid.uuid4().hex}.npy", rows),
            items=rows["item"].tolist(),
            unreadable=lost,
            count=len(fresh),
        )


def store_array(name: str, array: np.ndarray) -> str:
    """Write an array to storage; returns the name it got."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return default_storage.save(name, ContentFile(buffer.getvalue()))


def discard(name: str) -> None:
    """Delete an array that nothing refers to any more; open memory maps of it stay readable."""
    default_storage.delete(name)


def open_array(name: str) -> np.ndarray:
    """Memory-map an array of the storage, through a local copy when the storage is remote."""
    return np.load(_local(name), mmap_mode="r")


def _local(name: str) -> Path:
    try:
        return Path(default_storage.path(name))
    except NotImplementedError:
        copy = settings.LOUPE_HOME / "cache" / name
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            partial = copy.with_suffix(f".{os.getpid()}")
            with default_storage.open(name) as remote:
                partial.write_bytes(remote.read())
            partial.replace(copy)
        return copy


def shards(project: Project) -> Iterator[np.ndarray]:
    """Yield the project's shards, memory-mapped, in the order of their making."""
    for name in _shards(project).filter(count__gt=0).order_by("id").values_list("name", flat=True):
        yield open_array(name)


def load(project: Project) -> tuple[np.ndarray, np.ndarray]:
    """Return (item ids, float32 matrix with one L2-normalised row per item), in the order of making."""
    parts = list(shards(project))
    if not parts:
        return np.empty(0, np.int64), np.empty((0, 0), np.float32)
    ids = np.concatenate([part["item"] for part in parts])
    matrix = np.empty((len(ids), parts[0]["vector"].shape[1]), np.float32)
    start = 0
    for part in parts:
        matrix[start : start + len(part)] = part["vector"]
        start += len(part)
    return ids, matrix
