"""CONTRACT section 1, PATCH /connections/{id}: request → exact status and body."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moorings.access.policy import Role

BOTH = "Updated connection default role and user attribute settings."
ATTRIBUTE = "Updated environment user attribute settings."
ROLE = "Updated connection default role."
NOTHING = "No updates were made to the connection."
CREDENTIALS = "Updated connection credentials."


def attribute(name: Any = "env", values: Any = ("dev", "prod")) -> dict[str, Any]:
    return {"environmentUserAttribute": {"attributeName": name, "defaultValues": values}}


OLD_NAME, OLD_VALUES = "userAttributeNameForConnectionEnvironments", "userAttributeValuesForDefaultEnvironment"

# What is sent first (None: nothing), what is sent then, and the message to the second, by what really changed.
MESSAGES: list[tuple[dict[str, Any] | None, dict[str, Any], str]] = [
    (None, {"baseRole": "QUERIER"}, ROLE),
    (None, {"baseRole": "VIEWER"}, NOTHING),
    (None, {"baseRole": "QUERY_TOPICS"}, ROLE),
    ({"baseRole": "QUERY_TOPICS"}, {"baseRole": "RESTRICTED_QUERIER"}, NOTHING),
    (None, attribute(), ATTRIBUTE),
    (attribute(), attribute(), NOTHING),
    (attribute(), attribute(values=["dev"]), ATTRIBUTE),
    (attribute(), attribute(name="other"), ATTRIBUTE),
    (attribute(), attribute(values=None), ATTRIBUTE),
    (attribute(values=None), attribute(values=[]), NOTHING),
    (attribute(), {"environmentUserAttribute": None}, ATTRIBUTE),
    (None, {"environmentUserAttribute": None}, NOTHING),
    (None, {"baseRole": "MODELER"} | attribute(), BOTH),
    (None, {"baseRole": "VIEWER"} | attribute(), ATTRIBUTE),
    (attribute(), {"baseRole": "MODELER"} | attribute(), ROLE),
    (attribute(), {"baseRole": "VIEWER"} | attribute(), NOTHING),
    (attribute(), {"baseRole": "NO_ACCESS", "environmentUserAttribute": None}, BOTH),
    (None, {"passwordUnencrypted": "new"}, CREDENTIALS),
    (None, {OLD_NAME: "env", OLD_VALUES: "dev,prod"}, ATTRIBUTE),
    (attribute(), {OLD_NAME: "env", OLD_VALUES: "dev,prod"}, NOTHING),
]

FAULTS: list[tuple[Any, str]] = [
    ({}, "Empty request body"),
    ({"baseRole": "x"}, "baseRole: Invalid enum value"),
    ({"baseRole": "viewer"}, "baseRole: Invalid enum value"),
    ({"baseRole": None}, "baseRole: Invalid enum value"),
    ({"baseRole": 5}, "baseRole: Invalid enum value"),
    ({"environmentUserAttribute": "x"}, "environmentUserAttribute: Expected object, received string"),
    ({"environmentUserAttribute": []}, "environmentUserAttribute: Expected object, received array"),
    (
        {"environmentUserAttribute": {}},
        "environmentUserAttribute.attributeName: Required; environmentUserAttribute.defaultValues: Required",
    ),
    ({"environmentUserAttribute": {"attributeName": "a"}}, "environmentUserAttribute.defaultValues: Required"),
    ({"environmentUserAttribute": {"defaultValues": []}}, "environmentUserAttribute.attributeName: Required"),
    (attribute(name=""), "environmentUserAttribute.attributeName: String must contain at least 1 character(s)"),
    (attribute(name="x" * 256), "environmentUserAttribute.attributeName: String must contain at most 255 character(s)"),
    (attribute(name=5), "environmentUserAttribute.attributeName: Expected string, received number"),
    (attribute(name=None), "environmentUserAttribute.attributeName: Expected string, received null"),
    (attribute(name="a\0"), "environmentUserAttribute.attributeName: Invalid input"),
    (attribute(values="dev"), "environmentUserAttribute.defaultValues: Expected array, received string"),
    (attribute(values=["a", 5]), "environmentUserAttribute.defaultValues.1: Expected string, received number"),
    (attribute(values=[""]), "environmentUserAttribute.defaultValues.0: String must contain at least 1 character(s)"),
    (
        attribute(values=["x" * 256]),
        "environmentUserAttribute.defaultValues.0: String must contain at most 255 character(s)",
    ),
    (attribute(values=["a,b"]), "environmentUserAttribute.defaultValues.0: Invalid input"),
    (attribute(values=["a", "a"]), "environmentUserAttribute.defaultValues.1: Invalid input"),
    (
        {"baseRole": "x", "environmentUserAttribute": {"attributeName": "a"}},
        "baseRole: Invalid enum value; environmentUserAttribute.defaultValues: Required",
    ),
    ({"baseRole": "x", "host": "x", "a": 1, "b": 1}, "formErrors: Unrecognized key(s) in object: 'a', 'b'"),
    ({"passwordUnencrypted": ""}, "passwordUnencrypted: String must contain at least 1 character(s)"),
    ({"passwordUnencrypted": 5}, "passwordUnencrypted: Expected string, received number"),
]


def listed(service: Any, connection_id: str) -> dict[str, Any]:
    found = service.request("GET", "/connections").json()["connections"]
    return next(connection for connection in found if connection["id"] == connection_id)


class TestMessages:
    @pytest.mark.parametrize(("first", "then", "message"), MESSAGES, ids=lambda given: json.dumps(given)[:60])
    def test_exact_body(self, service: Any, first: Any, then: dict[str, Any], message: str) -> None:
        connection_id = service.create()
        if first is not None:
            assert service.patch(connection_id, first).status_code == 200
        answer = service.patch(connection_id, then)
        assert (answer.status_code, answer.json()) == (200, {"success": True, "message": message})

    def test_values_are_listed_as_one_string(self, service: Any) -> None:
        connection_id = service.create()
        service.patch(connection_id, attribute())
        shown = listed(service, connection_id)
        assert (shown[OLD_NAME], shown[OLD_VALUES]) == ("env", "dev,prod")
        service.patch(connection_id, {"environmentUserAttribute": None})
        shown = listed(service, connection_id)
        assert (shown[OLD_NAME], shown[OLD_VALUES]) == (None, None)

    def test_a_role_is_listed_under_the_name_that_was_written(self, service: Any) -> None:
        connection_id = service.create(baseRole="QUERY_TOPICS")
        assert listed(service, connection_id)["baseRole"] == "QUERY_TOPICS"
        for name in ("RESTRICTED_QUERIER", "QUERY_TOPICS", "QUERIER"):
            service.patch(connection_id, {"baseRole": name})
            assert listed(service, connection_id)["baseRole"] == name


class TestFaults:
    @pytest.mark.parametrize(("body", "detail"), FAULTS, ids=lambda given: json.dumps(given)[:60])
    def test_exact_body(self, service: Any, body: Any, detail: str) -> None:
        answer = service.patch(service.create(), body)
        assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {detail}", "status": 400})

    def test_nothing_changes(self, service: Any) -> None:
        connection_id = service.create()
        before = listed(service, connection_id)
        service.patch(connection_id, {"baseRole": "MODELER"} | attribute(values=["a,b"]))
        assert listed(service, connection_id) == before

    def test_private_key_is_for_snowflake_only(self, service: Any) -> None:
        answer = service.patch(service.create(), {"privateKey": "x"})
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("Bad Request: privateKey: ")

    def test_a_value_that_an_environment_claims(self, service: Any) -> None:
        base, other = service.create(), service.create()
        body = {"baseConnectionId": base, "environmentConnectionIds": other}
        environment = service.request("POST", "/connection-environments", json=body).json()["data"][0]["id"]
        claimed = {"userAttributeValues": "dev,staging"}
        assert service.request("PUT", f"/connection-environments/{environment}", json=claimed).json() == {
            "success": True
        }
        answer = service.patch(base, attribute(values=["prod", "dev"]))
        detail = 'User attribute value "dev" is already in use'
        assert (answer.status_code, answer.json()) == (400, {"detail": detail, "status": 400})


REFUSED = [
    (Role.NO_ACCESS, 404, "Connection not found"),
    *((role, 403, "Permission denied") for role in list(Role)[1:-1]),
]


class TestRoles:
    """404 where the role is NO_ACCESS, 403 below connection admin."""

    @pytest.mark.parametrize(("role", "status", "detail"), REFUSED)
    def test_refused(self, service: Any, role: Role, status: int, detail: str) -> None:
        connection_id = service.create(baseRole="NO_ACCESS")
        key = service.member(**{connection_id: role})
        answer = service.patch(connection_id, {"baseRole": "VIEWER"}, key=key)
        assert (answer.status_code, answer.json()) == (status, {"detail": detail, "status": status})

    def test_the_base_role_is_a_floor(self, service: Any) -> None:
        connection_id = service.create(baseRole="CONNECTION_ADMIN")
        key = service.member(**{connection_id: Role.VIEWER})
        assert service.patch(connection_id, {"baseRole": "MODELER"}, key=key).status_code == 200

    def test_connection_admins_may(self, service: Any) -> None:
        connection_id = service.create()
        key = service.member(**{connection_id: Role.CONNECTION_ADMIN})
        assert service.patch(connection_id, {"baseRole": "MODELER"}, key=key).json()["message"] == ROLE
