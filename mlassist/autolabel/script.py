"""A script that labels on other hardware what the page would label here."""

from collections.abc import Mapping

from labeling.models import Project
from mlassist.autolabel import engines, prompts, thresholds

SCRIPT = """\
# pip install loupe-client torch transformers pillow   (loupe-client: the folder client/ of Loupe)
# export LOUPE_TOKEN=…   a token of your profile page
import io

from loupe_client import Loupe
from PIL import Image
from transformers import pipeline

project = Loupe({url!r}).project({project})
model = pipeline({task!r}, model={model!r})
prompts = {prompts}
thresholds = {thresholds}
class_of = {{said: name for name, several in prompts.items() for said in several}}


def look(file):
    image = Image.open(io.BytesIO(file)).convert("RGB")
{look}

said = {{name: "; ".join(several) for name, several in prompts.items()}}
taken = project.suggest({title!r}, look, thresholds, said)
print(taken, "images have a suggestion. Review them:", {review!r})
"""
BOXES = """\
    found = model(image, candidate_labels=list(class_of), threshold={floor})
    regions = []
    for each in found:
        left, top = max(0, each["box"]["xmin"]), max(0, each["box"]["ymin"])
        right, bottom = min(image.width, each["box"]["xmax"]), min(image.height, each["box"]["ymax"])
        if right - left > 1 and bottom - top > 1:
            box = [left, top, right - left, bottom - top]
            regions.append({{"class": class_of[each["label"]], "confidence": each["score"], "bbox": box}})
    return regions
"""
CLASSES = """\
    found = model(image, candidate_labels=list(class_of))
    best = {{}}
    for each in found:
        name = class_of[each["label"]]
        best[name] = max(best.get(name, 0), each["score"])
    return [{{"class": name, "confidence": score}} for name, score in best.items()]
"""


def of(project: Project, url: str, before: Mapping[str, float]) -> str:
    """Return the script for a project's classes with their prompts, and the thresholds that were used last.

    Empty where no model of the hub draws what the project asks for.
    """
    if project.task_type in (Project.TaskType.SEGMENTATION, Project.TaskType.SEMANTIC):
        return ""
    known = engines.CLASSIFIERS if project.is_classification else engines.FINDERS
    model, title = next(iter(known.items()))
    classes = list(project.classes.filter(retired_at=None))
    look = CLASSES if project.is_classification else BOXES
    return SCRIPT.format(
        url=url,
        project=project.pk,
        task="zero-shot-image-classification" if project.is_classification else "zero-shot-object-detection",
        model=model,
        title=title,
        prompts=listed({each.name: prompts.alternatives(each.description or each.name) for each in classes}),
        thresholds=listed({each.name: before.get(str(each.pk), thresholds.USUAL) for each in classes}),
        look=look.format(floor=thresholds.FLOOR),
        review=f"{url}/projects/{project.pk}/label/",
    )


def listed(given: Mapping[str, object]) -> str:
    """Return a dictionary as people write it, a line for each entry."""
    return "{\n" + "".join(f"    {name!r}: {value!r},\n" for name, value in given.items()) + "}"
