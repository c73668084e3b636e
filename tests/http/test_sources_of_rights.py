"""Rights come from several places at once: the highest role counts, and who takes a right away has the last word."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import directory, groups
from moorings.access import service as access
from moorings.access.models import ApiKey, GroupMember
from moorings.access.policy import Role
from moorings.errors import NotUsers

ORDERS = [*itertools.permutations((Role.VIEWER, Role.QUERIER, Role.MODELER))]
"""A user's own role, and those of two groups."""

Act = Callable[[AsyncSession, str], Awaitable[Any]]


async def new_user(session: AsyncSession) -> Any:
    organization = await access.the_organization(session)
    return await access.create_user(session, organization, f"{uuid.uuid4()}@example.com", "Member")


class TestTheHighestRole:
    @pytest.mark.parametrize("roles", ORDERS, ids=lambda roles: "-".join(role.name for role in roles))
    def test_of_a_user_and_two_groups_counts_wherever_it_comes_from(self, service: Any, roles: tuple[Role, ...]):
        connection = service.create(dialect="duckdb", database=":memory:", readOnly=False, baseRole="NO_ACCESS")
        own, *of_groups = roles

        async def making(session: AsyncSession) -> tuple[str, str]:
            user = await new_user(session)
            await access.assign_role(session, user, connection, own)
            for role in of_groups:
                group = await groups.add(session, user.organization_id, uuid.uuid4().hex, None, [user.id])
                await groups.assign_role(session, group, connection, role)
            return user.id, await access.create_key(session, user.organization_id, "k", user.id)

        user_id, key = service.change(making)
        roles_by_model = service.request("GET", "/whoami", key=key).json()["rolesByModel"]
        assert {model: role["roleName"] for model, role in roles_by_model.items()} == {connection: "MODELER"}
        listed = service.request("GET", f"/users/{user_id}/model-roles?connectionId={connection}").json()["results"]
        assert [each["roleName"] for each in listed if each["resolved"]] == ["MODELER"]
        query = service.request("POST", f"/connections/{connection}/query", key=key, json={"sql": "SELECT 1"})
        assert query.status_code == 200


class TestDisabledKeys:
    def test_a_member_cannot_enable_with_another_key_what_was_disabled(self, service: Any):
        async def making(session: AsyncSession) -> list[str]:
            user = await new_user(session)
            tokens = [
                await access.create_key(session, user.organization_id, name, user.id) for name in ("other", "off")
            ]
            off = update(ApiKey).where(ApiKey.token_hash == access.token_hash(tokens[1]))
            await session.execute(off.values(disabled_at=1_700_000_000_000))
            return tokens

        other, disabled = service.change(making)
        listed = service.request("GET", "/api-keys", key=other).json()["records"]
        path = "/api-keys/" + next(each["id"] for each in listed if each["name"] == "off")
        assert service.request("PUT", path, key=other, json={"enabled": True}).status_code in (400, 403)
        assert service.request("GET", "/connections", key=disabled).status_code == 403


class TestBesideADeletion:
    """A user who joins a group while they are deleted: whichever is first, no membership is left."""

    async def deleting(self, session: AsyncSession, user_id: str) -> None:
        organization = await access.the_organization(session)
        await directory.remove(session, await access.find_user(session, organization, user_id))

    async def joining(self, session: AsyncSession, user_id: str) -> None:
        await groups.add(session, await access.the_organization(session), uuid.uuid4().hex, None, [user_id])

    def overlap(self, service: Any, first: Act, second: Act) -> BaseException | None:
        """Begin the second act while the first one's transaction is open; returns what the second one raised."""
        user_id = service.change(new_user).id

        async def acting(act: Act) -> None:
            async with service.database.unit_of_work() as session:
                await act(session, user_id)

        async def both() -> BaseException | None:
            async with service.database.unit_of_work() as session:
                await first(session, user_id)
                waiting = asyncio.ensure_future(acting(second))
                done, _ = await asyncio.wait({waiting}, timeout=0.3)
                assert not done, "the second one waits for the first"
            await asyncio.wait({waiting})
            return waiting.exception()

        async def memberships(session: AsyncSession) -> list[str]:
            return list(await session.scalars(select(GroupMember.id).where(GroupMember.user_id == user_id)))

        raised = service.run(both())
        assert service.change(memberships) == []
        return raised

    def test_a_join_after_it_is_refused(self, service: Any):
        assert isinstance(self.overlap(service, self.deleting, self.joining), NotUsers)

    def test_a_join_before_it_is_undone(self, service: Any):
        assert self.overlap(service, self.joining, self.deleting) is None
