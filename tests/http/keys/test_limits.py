"""Keys that are created over the API: their limits, expiry, rotation and last use."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access import keys
from moorings.access.models import ApiKey, ApiKeyUse, User
from moorings.access.policy import Role
from moorings.jobs import events
from moorings.queries.rights import Claim, holds
from moorings.webhooks.models import WebhookMessage
from tests.conftest import TOKEN, Service, settings_for

MEMORY = {"dialect": "duckdb", "database": ":memory:", "readOnly": False}


def in_hours(hours: float) -> str:
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)).isoformat()


def create(service: Any, *, key: str = TOKEN, **body: Any) -> dict[str, Any]:
    answer = service.request("POST", "/api-keys", key=key, json={"name": "k", **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


def status(service: Any, key: str, method: str = "GET", path: str = "/connections", **sent: Any) -> int:
    return service.request(method, path, key=key, **sent).status_code


def refusal(service: Any, method: str, path: str, **sent: Any) -> tuple[int, str]:
    answer = service.request(method, path, **sent)
    return answer.status_code, answer.json().get("detail", "")


class TestCreate:
    def test_an_admin_creates_an_organization_key_and_the_token_is_shown_once(self, service):
        made = create(service, name="Dashboard")
        assert made["token"].startswith("moo_osk_")
        assert (made["type"], made["enabled"], made["membershipId"]) == ("organization", True, None)
        shown = service.request("GET", f"/api-keys/{made['id']}")
        assert shown.json() == {name: value for name, value in made.items() if name != "token"}
        assert made["token"] not in shown.text
        assert service.request("GET", "/whoami", key=made["token"]).json()["orgRole"] == "ORG_ADMIN"

    def test_a_user_creates_personal_keys_of_their_own_only(self, service):
        mine, user = service.new_user()
        made = create(service, key=mine)
        assert made["token"].startswith("moo_pat_")
        assert (made["type"], made["membershipId"]) == ("personal", user)
        denied = (403, "Permission denied")
        body = {"name": "k", "type": "organization"}
        assert refusal(service, "POST", "/api-keys", key=mine, json=body) == denied
        assert refusal(service, "POST", "/api-keys", json={"name": "k", "type": "personal"}) == denied

    def test_a_key_of_a_user_who_is_admin_names_its_creator_and_has_their_attributes(self, service):
        admin, user = service.new_user(admin=True)
        service.request("POST", "/user-attributes", json={"name": "tenant"})
        service.request("PUT", f"/users/{user}/attributes", json={"tenant": "acme"})
        made = create(service, key=admin, type="organization")
        assert made["createdBy"] == user
        assert service.request("GET", "/whoami", key=made["token"]).json()["user"]["id"] == user
        assert service.request("GET", f"/api-keys/{made['id']}/attributes").json()["attributes"]["tenant"] == ["acme"]

    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            ({}, "name: Required"),
            ({"name": ""}, "name: String must contain at least 1 character(s)"),
            (
                {"name": "k", "type": "mcp"},
                "type: Invalid enum value. Expected 'organization' | 'personal', received 'mcp'",
            ),
            (
                {"name": "k", "scopes": []},
                "scopes: The list is empty. Name at least one, or leave the field out for no limit",
            ),
            ({"name": "k", "scopes": "read"}, "scopes: Expected array, received string"),
            ({"name": "k", "scopes": [1]}, "scopes.0: Expected string, received number"),
            (
                {"name": "k", "scopes": ["read", "write"]},
                "scopes.1: Invalid enum value. Expected 'read' | 'query' | 'manage' | 'scim' | 'mcp', received 'write'",
            ),
            ({"name": "k", "connectionIds": ["x"]}, "connectionIds.0: Invalid uuid"),
            (
                {"name": "k", "connectionIds": ["0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"]},
                "connectionIds.0: No connection has the id 0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11",
            ),
            ({"name": "k", "expiresAt": 5}, "expiresAt: Expected string, received number"),
            (
                {"name": "k", "expiresAt": "2020-01-01T00:00:00Z"},
                "expiresAt: Expected a time in the future, in ISO 8601, or null",
            ),
            ({"name": "k", "token": "mine"}, "formErrors: Unrecognized key(s) in object: 'token'"),
        ],
    )
    def test_faults(self, service, body, detail):
        assert refusal(service, "POST", "/api-keys", json=body) == (400, f"Bad Request: {detail}")


class TestScopes:
    def test_of_an_organization_key_make_it_no_admin(self, service):
        connection = service.create(**MEMORY, baseRole="NO_ACCESS")
        made = create(service, scopes=["manage", "read"])
        assert made["scopes"] == ["read", "manage"]
        key = made["token"]
        who = service.request("GET", "/whoami", key=key).json()
        assert (who["orgRole"], who["scopes"]) == ("MEMBER", ["manage", "read"])
        assert status(service, key, path=f"/connections/{connection}") == 200
        assert status(service, key, "PATCH", f"/connections/{connection}", json={"baseRole": "VIEWER"}) == 200
        denied = (403, "Permission denied")
        assert refusal(service, "POST", "/connections", key=key, json={}) == denied
        assert refusal(service, "GET", "/webhooks", key=key) == denied
        assert refusal(service, "POST", "/api-keys", key=key, json={"name": "k"}) == denied
        assert refusal(service, "POST", f"/connections/{connection}/query", key=key, json={"sql": "SELECT 1"}) == denied

    def test_a_refused_request_names_the_scope_that_it_needs(self, service):
        key = create(service, scopes=["read"])["token"]
        answer = service.request("DELETE", f"/connections/{service.create(**MEMORY)}", key=key)
        assert answer.json() == {"detail": "Permission denied", "status": 403}
        assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="manage"'

    def test_give_a_user_nothing_that_their_role_does_not(self, service):
        connection = service.create(**MEMORY, baseRole="NO_ACCESS")
        mine, user = service.new_user(**{connection: Role.VIEWER})
        key = create(service, key=mine, scopes=["read", "query", "manage", "scim"])["token"]
        assert status(service, key, path=f"/connections/{connection}/route") == 200
        assert status(service, key, "PATCH", f"/connections/{connection}", json={"baseRole": "QUERIER"}) == 403
        assert status(service, key, "POST", f"/connections/{connection}/query", json={"sql": "SELECT 1"}) == 403
        assert (
            service.run(
                service.client.get("/api/scim/v2/Users", headers={"authorization": f"Bearer {key}"})
            ).status_code
            == 403
        )
        service.change(lambda session: session.execute(update(User).where(User.id == user).values(disabled_at=1)))
        assert refusal(service, "GET", "/connections", key=key) == (403, "Invalid bearer token")

    def test_do_not_reach_other_keys(self, service):
        made = create(service, scopes=["read", "manage"])
        other = create(service)
        listed = service.request("GET", "/api-keys?pageSize=100", key=made["token"]).json()["records"]
        assert [each["id"] for each in listed] == [made["id"]]
        assert status(service, made["token"], path=f"/api-keys/{other['id']}") == 404
        for method, path in (("DELETE", other["id"]), ("PUT", made["id"]), ("POST", f"{made['id']}/rotate")):
            body = {"enabled": True} if method == "PUT" else None
            assert status(service, made["token"], method, f"/api-keys/{path}", json=body) == 403

    def test_a_key_for_mcp_reaches_nothing_else(self, service):
        key = create(service, scopes=["mcp"])["token"]
        assert [status(service, key, path=path) for path in ("/connections", "/whoami", "/api-keys")] == [403] * 3

    def test_that_are_taken_away_end_the_right_of_running_queries(self, service):
        connection = service.create(**MEMORY)
        made = create(service, scopes=["query"])
        claim = Claim(made["id"], connection, None, connection)
        path = f"/api-keys/{made['id']}"
        held: list[bool] = []
        for scopes in (["query"], ["read"], ["mcp"], ["mcp", "read"], ["manage"], None):
            service.request("PUT", path, json={"scopes": scopes})
            held.append(service.change(lambda session: holds(session, claim)))
        assert held == [True, False, True, False, False, True]
        service.request("PUT", path, json={"connectionIds": [service.create(**MEMORY)]})
        assert not service.change(lambda session: holds(session, claim))

    def test_can_be_changed_and_removed(self, service):
        made = create(service, scopes=["read"])
        path = f"/api-keys/{made['id']}"
        assert service.request("PUT", path, json={"scopes": ["query"]}).json()["scopes"] == ["query"]
        assert status(service, made["token"]) == 403
        assert "scopes" not in service.request("PUT", path, json={"scopes": None}).json()
        assert status(service, made["token"], path="/webhooks") == 200


class TestConnections:
    def test_others_do_not_exist(self, service):
        mine, other = (service.create(**MEMORY) for _ in range(2))
        key = create(service, connectionIds=[mine.upper()])["token"]
        listed = service.request("GET", "/connections", key=key).json()["connections"]
        assert [each["id"] for each in listed] == [mine]
        assert len(service.request("GET", "/connections").json()["connections"]) > 1
        for path in ("", "/route", "/catalog"):
            assert status(service, key, path=f"/connections/{other}{path}") == 404
        assert status(service, key, "POST", f"/connections/{other}/query", json={"sql": "SELECT 1"}) == 404
        assert status(service, key, "POST", f"/connections/{mine}/query", json={"sql": "SELECT 1"}) == 200
        assert status(service, key, path="/webhooks") == 403

    def test_lists_of_one_user_do_not_mix(self, service):
        first, second = (service.create(**MEMORY, baseRole="VIEWER") for _ in range(2))
        mine = service.member()
        limited = [create(service, key=mine, connectionIds=[each])["token"] for each in (first, second)]
        shown = [service.request("GET", "/connections", key=key).json()["connections"] for key in (*limited, mine)]
        assert [each["id"] for each in shown[0] + shown[1]] == [first, second]
        assert len(shown[2]) > 1

    def test_an_environment_outside_the_limit_cannot_be_chosen(self, service):
        base, environment = (service.create(**MEMORY) for _ in range(2))
        body = {"baseConnectionId": base, "environmentConnectionIds": environment}
        service.request("POST", "/connection-environments", json=body)
        path, sql = f"/connections/{base}/query?environment={environment}", {"sql": "SELECT 1"}
        assert status(service, create(service, connectionIds=[base])["token"], "POST", path, json=sql) == 403
        both = create(service, connectionIds=[base, environment])["token"]
        assert status(service, both, "POST", path, json=sql) == 200

    def test_cannot_be_combined_with_scim(self, service):
        body = {"name": "k", "scopes": ["scim"], "connectionIds": [service.create(**MEMORY)]}
        detail = "Bad Request: connectionIds: A key with the scope scim cannot be limited to connections"
        assert refusal(service, "POST", "/api-keys", json=body) == (400, detail)


class TestExpiry:
    def test_an_expired_key_is_refused_without_a_change_in_the_database(self, service, monkeypatch):
        made = create(service, expiresAt=in_hours(1))
        assert status(service, made["token"]) == 200
        later = clock.now() + 2 * 3600 * 1000
        with monkeypatch.context() as patched:
            patched.setattr(clock, "now", lambda: later)
            assert refusal(service, "GET", "/connections", key=made["token"]) == (403, "Invalid bearer token")
        assert status(service, made["token"]) == 200

    def test_webhooks_are_notified_once(self, service):
        hook = {"url": "https://example.com/hook", "events": ["key.expiring"]}
        webhook = service.request("POST", "/webhooks", json=hook).json()["id"]
        made = create(service, name="Soon", expiresAt=in_hours(4))
        create(service, expiresAt=in_hours(24 * 30))

        async def notify() -> list[str]:
            await events.announce_expiring_keys(service.database, webhook=False)
            async with service.database.reading() as session:
                sent = select(WebhookMessage.body).where(WebhookMessage.webhook_id == webhook)
                return list(await session.scalars(sent))

        assert service.run(notify()) == []
        due = update(ApiKey).where(ApiKey.id == made["id"]).values(expiry_notice_at=clock.now() - 1)
        service.change(lambda session: session.execute(due))
        (sent,) = service.run(notify())
        assert '"type":"key.expiring"' in sent
        assert made["id"] in sent
        assert len(service.run(notify())) == 1

    def test_the_notice_comes_a_week_before_or_in_the_last_quarter(self, service):
        month, hour = create(service, expiresAt=in_hours(24 * 30)), create(service, expiresAt=in_hours(1))

        async def notices(session: AsyncSession) -> list[int]:
            found = [await session.get_one(ApiKey, each["id"]) for each in (month, hour)]
            return [(key.expires_at or 0) - (key.expiry_notice_at or 0) for key in found]

        week, quarter = service.change(notices)
        assert week == keys.NOTICE
        assert 10 * 60_000 < quarter <= 15 * 60_000


class TestRotation:
    def test_both_tokens_work_during_the_overlap(self, service):
        made = create(service, scopes=["read"])
        path = f"/api-keys/{made['id']}/rotate"
        rotated = service.request("POST", path, json={"overlapSeconds": 600}).json()
        assert rotated["id"] == made["id"]
        assert rotated["scopes"] == ["read"]
        assert rotated["token"] != made["token"]
        assert [status(service, each["token"]) for each in (made, rotated)] == [200, 200]

        ended = update(ApiKey).where(ApiKey.id == made["id"]).values(previous_expires_at=clock.now() - 1)
        service.change(lambda session: session.execute(ended))
        assert [status(service, each["token"]) for each in (made, rotated)] == [403, 200]

    def test_without_overlap_the_old_token_ends_at_once(self, service):
        made = create(service)
        rotated = service.request("POST", f"/api-keys/{made['id']}/rotate", json={"overlapSeconds": 0}).json()
        assert [status(service, each["token"]) for each in (made, rotated)] == [403, 200]
        assert "previousTokenExpiresAt" not in rotated

    def test_an_expiring_key_gets_a_period_of_the_same_length_and_the_old_token_none(self, service):
        made = create(service, expiresAt=in_hours(1))
        rotated = service.request("POST", f"/api-keys/{made['id']}/rotate").json()
        assert rotated["previousTokenExpiresAt"] == made["expiresAt"]
        assert rotated["expiresAt"] > made["expiresAt"]

    def test_of_a_personal_key_only_by_its_user(self, service):
        mine = service.member()
        made = create(service, key=mine)
        path = f"/api-keys/{made['id']}/rotate"
        assert refusal(service, "POST", path) == (403, "Permission denied")
        assert status(service, service.member(), "POST", path) == 404
        assert status(service, mine, "POST", path) == 200

    def test_not_of_the_key_of_the_settings(self, service):
        listed = service.request("GET", "/api-keys?type=organization&pageSize=100").json()["records"]
        (bootstrap,) = [each["id"] for each in listed if each["name"] == "Bootstrap"]
        detail = "This key is set by MOORINGS_BOOTSTRAP_TOKEN. Change the setting to replace it"
        assert refusal(service, "POST", f"/api-keys/{bootstrap}/rotate") == (400, detail)
        assert refusal(service, "PUT", f"/api-keys/{bootstrap}", json={"scopes": ["read"]}) == (400, detail)

    def test_a_revoked_key_ends_with_both_tokens(self, service):
        made = create(service)
        rotated = service.request("POST", f"/api-keys/{made['id']}/rotate").json()
        service.request("DELETE", f"/api-keys/{made['id']}")
        assert [status(service, each["token"]) for each in (made, rotated)] == [403, 403]


class TestLastUse:
    def test_is_written_for_all_keys_together_and_leaves_what_processes_keep(
        self,
        serve: Callable[..., Any],
        storage: Callable[[], dict[str, Any]],
        tmp_path_factory: pytest.TempPathFactory,
    ):
        settings = settings_for(tmp_path_factory.mktemp("uses"), **storage(), worker=False)
        service = Service(settings)

        async def written() -> tuple[int, int]:
            async with service.database.reading() as session:
                uses = len(list(await session.scalars(select(ApiKeyUse.key_id))))
            return uses, (await service.database.version()).access

        try:
            made = [create(service) for _ in range(3)]
            before = service.run(written())
            assert [status(service, each["token"]) for each in made] == [200] * 3
            assert service.run(written()) == before == (0, before[1]), "requests write nothing"
        finally:
            service.close()
        again = serve(data_dir=settings.data_dir, database_url=settings.database_url, worker=False)
        for each in made:
            assert "lastUsedAt" in again.request("GET", f"/api-keys/{each['id']}").json()
        assert again.run(again.database.version()).access == before[1]
