"""Who may do what: one literal table, caller × operation, on the real app."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.access.models import ApiKey, User
from moorings.access.policy import Role
from moorings.queries.models import RunningQuery

MEMORY = {"dialect": "duckdb", "name": "n", "database": ":memory:", "readOnly": False}

OPERATIONS = ("list", "create", "get", "change", "test new", "test", "query", "tables", "attach", "values", "cancel")
ADMIN = (True, 201, 200, 200, 200, 200, 200, 200, 201, 200, 200)
PERMITTED: dict[str, tuple[Any, ...]] = {
    "organization key": ADMIN,
    "organization admin": ADMIN,
    "CONNECTION_ADMIN": (True, 403, 200, 200, 403, 200, 200, 200, 201, 200, 200),
    "MODELER": (True, 403, 200, 403, 403, 200, 200, 200, 403, 403, 404),
    "QUERIER": (True, 403, 200, 403, 403, 200, 200, 200, 403, 403, 404),
    "RESTRICTED_QUERIER": (True, 403, 200, 403, 403, 403, 403, 403, 403, 403, 404),
    "VIEWER": (True, 403, 403, 403, 403, 403, 403, 403, 403, 403, 404),
    "NO_ACCESS": (False, 403, 404, 404, 403, 404, 404, 404, 404, 404, 404),
}
ARCHIVED: dict[str, tuple[Any, ...]] = {
    "organization key": (False, 201, 200, 410, 200, 410, 410, 410, 410, 410, 200),
    "CONNECTION_ADMIN": (False, 403, 200, 410, 403, 410, 410, 410, 410, 410, 200),
    "RESTRICTED_QUERIER": (False, 403, 200, 403, 403, 403, 403, 403, 403, 403, 404),
    "VIEWER": (False, 403, 403, 403, 403, 403, 403, 403, 403, 403, 404),
    "NO_ACCESS": (False, 403, 404, 404, 403, 404, 404, 404, 404, 404, 404),
}
DETAILS = {
    "get": "Connection not found",
    "change": "Connection not found",
    "test": "Connection not found",
    "query": "Connection not found",
    "tables": "Connection not found",
    "cancel": "Query not found",
}


class Scene:
    """A connection to act on, with an environment and a running query; `base_role` is everybody's."""

    def __init__(self, service: Any, base_role: str) -> None:
        self.service = service
        self.id, self.spare, other = (service.create(**MEMORY, baseRole=base_role) for _ in range(3))
        attached = service.request(
            "POST", "/connection-environments", json={"baseConnectionId": self.id, "environmentConnectionIds": [other]}
        )
        self.environment_id = attached.json()["data"][0]["id"]
        self.query_id = service.change(self._running_query)

    async def _running_query(self, session: AsyncSession) -> str:
        key = (await session.scalars(select(ApiKey).where(ApiKey.origin == "bootstrap"))).one()
        query = RunningQuery(
            id=str(uuid.uuid4()),
            organization_id=key.organization_id,
            connection_id=self.id,
            key_id=key.id,
            owner="another process",
            session_id="1",
            started_at=0,
        )
        session.add(query)
        await session.flush()
        return query.id

    def answers(self, key: str | None) -> dict[str, tuple[Any, str]]:
        """What each operation answers to a key: status (or whether it is listed), and the detail."""
        requests: dict[str, tuple[str, str, Any]] = {
            "create": ("POST", "/connections", MEMORY),
            "get": ("GET", f"/connections/{self.id}", None),
            "change": ("PATCH", f"/connections/{self.id}", {"environmentUserAttribute": None}),
            "test new": ("POST", "/connections/test", MEMORY),
            "test": ("POST", f"/connections/{self.id}/test", {}),
            "query": ("POST", f"/connections/{self.id}/query", {"sql": "SELECT 1"}),
            "tables": ("GET", f"/connections/{self.id}/tables", None),
            "attach": (
                "POST",
                "/connection-environments",
                {"baseConnectionId": self.id, "environmentConnectionIds": self.spare},
            ),
            "values": ("PUT", f"/connection-environments/{self.environment_id}", {"userAttributeValues": ["a"]}),
            "cancel": ("DELETE", f"/queries/{self.query_id}", None),
        }
        listed = self.service.request("GET", "/connections", key=key)
        found = [each["id"] for each in listed.json().get("connections", ())]
        answers: dict[str, tuple[Any, str]] = {
            "list": (self.id in found, "") if listed.is_success else (listed.status_code, listed.json()["detail"])
        }
        for operation, (method, path, body) in requests.items():
            answer = self.service.request(method, path, key=key, json=body)
            answers[operation] = (answer.status_code, "" if answer.is_success else answer.json()["detail"])
        return answers


def personal_key(service: Any, *, admin: bool = False, **roles: Role) -> str:
    async def making(session: AsyncSession) -> str:
        organization = await access.the_organization(session)
        user = await access.create_user(session, organization, f"{uuid.uuid4()}@example.com", "U", admin=admin)
        for connection_id, role in roles.items():
            await access.assign_role(session, user, connection_id, role)
        return await access.create_key(session, organization, "k", user.id)

    return service.change(making)


def organization_key(service: Any) -> str:
    async def making(session: AsyncSession) -> str:
        return await access.create_key(session, await access.the_organization(session), "k")

    return service.change(making)


