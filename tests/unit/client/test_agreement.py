"""The client and the API's document agree: the keys of answers, and the requests that may be repeated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moorings.client import shapes
from moorings.client.retries import takes_key

DOCUMENT = json.loads((Path(__file__).parents[3] / "docs" / "reference" / "openapi.json").read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]
OTHER_NAMES = {
    "ApiKey": "KeyShape",
    "Connection": "ConnectionShape",
    "Credential": "CredentialShape",
    "EnvironmentChange": "Moving",
    "Group": "GroupResource",
    "NewApiKey": "NewKeyShape",
    "Person": "UserShape",
    "Plan": "PlanShape",
    "RefreshResult": "RefreshShape",
    "ScimMeta": "Meta",
    "ScimName": "Name",
    "ScimValue": "Value",
    "TestResult": "TestShape",
    "TestStep": "StepShape",
    "User": "UserResource",
    "UserAttribute": "AttributeShape",
    "Whoami": "WhoShape",
}
"""The schemas whose names are not the shape's own, with or without `Shape` behind it."""


def schema_of(name: str) -> dict:
    names = (OTHER_NAMES.get(name, ""), f"{name}Shape", name)
    return next(SCHEMAS[each] for each in names if each in SCHEMAS)


@pytest.mark.parametrize("name", shapes.__all__)
def test_each_shape_has_the_keys_of_its_schema(name):
    shape, schema = getattr(shapes, name), schema_of(name)
    assert shape.__required_keys__ | shape.__optional_keys__ == set(schema["properties"])


def test_the_posts_that_take_an_idempotency_key_are_those_of_the_document():
    declared, ours = set(), set()
    for path, operations in DOCUMENT["paths"].items():
        if "post" not in operations or not path.startswith("/api/v1/"):
            continue
        if any(each.get("name") == "Idempotency-Key" for each in operations["post"].get("parameters", [])):
            declared.add(path)
        if takes_key("POST", path.removeprefix("/api/v1")):
            ours.add(path)
    assert ours == declared
