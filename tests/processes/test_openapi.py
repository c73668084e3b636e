"""The OpenAPI document against the shipped service: generated calls, bounded and always the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from moorings.api.http import openapi
from moorings.app import ROUTES
from tests.processes.conftest import TOKEN

CREATES = ["/api/v1/connections", "/api/v1/connections/test"]
"""What a key file or a service account must look like is more than JSON Schema can say."""

SCIM = "^/api/scim/"
"""So is what a filter or the path of an operation must look like.

And what identity providers send is taken although the document does not have it: booleans in words, unknown parameters.
"""


def asks_for_more(case: Any) -> bool:
    """Whether what a call must send is more than JSON Schema can say.

    A cursor of an answer, values of a type, a name that no other request had, one of two spellings, an address, or the
    id of a connection that exists.
    """
    named = (case.query or {}).get("cursor") or "idempotency-key" in map(str.lower, case.headers or {})
    return bool(named) or case.operation.path.startswith(
        ("/api/v1/user-attributes", "/api/v1/query/wait", "/api/v1/webhooks", "/api/v1/api-keys")
    )


DESCRIBED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

bounded = settings(
    max_examples=10,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def door(replica: Any) -> Iterator[dict[str, Any]]:
    """Where calls go, over one kept connection: opening one for each call takes longer than the call."""
    with requests.Session() as session:
        session.trust_env = False
        yield {"base_url": replica.serving.url, "session": session}


@pytest.fixture(scope="module")
def memory(replica: Any) -> str:
    body = {"dialect": "duckdb", "name": "m", "database": ":memory:", "readOnly": False}
    return replica.request("POST", "/connections", json=body).json()["data"]


DOCUMENT = openapi.document(ROUTES)
REFUSED = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "5xx"]
"""How faulty calls are refused: as schemathesis has it, and for a body that is too large."""
CONFIG = schemathesis.Config.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": REFUSED}}})
generated = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)


@generated.auth()
class Key:
    """Every call carries one, but for those that look whether it is asked for."""

    def get(self, case: Any, context: Any) -> str:
        return TOKEN

    def set(self, case: Any, token: str, context: Any) -> None:
        case.headers["Authorization"] = f"Bearer {token}"


class TestGeneratedCalls:
    def test_are_made_from_the_document_that_is_served(self, replica):
        assert replica.client.get(f"{replica.serving.url}/openapi.json").json() == DOCUMENT

    @generated.exclude(path=CREATES, method="POST").exclude(path_regex=SCIM).parametrize()
    @bounded
    def test_are_answered_as_described(self, case, door):
        excluded = [unsupported_method, *([positive_data_acceptance] if asks_for_more(case) else [])]
        case.call_and_validate(**door, excluded_checks=excluded)

    @generated.include(path=CREATES, method="POST").parametrize()
    @settings(bounded, max_examples=20, phases=[Phase.generate])  # explicit ones are thousands: 18 shapes × 50 fields
    def test_that_create_are_answered_as_described(self, case, door):
        excluded = [unsupported_method, positive_data_acceptance]
        case.call_and_validate(**door, excluded_checks=excluded)

    @generated.include(path_regex=SCIM).parametrize()
    @settings(bounded, max_examples=20)
    def test_of_scim_are_answered_as_described(self, case, door):
        excluded = [unsupported_method, positive_data_acceptance, negative_data_rejection]
        case.call_and_validate(**door, excluded_checks=excluded)

    @generated.include(path_regex="{").parametrize()
    @bounded
    def test_of_what_exists_are_answered_as_described(self, case, door, memory):
        case.path_parameters = dict.fromkeys(case.path_parameters, memory)
        case.call_and_validate(**door, checks=DESCRIBED)
