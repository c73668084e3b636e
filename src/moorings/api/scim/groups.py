"""The endpoints of `/Groups`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorings.access import groups
from moorings.access.models import UserGroup
from moorings.api.routing import Call, Nothing, Rendered
from moorings.api.scim import bodies, listing, patches
from moorings.api.scim.discovery import group_body, patch_body
from moorings.api.scim.listing import GROUP_KIND, ONE, SEVERAL
from moorings.api.scim.resources import GroupList, GroupResource, everything, rendered, scim_route, shown_groups
from moorings.api.scim.vocabulary import GROUPS
from moorings.errors import GroupInUse, GroupNotFound, NotUsers


async def list_groups(call: Call) -> Rendered:
    """Groups, oldest first unless said otherwise."""
    return await listing.listed(call, GROUP_KIND)


async def get(call: Call) -> Rendered:
    """One group, with its members."""
    asked = listing.one(call, GROUPS)
    (shown,) = await shown_groups(call.session, [await _find(call)], asked.wants)
    return rendered(asked.apply(shown))


async def create(call: Call) -> Rendered:
    """Add a group, with its members."""
    wanted = bodies.group(bodies.canonical(call.body, GROUPS))
    organization = call.actor.organization_id
    group = await groups.add(call.session, organization, wanted.name, wanted.external_id, wanted.members or ())
    return await _answer(call, group, 201)


async def replace(call: Call) -> Rendered:
    """Replace a group. Its members stay where the body leaves them out; an empty array empties it."""
    group = await _find(call, lock=True)
    return await _store(call, group, bodies.canonical(call.body, GROUPS))


async def change(call: Call) -> Rendered:
    """Change some of a group, step by step, or nothing if one of the steps cannot be done."""
    group = await _find(call, lock=True)
    (shown,) = await shown_groups(call.session, [group], everything)
    return await _store(call, group, patches.patched(shown, GROUPS, patches.read(call.body)))


async def remove(call: Call) -> Nothing:
    """Delete a group with its roles; its members stay as users."""
    await groups.remove(call.session, await _find(call, lock=True))
    return Nothing()


async def _find(call: Call, *, lock: bool = False) -> UserGroup:
    return await groups.find(call.session, call.actor.organization_id, call.ids["id"], lock=lock)


async def _store(call: Call, group: UserGroup, body: Mapping[str, Any]) -> Rendered:
    wanted = bodies.group(body)
    await groups.replace(call.session, group, wanted.name, wanted.external_id, wanted.members)
    return await _answer(call, group)


async def _answer(call: Call, group: UserGroup, status: int = 200) -> Rendered:
    (shown,) = await shown_groups(call.session, [group], everything)
    return rendered(shown, status)


ROUTES = (
    scim_route(
        method="GET",
        path="/Groups",
        also="/groups",
        handler=list_groups,
        summary="List groups",
        answer=GroupList,
        parameters=SEVERAL,
    ),
    scim_route(
        method="POST",
        path="/Groups",
        also="/groups",
        handler=create,
        summary="Create a group",
        answer=GroupResource,
        status=201,
        body=group_body,
        errors=(GroupInUse, NotUsers),
        headers={"Location": "Where the group is."},
    ),
    scim_route(
        method="GET",
        path="/Groups/{id}",
        also="/groups/{id}",
        handler=get,
        summary="Get a group",
        answer=GroupResource,
        parameters=ONE,
        errors=(GroupNotFound,),
    ),
    scim_route(
        method="PUT",
        path="/Groups/{id}",
        also="/groups/{id}",
        handler=replace,
        summary="Replace a group",
        answer=GroupResource,
        body=group_body,
        errors=(GroupNotFound, GroupInUse, NotUsers),
    ),
    scim_route(
        method="PATCH",
        path="/Groups/{id}",
        also="/groups/{id}",
        handler=change,
        summary="Change a group",
        answer=GroupResource,
        body=patch_body,
        errors=(GroupNotFound, GroupInUse, NotUsers),
    ),
    scim_route(
        method="DELETE",
        path="/Groups/{id}",
        also="/groups/{id}",
        handler=remove,
        summary="Delete a group",
        answer=None,
        status=204,
        errors=(GroupNotFound,),
    ),
)
