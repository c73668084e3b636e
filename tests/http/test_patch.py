"""PATCH /connections/{id}: which sentence for which change, and what is stored then."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.connections.models import Connection
from moorings.dialects.bigquery.config import SERVICE_ACCOUNT_KEYS

BOTH = "Updated connection default role and user attribute settings."
ENVIRONMENT = "Updated environment user attribute settings."
ROLE = "Updated connection default role."
ATTRIBUTE = "Bad Request: environmentUserAttribute"
NOTHING = "No updates were made to the connection."
CREDENTIALS = "Updated connection credentials."


def attribute(name: str = "env", values: list[str] | None = None) -> dict[str, Any]:
    return {
        "environmentUserAttribute": {"attributeName": name, "defaultValues": ["prod"] if values is None else values}
    }


SNOWFLAKE = {"dialect": "snowflake", "host": "myorg", "warehouse": "w"}
NO_VALUES = {"attributeName": "env", "defaultValues": None}
NAME, VALUES = "userAttributeNameForConnectionEnvironments", "userAttributeValuesForDefaultEnvironment"

# Each is sent to a connection with baseRole VIEWER and the attribute `env` = prod: body, message, role and attribute.
CHANGES: list[tuple[dict[str, Any], str, tuple[str, str | None, str | None]]] = [
    ({"baseRole": "QUERIER"}, ROLE, ("QUERIER", "env", "prod")),
    ({"baseRole": "QUERY_TOPICS"}, ROLE, ("QUERY_TOPICS", "env", "prod")),
    ({"baseRole": "VIEWER"}, NOTHING, ("VIEWER", "env", "prod")),
    (attribute(), NOTHING, ("VIEWER", "env", "prod")),
    (attribute("other"), ENVIRONMENT, ("VIEWER", "other", "prod")),
    (attribute(values=["prod", "dev"]), ENVIRONMENT, ("VIEWER", "env", "prod,dev")),
    (attribute(values=[]), ENVIRONMENT, ("VIEWER", "env", None)),
    (
        {"environmentUserAttribute": {"attributeName": "env", "defaultValues": None}},
        ENVIRONMENT,
        ("VIEWER", "env", None),
    ),
    ({"environmentUserAttribute": None}, ENVIRONMENT, ("VIEWER", None, None)),
    ({"baseRole": "QUERIER"} | attribute("other"), BOTH, ("QUERIER", "other", "prod")),
    ({"baseRole": "QUERIER"} | attribute(), ROLE, ("QUERIER", "env", "prod")),
    ({"baseRole": "VIEWER"} | attribute("other"), ENVIRONMENT, ("VIEWER", "other", "prod")),
    ({"baseRole": "VIEWER"} | attribute(), NOTHING, ("VIEWER", "env", "prod")),
    ({"passwordUnencrypted": "new"}, CREDENTIALS, ("VIEWER", "env", "prod")),
    ({NAME: "other", VALUES: "a,b"}, ENVIRONMENT, ("VIEWER", "other", "a,b")),
    ({NAME: "other"}, ENVIRONMENT, ("VIEWER", "other", "prod")),
    ({VALUES: ["a", "b"]}, ENVIRONMENT, ("VIEWER", "env", "a,b")),
    ({NAME: "env", VALUES: "prod"}, NOTHING, ("VIEWER", "env", "prod")),
    ({NAME: None}, ENVIRONMENT, ("VIEWER", None, None)),
    ({"baseRole": "MODELER", NAME: "other", VALUES: "a"}, BOTH, ("MODELER", "other", "a")),
]

BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "Bad Request: Empty request body"),
    ({"baseRole": "ADMIN"}, "Bad Request: baseRole: Invalid enum value"),
    ({"baseRole": None}, "Bad Request: baseRole: Invalid enum value"),
    (
        {"environmentUserAttribute": {"defaultValues": []}},
        f"{ATTRIBUTE}.attributeName: Required",
    ),
    (
        {"environmentUserAttribute": {"attributeName": "a"}},
        f"{ATTRIBUTE}.defaultValues: Required",
    ),
    ({"environmentUserAttribute": 1}, f"{ATTRIBUTE}: Expected object, received number"),
    (
        attribute(""),
        f"{ATTRIBUTE}.attributeName: String must contain at least 1 character(s)",
    ),
    (
        attribute("x" * 256),
        f"{ATTRIBUTE}.attributeName: String must contain at most 255 character(s)",
    ),
    (attribute(values=["a,b"]), f"{ATTRIBUTE}.defaultValues.0: Invalid input"),
    (attribute(values=["a", "a"]), f"{ATTRIBUTE}.defaultValues.1: Invalid input"),
    (attribute(values=["\0"]), f"{ATTRIBUTE}.defaultValues.0: Invalid input"),
    (
        {"baseRole": "X"} | attribute("", ["", "ok", "x" * 256]),
        (
            "Bad Request: baseRole: Invalid enum value; "
            "environmentUserAttribute.attributeName: String must contain at least 1 character(s); "
            "environmentUserAttribute.defaultValues.0: String must contain at least 1 character(s); "
            "environmentUserAttribute.defaultValues.2: String must contain at most 255 character(s)"
        ),
    ),
    ({"names": "n"}, "Bad Request: formErrors: Unrecognized key(s) in object: 'names'"),
    (
        {"name": "", "port": 0},
        (
            "Bad Request: name: String must contain at least 1 character(s); "
            "port: Number must be greater than or equal to 1"
        ),
    ),
    (
        {"host": None, "username": ""},
        ("Bad Request: host: Required; username: String must contain at least 1 character(s)"),
    ),
    ({"dialect": "mysql"}, "Bad Request: dialect: A connection keeps its dialect. Create another connection"),
    ({"privateKey": "x"}, "Bad Request: privateKey: Only Snowflake connections have a private key"),
    (
        {"baseRole": "X", "passwordUnencrypted": 5, "privateKey": "x"} | attribute(""),
        (
            "Bad Request: passwordUnencrypted: Expected string, received number; "
            "baseRole: Invalid enum value; "
            "privateKey: Only Snowflake connections have a private key; "
            "environmentUserAttribute.attributeName: String must contain at least 1 character(s)"
        ),
    ),
    (attribute() | {NAME: "env"}, f"{ATTRIBUTE}: Invalid input"),
    ({"environmentUserAttribute": None, VALUES: "a"}, f"{ATTRIBUTE}: Invalid input"),
    ({NAME: None, VALUES: "a"}, f"Bad Request: {VALUES}: Invalid input"),
    ({"passwordUnencrypted": ""}, "Bad Request: passwordUnencrypted: String must contain at least 1 character(s)"),
]


@pytest.fixture
def connection_id(service) -> str:
    made = service.create()
    assert service.patch(made, attribute()).status_code == 200
    return made


def stored(service: Any, connection_id: str) -> dict[str, Any]:
    return service.request("GET", f"/connections/{connection_id}").json()["connection"]


class TestChanges:
    @pytest.mark.parametrize(("body", "message", "after"), CHANGES)
    def test_the_message_tells_what_changed(self, service, connection_id, body, message, after):
        before = stored(service, connection_id)
        answer = service.patch(connection_id, body)
        assert (answer.status_code, answer.json()) == (200, {"success": True, "message": message})
        now = stored(service, connection_id)
        assert (now["baseRole"], now[NAME], now[VALUES]) == after
        assert (now["updatedAt"] == before["updatedAt"]) == (message == NOTHING)

    def test_the_same_again_changes_nothing(self, service, connection_id):
        body = {"baseRole": "QUERIER"} | attribute("other", ["a", "b"])
        assert service.patch(connection_id, body).json()["message"] == BOTH
        assert service.patch(connection_id, body).json()["message"] == NOTHING

    def test_order_of_values_is_kept(self, service, connection_id):
        service.patch(connection_id, attribute(values=["z", "a", "m"]))
        assert stored(service, connection_id)[VALUES] == "z,a,m"

    def test_what_follows_from_a_service_account_is_not_stored(self, service):
        made = service.create(**BIGQUERY, passwordUnencrypted=account("one"))
        assert stored(service, made)["database"] is None  # what was left out is not shown as set
        assert service.patch(made, {"passwordUnencrypted": account("two")}).json()["message"] == CREDENTIALS
        assert stored(service, made)["database"] is None

        async def settings(session: AsyncSession) -> dict[str, Any]:
            return dict((await session.get_one(Connection, made)).settings)

        found = service.change(settings)
        assert (found.get("database"), found["username"]) == (None, None)  # both follow the key when it is used


BIGQUERY = {"dialect": "bigquery", "host": "", "database": "", "username": ""}


def account(project: str) -> str:
    known = {"type": "service_account", "project_id": project, "client_email": f"a@{project}"}
    return json.dumps(dict.fromkeys(SERVICE_ACCOUNT_KEYS, "x") | known)


class TestFaults:
    @pytest.mark.parametrize(("body", "detail"), BAD)
    def test_exact_body_and_nothing_is_stored(self, service, connection_id, body, detail):
        before = stored(service, connection_id)
        answer = service.patch(connection_id, body)
        assert (answer.status_code, answer.json()) == (400, {"detail": detail, "status": 400})
        assert stored(service, connection_id) == before

    def test_values_of_no_attribute(self, service):
        answer = service.patch(service.create(), {VALUES: "a", "baseRole": "X"})
        required = f"{NAME}: Required"
        assert answer.json() == {
            "detail": f"Bad Request: baseRole: Invalid enum value; {required}",
            "status": 400,
        }

    def test_both_removed_in_the_old_spelling(self, service, connection_id):
        assert service.patch(connection_id, {NAME: None, VALUES: None}).json()["message"] == ENVIRONMENT

    def test_faults_of_a_key_come_with_the_others(self, service):
        made = service.create(**SNOWFLAKE)
        answer = service.patch(made, {"baseRole": "x", "passwordUnencrypted": "", "privateKey": "junk"})
        password, role, key = answer.json()["detail"].removeprefix("Bad Request: ").split("; ")
        assert role == "baseRole: Invalid enum value"
        assert password == "passwordUnencrypted: String must contain at least 1 character(s)"
        assert key.startswith("privateKey: ")
        assert "junk" not in key

    def test_zero_bytes_are_an_empty_body(self, service, connection_id):
        answer = service.request("PATCH", f"/connections/{connection_id}")
        assert answer.json() == {"detail": "Bad Request: Empty request body", "status": 400}

    def test_unknown_connection(self, service):
        answer = service.patch("00000000-0000-4000-8000-000000000000", {"baseRole": "VIEWER"})
        assert (answer.status_code, answer.json()["detail"]) == (404, "Connection not found")

    def test_a_default_value_that_an_environment_claims(self, service, connection_id):
        other = service.create()
        attached = service.request(
            "POST",
            "/connection-environments",
            json={"baseConnectionId": connection_id, "environmentConnectionIds": other},
        )
        environment_id = attached.json()["data"][0]["id"]
        claimed = service.request(
            "PUT", f"/connection-environments/{environment_id}", json={"userAttributeValues": "staging"}
        )
        assert claimed.status_code == 200
        before = stored(service, connection_id)
        answer = service.patch(connection_id, {"baseRole": "MODELER"} | attribute(values=["prod", "staging"]))
        assert answer.json() == {"detail": 'User attribute value "staging" is already in use', "status": 400}
        assert stored(service, connection_id) == before


class TestSettings:
    MESSAGE = "Updated connection settings."

    def changed(self, service: Any, connection_id: str, body: Any) -> str:
        answer = service.patch(connection_id, body)
        assert answer.status_code == 200, answer.text
        return answer.json()["message"]

    def test_every_field_changes_in_place(self, service):
        made = service.create()
        body = {"name": "Renamed", "host": "other", "port": 5433, "database": "e", "defaultSchema": "sales"}
        moved = body | {"queryTimeoutSeconds": 60, "sslMode": "require", "passwordUnencrypted": "p"}
        assert self.changed(service, made, moved) == "Updated connection settings and credentials."
        shown = stored(service, made)
        assert (shown["name"], shown["database"], shown["defaultSchema"]) == ("Renamed", "e", "sales")
        assert self.changed(service, made, body) == NOTHING

    def test_a_query_goes_to_the_new_place_at_once(self, service):
        made = service.create(dialect="duckdb", name="m", database=":memory:", readOnly=False)
        path = f"/connections/{made}/query"
        query = {"sql": "SELECT current_setting('TimeZone') AS zone"}
        accept = {"accept": "text/csv"}
        assert "UTC" in service.request("POST", path, json=query, headers=accept).text
        assert self.changed(service, made, {"queryTimezone": "Asia/Tokyo"}) == self.MESSAGE
        assert "Asia/Tokyo" in service.request("POST", path, json=query, headers=accept).text

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({"host": "x", "passwordUnencrypted": "n"}, "Updated connection settings and credentials."),
            ({"database": "x", "baseRole": "QUERIER"}, "Updated connection settings and default role."),
            (
                {"host": "x", "passwordUnencrypted": "n", "baseRole": "QUERIER"} | attribute("a"),
                "Updated connection settings, credentials, default role and user attribute settings.",
            ),
            ({"host": "h", "baseRole": "QUERIER"}, "Updated connection default role."),
            ({"dialect": "postgres", "host": "h"}, NOTHING),
            ({"port": None, "includeSchemas": None}, NOTHING),
        ],
    )
    def test_the_message_says_what_really_changed(self, service, body, message):
        assert self.changed(service, service.create(), body) == message

    def test_the_way_to_log_in_changes_with_what_it_needs(self, service):
        made = service.create(dialect="snowflake", host="org", warehouse="w")
        refused = service.patch(made, {"authenticationType": "snowflake-keypair"})
        assert refused.json()["detail"] == "Bad Request: privateKey: Required"

    def test_a_mask_is_no_password(self, service):
        made = service.create()
        for mask in ("********", "•••", "*"):
            answer = service.patch(made, {"passwordUnencrypted": mask})
            assert answer.status_code == 400
            assert answer.json()["detail"].startswith("Bad Request: passwordUnencrypted: This is a mask, not a secret")
        assert service.patch(made, {"passwordUnencrypted": "*a*"}).status_code == 200


class TestAtOnce:
    def test_changes_of_different_fields_are_all_made(self, service, at_once):
        secret = {"passwordUnencrypted": "other"}
        changes = [{"host": "elsewhere"} | secret, {"port": 7777} | secret, {"queryTimeoutSeconds": 7}, secret]
        for _ in range(3):
            connection = service.create()
            before = service.request("GET", f"/connections/{connection}").json()["connection"]
            answers = at_once(service, [("PATCH", f"/connections/{connection}", change) for change in changes])
            assert [answer.status_code for answer in answers] == [200] * 4
            after = service.request("GET", f"/connections/{connection}").json()["connection"]
            assert [after["settings"][name] for name in ("host", "port", "queryTimeoutSeconds")] == [
                "elsewhere",
                7777,
                7,
            ]
            name = "passwordUnencrypted"
            assert after["credentials"][name]["fingerprint"] != before["credentials"][name]["fingerprint"]

    def test_no_secret_comes_after_an_archive(self, service, at_once):
        for number in range(6):
            connection = service.create()
            requests = [("PATCH", f"/connections/{connection}", {"passwordUnencrypted": "late"})]
            requests.insert(number % 2, ("DELETE", f"/connections/{connection}", None))
            at_once(service, requests)
            shown = service.request("GET", f"/connections/{connection}").json()["connection"]
            assert (shown["deletedAt"] is not None, shown["credentials"]) == (True, {})
