"""Requests as serializers, responses as dictionaries; coordinates in pixels of the upright image."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers

from labeling import (
    commenting,
    decoys,
    earlier,
    geometry,
    images,
    languages,
    meanings,
    naming,
    proposing,
    queue,
    review,
)
from labeling.meanings import Meanings
from labeling.models import (
    Annotation,
    Claim,
    Decoy,
    Invitation,
    Item,
    Job,
    LabelClass,
    Page,
    Region,
    Suggestion,
)
from labeling.models.queueing import QueueKind

COLOR = re.compile(r"#[0-9a-fA-F]{6}")
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")  # NUL and lone surrogates: PostgreSQL keeps neither
MOST_REGIONS = 5_000  # in an answer
DIGITS = 18  # always fit a bigint
INTERNAL = {"export": ("name", "index")}  # of a job's result: where its files are kept
PAGE = 50  # rows of a list at once
CURSOR = [OpenApiParameter("cursor", OpenApiTypes.INT, description="`next` of the page before")]

Row = TypeVar("Row", bound=Model)


def whole_number(text: str) -> int | None:
    """Read a number from an address or a form; None when it is none."""
    return int(text) if text.isdecimal() and len(text) <= DIGITS else None


def newest(rows: QuerySet[Row], given: Mapping[str, str]) -> tuple[list[Row], int | None]:
    """Return the newest rows before the cursor that an address has, and the cursor of those before them.

    Raises ValidationError.
    """
    text = given.get("cursor", "")
    cursor = whole_number(text)
    if text and cursor is None:
        raise serializers.ValidationError({"cursor": ["This is no `next` of a page."]})
    found = list((rows.filter(pk__lt=cursor) if cursor else rows).order_by("-pk")[: PAGE + 1])
    return found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else None


def whole_numbers(text: str) -> list[int]:
    """Read numbers between commas; what is none is passed over."""
    return [number for part in text.split(",") if (number := whole_number(part)) is not None]


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "object"}]})
class ClassField(serializers.Field[Any, Any, Any, Any]):
    """A class as a name, or as {name, description, color, parent}."""

    def to_internal_value(self, data: Any) -> Any:
        given = {"name": data} if isinstance(data, str) else data
        if not isinstance(given, dict) or not isinstance(given.get("name"), str):
            raise serializers.ValidationError("A class is a name or an object with a name.")
        for key in ("name", "description", "color", "parent"):
            value = given.get(key)
            if value is None:
                continue
            if not isinstance(value, str):
                raise serializers.ValidationError(f"The {key} of a class is a text.")
            if UNSTORABLE.search(value):
                raise serializers.ValidationError(f"The {key} of a class has characters that are no text.")
        if given.get("color") and not COLOR.fullmatch(given["color"]):
            raise serializers.ValidationError("The color of a class is written like #4f8fe6.")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class NumberField(serializers.FloatField):
    """A number that can be compared and stored, unlike NaN and infinity."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool):
            self.fail("invalid")
        value = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class PageInput(serializers.Serializer[Any]):
    size = serializers.ChoiceField(choices=queue.SIZES, default=1)
    holding = serializers.ListField(child=serializers.IntegerField(), default=list, max_length=50)


@extend_schema_field(
    {
        "type": "array",
        "minItems": 1,
        "items": {"type": "array", "minItems": 6, "items": {"type": "number"}},
        "example": [[10, 10, 60, 10, 60, 60, 10, 60], [20, 20, 30, 20, 30, 30]],
    }
)
class PolygonField(serializers.Field[Any, Any, Any, Any]):
    """A polygon's parts. All numbers at once: one by one, thousands of points take a tenth of a second."""

    def to_internal_value(self, data: Any) -> list[list[float]]:
        if not isinstance(data, list) or not data or not all(isinstance(part, list) for part in data):
            raise serializers.ValidationError("A polygon is a list of parts, each a list of numbers.")
        if not all({*map(type, part)} <= {int, float} for part in data):
            raise serializers.ValidationError(_("The coordinates of a polygon are numbers."))
        try:
            return [[float(number) for number in part] for part in data]
        except OverflowError as error:
            raise serializers.ValidationError(_("The coordinates of a polygon are numbers.")) from error

    def to_representation(self, value: Any) -> Any:
        return value


