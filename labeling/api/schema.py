"""How the API describes itself: a line for each operation, the one shape of errors, what matters first."""

from typing import Any

from drf_spectacular.openapi import AutoSchema

FIRST = (
    "projects", "uploads", "imports", "sources", "data-sets", "label-imports", "items", "pages", "exports",
    "runs", "certificates", "classes", "instructions", "reviews", "review-queue", "members", "teams",
)  # fmt: skip
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "fields"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string", "description": "a sentence that a person can act on"},
                "fields": {
                    "type": "object",
                    "additionalProperties": {},
                    "description": "what is wrong with each field of the request",
                },
            },
        }
    },
}


class Schema(AutoSchema):
    """Takes the first line of a view's docstring for the summary, and the rest for the description."""

    def get_summary(self) -> str | None:
        return super().get_description().partition("\n")[0].removesuffix(".") or None

    def get_description(self) -> str:  # type: ignore[override]  # never lazy here
        rest: str = super().get_description().partition("\n")[2]
        return rest.strip()


def complete(result: dict[str, Any], **others: Any) -> dict[str, Any]:
    """Add what is the same for all operations, and list first what is needed first."""
    result["components"]["schemas"]["Error"] = ERROR
    result["components"]["responses"] = {
        "Error": {
            "description": "Whatever is refused is refused like this",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
    }
    tags: set[str] = set()
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = {"$ref": "#/components/responses/Error"}
            tags |= set(operation["tags"])
    result["tags"] = [{"name": each} for each in (*FIRST, *sorted(tags - set(FIRST)))]
    return result
