"""File formats, as pure functions of plain records."""
