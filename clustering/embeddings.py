"""The embedding store: immutable float16 shards in Django's storage, listed by rows of Shard.

Vectors are never rows. A chunk writes its file first and registers it in the transaction that ends
the chunk, so that a crash leaves at most a file that nothing refers to.

A project has a set for each backbone that has looked at it. Where no backbone is named, its own is meant.
"""

import io
import os
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Func, IntegerField, QuerySet, Sum
from django.db.models.functions import Coalesce

from clustering.models import EmbeddingSet, Shard
from labeling import statistics
from labeling.extensions import register_repainting
from labeling.models import Item, Project


def set_of(project: Project, backbone: str | None = None) -> EmbeddingSet:
    """Return a backbone's set, made when first asked for."""
    return EmbeddingSet.objects.get_or_create(project=project, backbone=backbone or project.backbone)[0]


def row_type(dimension: int) -> np.dtype:
    return np.dtype([("item", "<i8"), ("vector", "<f2", (dimension,))])


def missing(
    project: Project, limit: int | None = None, *, but: Sequence[int] = (), backbone: str | None = None
) -> list[int]:
    """Return ids of readable items without an embedding, in the order in which they are read and asked.

    Leaves out those in `but`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _MISSING,
            {
                "project": project.pk,
                "backbone": backbone or project.backbone,
                "but": list(but),
                "dicom": project.assists_dicom,
                "limit": limit,
            },
        )
        return [row[0] for row in cursor.fetchall()]


def count_missing(project: Project, backbone: str | None = None) -> int:
    """Return about how many items `missing` would name, never more; cheap, for progress bars."""
    gone = (Item.State.BROKEN, Item.State.REMOVED)
    here = sum(count for state, count in statistics.items_by_state(project).items() if state not in gone)
    unread = Item.objects.filter(project=project, read_at=None).exclude(state__in=gone).count()
    if not project.assists_dicom:
        left_out = Item.objects.filter(project=project, format="DICOM").exclude(state__in=gone)
        unread += left_out.count()
    known = _shards(project, backbone).aggregate(
        embedded=Coalesce(Sum("count"), 0),
        unreadable=Coalesce(Sum(Func("unreadable", function="cardinality", output_field=IntegerField())), 0),
    )
    return max(0, here - unread - known["embedded"] - known["unreadable"])


# NOT IN is hashed, where the planner takes NOT EXISTS for a nested loop: it expects few ids of a shard, and
# half a million images then take minutes. Sorted afterwards, since an index walk in order takes longer too.
_MISSING = """
    WITH fresh AS MATERIALIZED (
        SELECT i.id, i.draw FROM labeling_item i
        WHERE i.project_id = %(project)s AND i.read_at IS NOT NULL AND i.state NOT IN ('broken', 'removed')
        AND (%(dicom)s OR i.format <> 'DICOM')
        AND i.id NOT IN (
            SELECT unnest(s.items || s.unreadable) FROM clustering_shard s
            JOIN clustering_embeddingset e ON e.id = s.embedding_set_id
            WHERE e.project_id = %(project)s AND e.backbone = %(backbone)s
        )
        AND NOT i.id = ANY(%(but)s::bigint[])
    )
    SELECT id FROM fresh ORDER BY draw, id LIMIT %(limit)s
