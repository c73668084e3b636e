"""The OpenAPI document, as the API pages show it."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from moorings import dialects
from moorings.api.http import openapi
from moorings.app import ROUTES

DOCUMENT = openapi.document(ROUTES)
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
every = pytest.mark.parametrize("operation", [each for _, each in OPERATIONS], ids=[name for name, _ in OPERATIONS])


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    return next(iter(operation["requestBody"]["content"].values()))


class TestOperations:
    @every
    def test_has_a_group_that_is_described(self, operation):
        assert operation["tags"][0] in [tag["name"] for tag in DOCUMENT["tags"]]

    @every
    def test_has_examples_of_its_body_that_its_schema_accepts(self, operation):
        if "requestBody" in operation:
            body = body_of(operation)
            accepts = jsonschema_rs.Draft202012Validator(body["schema"] | {"components": DOCUMENT["components"]})
            assert body["examples"]
            for example in body["examples"].values():
                accepts.validate(example["value"])


class TestConnections:
    @pytest.mark.parametrize("path", ["/api/v1/connections", "/api/v1/connections/test"])
    def test_each_dialect_has_a_schema_and_an_example_under_its_title(self, path):
        body = body_of(DOCUMENT["paths"][path]["post"])
        mapping = body["schema"]["discriminator"]["mapping"]
        assert list(mapping) == list(dialects.names())
        assert [{"$ref": reference} for reference in mapping.values()] == body["schema"]["oneOf"]
        titles = [example["summary"] for example in body["examples"].values()]
        assert titles == [dialects.named(name).title for name in dialects.names()]

    @pytest.mark.parametrize("name", dialects.names())
    def test_the_example_of_a_dialect_is_a_connection(self, name):
        examples = body_of(DOCUMENT["paths"]["/api/v1/connections"]["post"])["examples"].values()
        example = next(each["value"] for each in examples if each["value"]["dialect"] == name)
        assert dialects.read(example).dialect == name
