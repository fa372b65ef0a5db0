"""A script that labels on other hardware what the page would label here."""

from collections.abc import Mapping

from labeling.models import Project
from mlassist.autolabel import engines, prompts, thresholds

SCRIPT = """\
# pip install PATH/OF/LOUPE/client torch torchvision transformers pillow{more}
# export LOUPE_TOKEN=…   a token of your profile page
import io

{imports}from loupe_client import Loupe
from PIL import Image
from transformers import {classes}

project = Loupe({url!r}).project({project})
model = pipeline({task!r}, model={model!r})
prompts = {prompts}
thresholds = {thresholds}
{look}

said = {{name: "; ".join(several) for name, several in prompts.items()}}
taken = project.suggest({title!r}, look, thresholds, said)
print(taken, "images have a suggestion. Review them:", {review!r})
"""
CLASSES = """\
class_of = {{said: name for name, several in prompts.items() for said in several}}


def look(file):
    image = Image.open(io.BytesIO(file)).convert("RGB")
    best = {{}}
    for each in model(image, candidate_labels=list(class_of)):
        name = class_of[each["label"]]
        best[name] = max(best.get(name, 0), each["score"])
    return [{{"class": name, "confidence": score}} for name, score in best.items()]
"""
FIND = """\
class_of = {{said.rstrip(".") + ".": name for name, several in prompts.items() for said in several}}


def overlap(one, other):
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    high = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(0, wide) * max(0, high)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def find(image):
    found = []
    for each in model(image, candidate_labels=list(class_of), threshold={floor}):
        left, top = max(0, each["box"]["xmin"]), max(0, each["box"]["ymin"])
        right, bottom = min(image.width, each["box"]["xmax"]), min(image.height, each["box"]["ymax"])
        box = [left, top, right - left, bottom - top]
        if min(box[2:]) > 1 and all(overlap(box, other["bbox"]) < 0.6 for other in found):
            found.append({{"class": class_of[each["label"]], "confidence": each["score"], "bbox": box}})
    return found[:200]
"""
BOXES = """

def look(file):
    return find(Image.open(io.BytesIO(file)).convert("RGB"))
"""
OUTLINES = """
outliner = SamModel.from_pretrained({outliner!r}).to(model.device)
prepare = SamProcessor.from_pretrained({outliner!r})


def outline(mask):
    parts, _ = cv2.findContours(mask.numpy().astype("uint8"), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rings = [cv2.approxPolyDP(part, 1, True)[:, 0] for part in parts]
    areas = [shapely.Polygon(ring).buffer(0) for ring in rings if len(ring) > 2]
    whole = shapely.union_all(areas)  # nothing crosses itself in it
    return [
        [value for point in each.exterior.coords[:-1] for value in point]
        for each in shapely.get_parts(whole)
        if each.area > 4
    ]


def look(file):
    image = Image.open(io.BytesIO(file)).convert("RGB")
    found = find(image)
    if not found:
        return []
    corners = [[x, y, x + width, y + height] for x, y, width, height in (each["bbox"] for each in found)]
    looks = prepare(image, input_boxes=[corners], return_tensors="pt").to(outliner.device)
    with torch.no_grad():
        masks = outliner(**looks, multimask_output=False).pred_masks.cpu()
    sizes = looks["original_sizes"].cpu(), looks["reshaped_input_sizes"].cpu()
    masks = prepare.post_process_masks(masks, *sizes)[0]
    made = []
    for each, mask in zip(found, masks):
        polygon = outline(mask[0])
        if polygon:
            made.append({{"class": each["class"], "confidence": each["confidence"], "polygon": polygon}})
    return made
"""


def of(project: Project, url: str, before: Mapping[str, float]) -> str:
    """Return the script for a project's classes with their prompts, and the thresholds that were used last.

    Empty where no model of the hub draws what the project asks for.
    """
    kind = project.task_type
    if kind == Project.TaskType.SEMANTIC:
        return ""
    draws_outlines = kind == Project.TaskType.SEGMENTATION
    # SigLIP says of each class by itself whether it is there; CLIP only compares.
    known = engines.CLASSIFIERS if project.is_classification else engines.FINDERS
    model, title = list(known.items())[kind == Project.TaskType.MULTILABEL]
    outliner, outliner_title = next(iter(engines.OUTLINERS.items()))
    look = CLASSES if project.is_classification else FIND + (OUTLINES if draws_outlines else BOXES)
    classes = list(project.classes.filter(retired_at=None))
    return SCRIPT.format(
        url=url,
        project=project.pk,
        task="zero-shot-image-classification" if project.is_classification else "zero-shot-object-detection",
        model=model,
        title=f"{title} + {outliner_title}" if draws_outlines else title,
        more=" opencv-python-headless shapely" if draws_outlines else "",
        classes="SamModel, SamProcessor, pipeline" if draws_outlines else "pipeline",
        imports="import cv2\nimport shapely\nimport torch\n" if draws_outlines else "",
        prompts=listed({each.name: prompts.alternatives(each.description or each.name) for each in classes}),
        thresholds=listed({each.name: before.get(str(each.pk), thresholds.USUAL) for each in classes}),
        look=look.format(floor=thresholds.FLOOR, outliner=outliner),
        review=f"{url}/projects/{project.pk}/label/",
    )


def listed(given: Mapping[str, object]) -> str:
    """Return a dictionary as people write it, a line for each entry."""
    return "{\n" + "".join(f"    {name!r}: {value!r},\n" for name, value in given.items()) + "}"
