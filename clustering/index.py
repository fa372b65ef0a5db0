"""Nearest neighbours by FAISS, and the stored neighbour graph that is read with numpy alone."""

import uuid
from dataclasses import dataclass

import numpy as np

from clustering import embeddings
from clustering.models import EmbeddingSet
from labeling.models import Project

NEIGHBOURS = 30
FLAT_LIMIT = 50_000  # above, an exact search of all pairs takes minutes
PROBES = 8


@dataclass(frozen=True, slots=True)
class Graph:
    """The nearest neighbours of each row of a matrix, nearest first, itself left out.

    `rows` (n, k) int32 with -1 where fewer were found; `cosines` (n, k) float16.
    """

    rows: np.ndarray
    cosines: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def search(matrix: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (cosines, rows) of the k nearest rows of L2-normalised `matrix`, nearest first."""
    import faiss

    count, dimension = matrix.shape
    flat = faiss.IndexFlatIP(dimension)
    if count <= FLAT_LIMIT:
        flat.add(matrix)
        return flat.search(queries, k)
    lists = 1 << round(np.log2(2 * np.sqrt(count)))
    halves = faiss.ScalarQuantizer.QT_fp16
    index = faiss.IndexIVFScalarQuantizer(flat, dimension, lists, halves, faiss.METRIC_INNER_PRODUCT, False)
    index.nprobe = PROBES
    draw = np.random.default_rng(0).choice(count, min(count, 40 * lists), replace=False)
    index.train(matrix[np.sort(draw)])
    index.add(matrix)
    return index.search(queries, k)


def neighbours(matrix: np.ndarray, k: int = NEIGHBOURS) -> Graph:
    """Return the neighbour graph of an L2-normalised matrix."""
    k = min(k, len(matrix) - 1)
    if k < 1:
        return Graph(np.empty((len(matrix), 0), np.int32), np.empty((len(matrix), 0), np.float16))
    cosines, rows = search(matrix, matrix, k + 1)
    # Itself is usually found first, but an exact copy may come before it, or push it out.
    own = rows == np.arange(len(rows))[:, None]
    own[~own.any(1), -1] = True
    others = ~own
    return Graph(
        rows[others].reshape(-1, k).astype(np.int32),
        np.clip(cosines[others].reshape(-1, k), -1, 1).astype(np.float16),
    )


def graph(project: Project, matrix: np.ndarray) -> Graph:
    """Return the project's graph over the rows of `embeddings.load`, built and stored when out of date."""
    embedding_set = embeddings.set_of(project)
    if embedding_set.graph and embedding_set.graph_count == len(matrix):
        stored = embeddings.open_array(embedding_set.graph)
        return Graph(stored["row"], stored["cosine"])
    built = neighbours(matrix)
    packed = np.empty(built.rows.shape, [("row", "<i4"), ("cosine", "<f2")])
    packed["row"], packed["cosine"] = built.rows, built.cosines
    name = embeddings.store_array(f"embeddings/{embedding_set.pk}/graph-{uuid.uuid4().hex}.npy", packed)
    EmbeddingSet.objects.filter(pk=embedding_set.pk).update(graph=name, graph_count=len(matrix))
    if embedding_set.graph:
        embeddings.discard(embedding_set.graph)
    return built
