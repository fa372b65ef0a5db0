"""What a model does for people: proposals for every image, and auto labels where they are certified."""

from collections.abc import Iterator

import numpy as np

from labeling import answers, suggestions
from labeling.models import Project
from labeling.suggestions import AutoLabel, Proposal
from mlassist import accepting, batches, inheritance, ordering, versions
from mlassist.attempts import region
from mlassist.models import Certificate
from mlassist.pool import Pool
from mlassist.predictions import Open, Predictions, chosen
from mlassist.runs import Step
from mlassist.trained import Trained


def propose(project: Project, pool: Pool, trained: Trained, step: Step) -> None:
    """Store proposals for every unlabeled item, accept what is certified, and order the queue."""
    items = answers.unlabeled(project)
    rows, known = pool.find(items)
    left = Open(items[known], rows, Predictions.of(trained.head, pool.features[rows]))
    step.progress(0, len(rows))
    stored = suggestions.store(project, trained.version.number, proposals(left))
    silent = left.items[left.seen.sizes == 0]
    if len(silent) and not left.seen.multilabel:
        suggestions.take_back(project, versions.numbers(project), silent.tolist())
    step.say(f"{stored} proposals")
    step.progress(len(rows) // 2)
    refused = np.isin(left.items, ordering.refused(project))
    under, waiting, accepted = np.zeros(len(rows), np.int64), np.zeros(len(rows), bool), 0
    spoken_for = np.zeros(len(rows), bool)
    # A certificate speaks of what a model sees through its own backbone, and of nothing else.
    for each in Certificate.objects.filter(
        project=project, state__in=("valid", "superseded"), model_version__backbone=project.backbone
    ).order_by("attempt"):
        inheritance.look(project, each, pool, step)
        inside, theirs = region(each, pool.features[rows])
        if each.promise == Project.Promise.EACH_LABEL:  # it was tested on what the ones before had left
            inside &= ~spoken_for
        spoken_for |= inside
        if each.state == Certificate.State.SUPERSEDED and each.reason:
            continue  # it was found to prove too little, and labels nothing more
        foreign = batches.excluded(each, left.items)
        waiting |= inside & foreign & np.isin(left.items, batches.items_being_proved(each))
        inside &= ~foreign & ~refused
        under[inside & agreeing(left.seen, theirs)] = each.pk
        if each.state == Certificate.State.VALID and project.assist_mode == Project.AssistMode.ACCEPT:
            accepted = accept(project, each, left, inside, theirs)
            step.say(f"{accepted} auto labels under certificate {each.pk}")
    step.metrics = {"proposals": stored, "auto_labels": accepted}
    if accepted:  # what the model has labeled needs no place in the queue
        still = np.isin(left.items, answers.unlabeled(project))
        left, under, waiting = left.only(still), under[still], waiting[still]
    step.metrics |= ordering.place(project, pool, trained, left, under, waiting, step)


def agreeing(one: Predictions, other: Predictions) -> np.ndarray:
    """Return where two models, maybe with different classes, give the same answer."""
    if one.multilabel:
        return np.array([set(a) == set(b) for a, b in zip(chosen(one), chosen(other), strict=True)], bool)
    return one.classes[one.top] == other.classes[other.top]


def proposals(left: Open) -> Iterator[Proposal]:
    seen = left.seen
    tops, starts = seen.classes[seen.top].tolist(), seen.starts.tolist()
    for place, (item, classes) in enumerate(zip(left.items.tolist(), chosen(seen), strict=True)):
        confidence = float(seen.confidence[place])
        if not classes and not seen.multilabel:  # it shows none of the classes that this model knows
            continue
        sure = seen.sure[starts[place] : starts[place + 1]].tolist()
        regions: list[dict[str, object]] = [
            {"class": each, "confidence": round(p, 4)} for each, p in zip(classes, sure, strict=True)
        ]
        yield Proposal(item, regions, tops[place], confidence)


def accept(
    project: Project, certificate: Certificate, left: Open, inside: np.ndarray, theirs: Predictions
) -> int:
    """Write auto labels for what the certificate covers, and have some of them asked again."""
    labels = [
        AutoLabel(item, [{"class": each} for each in classes], float(confidence))
        for item, classes, confidence, wanted in zip(
            left.items.tolist(), chosen(theirs), theirs.score, inside, strict=True
        )
        if wanted
    ]
    return accepting.accept(project, certificate, labels)
