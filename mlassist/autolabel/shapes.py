"""Auto-label as programs and the page's script read it."""

from typing import Any

from django.urls import reverse

from labeling import languages
from labeling.models import DataSource, Item, Project
from mlassist.autolabel import engines, examples, proposing, sentences, thresholds, trials
from mlassist.models import AutoLabeling, Example, Trial, TrialImage


def setup_shape(project: Project, source: DataSource | None, skip: int = 0) -> dict[str, Any]:
    """Return what can be chosen, what each class is like, and images to try models on."""
    trial = trials.newest(project, source)
    set_before = proposing.thresholds_before(project)
    by_class: dict[int, list[Example]] = {}
    for each in examples.of(project):
        by_class.setdefault(each.label_class_id, []).append(each)
    shown = trials.first(project, source, trials.SHOWN + trials.OTHERS, skip)
    return {
        "models": [offer_shape(each) for each in engines.offers(project)],
        "classes": [
            {
                "id": each.pk,
                "name": each.name,
                "color": each.color,
                "prompt": each.description or each.name,
                "threshold": set_before.get(str(each.pk), thresholds.USUAL),
                "examples": [example_shape(one) for one in by_class.get(each.pk, [])],
            }
            for each in project.classes.filter(retired_at=None)
        ],
        "images": [picture_shape(each) for each in shown],
        "waiting": trials.waiting_in(project, source).count(),
        "trial": trial_shape(trial) if trial else None,
    }


def offer_shape(offer: engines.Offer) -> dict[str, Any]:
    return {
        "name": offer.name,
        "title": offer.title,
        "does": offer.does,
        "asks_for": offer.asks_for or None,
        "licence": offer.licence,
        "megabytes": offer.megabytes,
        "problem": offer.problem,
    }


def example_shape(example: Example) -> dict[str, Any]:
    return {
        "id": example.pk,
        "class": example.label_class_id,
        "bbox": example.bbox,
        "image": picture_shape(example.item),
    }


def picture_shape(item: Item) -> dict[str, Any]:
    return {
        "id": item.pk,
        "file_name": item.file_name,
        "width": item.width,
        "height": item.height,
        "image": reverse("image", args=[item.pk]),
        "thumbnail": reverse("thumbnail", args=[item.pk]),
    }


def trial_shape(trial: Trial) -> dict[str, Any]:
    images = trial.images.select_related("item")
    return {
        "id": trial.pk,
        "model": trial.engine,
        "title": trial.title,
        "source": trial.source_id,
        "prompts": {int(label): said for label, said in trial.prompts.items()},
        "examples": trial.examples,
        "state": trial.job.state if trial.job else "failed",
        "error": sentences.said(trial.job.error) if trial.job else "",
        "seconds_per_image": trial.seconds,
        "spread": {int(label): counts for label, counts in trial.spread.items()},
        "images": [image_shape(each) for each in images],
        "created_at": trial.created_at,
    }


def image_shape(image: TrialImage) -> dict[str, Any]:
    """Return an image with all that was found on it; null while nobody has looked."""
    return {**picture_shape(image.item), "found": image.found, "problem": languages.reason(image.problem)}


def labeling_shape(made: AutoLabeling) -> dict[str, Any]:
    job, number = made.job, made.model_version.number
    return {
        "id": made.pk,
        "model": made.trial.engine,
        "title": made.trial.title,
        "model_version": number,
        "source": made.trial.source_id,
        "thresholds": {int(label): value for label, value in made.thresholds.items()},
        "state": proposing.state_of(made),
        "job": job.pk if job else None,
        "error": sentences.said(job.error) if job else "",
        "total": made.total,
        "done": made.done,
        "proposed": made.proposed,
        "unreadable": made.unreadable,
        "waiting": proposing.waiting_of(made.project, [number])[number],
        "taken_back_at": made.taken_back_at,
        "created_at": made.created_at,
    }
