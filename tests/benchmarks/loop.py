"""The whole loop on real images, against the real services: people's labels in, certified labels out.

    python -m tests.benchmarks.loop --data cifar10.zip --items 10000 --labels 1000 --target 0.10

`manage.py up` runs in a home of its own; a simulated labeler answers over the HTTP API from the
folder names, at the pace of a person in this respect: it lets a training finish that has become due.
Without --data the images are scikit-learn's handwritten digits. The last line is one JSON object:

human_labels                   answers given, blind ones and confirmed proposals included
pool_accuracy                  share of all images that the last model alone gets right
certified_coverage             share of all images that were labeled under a certificate
certified_error                true share of wrong ones among those, null when there are none
seconds_trigger_to_prelabels   from the moment a round is queued to the new queue order, slowest round
embed_images_per_s             of the featurization jobs with the machine to themselves: neither the first,
                               which loads the network, nor those beside the import, if there are others
bare_forward_images_per_s      the network alone on the same images, decoded beforehand
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

LIMIT = 1_800.0


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)


def wait_until(done: Callable[[], Any], what: str, seconds: float = LIMIT) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = done()
        if found:
            return found
        time.sleep(0.5)
    raise SystemExit(f"{what} did not happen within {seconds:.0f} s.")


@contextlib.contextmanager
def services(home: Path) -> Iterator[str]:
    """Run `manage.py up` and set Django up on the same database; yields the address."""
    os.environ |= {"LOUPE_HOME": str(home), "DJANGO_SETTINGS_MODULE": "deploy.settings"}
    os.environ.setdefault("LOUPE_LOG_LEVEL", "WARNING")
    os.environ.pop("DATABASE_URL", None)
    from deploy.postgres import Server

    server = Server(home)
    os.environ["DATABASE_URL"] = server.acquire()
    import django

    django.setup()
    from django.db import connections

    from deploy import webserver

    port = webserver.any_free_port()
    everything = subprocess.Popen(
        [sys.executable, "manage.py", "up"],
        env={**os.environ, "LOUPE_PORT": str(port)},
        stdout=sys.stderr,
        start_new_session=True,
    )
    try:
        address = webserver.local_address(port)
        wait_until(lambda: webserver.answers(address), "Loupe's start", 120)
        yield address
    finally:
        everything.terminate()
        everything.wait(60)
        connections.close_all()
        server.release()


def choose(data: Path | None, count: int, folder: Path) -> Path:
    """Write a ZIP with one folder per class of randomly chosen images."""
    chosen = folder / "images.zip"
    with zipfile.ZipFile(chosen, "w") as out:
        if data is None:
            from deploy import digits

            images, truth = digits.write(folder)
            answers = json.loads(truth.read_text())
            for name in random.Random(0).sample(sorted(answers), min(count, len(answers))):
                out.write(images / name, f"{answers[name]}/{name}")
        else:
            with zipfile.ZipFile(data) as source:
                names = [name for name in source.namelist() if not name.endswith("/")]
                for name in random.Random(0).sample(sorted(names), min(count, len(names))):
                    out.writestr("/".join(PurePosixPath(name).parts[-2:]), source.read(name))
    return chosen


class Labeler:
    """A manager who makes the project and labels it alone, all over the HTTP API."""

    def __init__(self, address: str) -> None:
        import requests

        from labeling.models import ApiToken, User

        user = User.objects.create_user("benchmark@example.com")
        self.address = address
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Token {ApiToken.issue(user)}"
        self.project = 0
        self.answers = 0
        self.by_kind: Counter[str] = Counter()

    def call(self, method: str, path: str, **options: Any) -> Any:
        answer = self.session.request(method, f"{self.address}/api/{path}", timeout=600, **options)
        if answer.status_code >= 400:
            raise SystemExit(f"{method} {path} gave {answer.status_code}: {answer.text[:300]}")
        return answer.json() if answer.content else None

    def open_project(self, images: Path, target: float, mode: str, promise: str = "each") -> None:
        with zipfile.ZipFile(images) as archive:
            classes = sorted({name.split("/")[0] for name in archive.namelist()})
        made = self.call(
            "POST",
            "projects/",
            json={
                "name": "Benchmark",
                "task_type": "multiclass",
                "classes": classes,
                "assist_mode": mode,
                "target_error": target,
                "promise": promise,
            },
        )
        self.project = made["id"]
        with images.open("rb") as file:
            self.call("POST", f"projects/{self.project}/imports/", files={"files": file})

    def look(self) -> dict[str, Any]:
        return dict(self.call("GET", f"projects/{self.project}/"))

    def label(self, wanted: int, truth: dict[int, int]) -> None:
        """Give that many answers, letting each training that is due finish first."""
        while self.answers < wanted:
            size = max(size for size in (1, 4, 6, 9) if size <= wanted - self.answers)
            page = self.call("POST", f"projects/{self.project}/pages/", json={"size": size})
            if page is None:
                return
            self.submit(page, truth)
            self.let_it_train()

    def submit(self, page: dict[str, Any], truth: dict[int, int]) -> None:
        answers = [
            {
                "item": item["id"],
                "uuid": str(uuid.uuid4()),
                "seconds": 1.0,
                "regions": [{"class": truth[item["id"]]}],
            }
            for item in page["items"]
        ]
        self.call("POST", f"projects/{self.project}/pages/{page['page']}/submit/", json={"answers": answers})
        self.answers += len(answers)
        self.by_kind[page["kind"]] += len(answers)

    def let_it_train(self) -> None:
        next_run = self.look()["next_run"]
        if next_run["running"] or next_run["have"] >= next_run["need"]:
            wait_until(self.is_idle, "A training round", 120)

    def is_idle(self) -> bool:
        next_run = self.look()["next_run"]
        return not next_run["running"] and next_run["have"] < next_run["need"]


def truth_of(project: int) -> dict[int, int]:
    """Return the right class of each item, from its folder."""
    from labeling.models import Item, LabelClass

    classes = dict(LabelClass.objects.filter(project=project).values_list("name", "id"))
    items = Item.objects.filter(project=project).values_list("id", "path")
    return {item: classes[path.split("/")[-2]] for item, path in items}


def results(project_id: int, truth: dict[int, int]) -> dict[str, Any]:
    """Measure from the tables and the known answers what came of it."""
    from labeling.models import Annotation, Job, Project
    from mlassist.models import Run
    from mlassist.pool import Pool, load_head

    def finished(done: "Job | Run") -> datetime:
        assert done.finished_at is not None
        return done.finished_at

    project = Project.objects.get(pk=project_id)
    version = project.model_versions.latest("number")
    pool, head = Pool.of(project), load_head(version)
    right = [truth[item] for item in pool.ids.tolist()]
    proposed = head.classes[head.probabilities(pool.features).argmax(1)]
    auto = Annotation.objects.filter(
        project=project, source="auto", withdrawn_at=None, certificate__isnull=False
    )
    labels = dict(auto.values_list("item_id", "regions__label_class"))
    wrong = sum(truth[item] != label for item, label in labels.items())
    chunks = list(Job.objects.filter(project=project, kind="featurize", state="done").order_by("started_at"))
    read = max(finished(each) for each in Job.objects.filter(project=project, kind="import"))
    timed = (
        [each for each in chunks[1:] if each.started_at and each.started_at > read] or chunks[1:] or chunks
    )
    rounds = Run.objects.filter(project=project, kind="inference", state="done").select_related("job")
    return {
        "pool_accuracy": round(float((proposed == right).mean()), 4),
        "certified_coverage": round(len(labels) / len(pool), 4),
        "certified_error": round(wrong / len(labels), 4) if labels else None,
        "seconds_trigger_to_prelabels": round(
            max((finished(each) - each.job.created_at).total_seconds() for each in rounds if each.job), 2
        ),
        "embed_images_per_s": round(
            sum(each.result["embedded"] for each in timed)
            / sum((finished(each) - each.started_at).total_seconds() for each in timed if each.started_at),
            1,
        ),
    }


def bare_forward(project_id: int) -> float:
    """Return images per second of the network alone, its images decoded beforehand."""
    import numpy as np

    from labeling import images
    from labeling.models import Item
    from mlassist import embedding
    from mlassist.backbones import loading

    backbone = loading.load("bundled")
    items = Item.objects.filter(project=project_id, read_at__isnull=False).select_related("source")[:1_024]
    decoded = np.stack(
        [backbone.prepare(images.open_upright(item, at_least=backbone.side)) for item in items]
    )
    batches = [decoded[at : at + embedding.BATCH] for at in range(0, len(decoded), embedding.BATCH)]
    with ThreadPoolExecutor(embedding.cores(), initializer=backbone.use_one_thread) as lanes:
        list(lanes.map(backbone.embed, batches))
        started = time.perf_counter()
        list(lanes.map(backbone.embed, batches))
        return len(decoded) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="ZIP with one folder per class")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--labels", type=int, default=1_000)
    parser.add_argument("--target", type=float, default=0.10, help="allowed error of auto labels")
    parser.add_argument("--mode", choices=("accept", "suggest"), default="accept")
    parser.add_argument("--quick", action="store_true", help="1,500 images and 400 labels at most")
    options = parser.parse_args()
    if options.quick:
        options.items, options.labels = min(options.items, 1_500), min(options.labels, 400)
    if options.data and not options.data.exists():
        sys.exit(f"There is no {options.data}.")
    home = Path(tempfile.mkdtemp(prefix="loupe-loop-"))
    try:
        with services(home) as address:
            print(json.dumps(measure(address, home, options)))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def measure(address: str, home: Path, options: argparse.Namespace) -> dict[str, Any]:
    labeler = Labeler(address)
    labeler.open_project(choose(options.data, options.items, home), options.target, options.mode)
    say("imported; waiting for the embeddings")
    embedded = wait_until(lambda: is_embedded(labeler.look()), "The embedding of all images")
    say(f"{embedded} images embedded; labeling")
    truth = truth_of(labeler.project)
    labeler.label(options.labels, truth)
    labeler.call("POST", f"projects/{labeler.project}/runs/", json={"kind": "training"})
    wait_until(labeler.is_idle, "The last training")
    last = labeler.look()
    say(f"answers by kind: {dict(labeler.by_kind)}; items: {last['items']}")
    say(f"model: {last['model'] and {k: v for k, v in last['model'].items() if k != 'history'}}")
    say(f"certificate: {last['certificate']}; outlook: {last['certificate_outlook']}")
    return {
        "human_labels": labeler.answers,
        **results(labeler.project, truth),
        "bare_forward_images_per_s": round(bare_forward(labeler.project), 1),
    }


def is_embedded(facts: dict[str, Any]) -> int:
    """Return how many images are embedded once all are, else 0."""
    embedding, items = facts["embedding"], facts["items"]
    readable = sum(items[state] for state in ("unlabeled", "labeled", "needs_review", "skipped"))
    waiting = any(run["kind"] == "featurization" and run["state"] == "running" for run in facts["runs"])
    return embedding["done"] if embedding["done"] >= readable > 0 and not waiting else 0


if __name__ == "__main__":
    main()
