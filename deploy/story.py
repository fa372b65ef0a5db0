"""What the demo shows: from the first label to the export, each step with the time it took."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from django.db import connection

from deploy import digits, simulation, webserver
from deploy.crowd import gather
from deploy.truth import known_answers
from labeling import importing, projects, suggestions
from labeling.models import Annotation, ApiToken, Membership, Project, User

NAME = "Handwritten digits"
ROLES = ("manager", "reviewer", "labeler")
LABELERS = 3
RATE = 7.0  # labels by hand per second, of all three together
VALIDATION_SHARE = 0.4  # more than usual, so that the certificate does not take long
TARGET_ERROR = 0.10
FIRST_LABELS = 50
CONFIRMED_IN_GRIDS = 50
LIMIT = 480.0

Overview = dict[str, Any]


class StepMissing(Exception):
    """What did not happen, in a sentence."""


@dataclass(slots=True)
class Step:
    """`seen` returns a sentence once the step has happened."""

    title: str
    seen: Callable[[Overview], str | None]


@dataclass
class Story:
    """Plays the demo in a thread of its own; `say` prints a line."""

    home: Path
    address: str
    password: str
    say: Callable[[str], None]
    is_over: threading.Event = field(default_factory=threading.Event)
    succeeded: bool = False
    started: float = field(default_factory=time.monotonic)

    def play(self) -> None:
        """Tell the whole story; `succeeded` says whether every step happened."""
        crowd: simulation.Crowd | None = None
        try:
            self.wait_for_services()
            manager = self.people()["manager"]
            project, truth = self.project(manager)
            client = simulation.Client(self.address, ApiToken.issue(manager, "demo"), project.pk)
            self.wait_for(client, Step("Images", images_seen))
            answers = known_answers(project, str(truth))
            crowd = gather(
                project,
                answers,
                simulation.Tally(),
                self.address,
                labelers=LABELERS,
                error=0.0,
                rate=RATE,
                seed=0,
            )
            crowd.start(patience=LIMIT)
            for step in self.steps(project):
                self.wait_for(client, step, crowd)
            crowd.stop()
            self.export(client)
            self.succeeded = True
        except (StepMissing, simulation.SimulationFailed, requests.RequestException) as failure:
            if not self.is_over.is_set():
                self.tell("Stopped", str(failure))
        finally:
            if crowd is not None:
                crowd.is_over.set()
            connection.close()

    def steps(self, project: Project) -> Iterator[Step]:
        yield Step("Labels by people", labels_seen)
        yield Step("First model", model_seen)
        yield Step("Groups", lambda overview: groups_seen(project, overview))
        yield Step("Certificate", certificate_seen)
        yield Step("Pre-labels", lambda overview: prelabels_seen(project, overview))
        yield Step("Confirmed in grids", lambda overview: confirmed_seen(project, overview))

    def tell(self, title: str, sentence: str) -> None:
        seconds = int(time.monotonic() - self.started)
        self.say(f"{seconds // 60:3}:{seconds % 60:02}  {title:<20} {sentence}")

    def wait_for_services(self) -> None:
        while not webserver.answers(self.address):
            self.pause("The web page did not come up")
        self.tell("Ready", f"{self.address}/")

    def wait_for(self, client: simulation.Client, step: Step, crowd: simulation.Crowd | None = None) -> None:
        while True:
            sentence = step.seen(client.project())
            if sentence:
                self.tell(step.title, sentence)
                return
            if crowd is not None and crowd.failures:
                raise crowd.failures[0]
            self.pause(f"This step did not happen within {LIMIT / 60:.0f} minutes: {step.title}")

    def pause(self, otherwise: str) -> None:
        if time.monotonic() - self.started > LIMIT:
            raise StepMissing(otherwise)
        if self.is_over.wait(0.5):
            raise StepMissing("The demo was stopped.")

    def people(self) -> dict[str, User]:
        """Make one account for each role, all with the same password."""
        made = {}
        for role in ROLES:
            user, is_new = User.objects.get_or_create(
                email=f"{role}@example.com", defaults={"name": f"Demo {role}"}
            )
            if is_new:
                user.set_password(self.password)
                user.save(update_fields=["password"])
            made[role] = user
        return made

    def project(self, manager: User) -> tuple[Project, Path]:
        """Return the sample project and the file with its right answers, made if this is the first time."""
        images, truth = digits.write(self.home)
        project = Project.objects.filter(name=NAME).first()
        if project is None:
            project = projects.create_project(
                manager,
                NAME,
                Project.TaskType.MULTICLASS,
                digits.NAMES,
                instructions="Which digit did they write?",
                target_error=TARGET_ERROR,
            )
            suggestions.set_validation_share(project, VALIDATION_SHARE)
            for role, user in self.people().items():
                Membership.objects.get_or_create(project=project, user=user, defaults={"role": role})
        if not project.items.exists():
            importing.add_folder(project, images, manager)
        return project, truth

    def export(self, client: simulation.Client) -> None:
        """Ask for an export as a program would, and fetch its file."""
        job = client.post("exports/", {"format": "coco"})
        while job["state"] not in ("done", "failed", "cancelled"):
            self.pause("The export did not finish")
            job = client.get(f"{self.address}/api/jobs/{job['id']}/").json()
        if job["state"] != "done":
            raise StepMissing(f"The export failed: {job['error']}")
        target = self.home / "handwritten-digits.coco.json"
        target.write_bytes(client.get(self.address + job["result"]["file"]).content)
        self.tell("Export", f"{job['result']['images']:,} labeled images in {target}")


def images_seen(overview: Overview) -> str | None:
    done, total = overview["embedding"]["done"], overview["embedding"]["total"]
    ready = sum(overview["items"][state] for state in ("unlabeled", "labeled", "needs_review", "skipped"))
    return f"{ready:,} imported, {done:,} looked at by the backbone so far" if total and done else None


def labels_seen(overview: Overview) -> str | None:
    count = overview["labels_by_origin"]["person"]
    return f"{count} by {len(overview['labels_by_labeler'])} people" if count >= FIRST_LABELS else None


def model_seen(overview: Overview) -> str | None:
    model = overview["model"]
    if model is None:
        return None
    return f"trained on {model['labels']} labels, about {model['accuracy']:.0%} right"


def groups_seen(project: Project, overview: Overview) -> str | None:
    waiting = overview["queue"]["clustered"]
    if waiting:
        return f"{waiting:,} images wait in grids of look-alikes"
    done = Annotation.objects.filter(project=project, kind="clustered", withdrawn_at=None).count()
    return f"{done:,} images were labeled in grids of look-alikes" if done else None


def certificate_seen(overview: Overview) -> str | None:
    certificate = overview["certificate"]
    return certificate["sentence"] if certificate and certificate["state"] == "valid" else None


def prelabels_seen(project: Project, overview: Overview) -> str | None:
    waiting = overview["queue"]["prelabeled"]
    if waiting:
        return f"{waiting:,} images wait for a person to confirm what the model is sure of"
    done = Annotation.objects.filter(project=project, kind="prelabeled", withdrawn_at=None).count()
    return f"{done:,} images were confirmed" if done else None


def confirmed_seen(project: Project, overview: Overview) -> str | None:
    certificate = overview["certificate"]
    if certificate is None:
        return None
    confirmed = Annotation.objects.filter(
        project=project,
        kind="prelabeled",
        agreed=True,
        counted=True,
        withdrawn_at=None,
        created_at__gt=certificate["created_at"],
    ).count()
    return f"{confirmed:,} pre-labels finished nine at a time" if confirmed >= CONFIRMED_IN_GRIDS else None
