"""Every operation, asked by everybody, answers as the table in docs/reference/permissions.md says.

Whoever adds a route adds its row there, and nothing here if the route declares its permission: such routes are asked
with a parameter that none knows, so that who may pass is told so and nothing happens. Of routes whose handlers decide
themselves, `REQUESTS` says how to ask.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import groups, keys
from moorings.access import service as access
from moorings.access.models import ApiKey, User
from moorings.access.policy import ON_CONNECTIONS, Role, Scope
from moorings.app import ROUTES
from moorings.connections.models import Connection
from moorings.jobs import service as jobs
from moorings.queries.models import RunningQuery

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "permissions.md").read_text()
ROWS = re.findall(r"^\| `([A-Z]+ /\S+)` \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
TABLE = {operation: who for operation, who, _ in ROWS}
SCOPES = {operation: set() if scopes == "none" else set(scopes.split(", ")) for operation, _, scopes in ROWS}

ANYBODY, ADMIN, OWNER = "any key", "organization admin", "who it belongs to"
SOME = "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"
MEMORY = {"dialect": "duckdb", "database": ":memory:", "readOnly": False}


@dataclass(frozen=True)
class Caller:
    """Who asks, and the connection that they ask about, on which they have a role."""

    name: str
    key: str | None
    connection: str
    role: Role = Role.NO_ACCESS
    admin: bool = False
    owner: bool = False
    organization: bool = False
    scopes: frozenset[str] | None = None
    """The scopes that the key is limited to; a limited key is no organization admin."""
    dead: tuple[int, str] | None = None
    """What every request is answered."""


class Scene:
    """Connections, and everybody who may ask about them. What is asked about belongs to `owner`."""

    def __init__(self, service: Any) -> None:
        self.service = service
        self.connection = service.create(**MEMORY, baseRole="NO_ACCESS")
        self.other = service.create(**MEMORY, baseRole="NO_ACCESS")
        self.environment = self.attached(self.connection)
        self.bases = {role: service.create(**MEMORY, baseRole=role.name) for role in Role}
        self.environments = {self.connection: self.environment}
        self.environments |= {connection: self.attached(connection) for connection in self.bases.values()}
        self.callers = service.change(self._people)

    def attached(self, connection: str) -> str:
        """A new environment of a connection."""
        body = {"baseConnectionId": connection, "environmentConnectionIds": self.service.create(**MEMORY)}
        return self.service.request("POST", "/connection-environments", json=body).json()["data"][0]["id"]

    async def _people(self, session: AsyncSession) -> list[Caller]:
        self.organization = await access.the_organization(session)
        self.group = (await groups.add(session, self.organization, "Of the matrix")).id
        owner, key = await self._user(session)
        self.owner = owner.id
        here = self.connection
        callers = [Caller("who it belongs to", key, here, owner=True)]
        for role in Role:
            user, key = await self._user(session)
            await access.assign_role(session, user, here, role)
            callers.append(Caller(f"{role.name} of their own", key, here, role))
            user, key = await self._user(session)
            group = await groups.add(session, self.organization, f"With {role.name}", members=[user.id])
            await groups.assign_role(session, group, here, role)
            callers.append(Caller(f"{role.name} of a group", key, here, role))
            _, key = await self._user(session)
            callers.append(Caller(f"{role.name} as everybody", key, self.bases[role], role))
        user, key = await self._user(session)
        await access.assign_role(session, user, self.other, Role.CONNECTION_ADMIN)
        callers.append(Caller("admin of another connection", key, here))
        _, key = await self._user(session, admin=True)
        callers.append(Caller("organization admin", key, here, admin=True))
        key = await access.create_key(session, self.organization, "k")
        callers.append(Caller("organization key", key, here, admin=True, organization=True))
        callers += await self._limited(session)
        return callers + await self._dead(session)

    async def _limited(self, session: AsyncSession) -> list[Caller]:
        """Keys of the organization and of an admin with each scope alone; and keys that are limited to a connection."""
        admin, _ = await self._user(session, admin=True)
        callers: list[Caller] = []

        async def add(name: str, role: Role, held: frozenset[str], **limits: Any) -> None:
            for user_id in (None, admin.id):
                _, key = await keys.create(session, self.organization, keys.NewKey("k", **limits), user_id=user_id)
                described = f"{name} of {'an admin' if user_id else 'the organization'}"
                organization = user_id is None
                callers.append(Caller(described, key, self.connection, role, organization=organization, scopes=held))

        for scope in Scope:
            await add(f"{scope} key", Role.CONNECTION_ADMIN, frozenset({scope}), scopes=[scope])
        everything = frozenset(ON_CONNECTIONS)
        await add("key for this connection", Role.CONNECTION_ADMIN, everything, connection_ids=[self.connection])
        await add("key for another connection", Role.NO_ACCESS, everything, connection_ids=[self.other])
        return callers

    async def _dead(self, session: AsyncSession) -> list[Caller]:
        """Keys of organization admins that ended in each way, and none."""
        refused = (403, "Invalid bearer token")
        callers = [
            Caller("no key", None, self.connection, dead=(401, "Authentication required")),
            Caller("unknown key", "moo_osk_never_made", self.connection, dead=refused),
        ]
        endings = {
            "disabled key": lambda user: update(ApiKey).where(ApiKey.user_id == user.id).values(disabled_at=1),
            "revoked key": lambda user: update(ApiKey).where(ApiKey.user_id == user.id).values(revoked_at=1),
            "expired key": lambda user: update(ApiKey).where(ApiKey.user_id == user.id).values(expires_at=1),
            "disabled user": lambda user: update(User).where(User.id == user.id).values(disabled_at=1),
        }
        for name, ending in endings.items():
            user, key = await self._user(session, admin=True)
            await session.execute(ending(user))
            callers.append(Caller(name, key, self.connection, dead=refused))
        return callers

    async def _user(self, session: AsyncSession, *, admin: bool = False) -> tuple[User, str]:
        user = await access.create_user(session, self.organization, f"{uuid.uuid4()}@example.com", "U", admin=admin)
        return user, await access.create_key(session, self.organization, "k", user.id)

    def new_key(self) -> str:
        """The id of a new key of the owner."""
        return self.service.change(self._new_key)

    async def _new_key(self, session: AsyncSession) -> str:
        token = await access.create_key(session, self.organization, "k", self.owner)
        made = await session.scalars(select(ApiKey.id).where(ApiKey.token_hash == access.token_hash(token)))
        return made.one()

    def new_job(self, connection_id: str) -> str:
        """The id of a job on a connection."""

        async def making(session: AsyncSession) -> str:
            connection = await session.get_one(Connection, connection_id)
            return (await jobs.enqueue(session, connection, hard=False)).id

        return self.service.change(making)

    def new_query(self, connection: str) -> str:
        """The id of a query of the owner, as if it ran."""

        async def making(session: AsyncSession) -> str:
            query = RunningQuery(
                id=str(uuid.uuid4()),
                organization_id=self.organization,
                connection_id=connection,
                key_id=await self._new_key(session),
                user_id=self.owner,
                owner="another process",
                session_id="1",
                started_at=0,
            )
            session.add(query)
            await session.flush()
            return query.id

        return self.service.change(making)

    def new_user(self) -> str:
        """The id of a new user."""

        async def making(session: AsyncSession) -> str:
            return (await self._user(session))[0].id

        return self.service.change(making)

    def new_group(self) -> str:
        """The id of a new group."""

        async def making(session: AsyncSession) -> str:
            return (await groups.add(session, self.organization, f"G {uuid.uuid4()}")).id

        return self.service.change(making)


Request = tuple[str, Any]
SCIM = "/api/scim/v2"
USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
REQUESTS: dict[str, Callable[[Scene, Caller], Request]] = {
    "GET /api/v1/api-keys/{id}": lambda scene, caller: (f"/api/v1/api-keys/{scene.new_key()}", None),
    "PUT /api/v1/api-keys/{id}": lambda scene, caller: (f"/api/v1/api-keys/{scene.new_key()}", {"enabled": True}),
    "POST /api/v1/api-keys/{id}/rotate": lambda scene, caller: (f"/api/v1/api-keys/{scene.new_key()}/rotate", {}),
    "DELETE /api/v1/api-keys/{id}": lambda scene, caller: (f"/api/v1/api-keys/{scene.new_key()}", None),
    "DELETE /api/v1/queries/{queryId}": lambda scene, caller: (
        f"/api/v1/queries/{scene.new_query(caller.connection)}",
        None,
    ),
    "GET /api/v1/jobs/{id}/status": lambda scene, caller: (
        f"/api/v1/jobs/{scene.new_job(caller.connection)}/status",
        None,
    ),
    "POST /api/v1/connection-environments": lambda scene, caller: (
        "/api/v1/connection-environments",
        {"baseConnectionId": caller.connection, "environmentConnectionIds": caller.connection},
    ),
    "PUT /api/v1/connection-environments/{id}": lambda scene, caller: (
        f"/api/v1/connection-environments/{scene.environments[caller.connection]}",
        {"userAttributeValues": []},
    ),
    "DELETE /api/v1/connection-environments/{id}": lambda scene, caller: (
        f"/api/v1/connection-environments/{scene.attached(caller.connection)}",
        None,
    ),
    "POST /api/v1/query/run": lambda scene, caller: (
        "/api/v1/query/run",
        {"query": {"modelId": caller.connection, "userEditedSQL": "SELECT 1"}},
    ),
    "GET /api/v1/users/{id}/model-roles": lambda scene, caller: (
        f"/api/v1/users/{scene.owner}/model-roles" + ("" if caller.owner else f"?connectionId={caller.connection}"),
        None,
    ),
    "POST /api/v1/users/{id}/model-roles": lambda scene, caller: (
        f"/api/v1/users/{scene.owner}/model-roles",
        {"connectionId": caller.connection, "roleName": "NO_ACCESS"},
    ),
    "GET /api/v1/user-groups/{id}/model-roles": lambda scene, caller: (
        f"/api/v1/user-groups/{scene.group}/model-roles?connectionId={caller.connection}",
        None,
    ),
    "POST /api/v1/user-groups/{id}/model-roles": lambda scene, caller: (
        f"/api/v1/user-groups/{scene.group}/model-roles",
        {"connectionId": caller.connection, "roleName": "NO_ACCESS"},
    ),
    **{
        f"{method} {SCIM}/Users/{{id}}": lambda scene, caller, body=body: (f"{SCIM}/Users/{scene.new_user()}", body)
        for method, body in (("GET", None), ("PUT", {}), ("PATCH", {}), ("DELETE", None))
    },
    **{
        f"{method} {SCIM}/Groups/{{id}}": lambda scene, caller, body=body: (f"{SCIM}/Groups/{scene.new_group()}", body)
        for method, body in (("GET", None), ("PUT", {}), ("PATCH", {}), ("DELETE", None))
    },
    f"GET {SCIM}/ResourceTypes/{{id}}": lambda scene, caller: (f"{SCIM}/ResourceTypes/User", None),
    f"GET {SCIM}/Schemas/{{id}}": lambda scene, caller: (f"{SCIM}/Schemas/{USER_SCHEMA}", None),
}
"""Operation → how it is asked, where its handler decides who may, or what is not there says 404 to everybody."""


def operation(route: Any) -> str:
    return f"{route.method} {route.location}"


def decides_itself(route: Any) -> bool:
    return not route.admin and route.permission is None


def probe(route: Any, caller: Caller) -> Request:
    """A request that does nothing: a parameter that no route knows is found after the caller's right to ask."""
    path = re.sub(r"/connections/{\w+}", f"/connections/{caller.connection}", route.location)
    return re.sub(r"{\w+}", SOME, path) + "?no-such-parameter=1", {} if route.body else None


