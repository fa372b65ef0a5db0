"""How good a detector is, as the Models page tells it: stored figures, and pictures beside the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labeling.models import Annotation, Item, LabelClass, Project, Region
from mlassist.models import ModelVersion

TINTS = 6  # how many shades a table of counts has
MIX_UPS = 3  # how many are told in words
READABLE = 12  # classes: a larger table of who is taken for whom stays closed at first


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: `ap50` is empty where nobody drew it; `agreed` of the `drawn` objects were found as it."""

    label_class: LabelClass
    ap50: float | None
    drawn: int
    agreed: int


@dataclass(frozen=True, slots=True)
class Cell:
    """Drawn objects that were found as something; `tint` grows with their share of the row."""

    count: int
    tint: int
    is_right: bool


@dataclass(frozen=True, slots=True)
class Line:
    """What became of the objects of a class; without one, what was found where nobody drew anything."""

    label_class: LabelClass | None
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class MixUp:
    drawn: LabelClass
    found: LabelClass
    count: int


@dataclass(frozen=True, slots=True)
class Candidate:
    title: str
    ap50: float
    is_used: bool


@dataclass(frozen=True, slots=True)
class Proposed:
    """A region as the detector found it; the row is never saved."""

    region: Region
    confidence: float


@dataclass(frozen=True, slots=True)
class Example:
    """One image twice: what people drew, and what was found while it was not learned from."""

    item: Item
    agreement: float
    drawn: list[Region]
    found: list[Proposed]

    @property
    def found_by_class(self) -> list[tuple[LabelClass, list[float]]]:
        return by_class(self.found)


def by_class(found: Sequence[Proposed]) -> list[tuple[LabelClass, list[float]]]:
    """Return the classes that were found, each with how sure a model is of its regions."""
    sure: dict[LabelClass, list[float]] = {}
    for each in found:
        sure.setdefault(each.region.label_class.now, []).append(each.confidence)
    return list(sure.items())


@dataclass(slots=True)
class Report:
    """`quality` is as the detector's metrics hold it, by blind answers where there are any."""

    version: ModelVersion
    classes: list[LabelClass]
    quality: Mapping[str, Any]
    is_blind: bool
    images: int
    candidates: list[Candidate]
    best: list[Example] = field(default_factory=list)
    worst: list[Example] = field(default_factory=list)

    @property
    def confusion(self) -> list[list[int]]:
        found: list[list[int]] = self.quality.get("confusion", [])
        return found

    @property
    def drawn(self) -> int:
        """How many objects people drew."""
        return sum(sum(row) for row in self.confusion[:-1])

    @property
    def shown(self) -> int:
        """How many the detector shows."""
        return sum(sum(row[:-1]) for row in self.confusion)

    @property
    def agreed(self) -> int:
        """How many it shows where and as what people drew them."""
        return sum(row[place] for place, row in enumerate(self.confusion[:-1]))

    @property
    def precision(self) -> float:
        return self.agreed / self.shown if self.shown else 0.0

    @property
    def recall(self) -> float:
        return self.agreed / self.drawn if self.drawn else 0.0

    @property
    def agreement(self) -> float | None:
        """The mean F1 of an image, by the same images as the rest."""
        name = "accuracy" if self.is_blind else "out_of_fold_accuracy"
        found: float | None = self.version.metrics.get(name)
        return found

    @property
    def is_untaught(self) -> bool:
        """Tell whether people's answers have only judged it."""
        return "trial" in self.version.metrics

    @property
    def is_readable(self) -> bool:
        return len(self.classes) <= READABLE

    @property
    def class_rows(self) -> list[ClassRow]:
        counts = zip(self.classes, self.quality["per_class"], self.confusion, strict=False)
        return [ClassRow(each, ap50, sum(row), row[place]) for place, (each, ap50, row) in enumerate(counts)]

    @property
    def lines(self) -> list[Line]:
        of_rows: list[LabelClass | None] = [*self.classes, None]
        return [
            Line(each, cells(row, place, each is None))
            for place, (each, row) in enumerate(zip(of_rows, self.confusion, strict=False))
        ]

    @property
    def mix_ups(self) -> list[MixUp]:
        """Which classes are most often taken for another."""
        found = [
            MixUp(drawn, other, row[place])
            for drawn, row in zip(self.classes, self.confusion, strict=False)
            for place, other in enumerate(self.classes)
            if other != drawn and row[place]
        ]
        return sorted(found, key=lambda each: -each.count)[:MIX_UPS]


