"""A labeled data set: Parquet (https://parquet.apache.org) with what it takes to train from it in Python.

    data/train.parquet …   a row for each image: its bytes or address, labels, provenance, split
    README.md              what the columns mean, with the code that reads them
    load.py                the same code: pandas, a PyTorch Dataset, Hugging Face datasets

Precision: numbers as they are. Without splits there is one file, data/all.parquet.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from labeling.formats import names, provenance, reading, readme
from labeling.formats.files import Entry, Files
from labeling.formats.records import Category, Heading, Part, Picture, Record, Shape, Unreadable

ROWS, BYTES = 5_000, 16 << 20  # of one row group
VALUES, RATIO = 32_000_000, 4  # that a row group may have, and more for each byte of the file
CLASSES = b"classes"


def schema(heading: Heading) -> Any:
    """Return the columns. Known kinds of provenance have one each, so that rows can be chosen by them."""
    import pyarrow as pa

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64(), provenance.boolean: pa.bool_()}
    region = pa.struct(
        {
            "class_id": pa.int64(), "class": pa.string(), "bbox": pa.list_(pa.float64()),
            "polygon": pa.list_(pa.list_(pa.float64())), "region_origin": pa.string(),
            "labeled_as": pa.string(),
        }
    )  # fmt: skip
    columns = {
        "image_id": pa.int64(), "file_name": pa.string(), "url": pa.string(), "width": pa.int32(),
        "height": pa.int32(), "split": pa.string(),
    }  # fmt: skip
    if heading.image:
        columns |= {"image": pa.struct({"bytes": pa.binary(), "path": pa.string()})}
    if heading.task_type == "multiclass":
        columns |= {"label": pa.string()}
    elif heading.task_type == "multilabel":
        columns |= {"labels": pa.list_(pa.string())}
    columns |= {"regions": pa.list_(region)}
    columns |= {name: kinds[kind] for name, kind in provenance.KINDS.items()}
    classes = [[each.id, each.name, each.supercategory] for each in heading.categories]
    return pa.schema(columns.items(), {CLASSES: json.dumps(classes).encode()})


def write(heading: Heading, pictures: Iterable[Picture]) -> Iterator[Part]:
    shape, titles = schema(heading), {each.id: each.name for each in heading.categories}
    tables: dict[str, Table] = {}
    for picture in pictures:
        if picture.split not in tables:
            tables[picture.split] = Table(shape)
        tables[picture.split].add(row(heading, picture, titles))
    for split, table in (tables or {"": Table(shape)}).items():
        yield Part(f"data/{split or 'all'}.parquet", table.end(), is_packed=True)
    splits = sorted(tables, key=list(reading.HUGGING_FACE).index) if "" not in tables else []
    code = reading.code(heading, splits or ["all"])
    yield Part("load.py", code.encode())
    yield Part("README.md", page_of(heading, code, splits).encode())


def page_of(heading: Heading, code: str, splits: list[str]) -> str:
    """Return the page beside the data, with the images that it lacks."""
    said = reading.readme(heading, code, splits)
    return f"{said}\n{readme.missing(heading)}\n" if heading.left_out.count else said


def row(heading: Heading, picture: Picture, titles: dict[int, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "image_id": picture.id,
        "file_name": picture.file_name,
        "url": picture.url or None,
        "width": picture.width,
        "height": picture.height,
        "split": picture.split or None,
        "label": titles[picture.shapes[0].category] if picture.shapes else None,
        "labels": [titles[each.category] for each in picture.shapes],
        "regions": [
            {
                "class_id": each.category,
                "class": titles[each.category],
                "bbox": each.bbox,
                "polygon": each.polygon,
                "region_origin": each.origin or None,
                "labeled_as": each.labeled_as or None,
            }
            for each in picture.shapes
        ],
    }
    if heading.image:
        is_there = heading.has(picture)
        copy = {"bytes": heading.image(picture), "path": names.file_of(picture)} if is_there else None
        found["image"] = copy
    return found | {name: picture.provenance.get(name) for name in provenance.KINDS}


class Table:
    """A file as it grows, a row group at a time."""

    def __init__(self, schema: Any) -> None:
        import pyarrow.parquet as pq

        self.schema, self.file = schema, tempfile.TemporaryFile()  # noqa: SIM115
        self.writer = pq.ParquetWriter(self.file, schema, compression="zstd")
        self.rows: list[dict[str, Any]] = []
        self.size = 0

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        self.size += len(row["image"]["bytes"]) if row.get("image") else 0
        if len(self.rows) >= ROWS or self.size >= BYTES:
            self.flush()

    def flush(self) -> None:
        import pyarrow as pa

        self.writer.write_batch(pa.RecordBatch.from_pylist(self.rows, self.schema))
        self.rows, self.size = [], 0

    def end(self) -> BinaryIO:
        if self.rows:
            self.flush()
        self.writer.close()
        return self.file


def read(files: Files) -> Iterator[Record]:
    """Read every Parquet file of this kind. Raises Unreadable where there is none."""
    known: set[int] = set()
    found = False
    for entry in files.entries():
        if entry.name.lower().endswith(".parquet"):
            found = True
            yield from rows(entry, known)
    if not found:
        raise Unreadable("There is no Parquet file.")


def rows(entry: Entry, known: set[int]) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryFile() as whole:
        with entry.open() as file:
            shutil.copyfileobj(file, whole, 1 << 20)
        try:
            table = pq.ParquetFile(whole)
            classes = json.loads((table.schema_arrow.metadata or {})[CLASSES])
        except (pa.ArrowInvalid, KeyError, OSError) as error:  # the latter of what is damaged
            raise Unreadable(f"{entry.name} is no Parquet file that Loupe wrote.") from error
        if values(table.metadata) > VALUES + RATIO * entry.size:
            raise Unreadable(f"{entry.name} unpacks to far more than there can be in it.")
        for key, name, above in classes:
            if key not in known:
                known.add(key)
                yield Category(key, name, above)
        columns = [each for each in table.schema_arrow.names if each != "image"]
        for batch in table.iter_batches(1_000, columns=columns):
            yield from map(picture, batch.to_pylist())


def values(metadata: Any) -> int:
    """Return how many values a row group has in a column at the most: of one value a million take a byte."""
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    return max(
        (group.column(each).num_values for group in groups for each in range(metadata.num_columns)), default=0
    )


def picture(row: dict[str, Any]) -> Picture:
    shapes = [
        Shape(
            each["class_id"], each["bbox"], each["polygon"], None,
            each["region_origin"] or "", each["labeled_as"] or "",
        )
        for each in row["regions"]
    ]  # fmt: skip
    return Picture(
        row["image_id"], row["file_name"], row["width"], row["height"], shapes,
        {name: row[name] for name in provenance.KINDS}, row["split"] or "", row["url"] or "",
    )  # fmt: skip
