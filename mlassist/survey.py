"""The survey: which backbones this installation can load, and how fast each is here, kept as rows.

A worker looks at every offer of the catalogue, since only workers load networks; pages and choices read the
rows. Weights that were measured are measured again only when their file has changed or somebody asks.
"""

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import OperationalError
from django.utils import timezone
from PIL import Image

from labeling import jobs
from labeling.models import Job, Project, User
from mlassist import embedding, featurization, former
from mlassist.backbones import catalog
from mlassist.models import BackboneOffer

if TYPE_CHECKING:
    from mlassist.backbones.loading import Backbone

QUIET = timedelta(seconds=60)  # after the start, when people wait for something else
EVERY = timedelta(hours=1)
MEASURED_SECONDS = 2.0
PHOTOS, PHOTO_SIZE = 32, (640, 480)
FOR_SOMEBODY = 4  # the priority of a survey that a person waits for
MOST_PICTURES = 20_000
KEPT = timedelta(days=1)

CUT_SHORT = (
    "Measuring it has not come to an end. If that stays so, the worker has died of it, perhaps for lack of"
    " memory: look again to try once more."
)

log = logging.getLogger(__name__)
_started_at = timezone.now()


@jobs.periodic(10)
def keep_current() -> None:
    """Queue a survey a minute after the start, and then every hour."""
    now = timezone.now()
    lately = Job.objects.filter(kind="survey", created_at__gt=max(_started_at, now - EVERY))
    if now > _started_at + QUIET and not is_under_way() and not lately.exists():
        jobs.enqueue("survey")


def is_under_way() -> bool:
    return Job.objects.filter(kind="survey", state__in=Job.UNFINISHED).exists()


def look_again(by: User | None) -> None:
    """Have everything measured anew because somebody asks; one that waits already does it too."""
    waiting = Job.objects.filter(kind="survey", state=Job.State.QUEUED)
    if not waiting.update(payload={"anew": True}, priority=FOR_SOMEBODY):
        jobs.enqueue("survey", payload={"anew": True}, created_by=by, priority=FOR_SOMEBODY)


@jobs.handler("survey", cluster="ml", priority=8)
def survey(job: jobs.RunningJob) -> dict[str, Any]:
    """Look at every offer; a job that dies on one passes over it the next time."""
    anew = job.payload.get("anew", False)
    known = {row.name: row for row in BackboneOffer.objects.all()}
    offers, gone = wanted(set(known))
    measured = 0
    for number, offer in enumerate(offers):
        job.progress(number, len(offers), message=f"Looking at {offer.title}")
        row = known.get(offer.name)
        # What was written since this job exists was written by it, before its worker died.
        is_old = row is None or (anew and row.surveyed_at < job.row.created_at)
        try:
            measured += look_at(offer, even_if_measured=is_old)
        except OperationalError:
            raise
        except Exception:  # costs this offer its row, and the others nothing
            log.exception("Backbone %s could not be looked at.", offer.name)
    for name, is_used in gone.items():
        if is_used:
            BackboneOffer.objects.update_or_create(
                name=name,
                defaults={"problem": catalog.GONE, "signature": ""},
                create_defaults={"title": name, "problem": catalog.GONE},
            )
        else:
            BackboneOffer.objects.filter(name=name).delete()
    old = Job.objects.filter(kind="survey", state=Job.State.DONE, finished_at__lt=timezone.now() - KEPT)
    old.delete()
    return {"offers": len(offers), "measured": measured}


def wanted(known: set[str]) -> tuple[list[catalog.Offer], dict[str, bool]]:
    """Return what there is to look at, and the names that are gone, with whether a project uses them.

    Networks that were fine-tuned here are not in the catalogue's list, only known by name.
    """
    offers = {offer.name: offer for offer in catalog.offers()}
    living = Project.objects.filter(deleted_at=None)
    used = {*living.values_list("backbone", flat=True), *living.values_list("next_backbone", flat=True)} - {
        ""
    }
    gone: dict[str, bool] = {}
    for name in sorted((known | used) - set(offers)):
        try:
            offer = catalog.find(name)
        except catalog.UnknownBackbone:
            gone[name] = name in used
            continue
        if offer.problem:
            gone[name] = name in used
        else:
            offers[name] = offer
    return list(offers.values()), gone


