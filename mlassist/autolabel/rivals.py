"""A model that nobody has taught as a candidate of the loop: it stays in use for as long as it is the best.

As such it is a model version like any other. Blind labels judge and certify it, audits watch over what it has
labeled, and what people say against it withdraws the certificate. All labels are new to it but those of its
examples, which neither choose, calibrate nor judge it.
"""

import numpy as np

from labeling.models import Project
from mlassist import meanings
from mlassist.autolabel import examples
from mlassist.heads import Head
from mlassist.models import ModelVersion
from mlassist.pool import load_head


def newest(project: Project) -> tuple[Head | None, np.ndarray]:
    """Return the head that was let at the project's images last, and the items that were examples.

    None where it looks through another backbone than the project, or was taken back.
    """
    shown = examples.items(project)
    made = ModelVersion.objects.filter(project=project, taught=False, backbone=project.backbone)
    last = made.exclude(head="").order_by("-number").first()
    if last is None or meanings.is_outdated(last):
        return None, shown
    if last.auto_labelings.filter(taken_back_at=None).first() is None:
        return None, shown
    noted = [each["item"] for each in last.metrics.get("examples", [])]
    return load_head(last), np.union1d(shown, np.array(noted, np.int64))
