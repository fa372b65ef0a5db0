"""Known answers for simulated labelers: from folder names or from a file."""

import json
from pathlib import Path

from labeling.matching import folder_of
from labeling.models import Item, Project


class NoTruth(Exception):
    """Why no answers could be read, in a sentence for people."""


def known_answers(project: Project, source: str) -> dict[int, frozenset[int]]:
    """Return the ids of the right classes of each item. `source` is `folders` or a JSON file.

    The file maps an item's path or file name to a class name or to a list of them. Raises NoTruth.
    """
    named = {} if source == "folders" else answers_in(Path(source))
    ids = {each.name.lower(): each.pk for each in project.classes.filter(retired_at=None)}
    found: dict[int, frozenset[int]] = {}
    for pk, path in Item.objects.filter(project=project).exclude(state="removed").values_list("id", "path"):
        names = (
            by_folder(path) if source == "folders" else named.get(path, named.get(path.rsplit("/", 1)[-1]))
        )
        if names is None:
            raise NoTruth(f"No answer is known for {path}.")
        unknown = [name for name in names if name.lower() not in ids]
        if unknown:
            raise NoTruth(f"{path} should be {unknown[0]!r}, which is no class of {project.name}.")
        found[pk] = frozenset(ids[name.lower()] for name in names)
    return found


def by_folder(path: str) -> list[str] | None:
    name = folder_of(path)
    return None if name is None else [name]


def answers_in(file: Path) -> dict[str, list[str]]:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise NoTruth(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise NoTruth(f"{file} must map each file name to a class or a list of classes.")
    return {name: [value] if isinstance(value, str) else list(value) for name, value in content.items()}