def ask(scene: Scene, route: Any, caller: Caller) -> tuple[int, str]:
    named = REQUESTS.get(operation(route))
    path, body = probe(route, caller) if named is None else named(scene, caller)
    headers = {} if caller.key is None else {"authorization": f"Bearer {caller.key}"}
    sent = {} if body is None else {"json": body}
    answer = scene.service.run(scene.service.client.request(route.method, path, headers=headers, **sent))
    return answer.status_code, "" if answer.is_success else answer.json()["detail"]


def permitted(route: Any, who: str, caller: Caller) -> bool:
    """What a row of the table says of a caller."""
    words = who.split(", ")
    if caller.scopes is not None and SCOPES[operation(route)] == {"scim"}:
        return "scim" in caller.scopes
    lowest = [Role[word] for word in words if word in Role.__members__]
    return (
        caller.admin
        or ANYBODY in words
        or (OWNER in words and caller.owner)
        or bool(lowest and caller.role >= lowest[0])
    )


def expected(route: Any, who: str, caller: Caller) -> set[int]:
    """The statuses that refuse a caller; empty for who may pass."""
    if caller.scopes is not None and not caller.scopes & SCOPES[operation(route)]:
        return {403}
    if permitted(route, who, caller):
        return {403} if route.path.endswith("/rotate") and caller.admin else set()
    if decides_itself(route):
        return {403, 404}  # what is not theirs to see does not exist
    return {404} if who in Role.__members__ and caller.role is Role.NO_ACCESS else {403}