def cells(row: Sequence[int], place: int, is_background: bool) -> list[Cell]:
    """Return a row of the table; what was neither drawn nor found is no figure."""
    whole = sum(row)
    return [
        Cell(
            count,
            -(-TINTS * count // whole) if whole else 0,
            column == place,
        )
        for column, count in enumerate(row[:-1] if is_background else row)
    ]


def newest(project: Project, versions: Sequence[ModelVersion]) -> Report | None:
    """Return the report of a project's newest detector; `versions` begin with it."""
    if project.is_classification or not versions:
        return None
    version = versions[0]
    metrics = version.metrics
    known = {each.pk: each for each in LabelClass.objects.filter(project=project).select_related("means")}
    is_blind = bool(metrics.get("blind"))
    report = Report(
        version,
        [known.get(pk) or gone(pk) for pk in version.classes],
        metrics.get("blind") or metrics.get("out_of_fold") or {},
        is_blind,
        metrics.get("validation_n", 0) if is_blind else metrics.get("labels", version.labels),
        candidates(metrics),
    )
    stored = metrics.get("examples") or {}
    report.best, report.worst = examples(project, known, stored.get("best", ()), stored.get("worst", ()))
    return report


def gone(pk: int) -> LabelClass:
    """Stand in for a class that is no longer there, so that the others keep their places."""
    return LabelClass(pk=pk, name="a former class", color="#808080", position=0)


def candidates(metrics: Mapping[str, Any]) -> list[Candidate]:
    """Return the kinds of detector that were compared, the best first."""
    tried = (metrics.get("candidates") or {}).items()
    found = [Candidate(title, ap50, title == metrics.get("head")) for title, ap50 in tried]
    return sorted(found, key=lambda each: -each.ap50)


def examples(
    project: Project, classes: Mapping[int, LabelClass], *groups: Sequence[Mapping[str, Any]]
) -> list[list[Example]]:
    """Return stored predictions beside what people say now; images without an answer are left out."""
    wanted = [each["item"] for group in groups for each in group]
    answered = project.items.filter(
        pk__in=wanted, read_at__isnull=False, current_annotation__isnull=False
    ).exclude(current_annotation__source=Annotation.Source.AUTO)
    found = answered.exclude(state__in=(Item.State.REMOVED, Item.State.BROKEN)).select_related(
        "current_annotation"
    )
    items = found.prefetch_related("current_annotation__regions__label_class__means").in_bulk()
    return [
        [example(items[each["item"]], each, classes) for each in group if each["item"] in items]
        for group in groups
    ]


def example(item: Item, stored: Mapping[str, Any], classes: Mapping[int, LabelClass]) -> Example:
    assert item.current_annotation is not None
    drawn = list(item.current_annotation.regions.all())
    return Example(item, 1 - stored["loss"], drawn, proposed(stored["regions"], classes))


def proposed(regions: Sequence[Mapping[str, Any]], classes: Mapping[int, LabelClass]) -> list[Proposed]:
    """Return regions as a model has told them, those of classes that are no longer there left out."""
    return [
        Proposed(
            Region(label_class=classes[each["class"]], bbox=each.get("bbox"), polygon=each.get("polygon")),
            each.get("confidence", 0.0),
        )
        for each in regions
        if each["class"] in classes
    ]
