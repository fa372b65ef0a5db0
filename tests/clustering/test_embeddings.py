import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import transaction

from clustering import embeddings
from clustering.models import Shard
from tests import factories


@pytest.fixture
def ids(project):
    return [item.pk for item in factories.make_unread_items(project, 30)]


def vectors(count, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_what_is_added_is_loaded_and_no_longer_missing(project, ids):
    assert embeddings.missing(project) == ids
    given = vectors(20)
    embeddings.add(embeddings.set_of(project), ids[:20], given)
    loaded, matrix = embeddings.load(project)
    assert loaded.tolist() == ids[:20]
    assert matrix.dtype == np.float32
    assert np.allclose(matrix, given, atol=1e-3)
    assert embeddings.missing(project) == ids[20:]
    assert embeddings.missing(project, 3, but=ids[20:22]) == ids[22:25]
    assert embeddings.count(project) == 20
    assert embeddings.count_missing(project) == 10


def test_a_chunk_that_runs_twice_adds_nothing(project, ids):
    own = embeddings.set_of(project)
    assert embeddings.add(own, ids[:10], vectors(10))
    assert embeddings.add(own, ids[:10], vectors(10)) is None
    assert embeddings.add(own, ids[5:15], vectors(10, seed=2)).items == ids[10:15]
    loaded, _ = embeddings.load(project)
    assert loaded.tolist() == ids[:15]


def test_a_crash_before_the_end_leaves_no_trace_in_the_set(project, ids):
    with pytest.raises(RuntimeError), transaction.atomic():
        embeddings.add(embeddings.set_of(project), ids, vectors(30))
        raise RuntimeError("the worker dies here")
    assert not Shard.objects.exists()
    assert embeddings.missing(project) == ids
    embeddings.add(embeddings.set_of(project), ids, vectors(30))
    assert len(embeddings.load(project)[0]) == 30


def test_unreadable_items_are_not_asked_for_again(project, ids):
    embeddings.add(embeddings.set_of(project), ids[:4], vectors(4), unreadable=ids[4:6])
    assert embeddings.missing(project) == ids[6:]
    assert embeddings.load(project)[0].tolist() == ids[:4]
    assert embeddings.add(embeddings.set_of(project), [], vectors(0), unreadable=ids[4:6]) is None


def test_backbones_have_sets_of_their_own(project, ids):
    embeddings.add(embeddings.set_of(project), ids, vectors(30))
    assert embeddings.missing(project, backbone="another") == ids
    assert embeddings.count_missing(project, "another") == 30
    embeddings.add(embeddings.set_of(project, "another"), ids[:9], vectors(9, seed=1))
    assert (embeddings.count(project), embeddings.count(project, "another")) == (30, 9)
    project.backbone = "another"
    assert embeddings.missing(project) == ids[9:]
    assert embeddings.load(project)[0].tolist() == ids[:9]
    assert embeddings.load(project, "bundled")[0].tolist() == ids


def test_vectors_of_the_same_content_are_found_in_other_projects(project, ids, manager):
    given = vectors(30)
    own = embeddings.set_of(project)
    embeddings.add(own, ids[:10], given[:10], weights="abc")
    embeddings.add(own, ids[10:], given[10:], weights="abc")
    other = factories.make_project(manager=manager)
    contents = list(project.items.order_by("draw").values_list("sha256", flat=True))
    found = embeddings.known_vectors("bundled", [*contents[8:12], "unseen"], outside=other, weights="abc")
    assert sorted(found) == sorted(contents[8:12])
    assert np.allclose([found[content] for content in contents[8:12]], given[8:12], atol=1e-3)
    assert embeddings.known_vectors("bundled", contents, outside=project, weights="abc") == {}
    assert embeddings.known_vectors("another", contents, outside=other, weights="abc") == {}
    assert embeddings.known_vectors("bundled", contents, outside=other, weights="def") == {}


def test_a_set_is_of_the_network_that_made_its_first_vectors(project, ids):
    own = embeddings.set_of(project)
    embeddings.add(own, ids[:10], vectors(10), weights="abc")
    assert embeddings.set_of(project).weights == "abc"
    with pytest.raises(AssertionError):
        embeddings.add(own, ids[10:], vectors(20), weights="def")
    assert embeddings.count(project) == 10


def test_a_deleted_set_leaves_no_file(project, ids, django_capture_on_commit_callbacks):
    shard = embeddings.add(embeddings.set_of(project), ids, vectors(30))
    with django_capture_on_commit_callbacks(execute=True):
        embeddings.delete(embeddings.set_of(project))
    assert not default_storage.exists(shard.name)
    assert not Shard.objects.exists()
    assert embeddings.missing(project) == ids


def test_shards_are_half_precision_files(project, ids):
    shard = embeddings.add(embeddings.set_of(project), ids, vectors(30))
    with default_storage.open(shard.name) as file:
        stored = np.load(file)
    assert stored.dtype == embeddings.row_type(8)
    assert isinstance(next(embeddings.shards(project)), np.memmap)