@pytest.fixture(scope="module")
def scene(serve: Callable[..., Any], storage: Callable[[], dict[str, Any]]) -> Scene:
    return Scene(serve(**storage(), failed_key_limit="100000/day", worker=False))


class TestTable:
    def test_has_a_row_for_each_operation_and_no_other(self):
        assert sorted(TABLE) == sorted(map(operation, ROUTES)), (
            "docs/reference/permissions.md lists every operation once"
        )

    def test_has_the_scopes_of_each_operation(self):
        assert {operation(route): set(route.scopes) for route in ROUTES} == SCOPES

    def test_says_who_in_words_that_are_known(self):
        known = {ANYBODY, ADMIN, OWNER, *Role.__members__}
        assert {word for who in TABLE.values() for word in who.split(", ")} <= known

    def test_names_no_operation_that_is_gone(self):
        assert REQUESTS.keys() <= set(map(operation, ROUTES))


@pytest.mark.parametrize("route", ROUTES, ids=operation)
def test_everybody_is_answered_as_the_table_says(scene: Scene, route: Any):
    who = TABLE[operation(route)]
    assert not decides_itself(route) or who == ANYBODY or operation(route) in REQUESTS, "say in REQUESTS how to ask"
    wrong: list[str] = []
    for caller in scene.callers:
        status, detail = ask(scene, route, caller)
        if caller.dead:
            right = (status, detail) == caller.dead
        elif refused := expected(route, who, caller):
            right = status in refused and (status == 404 or detail == "Permission denied")
        elif (route.path == "/Me" and caller.organization) or route.path == "/embed/Users/{id}":
            right = status == 404  # it is nobody's, and there are none
        else:
            right = status not in {401, 403, 404} and status < 500
        if not right:
            wrong.append(f"{caller.name}: {status} {detail}")
    assert wrong == [], who
