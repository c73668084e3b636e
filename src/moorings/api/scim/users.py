"""The endpoints of `/Users`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorings.access import attributes, directory, service
from moorings.access.models import User
from moorings.api.routing import Call, Nothing, Rendered
from moorings.api.scim import bodies, listing, patches
from moorings.api.scim.discovery import patch_body, user_body
from moorings.api.scim.listing import ONE, SEVERAL, USER_KIND
from moorings.api.scim.resources import (
    Shown,
    UserList,
    UserResource,
    everything,
    rendered,
    scim_route,
    shown_users,
)
from moorings.api.scim.vocabulary import ATTRIBUTES, USERS
from moorings.errors import EmailInUse, UserNotFound


async def list_users(call: Call) -> Rendered:
    """Users, oldest first unless said otherwise."""
    return await listing.listed(call, USER_KIND)


async def get(call: Call) -> Rendered:
    """One user, with their groups, organization role and user attributes."""
    asked = listing.one(call, USERS)
    user = await service.user(call.session, call.actor, call.ids["id"])
    (shown,) = await shown_users(call.session, [user], asked.wants)
    return rendered(asked.apply(shown))


async def create(call: Call) -> Rendered:
    """Add a user. The userName is their email."""
    known = await attributes.defined(call.session, call.actor.organization_id)
    wanted = bodies.user(bodies.canonical(call.body, USERS), None, known)
    user = await directory.add(call.session, call.actor.organization_id, wanted.profile)
    await attributes.give(call.session, user, wanted.attributes, known)
    return await _answer(call, user, 201)


async def replace(call: Call) -> Rendered:
    """Replace a user. Active, roles and user attributes stay as they are where the body leaves them out."""
    user = await service.user(call.session, call.actor, call.ids["id"], lock=True)
    body = bodies.canonical(call.body, USERS)
    held = await attributes.given(call.session, user)
    if isinstance(body.get(ATTRIBUTES), dict):
        body[ATTRIBUTES] = dict.fromkeys(held) | body[ATTRIBUTES]
    return await _store(call, user, body)


async def change(call: Call) -> Rendered:
    """Change some of a user, step by step, or nothing if one of the steps cannot be done."""
    user = await service.user(call.session, call.actor, call.ids["id"], lock=True)
    (before,) = await shown_users(call.session, [user], everything)
    after = patches.patched(_changeable(before), USERS, patches.read(call.body))
    return await _store(call, user, _differing(before, after))


def _changeable(shown: Shown) -> Shown:
    """A user without what is shown twice: the formatted name would be in the way of a new one."""
    return shown | {"name": {part: each for part, each in shown["name"].items() if part != "formatted"}}


def _differing(before: Shown, after: Shown) -> Shown:
    """A user to store: a new formatted name is the display name; attributes that were not changed are left out."""
    held, given = before.get(ATTRIBUTES, {}), after.get(ATTRIBUTES, {})
    names = [name for name in held | given if held.get(name) != given.get(name)]
    after[ATTRIBUTES] = {name: given.get(name) for name in names}
    if after.get("name", {}).get("formatted") and after.get("displayName") == before["displayName"]:
        del after["displayName"]
    return after


async def remove(call: Call) -> Nothing:
    """Delete a user: their keys are revoked, their roles, groups and attributes forgotten."""
    await directory.remove(call.session, await service.user(call.session, call.actor, call.ids["id"], lock=True))
    return Nothing()


async def _store(call: Call, user: User, body: Mapping[str, Any]) -> Rendered:
    known = await attributes.defined(call.session, call.actor.organization_id)
    wanted = bodies.user(body, directory.profile(user), known)
    await directory.replace(call.session, user, wanted.profile)
    await attributes.give(call.session, user, wanted.attributes, known)
    return await _answer(call, user)


async def _answer(call: Call, user: User, status: int = 200) -> Rendered:
    (shown,) = await shown_users(call.session, [user], everything)
    return rendered(shown, status)


ROUTES = (
    scim_route(
        method="GET",
        path="/Users",
        also="/users",
        handler=list_users,
        summary="List users",
        answer=UserList,
        parameters=SEVERAL,
    ),
    scim_route(
        method="POST",
        path="/Users",
        also="/users",
        handler=create,
        summary="Create a user",
        answer=UserResource,
        status=201,
        body=user_body,
        errors=(EmailInUse,),
        headers={"Location": "Where the user is."},
    ),
    scim_route(
        method="GET",
        path="/Users/{id}",
        also="/users/{id}",
        handler=get,
        summary="Get a user",
        answer=UserResource,
        parameters=ONE,
        errors=(UserNotFound,),
    ),
    scim_route(
        method="PUT",
        path="/Users/{id}",
        also="/users/{id}",
        handler=replace,
        summary="Replace a user",
        answer=UserResource,
        body=user_body,
        errors=(UserNotFound, EmailInUse),
    ),
    scim_route(
        method="PATCH",
        path="/Users/{id}",
        also="/users/{id}",
        handler=change,
        summary="Change a user",
        answer=UserResource,
        body=patch_body,
        errors=(UserNotFound, EmailInUse),
    ),
    scim_route(
        method="DELETE",
        path="/Users/{id}",
        also="/users/{id}",
        handler=remove,
        summary="Delete a user",
        answer=None,
        status=204,
        errors=(UserNotFound,),
    ),
)
