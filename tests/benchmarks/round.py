"""One round of the loop on a large project: train, validate, infer, group, order the queue.

    python -m tests.benchmarks.round --items 500000

Makes a project of bare rows with embeddings of clustered random vectors, so that no image has to be read,
answers some of them, builds the neighbour graph (once for a pool, timed apart), and then does a round as the
product does: in a process of its own. The last line is one JSON object:

seconds, peak_gb       of the round; memory is beyond that of the embeddings as the round holds them
graph_seconds          building the graph of nearest neighbours, once for a pool
embedding_gb           the embeddings in memory
per_step               seconds of training, validation and inference
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.loop import say

DIMENSION = 512
CLASSES = 10
CENTRES = 200  # clusters, each of one class
NOISE = 1.6  # so that a part is certified, a part is grouped, and a part is asked one by one
SHARD = 20_000
LABELS, BLIND = 2_000, 600


def vectors(rng: np.random.Generator, centres: np.ndarray, member: np.ndarray) -> np.ndarray:
    found = centres[member] + NOISE * rng.normal(size=(len(member), DIMENSION)).astype(np.float32) / np.sqrt(
        DIMENSION
    )
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def make_project(count: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return (project, item ids, the class of each) with rows, queue and embeddings."""
    from django.db import connection

    from clustering import embeddings
    from labeling import projects, validation
    from labeling.models import DataSource, Project, User

    user = User.objects.create_user("benchmark@example.com")
    project = projects.create_project(
        user, "Benchmark", "multiclass", [f"class {number}" for number in range(CLASSES)]
    )
    project.validation_rate = min(0.3, 2 * BLIND / count)
    project.save()
    source = DataSource.objects.create(
        project=project, kind=DataSource.Kind.FOLDER, location="/nowhere", name="none"
    )
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE numbers AS SELECT generate_series(0, %s) AS n", [count - 1])
        cursor.execute(
            """
            INSERT INTO labeling_item (project_id, source_id, path, draw, width, height, sha256, read_at,
                state, reason, size_bytes, format, page, fingerprint, created_at)
            SELECT %s, %s, n || '.png', (n + 0.5) / %s, 8, 8, n::text, now(), 'unlabeled',
                '', 0, 'PNG', 0, '', now()
            FROM numbers
            """,
            [project.pk, source.pk, count],
        )
    items = np.array(project.items.order_by("id").values_list("id", flat=True))
    validation.add_entries(project, items.tolist())
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CENTRES, DIMENSION)).astype(np.float32) / np.sqrt(DIMENSION)
    member = rng.integers(CENTRES, size=count)
    own = embeddings.set_of(project)
    for start in range(0, count, SHARD):
        part = slice(start, start + SHARD)
        embeddings.add(own, items[part].tolist(), vectors(rng, centres, member[part]))
    return Project.objects.get(pk=project.pk), items, member % CLASSES


def give_labels(project: Any, items: np.ndarray, truth: np.ndarray) -> None:
    """Answer some of the blind draw and some of the rest as a person would have."""
    from labeling.models import Annotation, Item, QueueEntry, Region

    user = project.created_by
    classes = list(project.classes.order_by("position").values_list("id", flat=True))
    draws = np.array(project.items.order_by("id").values_list("draw", flat=True))
    rng = np.random.default_rng(1)
    for kind, chosen in (
        ("validation", rng.permutation(np.flatnonzero(draws < project.validation_rate))[:BLIND]),
        ("manual", rng.permutation(np.flatnonzero(draws >= project.validation_rate))[:LABELS]),
    ):
        rows = Annotation.objects.bulk_create(
            Annotation(
                project=project, item_id=int(items[row]), uuid=uuid.uuid4(), labeler=user, kind=kind,
                source=Annotation.Source.HUMAN, counted=True, seconds=2.0,
            )
            for row in chosen
        )  # fmt: skip
        Region.objects.bulk_create(
            Region(annotation=annotation, label_class_id=classes[truth[row]])
            for annotation, row in zip(rows, chosen, strict=True)
        )
        by_item = {annotation.item_id: annotation.pk for annotation in rows}
        done = list(Item.objects.filter(pk__in=by_item))
        for item in done:
            item.state, item.current_annotation_id = "labeled", by_item[item.pk]
        Item.objects.bulk_update(done, ["state", "current_annotation"], batch_size=500)
        QueueEntry.objects.filter(item__in=by_item).delete()


def do_round(project: Any) -> tuple[float, float]:
    """Do a round in a process of its own; returns (seconds, its peak memory in GB)."""
    from labeling import jobs

    job = jobs.enqueue("round", project)
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "mlassist.training", "--job", str(job.pk)], check=True, stdout=sys.stderr
    )
    seconds = time.perf_counter() - started
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=500_000)
    parser.add_argument("--quick", action="store_true", help="5,000 items: shows that it works, and no more")
    options = parser.parse_args()
    if options.quick:
        options.items = min(options.items, 5_000)
    home = Path(tempfile.mkdtemp(prefix="loupe-round-"))
    os.environ |= {"LOUPE_HOME": str(home), "DJANGO_SETTINGS_MODULE": "deploy.settings"}
    os.environ.pop("DATABASE_URL", None)
    from deploy.postgres import Server

    server = Server(home)
    os.environ["DATABASE_URL"] = server.acquire()
    try:
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        print(json.dumps(measure(options.items)))
    finally:
        from django.db import connections

        connections.close_all()
        server.release()
        shutil.rmtree(home, ignore_errors=True)


def measure(count: int) -> dict[str, Any]:
    from clustering import index
    from mlassist.pool import Pool

    say(f"making a project of {count:,} items")
    project, items, truth = make_project(count)
    give_labels(project, items, truth)
    pool = Pool.of(project)
    say("building the neighbour graph")
    started = time.perf_counter()
    index.graph(project, pool.features)
    graph_seconds = time.perf_counter() - started
    embedding_gb = pool.features.nbytes / 2**30
    del pool
    say("doing a round")
    seconds, peak = do_round(project)
    steps = {run.kind: (run.finished_at - run.started_at).total_seconds() for run in project.runs.all()}
    return {
        "items": count,
        "seconds": round(seconds, 1),
        "peak_gb": round(peak - embedding_gb, 2),
        "embedding_gb": round(embedding_gb, 2),
        "graph_seconds": round(graph_seconds, 1),
        "per_step": {kind: round(taken, 1) for kind, taken in steps.items()},
    }


if __name__ == "__main__":
    main()
