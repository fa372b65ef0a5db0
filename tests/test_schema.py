"""The API's contract: programs rely on it, so a change must be seen in a diff."""

import json
from pathlib import Path

import pytest
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

SNAPSHOT = Path(__file__).parent / "openapi.json"


def current_schema() -> dict:
    return json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True), default=str))


@pytest.mark.django_db
def test_the_schema_is_valid_and_equals_the_committed_one() -> None:
    """After a change that is meant: python -m tests.test_schema"""
    schema = current_schema()
    validate_schema(schema)
    assert schema == json.loads(SNAPSHOT.read_text())


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
    django.setup()
    SNAPSHOT.write_text(json.dumps(current_schema(), indent=1, sort_keys=True) + "\n")
