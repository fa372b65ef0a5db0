"""The code and the page that lie beside a labeled data set, so that a training begins with a copy of it."""

import json
from collections.abc import Iterable, Sequence

from labeling.formats.records import Heading

HUGGING_FACE = {"all": "train", "train": "train", "val": "validation", "test": "test"}
TARGETS = {
    "multiclass": 'CLASSES.index(row["label"]) if row["label"] else -1',
    "multilabel": 'torch.tensor([float(name in row["labels"]) for name in CLASSES])',
}
REGIONS = '[(CLASSES.index(each["class"]), each["bbox"] or each["polygon"]) for each in row["regions"]]'

CODE = '''"""Read the data set {name}. Needs pyarrow, and what you use: pandas, torch and pillow, datasets."""

import io
import os
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = {files}
CLASSES = {classes}


def frame(split={first}):
    """Return a split as a pandas DataFrame: a row for each image."""
    import pandas

    return pandas.read_parquet(HERE / FILES[split])


def picture(row, images=None):
    """Return the image of a row: from its copy here, its address, or the folder `images` with your own."""
    from PIL import Image

    if images is not None:
        return Image.open(Path(images, row["file_name"])).convert("RGB")
    if row.get("image"):
        return Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")
    if not row["url"]:
        raise RuntimeError(
            "The images were left out of this export. Name the folder that they lie in, as in"
            " torch_dataset(images='photos'), or export again with copies of them or links to them."
        )
    token = os.environ.get("LOUPE_TOKEN")
    if not token:
        raise RuntimeError(
            "The images are links for members: set LOUPE_TOKEN to a token from your profile page in Loupe."
        )
    request = urllib.request.Request(row["url"])
    # Not to where a redirect leads: that may be another server.
    request.add_unredirected_header("Authorization", f"Token {{token}}")
    with urllib.request.urlopen(request) as answer:
        return Image.open(io.BytesIO(answer.read())).convert("RGB")


def torch_dataset(split={first}, transform=None, images=None):
    """Return a split as a PyTorch Dataset of (image, target); of copies, those that could be made."""
    import pyarrow.parquet
    import torch

    table = pyarrow.parquet.read_table(HERE / FILES[split])
    if images is None and "image" in table.column_names:
        table = table.filter(table["image"].is_valid())

    class Labeled(torch.utils.data.Dataset):
        def __len__(self):
            return table.num_rows

        def __getitem__(self, index):
            row = table.slice(index, 1).to_pylist()[0]
            image = picture(row, images)
            target = {target}
            return (transform(image) if transform else image), target

    return Labeled()


def hugging_face():
    """Return all splits as a Hugging Face DatasetDict."""
    import datasets

    files = {{{hub}}}
    found = datasets.load_dataset("parquet", data_files=files)
    return {cast}
'''

PAGE = """---
configs:
- config_name: default
  data_files:
{hub_files}
---

# {name}

Labeled with Loupe. A row for each image:

| column | |
|---|---|
| `image_id`, `file_name`, `width`, `height` | the image; its path in the project; size in pixels |
| `image` | its bytes and a name, where images are copied; none where its file was gone or changed |
| `url` | its address for members, where linked; `load.py` sends `Authorization: Token …` from `LOUPE_TOKEN` |
| `split` | `train`, `val`, `test`; images that look alike are never in two of them |
{label}| `regions` | `class`; `bbox` x, y, width, height, or `polygon` x1, y1, x2, y2, … for each part |
| `origin` | `person`, `confirmed` (a person agreed to a proposal), `auto` (by a model), `imported` |
| `labeler`, `created_at`, `seconds`, `instructions_version` | who, when, how long, under which instructions |
| `model_version`, `certificate`, `confidence`, `threshold` | the model that said it, and its proof |
| `queue_kind`, `in_bulk`, `group`, `suggestion_visible`, `reviewed` | how it was asked, and reviewed |

A part of a polygon within another is a hole. `region_origin` says how a region was drawn, `labeled_as` which
class was chosen, where that was merged into another one since.

Classes: {classes}.

```python
{code}```
"""
LABELS = {
    "multiclass": "| `label` | the class |\n",
    "multilabel": "| `labels` | the classes |\n",
}


def code(heading: Heading, splits: Sequence[str]) -> str:
    """Return a module that reads the files of some splits."""
    files = {each: f"data/{each}.parquet" for each in splits}
    return CODE.format(
        name=json.dumps(heading.name)[1:-1],
        files=json.dumps(files),
        classes=json.dumps([each.name for each in heading.categories], ensure_ascii=False),
        first=json.dumps(splits[0] if "train" not in splits else "train"),
        target=TARGETS.get(heading.task_type, REGIONS),
        hub=", ".join(f'"{HUGGING_FACE[each]}": str(HERE / FILES["{each}"])' for each in splits),
        cast='found.cast_column("image", datasets.Image())' if heading.image else "found",
    )


def readme(heading: Heading, code: str, splits: Iterable[str]) -> str:
    hub = "\n".join(
        f"  - split: {HUGGING_FACE[each]}\n    path: data/{each}.parquet"
        for each in ([split or "all" for split in splits] or ["all"])
    )
    return PAGE.format(
        name=heading.name.replace("\n", " "),
        hub_files=hub,
        label=LABELS.get(heading.task_type, ""),
        classes=", ".join(f"`{each.name}`" for each in heading.categories),
        code=code,
    )