"""


def _shards(project: Project, backbone: str | None) -> QuerySet[Shard]:
    return Shard.objects.filter(
        embedding_set__project=project, embedding_set__backbone=backbone or project.backbone
    )


def count(project: Project, backbone: str | None = None) -> int:
    """Return how many items have an embedding."""
    return _shards(project, backbone).aggregate(all=Coalesce(Sum("count"), 0))["all"]


def among(embedding_set: EmbeddingSet, items: Sequence[int]) -> set[int]:
    """Return which of the items the set knows already."""
    with connection.cursor() as cursor:
        # Item by item against a list that is hashed, being of the same type: comparing whole arrays takes 30
        # times as long, and an index on them is never chosen for so few rows.
        cursor.execute(
            """
            SELECT known.item FROM clustering_shard s, unnest(s.items || s.unreadable) AS known(item)
            WHERE s.embedding_set_id = %s AND known.item = ANY(%s::bigint[])
            """,
            [embedding_set.pk, list(items)],
        )
        return {item for (item,) in cursor.fetchall()}


def known_vectors(
    backbone: str, sha256s: Sequence[str], *, outside: Project, weights: str
) -> dict[str, np.ndarray]:
    """Return the vectors that a backbone with these weights has given to such contents in other projects."""
    same_network = EmbeddingSet.objects.filter(backbone=backbone, weights=weights)
    sets = dict(same_network.exclude(project=outside).values_list("project", "id"))
    # The filters are those of the index item_content_once, which finds a thousand in some milliseconds.
    same = list(
        Item.objects.filter(project__in=sets, sha256__in=sha256s, duplicate_of=None)
        .exclude(sha256="")
        .exclude(state="removed")
        .values_list("id", "sha256", "project")
    )
    if not same:
        return {}
    content = {item: sha256 for item, sha256, _ in same}
    places: dict[str, list[tuple[str, int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.name, known.place, known.item
            FROM clustering_shard s, unnest(s.items) WITH ORDINALITY AS known(item, place)
            WHERE s.embedding_set_id = ANY(%s) AND known.item = ANY(%s::bigint[])
            """,
            [list({sets[project] for _, _, project in same}), list(content)],
        )
        for name, place, item in cursor.fetchall():
            places.setdefault(name, []).append((content[item], place - 1))
    vectors: dict[str, np.ndarray] = {}
    for name, rows in places.items():
        shard = open_array(name)
        vectors.update((sha256, shard["vector"][row].astype(np.float32)) for sha256, row in rows)
    return vectors


def add(
    embedding_set: EmbeddingSet,
    items: Sequence[int],
    vectors: np.ndarray,
    unreadable: Sequence[int] = (),
    *,
    weights: str = "",
) -> Shard | None:
    """Write a shard and register it; returns None when all of it was there already.

    Items that another run of the same chunk has added in the meantime are left out. `weights` is the
    fingerprint of the network that made the vectors: the first shard decides which one the set is of.
    """
    with transaction.atomic():
        locked = EmbeddingSet.objects.select_for_update().get(pk=embedding_set.pk)
        if locked.weights != weights:
            assert not locked.shards.exists(), "a set holds the vectors of one network"
            EmbeddingSet.objects.filter(pk=locked.pk).update(weights=weights)
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


def discard(*names: str) -> None:
    """Delete arrays that nothing refers to any more; open memory maps of them stay readable."""
    for name in names:
        default_storage.delete(name)
        copy_of(name).unlink(missing_ok=True)


def delete(embedding_set: EmbeddingSet) -> None:
    """Delete a set: its rows at once, its files as soon as that is certain."""
    names = [*embedding_set.shards.values_list("name", flat=True), embedding_set.graph]
    with transaction.atomic():
        embedding_set.delete()
        transaction.on_commit(partial(discard, *filter(None, names)))


@register_repainting
def forget(project: Project) -> None:
    """Delete what was seen in a project's pictures: they are others now."""
    for each in EmbeddingSet.objects.filter(project=project):
        delete(each)


def open_array(name: str) -> np.ndarray:
    """Memory-map an array of the storage, through a local copy when the storage is remote."""
    return np.load(local_copy(name), mmap_mode="r")


def local_copy(name: str) -> Path:
    try:
        return Path(default_storage.path(name))
    except NotImplementedError:
        copy = copy_of(name)
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            partial = copy.with_suffix(f".{os.getpid()}")
            with default_storage.open(name) as remote:
                partial.write_bytes(remote.read())
            partial.replace(copy)
        return copy


def copy_of(name: str) -> Path:
    """Return where this machine keeps an array of a remote storage."""
    return Path(settings.LOUPE_HOME / "cache" / name)


def shards(project: Project, backbone: str | None = None) -> Iterator[np.ndarray]:
    """Yield the project's shards, memory-mapped, in the order of their making."""
    for name in _shards(project, backbone).filter(count__gt=0).order_by("id").values_list("name", flat=True):
        yield open_array(name)


def load(project: Project, backbone: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return (item ids, float32 matrix with one L2-normalised row per item), in the order of making."""
    parts = list(shards(project, backbone))
    if not parts:
        return np.empty(0, np.int64), np.empty((0, 0), np.float32)
    ids = np.concatenate([part["item"] for part in parts])
    matrix = np.empty((len(ids), parts[0]["vector"].shape[1]), np.float32)
    start = 0
    for part in parts:
        matrix[start : start + len(part)] = part["vector"]
        start += len(part)
    return ids, matrix
