"""Sentences for people from modules without Django: English, with what it takes to say them otherwise."""


class Sentence(str):
    """A sentence whose translation can be looked up: `text`, with places such as %(item)s for `values`."""

    __slots__ = ("text", "values")

    def __new__(cls, text: str, **values: object) -> "Sentence":
        made = super().__new__(cls, text % values)
        made.text = text
        made.values = values
        return made

    text: str
    values: dict[str, object]
