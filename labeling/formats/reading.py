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
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = {files}
CLASSES = {classes}


def frame(split={first}):
    """Return a split as a pandas DataFrame: a row for each image."""
    import pandas

    return pandas.read_parquet(HERE / FILES[split])


def torch_dataset(split={first}, transform=None):
    """Return a split as a PyTorch Dataset of (image, target)."""
    import pyarrow.parquet
    import torch
    from PIL import Image

    table = pyarrow.parquet.read_table(HERE / FILES[split])

    class Labeled(torch.utils.data.Dataset):
        def __len__(self):
            return table.num_rows

        def __getitem__(self, index):
            row = table.slice(index, 1).to_pylist()[0]
            image = Image.open({image}).convert("RGB")
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
| `image` | its bytes and a name, where images are included |
| `url` | where Loupe serves it to members, with `Authorization: Token …`, where images are linked |
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
        image='io.BytesIO(row["image"]["bytes"])' if heading.image else 'HERE / row["file_name"]',
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
