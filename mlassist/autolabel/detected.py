"""A detector that the project's labels have taught, as a model of the Auto-label page. Needs torch."""

from collections.abc import Iterator, Sequence

from mlassist import detecting
from mlassist.autolabel.looking import Found
from mlassist.autolabel.thresholds import FLOOR
from mlassist.models import ModelVersion


class Taught:
    """Says what its scores say, also below what it would show by itself."""

    def __init__(self, version: ModelVersion) -> None:
        self.ready = detecting.load(version)

    def look(self, items: Sequence[int]) -> Iterator[tuple[int, Found]]:
        seen_of = dict(detecting.look_at(self.ready, items, lambda done: None))
        for item in items:
            seen = seen_of.get(item)
            regions = None if seen is None else self.ready.told(seen.found)
            yield item, regions and [each for each in regions if each["confidence"] >= FLOOR]

    def to_bytes(self) -> bytes:
        return b""
