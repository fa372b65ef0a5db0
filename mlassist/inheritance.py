"""Imports after a certificate: compared with the images it was proved on, proved by themselves if need be.

The blind draw stands for the old images. It is even, no label was learned from it, and no strategy has
picked from it, so that an import of the same kind differs from it by chance. Only a head that has adapted to
a small pool, of some hundred images, knows that pool better than what comes later; then imports of the same
kind are proved by themselves more often than need be. An import is compared once, when all of it has been
looked at; small ones wait until they are enough together.

One that looks different inherits nothing until blind labels drawn from its own sure part have proved the
target there. They are asked in waves, and the bet on them (`audits.proof`) is looked at between waves, so
that it does not matter in which order a wave is answered. The doubt that each such proof may spend is its
own: the promise is made to each import for itself.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from django.db import transaction

from labeling import answers, suggestions
from labeling.models import DataSource, Item, Project
from mlassist import audits, batches, drift, featurization
from mlassist.attempts import region
from mlassist.finetuning import learned_from
from mlassist.models import Certificate, ImportCheck, RegionDraw
from mlassist.pool import Pool
from mlassist.predictions import chosen
from mlassist.runs import Step

MARGIN = 1.4  # times the labels that it would take without an error
WORTH = 3.0  # times as many images as the labels that their proof takes


def look(project: Project, certificate: Certificate, pool: Pool, step: Step) -> None:
    """Compare what was imported since a certificate, and judge the blind labels of what looked different."""
    for sources in ready(project, certificate, pool):
        check(project, certificate, pool, sources, step)
    if certificate.state == Certificate.State.VALID:
        for each in certificate.imports.filter(state=ImportCheck.State.DIFFERENT).select_related("source"):
            if each.needed == 0 or batches.is_answered(each):
                judge(project, certificate, pool, each, step)


def ready(project: Project, certificate: Certificate, pool: Pool) -> Iterator[list[DataSource]]:
    """Yield the imports to compare now: each large one, and the small ones together once they are enough."""
    known = certificate.imports.values("source")
    unread = Item.objects.filter(project=project, read_at=None).exclude(state="broken")
    fresh = batches.later(certificate).exclude(pk__in=known).exclude(items__in=unread).order_by("id")
    if not fresh.exists() or featurization.running(project, project.backbone).exists():
        return
    small: list[DataSource] = []
    images = 0
    for source in fresh:
        count = len(rows_of(pool, [source]))
        if count >= drift.FEWEST:
            yield [source]
        elif count:
            small.append(source)
            images += count
    if images >= drift.FEWEST:
        yield small


def rows_of(pool: Pool, sources: Sequence[DataSource]) -> np.ndarray:
    """Return the pool's rows of some imports."""
    items = Item.objects.filter(source__in=sources).exclude(state__in=("broken", "removed"))
    return pool.find(np.fromiter(items.order_by("id").values_list("id", flat=True), np.int64))[0]


def check(
    project: Project, certificate: Certificate, pool: Pool, sources: Sequence[DataSource], step: Step
) -> None:
    """Compare imports with the blind draw from before the certificate, and note what comes of it."""
    rng = np.random.default_rng(certificate.pk)
    old, learned = reference(project, certificate, pool)
    rows = rows_of(pool, sources)
    new = rng.permutation(rows)[: drift.MOST]
    old, learned = rng.permutation(old)[: drift.MOST], rng.permutation(learned)[: 2 * drift.MOST]
    found: dict[str, Any] = {"why": "too few blind images are there to compare it with"}
    different = True
    if len(old) >= drift.FEWEST and len(learned):
        features = pool.features
        shift = drift.compare(
            region(certificate, features[new])[1].score,
            drift.nearness(features[new], features[learned]),
            region(certificate, features[old])[1].score,
            drift.nearness(features[old], features[learned]),
        )
        different = shift.is_different
        found = {
            name: getattr(shift, name)
            for name in ("score_distance", "score_p", "nearness_distance", "nearness_p", "why")
        }
    state = ImportCheck.State.DIFFERENT if different else ImportCheck.State.ALIKE
    ImportCheck.objects.bulk_create(
        (
            ImportCheck(certificate=certificate, source=source, state=state, images=len(rows), **found)
            for source in sources
        ),
        ignore_conflicts=True,
    )
    names = ", ".join(source.name for source in sources)
    step.say(f"{len(rows)} images of {names} look {'different' if different else 'alike'}")


