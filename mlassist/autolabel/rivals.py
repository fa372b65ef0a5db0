"""A model that nobody has taught as a candidate of the loop: it stays in use for as long as it is the best.

As such it is a model version like any other. Blind labels judge and certify it, audits watch over what it has
labeled, and what people say against it withdraws the certificate. All labels are new to it but those of its
examples, which neither choose, calibrate nor judge it.
"""

import numpy as np

from labeling.models import Project
from mlassist import meanings
from mlassist.autolabel import examples, trials
from mlassist.heads import Head
from mlassist.models import AutoLabeling, Trial
from mlassist.pool import load_head


def newest(project: Project) -> AutoLabeling | None:
    """Return what let such a model at the project's images last; None where that was taken back.

    What programs have sent does not count, for the model behind it cannot be asked again; nor does a head on
    another backbone than the project's.
    """
    made = AutoLabeling.objects.filter(project=project, model_version__taught=False)
    made = made.exclude(trial__engine=trials.OUTSIDE).select_related("trial", "model_version")
    if project.is_classification:
        made = made.filter(model_version__backbone=project.backbone)
    last = made.order_by("-pk").first()
    if last is None or last.taken_back_at is not None or meanings.is_outdated(last.model_version):
        return None
    return last


def head(project: Project) -> Head | None:
    last = newest(project)
    return None if last is None else load_head(last.model_version)


def trial(project: Project) -> Trial | None:
    """Return the test of that model, by which it can be asked about boxes and outlines again."""
    last = newest(project)
    return None if last is None else last.trial


def shown(project: Project) -> np.ndarray:
    """Return the items that are or were an example: a model may have learned from them."""
    noted = Trial.objects.filter(project=project).values_list("examples", flat=True)
    items = [each["item"] for trial in noted for each in trial]
    return np.union1d(examples.items(project), np.array(items, np.int64))
