"""How near the embedding of a project comes to bare decoding, scaling and computing on the same cores.

    python -m tests.benchmarks.embedding --data ../shared/data/cifar10.zip ../shared/data/bccd.zip

Images of each archive are imported into a project on a database of its own and embedded by Loupe's own
featurization jobs. The bare way has the same files in memory, the same network and batches of the same
size, and neither rows nor storage. Both ways take turns on the same images; figures are medians of the
turns, the ratio that of each turn's two rates. Without --data the images are scikit-learn's digits.
The last line is one JSON object, of all archives together and of each:

images_per_s        featurization, from the moment chunks are queued until the last vector is stored
bare_images_per_s   the better of two ways: lanes that each decode and compute, or all decoding first
ratio               of these two; the target is 0.90
decode_per_s        decoding and scaling alone
forward_per_s       the network alone
"""

import argparse
import io
import itertools
import json
import random
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.benchmarks.queue import loupe

SUFFIXES = (".jpg", ".jpeg", ".png")


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


@dataclass(slots=True)
class Turns:
    """Seconds that each way took over the same images, turn by turn."""

    images: int
    jobs: list[float] = field(default_factory=list)
    lanes: list[float] = field(default_factory=list)
    decode: list[float] = field(default_factory=list)
    forward: list[float] = field(default_factory=list)

    @property
    def bare(self) -> list[float]:
        """Return the better of the two bare ways, the same in all turns."""
        phases = [sum(pair) for pair in zip(self.decode, self.forward, strict=True)]
        return min(self.lanes, phases, key=statistics.median)


def sample(data: Path | None, count: int, folder: Path) -> Path:
    """Write a ZIP of randomly chosen images, none twice: Loupe embeds the same content once."""
    chosen = folder / f"{data.stem if data else 'digits'}-chosen.zip"
    files = {content: name for name, content in shuffled(data, folder)}
    with zipfile.ZipFile(chosen, "w") as out:
        for content, name in itertools.islice(files.items(), count):
            out.writestr(name, content)
    return chosen