class RegionInput(serializers.Serializer[Any]):
    bbox = serializers.ListField(
        child=NumberField(),
        min_length=4,
        max_length=4,
        required=False,
        help_text="x, y, width and height in pixels of the upright image",
    )
    polygon = PolygonField(
        required=False,
        help_text="one list x1, y1, x2, y2, … for each part, in pixels of the upright image. Parts combine by"
        " the even-odd rule: a part within another is a hole, one within that hole is filled again. Outlines"
        " may touch but not cross, themselves or each other",
    )
    origin = serializers.ChoiceField(
        choices=Region.Origin.choices,
        default=Region.Origin.DRAWN,
        help_text="whether a person drew it, accepted it as proposed, or changed what was proposed",
    )

    def get_fields(self) -> dict[str, Any]:
        # `class` cannot be an attribute's name in Python.
        return {"class": ClassReference(), **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "bbox" in attrs and "polygon" in attrs:
            raise serializers.ValidationError(_("A region is either a box or a polygon, not both."))
        flaw = geometry.misshapen(attrs.get("bbox"), attrs.get("polygon"))
        if flaw:
            raise serializers.ValidationError(languages.said(flaw))
        return attrs


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string"}]})
class ClassReference(serializers.Field[Any, Any, Any, Any]):
    """A class by id or by name."""

    def to_internal_value(self, data: Any) -> int | str:
        if isinstance(data, (int, str)) and not isinstance(data, bool):
            return data
        raise serializers.ValidationError("A class is given by its id or its name.")

    def to_representation(self, value: Any) -> Any:
        return value


class AnswerInput(serializers.Serializer[Any]):
    item = serializers.IntegerField()
    uuid = serializers.UUIDField()
    seconds = NumberField(required=False, allow_null=True, min_value=0, max_value=86_400)
    skipped = serializers.BooleanField(default=False)
    skip_reason = serializers.CharField(
        default="", allow_blank=True, max_length=300, help_text="why, with `skipped`: true"
    )
    exception = serializers.BooleanField(default=False)
    regions = RegionInput(many=True, default=list, max_length=MOST_REGIONS)  # type: ignore[call-arg]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["skip_reason"] and not attrs["skipped"]:
            raise serializers.ValidationError("A reason for skipping comes with `skipped`: true.")
        return attrs


class SubmitInput(serializers.Serializer[Any]):
    answers = serializers.ListField(child=AnswerInput(), max_length=50)


class DecisionInput(serializers.Serializer[Any]):
    annotation = serializers.IntegerField()


class LogInput(serializers.Serializer[Any]):
    verb = serializers.CharField(required=False, max_length=40)
    by = serializers.IntegerField(required=False)
    since = serializers.DateField(required=False)
    until = serializers.DateField(required=False)


def class_shape(each: LabelClass) -> dict[str, Any]:
    return {
        "id": each.pk,
        "name": each.name,
        "color": each.color,
        "hotkey": each.hotkey,
        "description": each.description,
        "parent": each.parent_id,
        "retired_at": each.retired_at,
        "merged_into": each.merged_into_id,
    }


def regions_shape(regions: Iterable[Region]) -> list[dict[str, Any]]:
    """Return regions by the classes of today, as answers have them; those of a whole image have no origin."""
    shapes: list[dict[str, Any]] = []
    for each in regions:
        shape: dict[str, Any] = {"class": each.label_class.now.pk}
        if each.bbox:
            shape["bbox"] = each.bbox
        if each.polygon:
            shape["polygon"] = each.polygon
        if each.bbox or each.polygon:
            shape["origin"] = each.origin
        elif shape in shapes:
            continue  # two labels that have become one
        shapes.append(shape)
    return shapes


def page_shape(page: Page) -> dict[str, Any]:
    """Return what a labeler's screen needs of a page that is open."""
    claims = Claim.objects.filter(page=page, state=Claim.State.LIVE).select_related("item")
    return screen_shape(page, list(claims.order_by("position")), decoys.of(page))


def screen_shape(page: Page, claims: Sequence[Claim], decoy: Decoy | None) -> dict[str, Any]:
    """Return a page with some of its items; blind kinds look like manual ones and show no suggestion."""
    blind = page.kind in queue.BLIND
    reasons = {each.why for each in claims}
    today = meanings.of(page.project)
    proposed_class = today.offered(page.proposed_class_id)
    proposals: dict[int, Suggestion] = {}
    # Copies of one picture without a class are asked for unprompted.
    if page.project.is_classification and (page.kind == QueueKind.PRELABELED or page.proposed_class_id):
        proposals = Suggestion.objects.in_bulk([each.item_id for each in claims])
    back = [] if blind else [each.item_id for each in claims if each.why == review.SENT_BACK]
    said = commenting.why_back(page.project, back) if back else {}
    items = [
        page_item(
            each.item,
            "" if blind else " ".join(filter(None, (languages.reason(each.why), said.get(each.item_id)))),
            proposal_shape(each, proposals.get(each.item_id), today),
        )
        for each in claims
    ]
    if decoy is not None and (items or page.kind == QueueKind.GOLD):
        like: dict[str, Any] = items[0] if items else {"why": "", "suggestion": None}
        items.insert(decoy.position, page_item(decoy.known.item, like["why"], like["suggestion"]))
    return {
        "page": page.pk,
        "kind": shown_kind(page),
        "why": "" if blind or len(reasons) != 1 else languages.reason(*reasons),
        "proposed_class": proposed_class,
        "start_selected": page.kind == "clustered",
        "lease_expires_at": page.expires_at,
        "items": items,
    }


def shown_kind(page: Page) -> str:
    return QueueKind.MANUAL if page.kind in queue.BLIND else page.kind


def page_item(item: Item, why: str, suggestion: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "id": item.pk,
        "file_name": item.file_name,
        "width": item.width,
        "height": item.height,
        "window": item.window,
        "image": images.address(item),
        "thumbnail": images.thumbnail_address(item),
        "why": why,
        "suggestion": suggestion,
    }


def proposal_shape(claim: Claim, suggestion: Suggestion | None, today: Meanings) -> dict[str, Any] | None:
    """Return what is proposed for an item: what was kept with its claim, else what is newest."""
    if claim.likely is not None:
        return ticks_shape(claim, today)
    proposal = claim.proposal or (proposing.shape(suggestion) if suggestion else None)
    if proposal is None:
        return None
    by_people = proposal["model"] is None
    return {**proposal, "regions": proposing.offered(proposal["regions"], today, by_people=by_people)}


def ticks_shape(claim: Claim, today: Meanings) -> dict[str, Any]:
    return {
        "regions": [{"class": each} for each in today.all_offered(claim.likely) or ()],
        "doubtful": today.all_offered(claim.doubtful),
        "confidence": None,
        "model": None,
    }


def item_shape(item: Item, viewer: Any) -> dict[str, Any]:
    current = item.current_annotation
    suggestion = getattr(item, "suggestion", None)
    listing = getattr(item, "listing", None)
    return {
        "id": item.pk,
        "file_name": item.file_name,
        "path": item.path,
        "state": item.state,
        "reason": item.reason,
        "width": item.width,
        "height": item.height,
        "window": item.window,
        "gone_at": item.gone_at,
        "changed_at": item.changed_at,
        "image": images.address(item),
        "thumbnail": images.thumbnail_address(item),
        "origin": current.origin if current else None,
        "labels": [
            {"class": each.pk, "name": each.name, "color": each.color}
            for each, count in (meanings.tally(current.regions.all()) if current else ())
            for _ in range(count)
        ],
        "regions": regions_shape(current.regions.all() if current else ()),
        "labeler": naming.called(viewer, current.labeler) if current and current.labeler else None,
        "confidence": suggestion.confidence if suggestion else None,
        "label_error": listing.label_error if listing else None,
        "model_class": listing.model_class if listing else None,
        "reviewed": listing.reviewed if listing else False,
        "created_at": current.created_at if current else None,
    }


def annotation_shape(annotation: Annotation, viewer: Any) -> dict[str, Any]:
    """Return one entry of an item's history."""
    return {
        "id": annotation.pk,
        "origin": annotation.origin,
        "labeler": naming.called(viewer, annotation.labeler) if annotation.labeler else None,
        "labels": [each.label_class.name for each in annotation.regions.all()],
        "labels_now": [each.label_class.now.name for each in annotation.regions.all()],
        "regions": regions_shape(annotation.regions.all()),
        "skipped": annotation.skipped,
        "skip_reason": annotation.skip_reason,
        "counted": annotation.counted,
        "suggestion_visible": annotation.suggestion_visible,
        "instructions": annotation.instructions.version if annotation.instructions else None,
        "created_at": annotation.created_at,
        "withdrawn_at": annotation.withdrawn_at,
        "withdrawal": annotation.withdrawal,
        "model_version": annotation.model_version,
        "certificate": annotation.certificate,
        "seconds": annotation.seconds,
    }


def job_shape(job: Job) -> dict[str, Any]:
    result = {key: value for key, value in job.result.items() if key not in INTERNAL.get(job.kind, ())}
    if job.kind == "export" and job.state == Job.State.DONE:
        result["file"] = reverse("export-file", args=[job.project_id, job.pk])
    return {
        "id": job.pk,
        "kind": job.kind,
        "project": job.project_id,
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "message": job.message,
        "error": job.error,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "result": result,
    }


def invitation_shape(invitation: Invitation) -> dict[str, Any]:
    return {
        "id": invitation.pk,
        "role": invitation.role or None,
        "is_lead": invitation.is_lead,
        "email": invitation.email,
        "url": None if invitation.account_id else reverse("invitation", args=[invitation.token]),
        "expires_at": invitation.expires_at,
        "open": invitation.is_open,
    }


def undone_shape(page: Page, answers: dict[int, Annotation]) -> dict[str, Any]:
    """Return a reopened page with the answers that were taken back."""
    given = {item: answer_shape(each) for item, each in answers.items()}
    return {**page_shape(page), "answers": given | decoy_answers(page)}


def earlier_shape(page: Page, shown: Iterable[earlier.Shown]) -> dict[str, Any]:
    """Return one line of the pages that a labeler has submitted."""
    return {
        "page": page.pk,
        "kind": shown_kind(page),
        "submitted_at": page.submitted_at,
        "items": [
            {
                "id": each.item.pk,
                "file_name": each.item.file_name,
                "thumbnail": images.thumbnail_address(each.item),
                "labels": each.labels,
                "skipped": each.skipped,
            }
            for each in shown
        ],
    }


def submitted_shape(page: Page) -> dict[str, Any]:
    """Return a submitted page with the answers that stand, to be corrected."""
    answers = {each.item_id: each for each in earlier.by_page([page])[page.pk]}
    claims = Claim.objects.filter(page=page, item__in=answers).select_related("item").order_by("position")
    decoy = decoys.answered([page]).select_related("known__item").first()
    given = {item: answer_shape(each) for item, each in answers.items()}
    return {
        **screen_shape(page, list(claims), decoy),
        "submitted_at": page.submitted_at,
        "answers": given | decoy_answers(page) if given or page.kind == QueueKind.GOLD else given,
    }


def decoy_answers(page: Page) -> dict[int, dict[str, Any]]:
    """Return what was said of the image hidden on a page, as it is of others."""
    today = meanings.of(page.project)
    return {
        each.known.item_id: {
            "skipped": each.said == Decoy.Said.SKIP,
            "skip_reason": each.skip_reason,
            "regions": proposing.offered(each.regions, today, by_people=True)
            if each.regions
            else [{"class": label_class} for label_class in today.all_offered(each.classes) or ()],
        }
        for each in decoys.answered([page]).select_related("known")
    }


def answer_shape(annotation: Annotation) -> dict[str, Any]:
    return {
        "skipped": annotation.skipped,
        "skip_reason": annotation.skip_reason,
        "regions": regions_shape(annotation.regions.all()),
    }