def look_at(offer: catalog.Offer, *, even_if_measured: bool = False) -> bool:
    """Write an offer's row, measuring it where that is due; returns whether it was measured."""
    before = BackboneOffer.objects.filter(name=offer.name).first()
    described = {"title": offer.title, "licence": offer.licence, "megabytes": offer.megabytes}
    if offer.problem:
        write(offer.name, **described, problem=offer.problem, signature="")
        return False
    now = offer.signature
    if before is not None and before.signature == now and not even_if_measured:
        BackboneOffer.objects.filter(pk=before.pk).update(**described)
        return False
    # Until it is known, the row says what is true if loading it kills this process.
    write(offer.name, **described, problem=CUT_SHORT, signature=now)
    try:
        found = measure(offer.name)
        weights = found.pop("weights", None)
        write(offer.name, **found)
    except BaseException:
        # Told to stop: nothing is known to be wrong with it, so the next survey looks again.
        write(offer.name, signature="")
        raise
    if weights is not None:
        former.make_way(offer.name, weights)
        featurization.retry(offer.name)
    return True


def write(name: str, **fields: Any) -> None:
    BackboneOffer.objects.update_or_create(name=name, defaults=fields)


def is_being_measured(row: BackboneOffer) -> bool:
    """Tell whether a row's problem is that of a network in the worker's hands right now."""
    return row.problem == CUT_SHORT and is_under_way()


def measure(name: str) -> dict[str, Any]:
    """Load a backbone and time it; returns the row's fields, with a problem when it cannot be used.

    Where it can be, `weights` besides is its fingerprint.
    """
    # Loaded here and not at import: the web process must never load torch.
    from mlassist.backbones import loading

    try:
        loaded = loading.load(name)
        if not np.isfinite(embedding.embed_images(loaded, photos(1))).all():
            return {"problem": embedding.NOT_FINITE, "images_per_second": None}
        speed = images_per_second(loaded)
    except loading.CannotLoad as error:
        return {"problem": str(error), "images_per_second": None}
    except Exception as error:
        log.exception("Backbone %s cannot be used.", name)
        return {"problem": f"It fails when it is used: {error}", "images_per_second": None}
    return {
        "side": loaded.side,
        "dimension": loaded.dimension,
        "images_per_second": speed,
        "device": loaded.device,
        "problem": "",
        "weights": loaded.fingerprint,
    }


def images_per_second(backbone: "Backbone") -> float:
    """Return how many photos a second are scaled and embedded on all cores, decoding left out."""
    few = 8 * embedding.cores()
    embedding.embed_images(backbone, photos(few))  # the first images cost more than all others
    pace = timed(backbone, photos(few))
    enough = min(MOST_PICTURES, max(few, round(pace * MEASURED_SECONDS)))
    return round(timed(backbone, photos(enough)), 1)


def timed(backbone: "Backbone", pictures: list[Image.Image]) -> float:
    started = time.perf_counter()
    embedding.embed_images(backbone, pictures)
    return len(pictures) / (time.perf_counter() - started)


def photos(count: int) -> list[Image.Image]:
    """Return synthetic photos of a camera's proportions, a few different ones in turn."""
    return list(islice(cycle(different_photos()), count))


def different_photos() -> Iterator[Image.Image]:
    chance = np.random.default_rng(0)
    for _ in range(PHOTOS):
        blots = Image.fromarray(chance.integers(0, 256, (9, 12, 3), np.uint8))
        yield blots.resize(PHOTO_SIZE, Image.Resampling.BICUBIC)