def reference(project: Project, certificate: Certificate, pool: Pool) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows of the blind draw, rows learned from) among the images from before a certificate."""
    before = Item.objects.filter(project=project, created_at__lte=certificate.created_at)
    known = np.fromiter(before.order_by("id").values_list("id", flat=True), np.int64)
    blind = before.filter(draw__lt=project.validation_rate).order_by("id").values_list("id", flat=True)
    even = np.setdiff1d(np.fromiter(blind, np.int64), learned_from(project.backbone))
    learned = np.intersect1d(answers.training(project).items, known)
    return pool.find(even)[0], pool.find(learned)[0]


def judge(project: Project, certificate: Certificate, pool: Pool, batch: ImportCheck, step: Step) -> None:
    """Take in a complete wave of an import's own blind labels; ask for more when they do not suffice."""
    mine = list(batches.drawn(batch).values_list("item_id", flat=True))
    rows, labels = pool.labeled(project, answers.blind(project, mine))
    losses = region(certificate, pool.features[rows])[1].losses(labels) if len(rows) else np.empty(0)
    worst_first = np.sort(losses)[::-1].tolist()  # so that the bet counts as it stands, not as it once stood
    batch.blind, batch.errors = len(losses), int((losses > 0).sum())
    left = audits.still_needed(worst_first, certificate.held_to, certificate.confidence)
    if not left:
        batch.state, batch.needed = ImportCheck.State.PROVED, batch.blind
    elif audits.alarm(losses.tolist(), certificate.held_to) >= audits.ALARM:
        batch.state, batch.needed = ImportCheck.State.FAILED, 0
    else:
        more = draw(project, certificate, pool, batch, math.ceil(MARGIN * left))
        batch.needed = len(mine) + more if more else 0
    batch.save(update_fields=["state", "blind", "errors", "needed"])
    step.say(batches.sentence(batch, batch.blind))


def draw(project: Project, certificate: Certificate, pool: Pool, batch: ImportCheck, wanted: int) -> int:
    """Draw an import's images evenly, where the model is sure, to be asked blind; returns how many.

    None if the labels would cost more than they save.
    """
    rows = rows_of(pool, [batch.source])
    inside, seen = region(certificate, pool.features[rows])
    sure = pool.ids[rows[inside]]
    said = {
        item: (score, answer)
        for item, score, answer, is_in in zip(
            pool.ids[rows].tolist(), seen.score.tolist(), chosen(seen), inside, strict=True
        )
        if is_in
    }
    known = np.fromiter(batches.drawn(batch).values_list("item_id", flat=True), np.int64)
    # Those of the blind draw are an even sample of the same images, and are asked anyway, in this order.
    blind = Item.objects.filter(
        pk__in=sure.tolist(), draw__lt=project.validation_rate, state__in=("unlabeled", "labeled")
    )
    ordered = blind.exclude(pk__in=known.tolist()).order_by("draw").values_list("id", flat=True)
    asked = np.fromiter(ordered[:wanted], np.int64)
    free = np.intersect1d(sure, answers.unlabeled(project))
    more = max(0, wanted - len(asked))
    if len(free) < WORTH * more:
        return 0
    shuffled = np.random.default_rng().permutation(free)[: 4 * more].tolist()
    # Together, since what is asked blind for no proof that stands is taken back.
    with transaction.atomic():
        fresh = (
            suggestions.ask_blind(project, shuffled, more, probability=more / max(len(free), 1))
            if more
            else []
        )
        RegionDraw.objects.bulk_create(
            (
                RegionDraw(certificate=certificate, item_id=item, score=said[item][0], answer=said[item][1])
                for item in [*asked.tolist(), *fresh]
            ),
            ignore_conflicts=True,
        )
    if project.validation_share < batches.SHARE:
        suggestions.set_validation_share(project, batches.SHARE)
    return len(asked) + len(fresh)
