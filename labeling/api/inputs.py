"""What requests say: a name that nobody knows is a slip, and refused rather than passed over."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from labeling.api.shapes import whole_number

BESIDE = frozenset({"csrfmiddlewaretoken", "format"})  # of forms, and of the framework
NAMED = 20


class Input(serializers.Serializer[Any]):
    """The fields of a request; `also` names those that are read in another way.

    Answers of people are no such inputs: whatever comes along with one, it is kept.
    """

    also: ClassVar[frozenset[str]] = frozenset()

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = [name for name, field in self.fields.items() if not field.read_only] + sorted(self.also)
            unknown = [str(name) for name in data if name not in known and name not in BESIDE]
            if unknown:
                said = f"There is no such field. There is {', '.join(known[:NAMED])}."
                raise ValidationError({name[:80]: [said] for name in unknown[:NAMED]})
        return super().to_internal_value(data)


def number_in(request: Request, name: str) -> int | None:
    """Return a whole number of an address, None where it is not there. Raises ValidationError."""
    text = request.query_params.get(name, "")
    number = whole_number(text)
    if text and number is None:
        raise ValidationError({name: ["This is a whole number."]})
    return number
