"""The formats that labels can be written in, and for which projects each makes sense."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from labeling.formats import coco, dataset, folders, manifest, masks, tables, voc, yolo
from labeling.formats.files import Files
from labeling.formats.records import Heading, Part, Picture, Record

CLASSES = ("multiclass", "multilabel")
DRAWN = ("detection", "segmentation")
OUTLINED = ("segmentation", "semantic")
EVERY = (*CLASSES, "detection", *OUTLINED)


@dataclass(frozen=True, slots=True)
class Format:
    """`alone` is the ending of its file where one is enough; in a ZIP archive it lies otherwise.

    `otherwise` says why other kinds of projects do not have it. `flatten` makes of an image what the format
    can say of its regions, where it cannot tell one from the other.
    """

    name: str
    title: str
    keeps: str
    write: Callable[[Heading, Iterable[Picture]], Iterator[Part]]
    read: Callable[[Files], Iterator[Record]]
    task_types: tuple[str, ...] = EVERY
    otherwise: str = ""
    alone: str = ""
    is_images: bool = False  # the images lie in it, always
    flatten: Callable[[Picture], Picture] | None = None
    most_classes: int | None = None
    links: bool = True  # whether it can say where an image is instead of having it
    has_readme: bool = False  # of its own, beside the labels

    @property
    def short(self) -> str:
        """Return its title without the kind of file that it is."""
        return self.title.partition(" (")[0]


FORMATS = {
    each.name: each
    for each in (
        Format(
            "coco", "COCO (JSON)", "Everything; polygons with holes as masks.", coco.write, coco.read,
            alone="json",
        ),
        Format(
            "yolo", "YOLO detection (ZIP)", "Boxes; of polygons the boxes around them.", yolo.write_boxes,
            yolo.read, DRAWN, "YOLO detection has boxes, and this project gives classes to whole images.",
            links=False,
        ),
        Format(
            "yolo_seg", "YOLO segmentation (ZIP)", "Polygons; parts and holes joined to one ring.",
            yolo.write_polygons, yolo.read, ("segmentation",),
            "YOLO segmentation has polygons, and this project has none.", links=False,
        ),
        Format(
            "voc", "Pascal VOC (ZIP of XML)", "Boxes in whole pixels; of polygons the boxes around them.",
            voc.write, voc.read, DRAWN,
            "Pascal VOC has boxes, and this project gives classes to whole images.",
        ),
        Format(
            "masks", "Semantic masks (ZIP of PNG)",
            "The class of each pixel; of regions that overlap the later one.", masks.write, masks.read,
            OUTLINED, "Masks have the class of each pixel, and this project draws no outlines.",
            flatten=masks.flattened, most_classes=masks.MOST_CLASSES,
        ),
        Format("csv", "CSV", "Everything, a line for each region.", tables.write, tables.read, alone="csv"),
        Format(
            "folders", "Image folders (ZIP)", "The images, in a folder for each class.", folders.write,
            folders.read, ("multiclass",),
            "In image folders each image has one class, and this project says more of an image than that.",
            is_images=True,
        ),
        Format(
            "manifest", "SageMaker manifest (JSON lines)",
            "Classes, and boxes in whole pixels, as Ground Truth writes them.", manifest.write,
            manifest.read, (*CLASSES, "detection"),
            "Ground Truth’s manifest has classes and boxes, but no polygons of single objects.",
            alone="manifest",
        ),
        Format(
            "dataset", "Data set (Parquet, ZIP)", "Everything, with code for pandas, PyTorch, Hugging Face.",
            dataset.write, dataset.read, has_readme=True,
        ),
    )
}  # fmt: skip


def refusal(name: str, task_type: str) -> str:
    """Return why a project's labels cannot be written in a format, empty where they can."""
    if name not in FORMATS:
        return f"There is no export format {name!r}; there is {', '.join(FORMATS)}."
    found = FORMATS[name]
    return "" if task_type in found.task_types else found.otherwise


def offered(task_type: str) -> list[Format]:
    return [each for each in FORMATS.values() if task_type in each.task_types]
