"""The API's contract: programs rely on it, so a change must be seen in a diff."""

import json
from pathlib import Path

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

SNAPSHOT = Path(__file__).parent / "openapi.json"


def test_the_schema_is_valid_and_equals_the_committed_one() -> None:
    """After a change that is meant: manage.py spectacular --format openapi-json --file tests/openapi.json"""
    schema = json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True), default=str))
    validate_schema(schema)
    assert schema == json.loads(SNAPSHOT.read_text())
