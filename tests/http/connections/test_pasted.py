"""What people do with connections, through the API: tests before changes, keys in place of passwords, blank names."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from moorings.access import directory
from moorings.access import service as access
from moorings.access.models import User
from tests.conformance.test_create import PEM, VALID


@pytest.fixture(scope="module")
def closed_port() -> Iterator[int]:
    """A port where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def patch(service: Any, made: str, body: dict[str, Any], **query: str) -> Any:
    return service.request("PATCH", f"/connections/{made}", json=body, params=query)


def settings_of(service: Any, made: str) -> dict[str, Any]:
    return service.request("GET", f"/connections/{made}").json()["connection"]["settings"]


class TestChangesThatAreTestedFirst:
    def test_only_what_passes_is_stored(self, service: Any) -> None:
        made = service.create(dialect="duckdb", database=":memory:", readOnly=False)
        before = settings_of(service, made)
        refused = patch(service, made, {"database": "absent/none.duckdb", "readOnly": True}, test="true")
        assert refused.status_code == 400
        assert refused.json()["detail"].startswith("Connection test failed at ")
        assert settings_of(service, made) == before
        passed = patch(service, made, {"queryTimeoutSeconds": 7}, test="true")
        assert (passed.status_code, passed.json()["message"]) == (200, "Updated connection settings.")
        assert settings_of(service, made)["queryTimeoutSeconds"] == 7

    def test_the_whole_configuration_is_tested_whatever_changes(self, service: Any, closed_port: int) -> None:
        made = service.create(host="127.0.0.1", port=closed_port)
        answer = patch(service, made, {"baseRole": "QUERIER"}, test="true")
        assert answer.json()["detail"].startswith("Connection test failed at connect: ")
        assert patch(service, made, {"baseRole": "QUERIER"}).status_code == 200

    def test_without_it_a_wrong_password_is_taken(self, service: Any, closed_port: int) -> None:
        made = service.create(host="127.0.0.1", port=closed_port)
        assert patch(service, made, {"passwordUnencrypted": "wrong"}).status_code == 200
        assert patch(service, made, {"passwordUnencrypted": "wrong"}, test="false").status_code == 200

    @pytest.mark.parametrize(("query", "status"), [({"test": "perhaps"}, 400), ({"tset": "true"}, 400)])
    def test_faults_of_the_query(self, service: Any, query: dict[str, str], status: int) -> None:
        assert patch(service, service.create(), {"baseRole": "VIEWER"}, **query).status_code == status


class TestKeysAndPasswords:
    def test_a_key_logs_in_from_now_on_and_a_password_again(self, service: Any) -> None:
        made = service.create(**{"dialect": "snowflake", **VALID["snowflake"], "port": 443})
        assert patch(service, made, {"privateKey": PEM}).json()["message"].startswith("Updated connection")
        assert settings_of(service, made)["authenticationType"] == "snowflake-keypair"
        assert patch(service, made, {"passwordUnencrypted": "p"}).status_code == 200
        shown = service.request("GET", f"/connections/{made}").json()["connection"]
        assert shown["settings"]["authenticationType"] == "snowflake-password"
        assert set(shown["credentials"]) == {"passwordUnencrypted"}


class TestNames:
    def test_blank_names_are_refused_everywhere(self, service: Any) -> None:
        made = service.create()
        bodies = [
            ("POST", "/connections", {"dialect": "postgres", **VALID["postgres"], "name": "  "}),
            ("PATCH", f"/connections/{made}", {"name": "\t"}),
            ("POST", f"/connections/{made}/dbt/environments", {"name": " ", "targetSchema": "s"}),
            (
                "PATCH",
                f"/connections/{made}",
                {"environmentUserAttribute": {"attributeName": " ", "defaultValues": []}},
            ),
        ]
        for method, path, body in bodies:
            answer = service.request(method, path, json=body)
            assert answer.status_code == 400, (path, answer.text)
            assert "ame: String must contain at least 1 character(s)" in answer.json()["detail"]


class TestOwners:
    def test_a_deleted_user_owns_nothing_and_cannot_be_made_an_owner(self, service: Any) -> None:
        made = service.create()
        user = service.change(_user)
        path = f"/connections/{made}/dbt/environments"
        body = {"name": "e", "targetSchema": "s", "ownerId": user}
        created = service.request("POST", path, json=body).json()
        assert created["ownerId"] == user

        async def remove(session: Any) -> None:
            await directory.remove(session, await session.get_one(User, user))

        service.change(remove)
        (record,) = service.request("GET", path).json()["records"]
        assert record["ownerId"] is None
        assert service.request("POST", path, json=body).status_code == 400


async def _user(session: Any) -> str:
    organization = await access.the_organization(session)
    return (await access.create_user(session, organization, "owner@example.com", "Owner")).id
