"""How fast a folder of a million images becomes a project, and how much memory that takes.

    python -m tests.benchmarks.importing [--items 1000000] [--folder /dev/shm] [--quick]

A folder holds that many names of 3,000 pictures, in folders of a thousand. It is imported by Loupe's own
code into a database of its own; then a thousandth of it is added, a thousandth removed, and it is looked at
again. The bare costs are measured in the same run. The last line is one JSON object:

rows_per_s          files listed, compared and written as items, by the second
bare_list_per_s     files that the same folder lists when nothing is done with them
seconds_to_start    from the beginning of the import until the first image waits for labelers
read_per_s          images read by an import job: hash, size, thumbnail, rows, queue
bare_decode_per_s   the same pictures decoded, hashed and made into thumbnails by as many threads
read_ratio          of these two; the target is 0.80
refresh_seconds     to see what was added and removed among all of them
peak_mb             most memory of the importing process beyond what it had before, in MB
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image

from tests.benchmarks.queue import loupe

FOLDER = 1_000  # names in one folder
PICTURES = 3_000  # that differ
SIZE = (640, 480)
READ = 1_000  # images that are read


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


def draw(folder: Path, count: int) -> list[Path]:
    """Write pictures that differ, as cameras would: noise on a gradient, as JPEG."""
    folder.mkdir(parents=True)
    base = Image.radial_gradient("L").resize(SIZE)
    paths = []
    for number in range(count):
        noise = Image.effect_noise(SIZE, 40)
        picture = Image.merge("RGB", (base, noise, Image.blend(base, noise, number / count)))
        paths.append(folder / f"{number}.jpg")
        picture.save(paths[-1], quality=80)
    return paths


def name_them(folder: Path, pictures: list[Path], start: int, end: int) -> None:
    """Give the pictures names, as if each were a file of its own."""
    for number in range(start, end):
        inside = folder / f"{number // FOLDER:05}"
        if number % FOLDER == 0 or not inside.exists():
            inside.mkdir(parents=True, exist_ok=True)
        os.link(pictures[number * 7919 % len(pictures)], inside / f"{number:08}.jpg")


def most_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bare_listing(folder: Path) -> float:
    from labeling import listing

    started = time.perf_counter()
    for _ in listing.walk(folder):
        pass
    return time.perf_counter() - started


def bare_reading(paths: list[Path]) -> float:
    """Decode, hash and shrink files the way that reading does, and nothing else."""
    from labeling import decoding, images, reading

    def one(path: Path) -> None:
        data = path.read_bytes()
        hashlib.sha256(data)
        images.webp(decoding.decode(data), images.THUMBNAIL)

    started = time.perf_counter()
    with ThreadPoolExecutor(reading.READERS) as pool:
        list(pool.map(one, paths))
    return time.perf_counter() - started


def read_some(source: Any, count: int) -> tuple[float, float]:
    """Read the first images of a source; returns the seconds until one waits, and those for all."""
    from labeling import reading, registering

    started, first, done = time.perf_counter(), 0.0, 0
    for settled in reading.read_all(source, registering.unread(source)):
        done += settled.items
        first = first or time.perf_counter() - started
        if done >= count:
            break
    return first, time.perf_counter() - started


def measure(folder: Path, items: int) -> dict[str, Any]:
    from labeling import importing, projects, refreshing, registering
    from labeling.models import User

    say(f"writing {items:,} names")
    pictures = draw(folder / "pictures", min(PICTURES, items))
    names = folder / "names"
    name_them(names, pictures, 0, items)
    by = User.objects.create_user("manager@example.com", "correct horse battery")
    project = projects.create_project(by, "A million", "multiclass", ["a", "b"])
    listing = min(bare_listing(names) for _ in range(2))
    say(f"listing alone takes {listing:.1f} s")
    before, started = most_memory(), time.perf_counter()
    source = importing.add_folder(project, names, by)
    written = time.perf_counter() - started
    peak = most_memory() - before
    say(f"{items:,} rows after {written:.1f} s, {peak:.0f} MB more than before")
    first, read = read_some(source, min(READ, items))
    bare = bare_reading([pictures[number % len(pictures)] for number in range(min(READ, items))])
    changes = max(1, items // 1_000)
    name_them(names, pictures, items, items + changes)
    for number in range(changes):
        (names / f"{number // FOLDER:05}" / f"{number:08}.jpg").unlink()
    started = time.perf_counter()
    outcome = registering.take(source, refreshing.files_of(source), by, batch=1)
    refreshed = time.perf_counter() - started
    assert (outcome.new, outcome.gone, outcome.changed) == (changes, changes, 0), outcome
    count = min(READ, items)
    return {
        "items": items,
        "rows_per_s": round(items / written),
        "bare_list_per_s": round(items / listing),
        "seconds_to_start": round(written + first, 2),
        "read_per_s": round(count / read, 1),
        "bare_decode_per_s": round(count / bare, 1),
        "read_ratio": round(bare / read, 3),
        "refresh_seconds": round(refreshed, 2),
        "peak_mb": round(most_memory() - before),
        "peak_mb_of_import": round(peak),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--quick", action="store_true", help="few images: shows that it works, and no more")
    parser.add_argument(
        "--folder", type=Path, help="where to write the names; some disks take an hour for it"
    )
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="loupe-importing-", dir=given.folder))
    try:
        with loupe():
            print(json.dumps(measure(folder, 2_000 if given.quick else given.items)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
