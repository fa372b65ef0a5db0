"""The report of a file of labels, in lines for people: what can be taken in, and what cannot and why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labeling.models import LabelImport

GOOD, NOTE, BAD = "good", "note", "bad"


@dataclass(frozen=True, slots=True)
class Line:
    tone: str
    count: int
    words: str


Words = Callable[[int], str]


def counted(one: str, many: str) -> Words:
    return lambda count: one if count == 1 else many


def images(rest: str) -> Words:
    return counted(f"image {rest}", f"images {rest}")


def labels(rest: str) -> Words:
    return counted(f"label {rest}", f"labels {rest}")


# What each count of a report says, in the order in which it matters.
WORDS: Mapping[str, tuple[str, Words]] = {
    "by_path": (GOOD, images("found by path")),
    "by_name": (GOOD, images("found by file name")),
    "by_stem": (GOOD, images("found by file name without its ending")),
    "taken_regions": (GOOD, labels("of these fit their images")),
    "free": (GOOD, images("can get a final label now")),
    "suggestible": (GOOD, images("can get a suggestion now")),
    "framed": (
        NOTE,
        counted(
            "box is taken in as a rectangle, while this project asks for outlines",
            "boxes are taken in as rectangles, while this project asks for outlines",
        ),
    ),
    "traced": (NOTE, counted("mask becomes the outline around it", "masks become the outlines around them")),
    "merged": (
        NOTE,
        counted(
            "mask shows all objects of a class as one: it becomes one region, not one for each object",
            "masks show all objects of a class as one: each becomes one region, not one for each object",
        ),
    ),
    "held": (NOTE, images("of these on somebody’s screen just now: left alone until answered or given back")),
    "labeled": (NOTE, images("of these with a label or an answer already")),
    "predictions": (NOTE, images("with a model’s prediction only, which can be a suggestion")),
    "blind": (NOTE, images("asked blind: no suggestion is shown there")),
    "empty_told": (NOTE, images("in which somebody found nothing to label")),
    "empty_maybe": (NOTE, images("without any label in the file")),
    "without": (NOTE, images("of the project not in the file")),
    "clipped": (NOTE, counted("shape reaches out of its image", "shapes reach out of their images")),
    "scaled": (
        NOTE,
        counted("shape made on a copy of another size", "shapes made on copies of another size"),
    ),
    "boxed": (NOTE, counted("outline becomes the box around it", "outlines become the boxes around them")),
    "repeated": (NOTE, labels("there twice, counted once")),
    "unmatched": (BAD, images("in the file, but not in the project")),
    "ambiguous": (BAD, images("for which several are possible; none is guessed")),
    "twice": (BAD, images("a second time in the file; the first one counts")),
    "unread": (BAD, images("not read yet; check again in a moment")),
    "broken": (BAD, images("damaged")),
    "removed": (BAD, images("taken out of the project")),
    "several": (BAD, images("with several classes, where one is asked for")),
    "wrong_type": (BAD, labels("of a kind that this project does not ask for")),
    "wrong_size": (BAD, labels("for an image of other proportions")),
    "outside": (BAD, counted("shape outside of its image", "shapes outside of their images")),
    "flawed": (BAD, counted("shape that encloses nothing clear", "shapes that enclose nothing clear")),
    "unreadable": (BAD, counted("part of the file not understood", "parts of the file not understood")),
}


# What was so when the file was checked, and tells nothing once it is taken in.
OF_THE_MOMENT = ("free", "suggestible", "held", "labeled", "blind", "without")


def lines(given: LabelImport) -> list[Line]:
    """Return what a report says, without what there is none of or what is over."""
    report: Mapping[str, Any] = given.report
    if given.state != LabelImport.State.READY:
        report = {name: count for name, count in report.items() if name not in OF_THE_MOMENT}
    return [
        Line(tone, report[name], words(report[name]))
        for name, (tone, words) in WORDS.items()
        if report.get(name)
    ]


OUTCOMES: Mapping[str, tuple[str, Words]] = {
    "label": (GOOD, images("labeled")),
    "suggestion": (GOOD, images("with a suggestion")),
    "beside": (NOTE, images("where the imported label is kept beside, without counting")),
    "kept": (NOTE, images("left alone: labeled or answered already")),
    "held": (NOTE, images("left alone: on somebody’s screen just then")),
    "blind": (NOTE, images("asked blind: no suggestion is shown there")),
    "left_out": (NOTE, images("without anything that was wanted")),
    "undone": (NOTE, images("taken back")),
    "changed": (NOTE, images("not taken back, since people have changed or reviewed the label")),
}


UNDOING = ("undone", "changed")


def outcome_lines(given: LabelImport, counts: Mapping[str, int]) -> list[Line]:
    """Return what became of a file's images; of an import that was taken back, what became of that."""
    is_undone = given.state in (LabelImport.State.UNDOING, LabelImport.State.UNDONE)
    return [
        Line(tone, counts[name], words(counts[name]))
        for name, (tone, words) in OUTCOMES.items()
        if counts.get(name) and (not is_undone or name in UNDOING)
    ]


def prospect(report: Mapping[str, Any], answered: str) -> str:
    """Say what an import as final labels would do, by what is wanted where images have labels."""
    free, beside = report.get("free", 0), report.get("beside", 0)
    said = f"{free:,} {'image gets' if free == 1 else 'images get'} a label"
    if answered == LabelImport.Answered.BESIDE:
        theirs = "its own" if beside == 1 else "their own"
        return f"{said}, {beside:,} one beside {theirs} where the class is not left out"
    return f"{said}, {beside:,} {'is' if beside == 1 else 'are'} left alone"
