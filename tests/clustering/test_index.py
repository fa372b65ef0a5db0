import numpy as np

from clustering import embeddings, index
from tests import factories


def unit(count, dimension=16, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_neighbours_are_the_nearest_others():
    matrix = unit(200)
    matrix[7] = matrix[3]  # an exact copy
    graph = index.neighbours(matrix, 5)
    cosines = matrix @ matrix.T
    np.fill_diagonal(cosines, -2)
    assert graph.rows.shape == (200, 5)
    assert not (graph.rows == np.arange(200)[:, None]).any()
    best = -np.sort(-cosines, axis=1)[:, :5]
    assert np.allclose(graph.cosines, best, atol=1e-2)
    assert graph.rows[3, 0] == 7


def test_few_rows_have_few_neighbours():
    assert index.neighbours(unit(3)).rows.shape == (3, 2)
    assert index.neighbours(unit(1)).rows.shape == (1, 0)


def test_large_index_finds_nearly_the_same(monkeypatch):
    matrix = unit(4_000)
    exact = index.neighbours(matrix, 5)
    monkeypatch.setattr(index, "FLAT_LIMIT", 100)
    monkeypatch.setattr(index, "PROBES", 64)
    found = index.neighbours(matrix, 5)
    assert np.mean(found.rows == exact.rows) > 0.9


def test_graph_is_stored_until_the_set_grows(project, monkeypatch):
    items = [item.pk for item in factories.make_unread_items(project, 60)]
    embedding_set = embeddings.set_of(project)
    embeddings.add(embedding_set, items[:40], unit(40))
    first = index.graph(project, embeddings.load(project)[1])
    monkeypatch.setattr(index, "neighbours", lambda matrix: (_ for _ in ()).throw(AssertionError))
    again = index.graph(project, embeddings.load(project)[1])
    assert np.array_equal(first.rows, again.rows)
    monkeypatch.undo()
    embeddings.add(embedding_set, items[40:], unit(20, seed=1))
    assert len(index.graph(project, embeddings.load(project)[1])) == 60
