"""The API's contract: programs rely on it, so a change must be seen in a diff."""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from django.db import transaction
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient
from schemathesis.core import NotSet

from tests import factories

SNAPSHOT = Path(__file__).parent / "openapi.json"


def test_the_schema_is_valid_and_equals_the_committed_one() -> None:
    """After a change that is meant: manage.py spectacular --format openapi-json --file tests/openapi.json"""
    schema = json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True), default=str))
    validate_schema(schema)
    assert schema == json.loads(SNAPSHOT.read_text())


ROLES = ("outsider", "labeler", "reviewer", "manager", "admin")
EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "1"))  # of each operation for each role
DOCUMENT = json.loads(SNAPSHOT.read_text())
OPERATIONS = [each.ok() for each in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()]


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_whatever_the_schema_allows_gets_an_answer(role, request, project, labeler, items) -> None:
    """No request breaks the server, and every refusal has the shape that all have."""
    factories.answer(project, labeler)
    client = APIClient(raise_request_exception=True)
    client.force_authenticate(request.getfixturevalue(role))
    known = {"project_id": project.pk, "item_id": items[0].pk, "class_id": project.classes.first().pk}
    for operation in OPERATIONS:
        answers(operation, client, known)


def answers(operation: Any, client: APIClient, known: dict[str, int]) -> None:
    """Send an operation what its schema allows, to things that exist and to any number."""

    @settings(
        max_examples=EXAMPLES,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), to_known=st.booleans())
    def ask(case: Any, to_known: bool) -> None:
        names = {name: known[name] for name in case.path_parameters if to_known and name in known}
        path = operation.path.format(**(case.path_parameters | names))
        with transaction.atomic():
            body = None if isinstance(case.body, NotSet) else case.body
            query = {name: value for name, value in (case.query or {}).items() if value is not None}
            reply = client.generic(
                operation.method.upper(),
                f"{path}?{urlencode(query, doseq=True)}",
                b"" if body is None else json.dumps(body),
                content_type="application/json",
            )
            transaction.set_rollback(True)
        assert reply.status_code < 500, (operation.label, body, query)
        if reply.status_code >= 400 and path.startswith("/api/"):  # pictures are for pages, too
            assert set(reply.json()["error"]) == {"code", "message", "fields"}, operation.label

    ask()
