"""Where other apps add to labeling's pages without labeling knowing them."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from labeling.models import Project

if TYPE_CHECKING:
    from PIL import Image

    from labeling.masking import FoundFace

Facts = Callable[[Project], dict[str, Any]]

Emptying = Callable[[Project], None]

MeaningHandler = Callable[[Project, str], None]

LookAlikes = Callable[[Project, int, int], list[int] | None]

NearDuplicates = Callable[[Project], Iterator[np.ndarray]]


class FaceFinder(Protocol):
    """What finds faces. It is asked in jobs, from several threads at once."""

    @property
    def name(self) -> str: ...

    def problem(self) -> str:
        """Return why it cannot be used here, in a sentence for people; "" where it can."""

    def find(self, image: "Image.Image") -> "list[FoundFace]": ...


_face_finders: list[FaceFinder] = []
_repainting: list[Callable[[Project], None]] = []
_look_alikes: list[LookAlikes] = []
_near_duplicates: list[NearDuplicates] = []
_facts: list[Facts] = []
_standing: list[Callable[[Project], set[int]]] = []
_meaning_handlers: list[MeaningHandler] = []
_emptying: list[Emptying] = []
_panels: list[str] = []
_settings: list[str] = []
_notices: list[str] = []


def register_facts(provider: Facts) -> Facts:
    """Add keys to what the API and the dashboard say of a project."""
    _facts.append(provider)
    return provider


def facts(project: Project) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for provider in _facts:
        merged.update(provider(project))
    return merged


def register_panel(template: str) -> None:
    """Add a template to the dashboard; it sees `project` and `facts`."""
    _panels.append(template)


def panels() -> list[str]:
    return list(_panels)


def register_settings(template: str) -> None:
    """Add a template to the settings form; it sees `project`."""
    _settings.append(template)


def settings() -> list[str]:
    return list(_settings)


def register_notices(template: str) -> None:
    """Add a template to the top of the dashboard: what managers must not miss."""
    _notices.append(template)


def notices() -> list[str]:
    return list(_notices)


def register_meaning(handler: MeaningHandler) -> MeaningHandler:
    """Have a function called in the transaction in which labels come to mean something else, and why."""
    _meaning_handlers.append(handler)
    return handler


def meaning_changed(project: Project, why: str) -> None:
    for handler in _meaning_handlers:
        handler(project, why)


def register_emptying(handler: Emptying) -> Emptying:
    """Have a function delete what an app has stored outside of tables for a project that was deleted.

    It is called before the rows are, and again when the job was interrupted.
    """
    _emptying.append(handler)
    return handler


def emptying(project: Project) -> None:
    for handler in _emptying:
        handler(project)


def register_standing(provider: Callable[[Project], set[int]]) -> Callable[[Project], set[int]]:
    """Let a function say which certificates labels may rest on."""
    _standing.append(provider)
    return provider


def standing_certificates(project: Project) -> set[int]:
    return {pk for provider in _standing for pk in provider(project)}


def register_look_alikes(provider: LookAlikes) -> LookAlikes:
    """Let a function name the items that look most like one, nearest first; None where it cannot yet."""
    _look_alikes.append(provider)
    return provider


def look_alikes(project: Project, item: int, most: int) -> list[int] | None:
    """Return items that look like one, nearest first; None where nobody has looked at it yet."""
    for provider in _look_alikes:
        found = provider(project, item, most)
        if found is not None:
            return found
    return None


def register_near_duplicates(provider: NearDuplicates) -> NearDuplicates:
    """Let a function name pairs of items that show the same picture, as arrays (m, 2)."""
    _near_duplicates.append(provider)
    return provider


def near_duplicates(project: Project) -> Iterator[np.ndarray]:
    for provider in _near_duplicates:
        yield from provider(project)


def register_faces(finder: FaceFinder) -> FaceFinder:
    """Let something find the faces that are hidden in images; the last one registered does."""
    _face_finders.append(finder)
    return finder


def face_finder() -> FaceFinder | None:
    return _face_finders[-1] if _face_finders else None


def register_repainting(handler: Callable[[Project], None]) -> Callable[[Project], None]:
    """Have a function called in the transaction in which all pictures of a project become others."""
    _repainting.append(handler)
    return handler


def repainted(project: Project) -> None:
    for handler in _repainting:
        handler(project)
