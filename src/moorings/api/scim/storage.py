"""The storage that the library reads and writes: users and groups of one organization, by `access`.

The library runs in a thread, since large groups take it long. The coroutines here run in the event loop, like all
database access.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Generator, Mapping, Sequence
from typing import Any, TypeVar, cast

import structlog
from scim2_models import (
    InvalidPathException,
    Resource,
    ResourceType,
    ResponseParameters,
    ScimFilter,
    SearchRequest,
)
from scim2_server.storage import ScimStorage, SearchPage
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import attributes, directory, groups, service
from moorings.access.directory import MAX_EMAIL_LENGTH, MAX_NAME_LENGTH, Profile
from moorings.access.models import User, UserAttribute, UserGroup
from moorings.access.service import Actor
from moorings.api.http.call import UUID
from moorings.api.http.fields import Fields
from moorings.api.resources.attributes import values_of
from moorings.api.scim.filters import Column, Conditions, sorted_by
from moorings.api.scim.models import Provider
from moorings.api.scim.resources import Projection, Read, of_user, projection, read
from moorings.api.scim.vocabulary import ROLES
from moorings.db import Database
from moorings.environments import moves
from moorings.errors import GroupNotFound, UserNotFound

log = structlog.get_logger(__name__)

T = TypeVar("T")

MAX_START_INDEX = 2**31
"""The largest offset of a list: databases limit offsets."""

UNKNOWN = {"User": UserNotFound, "Group": GroupNotFound}


class Storage(ScimStorage):
    """One request's access to the database. It returns `Shown`, or a model for a resource that will be changed."""

    def __init__(
        self,
        db: Database,
        loop: asyncio.AbstractEventLoop,
        actor: Actor,
        provider: Provider,
        known: Mapping[str, UserAttribute],
        *,
        writes: bool,
    ) -> None:
        self._db, self._loop, self._actor, self._provider, self._known = db, loop, actor, provider, known
        self._writes = writes
        self._open: AsyncSession | None = None

    @property
    def _session(self) -> AsyncSession:
        assert self._open is not None, "the library reads and writes within an operation only"  # noqa: S101
        return self._open

    def _run(self, awaited: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(awaited, self._loop).result()

    @contextlib.contextmanager
    def operation(self) -> Generator[None]:
        """One transaction: no other transaction changes the resources that are read in it to be changed."""
        unit = self._db.unit_of_work() if self._writes else self._db.reading()
        self._open = self._run(_awaited(unit.__aenter__()))
        try:
            yield
        except BaseException as refused:
            self._run(_awaited(unit.__aexit__(type(refused), refused, refused.__traceback__)))
            raise
        else:
            self._run(_awaited(unit.__aexit__(None, None, None)))
        finally:
            self._open = None

    # ---- reading ----------------------------------------------------------------------------------------------------

    def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Any:
        """A resource as answers show it; without parameters, locked and as a model, for a change."""
        model = cast("type[Resource[Any]]", self._provider.model_for(resource_type))
        projected = projection(model, response_parameters)
        (shown,) = self._run(self._get(str(resource_type.name), resource_id, projected)).shown()
        if response_parameters is not None:
            return shown
        for member in shown.get("members", ()):
            del member["$ref"], member["type"], member["display"]  # which every change would compare
        return model.model_validate(shown)

    async def _get(self, kind: str, resource_id: str, projected: Projection | None) -> Read:
        return await self._read(kind, [await self._row(kind, resource_id)], projected)

    async def _row(self, kind: str, resource_id: str) -> Any:
        if not UUID.fullmatch(resource_id):
            raise UNKNOWN[kind]
        if kind == "User":
            return await service.user(self._session, self._actor, resource_id.lower(), lock=self._writes)
        organization = self._actor.organization_id
        return await groups.find(self._session, organization, resource_id.lower(), lock=self._writes)

    async def _read(self, kind: str, rows: Sequence[Any], projected: Projection | None) -> Read:
        return await read(self._session, kind, rows, self._known, projected)

    # ---- searching --------------------------------------------------------------------------------------------------

    def search(
        self, resource_types: list[ResourceType], search_request: SearchRequest[Any], *, position: Any = None
    ) -> SearchPage:
        """One page. A search for both kinds has the users first, and no order but that."""
        if search_request.sort_by is not None and len(resource_types) > 1:
            raise InvalidPathException(detail="Sort users and groups apart: below /Users or /Groups")
        total, pages = self._run(self._search(resource_types, search_request))
        found = [each.projection.apply(one) if each.projection else one for each in pages for one in each.shown()]
        return SearchPage(total, cast("list[Resource[Any]]", found))

    async def _search(self, resource_types: list[ResourceType], search: SearchRequest[Any]) -> tuple[int, list[Read]]:
        total, pages = 0, list[Read]()
        skipped, count = min(search.start_index_0 or 0, MAX_START_INDEX), search.count or 0
        for each in resource_types:
            kind, model = str(each.name), cast("type[Resource[Any]]", self._provider.model_for(each))
            rows = await self._rows(kind, model, search)
            here = (await self._session.execute(select(func.count()).select_from(rows.subquery()))).scalar_one()
            left = count - sum(len(each.rows) for each in pages)
            if left and skipped < total + here:
                ordered = rows.order_by(*self._order(kind, model, search))
                page = await self._session.scalars(ordered.offset(max(0, skipped - total)).limit(left))
                pages.append(await self._read(kind, list(page), projection(model, search)))
            total += here
        return total, pages

    async def _rows(self, kind: str, model: type[Resource[Any]], search: SearchRequest[Any]) -> Select[Any]:
        rows = directory.rows_of_users(self._actor.organization_id)
        if kind == "Group":
            rows = directory.rows_of_groups(self._actor.organization_id)
        if search.filter is None:
            return rows
        bound = ScimFilter.__class_getitem__(model)(search.filter)
        organization = self._actor.organization_id
        return rows.where(await Conditions(self._session, organization, kind, bound, self._known).visit(bound.ast))

    def _order(self, kind: str, model: type[Resource[Any]], search: SearchRequest[Any]) -> list[Column]:
        oldest: list[Any] = [User.created_at, User.id] if kind == "User" else [UserGroup.created_at, UserGroup.id]
        binding = search.sort_binding(model)
        if binding is None:
            return oldest
        descending = search.sort_order == SearchRequest.SortOrder.descending
        return [*sorted_by(kind, binding, self._known, descending=descending), *oldest]

    # ---- writing ----------------------------------------------------------------------------------------------------

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Any:
        """Add a user or a group; raises EmailInUse, GroupInUse, NotUsers, InvalidInput."""
        (shown,) = self._run(self._create(str(resource_type.name), resource)).shown()
        return shown

    async def _create(self, kind: str, resource: Any) -> Read:
        organization = self._actor.organization_id
        if kind == "User":
            row = await directory.add(self._session, organization, _profile(resource, None))
            await self._give(row, {}, resource)
        else:
            name, external, members = _group(resource)
            row = await groups.add(self._session, organization, name, external, members)
        return await self._read(kind, [row], None)

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Any:
        """Replace a resource, which the transaction has locked since it was read. Raises the errors of `create`."""
        (shown,) = self._run(self._update(str(resource_type.name), resource)).shown()
        return shown

    async def _update(self, kind: str, resource: Any) -> Read:
        row = await self._row(kind, str(resource.id))
        if kind == "User":
            current = of_user(self._known, await attributes.values_of(self._session, row))
            await directory.replace(self._session, row, _profile(resource, directory.profile(row)))
            await self._give(row, current, resource)
        else:
            await groups.replace(self._session, row, *_group(resource))
        return await self._read(kind, [row], None)

    async def _give(self, user: User, current: Mapping[str, Any], resource: Any) -> None:
        """Set the attributes that differ; unchanged ones may have values that their definition no longer allows."""
        extension = getattr(resource, "UserAttribute", None)
        sent: dict[str, Any] = {} if extension is None else extension.model_dump(exclude={"schemas"}, exclude_none=True)
        changed = {name: sent.get(name) for name in (*current, *sent) if current.get(name) != sent.get(name)}
        fields = Fields(changed, tuple(changed))
        search = {
            name: values_of(fields, name, self._known[name].type, several=bool(self._known[name].multiple_values))
            for name in changed
        }
        fields.done()
        known = list(self._known.values())
        before = await moves.places_of_owner(self._session, user, known, search)
        await attributes.assign(self._session, user, search, known)
        after = await moves.places_of_owner(self._session, user, known, search)
        for move in await moves.unmatched_owner(self._session, before, after):  # SCIM's answers have no place for it
            log.warning(
                "user_without_environment",
                user=user.id,
                base_connection=move.base.id,
                before=move.before.id if move.before else None,
                after=move.after.id if move.after else None,
            )

    def delete(self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None) -> None:
        """Delete a resource, which the transaction has locked since it was read."""
        self._run(self._delete(str(resource_type.name), resource_id))

    async def _delete(self, kind: str, resource_id: str) -> None:
        remove = directory.remove if kind == "User" else groups.remove
        await remove(self._session, await self._row(kind, resource_id))


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


# ---- stored fields of a resource -------------------------------------------------------------------------------


def _profile(resource: Any, before: Profile | None) -> Profile:
    """The stored fields of a user.

    A formatted name becomes the display name, unless that changes too; raises InvalidInput.
    """
    name = resource.name
    sent = {
        "userName": resource.user_name,
        "displayName": resource.display_name,
        "externalId": resource.external_id,
        "name.givenName": name and name.given_name,
        "name.familyName": name and name.family_name,
        "name.formatted": name and name.formatted,
    }
    fields = Fields({key: each for key, each in sent.items() if each is not None}, tuple(sent))
    email = fields.string("userName", required=True, longest=MAX_EMAIL_LENGTH)
    if email and not directory.is_user_name(email):
        fields.fault("userName", "custom", reason="Expected a user name without blanks and invisible characters")
    display, formatted, given, family, external = (
        fields.string(key, shortest=0, longest=MAX_NAME_LENGTH) or None
        for key in ("displayName", "name.formatted", "name.givenName", "name.familyName", "externalId")
    )
    admin = _admin(fields, resource.roles or [])
    fields.done()
    if before is not None and display == before.name and formatted not in (None, before.name):
        display = formatted
    shown = display or formatted or " ".join(filter(None, (given, family)))[:MAX_NAME_LENGTH] or email
    return Profile(email, shown, given, family, external, resource.active is not False, admin)


def _admin(fields: Fields, roles: Sequence[Any]) -> bool:
    for place, role in enumerate(roles):
        if role.value is None:
            fields.fault(f"roles.{place}.value", "required")
        elif role.value not in ROLES:
            fields.fault(f"roles.{place}.value", "enum", allowed=ROLES, received=role.value)
    return any(role.value == "ORG_ADMIN" for role in roles)


def _group(resource: Any) -> tuple[str, str | None, list[str]]:
    """Name, external id and members of a group; raises InvalidInput."""
    sent = {"displayName": resource.display_name, "externalId": resource.external_id}
    fields = Fields({key: each for key, each in sent.items() if each is not None}, tuple(sent))
    name = fields.string("displayName", required=True, longest=MAX_NAME_LENGTH)
    external = fields.string("externalId", shortest=0) or None
    members: list[str] = []
    for place, member in enumerate(resource.members or []):
        if member.value is None:
            fields.fault(f"members.{place}.value", "required")
        elif not UUID.fullmatch(member.value):
            fields.fault(f"members.{place}.value", "uuid")
        else:
            members.append(member.value.lower())
    fields.done()
    return name, external, members
