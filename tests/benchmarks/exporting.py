"""How fast and in how much memory labels are exported, as a worker does it: written, and read again.

    python -m tests.benchmarks.exporting --annotations 500000 --format coco

A project in a database of its own, one label an image unless `--per-image` says otherwise; boxes, or classes
for formats without boxes. The export runs in a process that does nothing else: `peak_mb` is the most memory
that this process ever had, `at_rest_mb` what it had before. `seconds` is the whole export, `database_s` the
same images only read from the database. `ratio_to_plain_write` compares with the same images as ready
dictionaries, each dumped as JSON and written. The last line of output is one JSON object.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from tests.benchmarks.queue import loupe

CLASSES = 20
READY = 5_000  # images that are made into dictionaries before the clock runs

ITEMS = """
INSERT INTO labeling_item (project_id, source_id, path, state, reason, draw, sha256, size_bytes, width,
    height, format, page, fingerprint, read_at, created_at)
SELECT %(project)s, %(source)s, 'folder_' || n %% 40 || '/IMG_' || substr(md5(n::text), 1, 12) || '.jpg',
    'unlabeled', '', random(), '', 1000, 640, 480, 'JPEG', 0, '', now(), now()
FROM generate_series(1, %(images)s) n
"""
ANSWERS = """
INSERT INTO labeling_annotation (project_id, item_id, uuid, source, labeler_id, kind, skipped,
    skip_reason, counted, suggestion_visible, seconds, instructions_id, created_at, withdrawal, "group")
SELECT i.project_id, i.id, gen_random_uuid(), 'human', %(labeler)s, 'manual', false, '', true, false, 2.5,
    %(instructions)s, now(), '', i.id / 9
FROM labeling_item i WHERE i.project_id = %(project)s
"""
REGIONS = """
INSERT INTO labeling_region (annotation_id, label_class_id, origin, bbox, polygon)
SELECT a.id, (%(classes)s::bigint[])[1 + (a.id + k) %% cardinality(%(classes)s::bigint[])], 'drawn',
    CASE WHEN %(task_type)s = 'detection'
        THEN jsonb_build_array(a.id %% 400 + 0.25, k * 40 + 0.5, 60.125, 30 + a.id %% 7) END,
    CASE WHEN %(task_type)s = 'segmentation'
        THEN (SELECT jsonb_build_array(jsonb_agg(c ORDER BY n)) FROM (
            SELECT 2 * t AS n, 200 + a.id %% 100 + 80 * cos(t * pi() / 10) AS c
            FROM generate_series(0, 19) t
            UNION ALL SELECT 2 * t + 1, 200 + 80.0 * sin(t * pi() / 10) FROM generate_series(0, 19) t
        ) points) END
FROM labeling_annotation a, generate_series(1, %(each)s) k WHERE a.project_id = %(project)s
"""
STATES = """
UPDATE labeling_item i SET state = 'labeled', current_annotation_id = a.id
FROM labeling_annotation a WHERE a.item_id = i.id AND i.project_id = %(project)s
"""


def fill(images: int, each: int, task_type: str) -> int:
    """Make the project; returns its number."""
    from django.db import connection

    from labeling import projects
    from labeling.models import DataSource, Instructions, User

    manager = User.objects.create_user(f"{task_type}@example.com")
    names = [f"class {number}" for number in range(CLASSES)]
    project = projects.create_project(
        manager, f"Export benchmark, {task_type}", task_type, names, assist_mode="off"
    )
    source = DataSource.objects.create(project=project, kind="folder", location="/nowhere", name="benchmark")
    instructions = Instructions.objects.filter(project=project).first()
    if instructions is None:
        instructions = Instructions.objects.create(project=project, version=1, text="Name it.")
    parts: dict[str, Any] = {
        "project": project.pk,
        "source": source.pk,
        "images": images,
        "each": each,
        "labeler": manager.pk,
        "instructions": instructions.pk,
        "classes": list(project.classes.values_list("pk", flat=True)),
        "task_type": task_type,
    }
    with connection.cursor() as cursor:
        for statement in (ITEMS, ANSWERS, REGIONS, STATES):
            cursor.execute(statement, parts)
        cursor.execute("VACUUM ANALYZE")
    return project.pk


def memory() -> float:
    """Return the most memory that this process has ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(project_id: int, name: str, split: bool, folder: Path) -> dict[str, Any]:
    import django

    django.setup()
    from labeling import exporting, review
    from labeling.labeled import Labeled
    from labeling.models import Project

    project = Project.objects.get(pk=project_id)
    path, index = folder / "export", folder / "index"
    choice = exporting.Choice(name, split=(80, 10, 10) if split else ())
    at_rest, started = memory(), time.perf_counter()
    report = exporting.write(project, review.Filters(), path, choice, index=index)
    seconds, peak = time.perf_counter() - started, memory()
    started = time.perf_counter()
    for _ in Labeled(project, review.Filters()):
        pass
    database = time.perf_counter() - started
    plain = plainly(iter(Labeled(project, review.Filters())), folder / "plain")
    return {
        "format": name,
        "task_type": project.task_type,
        "images": report["images"],
        "annotations": report["annotations"],
        "split": split,
        "seconds": round(seconds, 1),
        "peak_mb": round(peak),
        "at_rest_mb": round(at_rest),
        "ratio_to_plain_write": round(seconds / plain, 2),
        "plain_write_s": round(plain, 1),
        "database_s": round(database, 1),
        "megabytes": round(report["bytes"] / 2**20, 1),
    }


def plainly(pictures: Any, path: Path) -> float:
    """Write images that are dictionaries already as lines of JSON; returns the seconds that it took."""
    seconds = 0.0
    with path.open("w", encoding="utf-8") as file:
        while ready := [asdict(each) for each in islice(pictures, READY)]:
            started = time.perf_counter()
            for body in ready:
                file.write(json.dumps(body))
                file.write("\n")
            seconds += time.perf_counter() - started
        started = time.perf_counter()
        file.flush()
        os.fsync(file.fileno())
    return seconds + time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--annotations", type=int, default=500_000)
    parser.add_argument("--per-image", type=int, default=1, help="labels of an image")
    parser.add_argument("--format", default="coco", help="one, or several with commas")
    parser.add_argument("--split", action="store_true", help="divide into train, val and test")
    parser.add_argument("--quick", action="store_true", help="a small run that proves it works")
    parser.add_argument("--measure", type=int, metavar="PROJECT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        with tempfile.TemporaryDirectory(prefix="loupe-bench-export-") as folder:
            print(json.dumps(measure(options.measure, options.format, options.split, Path(folder))))
        return
    if options.quick:
        options.annotations = 5_000
    with loupe():
        from labeling.formats.catalog import FORMATS

        made: dict[str, int] = {}
        for name in options.format.split(","):
            types = FORMATS[name].task_types
            kind = "detection" if "detection" in types else types[0]
            if kind not in made:
                each = options.per_image if kind in ("detection", "segmentation") else 1
                made[kind] = fill(options.annotations // each, each, kind)
            command = [sys.executable, "-m", "tests.benchmarks.exporting", "--format", name]
            command += ["--measure", str(made[kind]), *(["--split"] if options.split else [])]
            print(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


if __name__ == "__main__":
    main()