def own_role(service: Any, role: str) -> tuple[Scene, str]:
    """A caller who holds the role themselves, where everybody else has no access."""
    scene = Scene(service, "NO_ACCESS")
    return scene, personal_key(service, **{scene.id: Role[role], scene.spare: Role[role]})


def base_role(service: Any, role: str) -> tuple[Scene, str]:
    """A caller without a role of their own, where everybody has this one."""
    return Scene(service, role), personal_key(service)


def floor(service: Any, role: str) -> tuple[Scene, str]:
    """A caller whose own role is lower than what everybody has."""
    scene = Scene(service, role)
    return scene, personal_key(service, **{scene.id: Role.NO_ACCESS, scene.spare: Role.NO_ACCESS})


def admins(service: Any, caller: str) -> tuple[Scene, str]:
    key = organization_key(service) if caller == "organization key" else personal_key(service, admin=True)
    return Scene(service, "NO_ACCESS"), key


def cast(service: Any, caller: str, by: Callable[[Any, str], tuple[Scene, str]]) -> tuple[Scene, str]:
    return by(service, caller) if caller in Role.__members__ else admins(service, caller)


class TestPermissions:
    @pytest.mark.parametrize("by", [own_role, base_role, floor])
    @pytest.mark.parametrize("caller", PERMITTED)
    def test_each_operation_answers_as_the_table_says(self, service, caller, by):
        scene, key = cast(service, caller, by)
        answers = scene.answers(key)
        assert {operation: answers[operation][0] for operation in OPERATIONS} == dict(
            zip(OPERATIONS, PERMITTED[caller], strict=True)
        )
        for operation, (status, detail) in answers.items():
            if status == 403:
                assert detail == "Permission denied"
            if status == 404 and operation in DETAILS:
                assert detail == DETAILS[operation]

    @pytest.mark.parametrize("caller", ARCHIVED)
    def test_an_archived_connection_can_only_be_read(self, service, caller):
        scene, key = cast(service, caller, own_role)
        service.archive(scene.id)
        answers = scene.answers(key)
        assert {operation: answers[operation][0] for operation in OPERATIONS} == dict(
            zip(OPERATIONS, ARCHIVED[caller], strict=True)
        )
        assert {detail for status, detail in answers.values() if status == 410} <= {"Connection is archived"}

    def test_a_role_on_another_connection_counts_for_nothing_here(self, service):
        scene = Scene(service, "NO_ACCESS")
        answers = scene.answers(personal_key(service, **{scene.spare: Role.CONNECTION_ADMIN}))
        assert tuple(answers[operation][0] for operation in OPERATIONS) == PERMITTED["NO_ACCESS"]

    def test_environments_need_the_right_on_both_connections(self, service):
        scene = Scene(service, "VIEWER")
        answers = scene.answers(personal_key(service, **{scene.id: Role.CONNECTION_ADMIN}))
        assert answers["attach"] == (403, "Permission denied")

    def test_a_user_may_stop_their_own_query_only(self, service):
        scene = Scene(service, "QUERIER")
        mine, theirs = personal_key(service), personal_key(service)

        async def handing_over(session: AsyncSession) -> None:
            user = select(ApiKey.user_id).where(ApiKey.token_hash == access.token_hash(mine)).scalar_subquery()
            await session.execute(update(RunningQuery).where(RunningQuery.id == scene.query_id).values(user_id=user))

        service.change(handing_over)
        assert service.request("DELETE", f"/queries/{scene.query_id}", key=theirs).status_code == 404
        assert service.request("DELETE", f"/queries/{scene.query_id}", key=mine).status_code == 200


class TestDeadKeys:
    async def _end(self, session: AsyncSession, how: str, key: str) -> None:
        found = (await session.scalars(select(ApiKey).where(ApiKey.token_hash == access.token_hash(key)))).one()
        if how == "revoked":
            await access.revoke_key(session, found.organization_id, found.id)
        elif how == "disabled":
            found.disabled_at = 1
        else:
            await session.execute(update(User).where(User.id == found.user_id).values(disabled_at=1))

    @pytest.mark.parametrize("how", ["revoked", "disabled", "its user disabled"])
    def test_no_operation_takes_a_key_that_was_ended(self, service, how):
        scene = Scene(service, "CONNECTION_ADMIN")
        key = personal_key(service, admin=True)
        assert service.request("GET", "/connections", key=key).status_code == 200
        service.change(lambda session: self._end(session, how, key))
        assert set(scene.answers(key).values()) == {(403, "Invalid bearer token")}

    def test_no_operation_takes_an_unknown_key(self, service):
        scene = Scene(service, "CONNECTION_ADMIN")
        assert set(scene.answers("moo_osk_unknown").values()) == {(403, "Invalid bearer token")}

    def test_no_operation_goes_without_a_key(self, service):
        scene = Scene(service, "CONNECTION_ADMIN")
        assert set(scene.answers(None).values()) == {(401, "Authentication required")}

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "organization-key"])
    def test_a_malformed_header_is_401(self, service, header):
        answer = service.request("GET", "/connections", key=None, headers={"authorization": header})
        assert (answer.status_code, answer.json()) == (401, {"detail": "Authentication required", "status": 401})
        assert answer.headers["www-authenticate"] == "Bearer"

    def test_the_scheme_is_no_matter_of_case(self, service):
        headers = {"authorization": f"bearer {organization_key(service)}"}
        assert service.request("GET", "/connections", key=None, headers=headers).status_code == 200
