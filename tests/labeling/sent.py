"""Files of labels as tests send them, and what becomes of them."""

import io
import zipfile
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from labeling import label_applying, label_imports, queue
from labeling.models import Annotation, Item, LabelImport, Project, QueueEntry, User
from tests import factories

CSV = "file_name,class\n"


def send(project: Project, content: str | bytes, name: str = "labels.csv", **fields: Any) -> LabelImport:
    """Send a file of labels and have it checked."""
    data = content.encode() if isinstance(content, str) else content
    given = label_imports.receive(project, [SimpleUploadedFile(name, data)], project.created_by, **fields)
    factories.run_jobs("quick")
    given.refresh_from_db()
    return given


def take_in(given: LabelImport, mode: str = "labels", **fields: Any) -> dict[str, int]:
    label_imports.apply(given, given.created_by, mode=mode, **{"wanted": {}, **fields})
    factories.run_jobs("quick")
    given.refresh_from_db()
    assert given.state == "applied"
    return label_applying.outcomes(given)


def take_back(given: LabelImport) -> dict[str, int]:
    label_imports.undo(given, given.created_by)
    factories.run_jobs("quick")
    given.refresh_from_db()
    assert given.state == "undone"
    return label_applying.outcomes(given)


def truth_of(items: list[Item]) -> str:
    return CSV + "".join(f"{item.path},{factories.true_class(item)}\n" for item in items)


def person_labels(item: Item, labeler: User) -> Annotation:
    label = factories.make_annotation(item, "circle", labeler)
    queue.finish({item.pk: label.pk})
    return label


def queued(project: Project) -> list[tuple[Any, ...]]:
    columns = (
        "item_id",
        "kind",
        "priority",
        "why",
        "inclusion_probability",
        "needed",
        "open_slots",
        "hint_id",
    )
    return list(QueueEntry.objects.filter(project=project).order_by("item_id").values_list(*columns))


def rectangle(x: float, y: float, wide: float, high: float, **value: Any) -> dict[str, Any]:
    return {
        "type": "rectanglelabels", "original_width": 640, "original_height": 480,
        "value": {"x": x, "y": y, "width": wide, "height": high, "rectanglelabels": ["circle"], **value},
    }  # fmt: skip


def archive(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return out.getvalue()