def shuffled(data: Path | None, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the images in an archive, or of the digits."""
    chance = random.Random(0)
    if data is None:
        from deploy import digits

        images, _ = digits.write(folder)
        names = sorted(file.name for file in images.iterdir())
        yield from ((name, (images / name).read_bytes()) for name in chance.sample(names, len(names)))
        return
    with zipfile.ZipFile(data) as source:
        names = sorted(name for name in source.namelist() if name.lower().endswith(SUFFIXES))
        yield from ((name, source.read(name)) for name in chance.sample(names, len(names)))


def bring_in(archive: Path, backbone: str) -> Any:
    """Import an archive into a project of its own and read all of it."""
    from labeling import importing
    from tests import factories

    project = factories.make_project(manager=factories.make_user(), backbone=backbone)
    importing.add_zip(project, archive, archive.name, project.created_by)
    factories.run_jobs("quick")
    return project


def forget(project: Any) -> None:
    """Bring a project back to where none of its images has an embedding."""
    from clustering.models import EmbeddingSet
    from labeling.models import Job
    from mlassist.models import Run

    Run.objects.filter(project=project).delete()
    Job.objects.filter(project=project, kind="featurize").delete()
    EmbeddingSet.objects.filter(project=project).delete()


def featurize(project: Any) -> None:
    """Embed a project as a worker does: chunk after chunk, until none is queued."""
    from mlassist import featurization
    from tests import factories

    while featurization.queue_chunks(project):
        factories.run_jobs("ml")


class Bare:
    """Decoding, scaling and computing with nothing around them."""

    def __init__(self, backbone: Any, files: list[bytes]) -> None:
        from mlassist import embedding

        self.backbone = backbone
        self.cores = embedding.cores()
        # Even batches, as many for every core, so that none waits at the end for another's last one.
        rounds = -(-len(files) // (embedding.BATCH * self.cores))
        self.batches = [
            [files[row] for row in rows]
            for rows in np.array_split(np.arange(len(files)), rounds * self.cores)
        ]
        self.pixels: list[np.ndarray] = []

    def prepare(self, batch: Sequence[bytes]) -> np.ndarray:
        side, images = self.backbone.side, []
        for file in batch:
            image = Image.open(io.BytesIO(file))
            image.draft("RGB", (side, side))
            images.append(self.backbone.prepare(image.convert("RGB")))
        return np.stack(images)

    def on_all_cores(self, work: Callable[[Any], np.ndarray], batches: Iterable[Any]) -> list[np.ndarray]:
        with ThreadPoolExecutor(self.cores, initializer=self.backbone.use_one_thread) as lanes:
            return list(lanes.map(work, batches))

    def lanes(self) -> None:
        self.on_all_cores(lambda batch: self.backbone.embed(self.prepare(batch)), self.batches)

    def decode(self) -> None:
        self.pixels = self.on_all_cores(self.prepare, self.batches)

    def forward(self) -> None:
        self.on_all_cores(self.backbone.embed, self.pixels)


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def take_turns(data: Path | None, options: argparse.Namespace, folder: Path) -> Turns:
    """Measure each way over the images of one archive, the order turned round every time."""
    from mlassist.backbones import loading

    archive = sample(data, options.images, folder)
    project = bring_in(archive, options.backbone)
    with zipfile.ZipFile(archive) as opened:
        bare = Bare(loading.load(options.backbone), [opened.read(name) for name in opened.namelist()])
    turns = Turns(sum(map(len, bare.batches)))
    ways: list[tuple[list[float], Callable[[], None]]] = [
        (turns.jobs, lambda: featurize(project)),
        (turns.lanes, bare.lanes),
        (turns.decode, bare.decode),
        (turns.forward, bare.forward),
    ]
    for _, way in ways:  # the first time loads and warms up
        way()
    forget(project)
    for turn in range(options.repeats):
        for taken, way in ways if turn % 2 else [*ways[1:], ways[0]]:
            taken.append(seconds(way))
            if taken is turns.jobs:
                check(project, turns.images)
                forget(project)
        say(f"{archive.stem}: turn {turn + 1} of {options.repeats}, {rates([turns])}")
    return turns


def check(project: Any, count: int) -> None:
    """Refuse to count a featurization that did not compute the vector of every image."""
    from clustering import embeddings
    from labeling.models import Job

    done = Job.objects.filter(project=project, kind="featurize").values_list("result", flat=True)
    computed = sum(result["embedded"] for result in done)
    if not computed == embeddings.count(project) == count:
        raise SystemExit(f"{computed} of {count} images were embedded.")


def rates(parts: Sequence[Turns]) -> dict[str, float]:
    """Return images per second over one or more archives, one after the other."""

    def rate(taken: Callable[[Turns], list[float]]) -> float:
        return round(
            sum(part.images for part in parts) / sum(statistics.median(taken(part)) for part in parts), 1
        )

    # Turn by turn, so that what slows the machine for a while slows both.
    both = zip(
        zip(*(part.jobs for part in parts), strict=True),
        zip(*(part.bare for part in parts), strict=True),
        strict=True,
    )
    return {
        "images_per_s": rate(lambda part: part.jobs),
        "bare_images_per_s": rate(lambda part: part.bare),
        "ratio": round(statistics.median(sum(bare) / sum(jobs) for jobs, bare in both), 3),
        "decode_per_s": rate(lambda part: part.decode),
        "forward_per_s": rate(lambda part: part.forward),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="ZIPs of images")
    parser.add_argument("--backbone", default="bundled")
    parser.add_argument("--images", type=int, default=5_000, help="at most so many of each archive")
    parser.add_argument("--repeats", type=int, default=7, help="turns that each way gets")
    parser.add_argument("--quick", action="store_true", help="few images and turns: shows that it works")
    options = parser.parse_args()
    if options.quick:
        options.images, options.repeats = min(options.images, 300), min(options.repeats, 2)
    for path in options.data:
        if not path.exists():
            sys.exit(f"There is no {path}.")
    with loupe(), tempfile.TemporaryDirectory() as folder:
        found = {
            data.stem if data else "digits": take_turns(data, options, Path(folder))
            for data in options.data or [None]
        }
        figures = rates(list(found.values()))
        each = {name: {"images": turns.images, **rates([turns])} for name, turns in found.items()}
    print(json.dumps({"backbone": options.backbone, "quick": options.quick, **figures, "archives": each}))


if __name__ == "__main__":
    main()
