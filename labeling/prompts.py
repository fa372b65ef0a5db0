"""A template for instructions: the questions that labelers run into, with the project's classes filled in."""

from collections.abc import Iterable

from labeling.models import Project

START = """## What to label

{classes}

For each: what makes it this class? Name an ordinary example, one at the edge, and one that only looks so.
"""
QUESTIONS = """
## When nothing fits

What to choose for an image to which no class applies, or that should not be here at all.

## When several fit

{several}

## When you are not sure

How sure is sure enough? When to give the best guess, and when to skip.

## When it is partly hidden

Things behind others, in shadow or under something: label what you see, or what must be there?

## When it is cut off

Things that the border of the image cuts: from how much of them on do they count?

## When the image is bad

Blurred, dark, overexposed, tiny: when to label it all the same, and when to skip.

## When you have made a mistake

*Undo* opens the last page again for ten minutes. After that: *Recent*, or tell whom?

## When somebody sees it differently

Reviewers decide what people disagree on. What should they go by, and where can you ask?
"""
SHAPES = """
## How to draw

- **Edge**: tight around what is visible, or with clearance? How many pixels may it be off?
- **Border**: does the outline itself lie on the thing, just inside, or just outside?
- **Care**: which is worth more here, speed or exactness? Do it the same way in every image.
- **Partly visible**: draw the visible part only, or where the whole thing would be?
- **Partly covered**: one shape around all parts, or one for each part?
- **Tiny things**: from how many pixels on do they count?
- **No clear boundary**: smoke, water, hair, crowds: where does it end?
- **Look-alikes**: reflections, pictures of things, toys: do they count?
"""


def template(project: Project) -> str:
    """Return the outline of instructions, in Markdown."""
    in_use = project.classes.filter(retired_at=None).values_list("name", "description")
    return outline(project.task_type, in_use)


def outline(task_type: str, classes: Iterable[tuple[str, str]]) -> str:
    """Return the outline for a task type and classes, each with its description."""
    names = "\n".join(f"- **{name}**: {description or '…'}" for name, description in classes)
    several = (
        "An image has exactly one class: which goes before the other?"
        if task_type == Project.TaskType.MULTICLASS
        else "All that apply, or only the most exact one? Also the class that another one belongs to?"
    )
    questions = QUESTIONS.format(several=several)
    is_drawn = task_type not in (Project.TaskType.MULTICLASS, Project.TaskType.MULTILABEL)
    return START.format(classes=names or "- …") + (SHAPES if is_drawn else "") + questions
