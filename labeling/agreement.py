"""How answers of several people become one. Pure functions of label sets."""

from collections import Counter
from collections.abc import Sequence

Labels = tuple[int, ...]


def majority(answers: Sequence[Labels]) -> int | None:
    """Return the index of the first answer that more than half gave, None without a majority."""
    counts = Counter(tuple(sorted(answer)) for answer in answers)
    labels, votes = counts.most_common(1)[0]
    if votes * 2 <= len(answers):
        return None
    return next(index for index, answer in enumerate(answers) if tuple(sorted(answer)) == labels)
