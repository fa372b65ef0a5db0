"""Filters of the gallery as requests have them; exports use them too."""

from typing import Any

from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from labeling import exporting, gallery
from labeling.api.inputs import Input
from labeling.api.shapes import NumberField
from labeling.formats.catalog import FORMATS
from labeling.models import Item, Project
from labeling.models.queueing import QueueKind

MOST = 500  # classes in a filter


@extend_schema_field(
    {"oneOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}, "maxItems": MOST}]}
)
class ClassesField(serializers.ListField):
    """One class by its number, or several."""

    child = serializers.IntegerField()

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MOST, **options)

    def get_value(self, dictionary: Any) -> Any:
        """Return what an address or a body says; forms leave a choice empty."""
        if isinstance(dictionary, QueryDict):
            return list(filter(None, dictionary.getlist(self.field_name or ""))) or empty
        return super().get_value(dictionary)

    def to_internal_value(self, data: Any) -> list[int]:
        return super().to_internal_value(data if isinstance(data, list) else [data])


class FilterInput(Input):
    also = frozenset({"sort", "cursor", "limit"})

    state = serializers.ChoiceField(choices=Item.State.choices, required=False, allow_blank=True)
    labeler = serializers.IntegerField(required=False)
    source = serializers.ChoiceField(  # type: ignore[assignment]  # DRF's own `source` is no field
        choices=("human", "person", "confirmed", "auto", "imported", "import"),
        required=False,
        allow_blank=True,
    )
    confidence_below = NumberField(required=False, min_value=0, max_value=1)
    confidence_above = NumberField(required=False, min_value=0, max_value=1)
    since = serializers.DateField(required=False, help_text="labeled on that day, in UTC, or later")
    until = serializers.DateField(required=False, help_text="labeled on that day or before")
    disagreement = serializers.RegexField(
        r"^(people|model|all|pair:\d{1,18}-\d{1,18}|class:\d{1,18}|week:\d{4}-\d{2}-\d{2})\Z",
        required=False,
        allow_blank=True,
        help_text="`people` gave different answers, or the `model` says another class; or what was counted"
        " for the agreement of people, in whatever state: `all`, `pair:3-7` (users), `class:5` or"
        " `week:2026-11-23`",
    )
    group = serializers.IntegerField(required=False, help_text="of look-alikes")
    instructions = serializers.IntegerField(required=False, help_text="the version it was labeled under")
    reviewed = serializers.ChoiceField(choices=("yes", "no"), required=False, allow_blank=True)
    comments = serializers.ChoiceField(choices=("open", "any"), required=False, allow_blank=True)
    name = serializers.CharField(required=False, allow_blank=True, max_length=200)
    kind = serializers.ChoiceField(choices=QueueKind.choices, required=False, allow_blank=True)
    assignment = serializers.IntegerField(required=False)
    answered = serializers.IntegerField(
        required=False, help_text="who has an answer that stands, while `labeler` is whose label counts"
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        for low, high in (("since", "until"), ("confidence_above", "confidence_below")):
            if given.get(low) is not None and given.get(high) is not None and given[low] > given[high]:
                raise serializers.ValidationError(
                    {low: [f"This is beyond {high}, so nothing is between them."]}
                )
        return given

    def get_fields(self) -> dict[str, Any]:
        said = "numbers of classes: images that have one of them; an export has only their labels then"
        return {"class": ClassesField(required=False, help_text=said), **super().get_fields()}


def filters_from(given: dict[str, Any]) -> gallery.Filters:
    """Return a gallery's filters from what a FilterInput has validated."""
    fields = {key: value for key, value in given.items() if key != "class"}
    days = {key: fields[key].isoformat() for key in ("since", "until") if fields.get(key)}
    return gallery.Filters(classes=tuple(given.get("class", ())), **(fields | days))


def refuse_unknown_class(project: Project, filters: gallery.Filters) -> None:
    """Raise ValidationError for a class that a project does not have: nothing would ever be of it."""
    known = set(project.classes.filter(pk__in=filters.classes).values_list("id", flat=True))
    wrong = [each for each in filters.classes if each not in known]
    if wrong:
        said = f"This project has no class with the number {wrong[0]}."
        raise serializers.ValidationError({"class": [said]})


class SharesInput(Input):
    train = NumberField()
    val = NumberField(default=0)
    test = NumberField(default=0)


class ExportInput(Input):
    format = serializers.CharField(default="coco", help_text=", ".join(FORMATS))
    filter = FilterInput(default=dict)
    images = serializers.ChoiceField(
        choices=list(exporting.IMAGES),
        required=False,
        help_text="`copy` them into the ZIP archive, or `link` to them; image folders always have copies",
    )
    split = SharesInput(
        required=False, help_text="per cents that add up to 100; images that look alike stay together"
    )


def choice_from(given: dict[str, Any]) -> exporting.Choice:
    """Return what is to be exported from what an ExportInput has validated."""
    split = given.get("split")
    shares = (split["train"], split["val"], split["test"]) if split else ()
    return exporting.Choice(given["format"], given.get("images", ""), shares)
