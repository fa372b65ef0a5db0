"""What a person shows of an object for its outline to be found."""

from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Hints:
    """Clicks inside and outside of it, a box around it, its outline so far: in pixels of the picture."""

    inside: tuple[Point, ...] = ()
    outside: tuple[Point, ...] = ()
    box: tuple[float, ...] | None = None
    polygon: tuple[tuple[float, ...], ...] = ()

    def scaled(self, across: float, down: float) -> "Hints":
        """Return the same for the picture in another size."""

        def sized(numbers: Sequence[float]) -> tuple[float, ...]:
            return tuple(number * (down if place % 2 else across) for place, number in enumerate(numbers))

        return Hints(
            inside=tuple((x * across, y * down) for x, y in self.inside),
            outside=tuple((x * across, y * down) for x, y in self.outside),
            box=None if self.box is None else sized(self.box),
            polygon=tuple(sized(part) for part in self.polygon),
        )
