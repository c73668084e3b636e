"""The published endpoints of `/users/email-only`: there are no such users here, so lists are empty."""

from __future__ import annotations

from typing import Any

import msgspec

from moorings.access.policy import Scope
from moorings.api.http import pagination
from moorings.api.http.answers import Shape
from moorings.api.http.call import Call, Parameter
from moorings.api.http.fields import Fields
from moorings.api.http.pagination import PageInfo
from moorings.api.http.routing import Route
from moorings.errors import EmailOnlyUserNotFound


class EmailOnlyShape(msgspec.Struct):
    """A user who has an email address and no login, in the published spelling."""

    email: str
    user_attributes: dict[str, Any]
    user_id: str


class EmailOnlyPage(Shape):
    """Users who have an email address and no login: none."""

    page_info: PageInfo
    records: list[EmailOnlyShape]


async def listed(call: Call) -> EmailOnlyPage:
    """Users who have an email address and no login. There are none here: the page is always empty."""
    query = Fields(call.query(), ("cursor", "email", "pageSize", "sortDirection"))
    query.string("email", shortest=0)
    query.choice("sortDirection", pagination.DIRECTIONS)
    page = pagination.page_request(query)
    query.done()
    return EmailOnlyPage(pagination.info([], page, 0), [])


async def create(call: Call) -> EmailOnlyPage:
    """Add a user who has an email address and no login: 404, as there are none here. SCIM creates users."""
    raise EmailOnlyUserNotFound


def _one() -> dict[str, Any]:
    return {"type": "object", "examples": [{"email": "ann@example.com"}]}


def _several() -> dict[str, Any]:
    return {"type": "object", "examples": [{"users": [{"email": "ann@example.com"}]}]}


ROUTES = (
    Route(
        method="GET",
        path="/users/email-only",
        scopes=(Scope.READ,),
        operation_id="usersListEmailOnly",
        handler=listed,
        admin=True,
        summary="List email-only users",
        answer=EmailOnlyPage,
        parameters=(
            *pagination.PARAMETERS,
            Parameter("email", {"type": "string"}, "Only the one with this address."),
            pagination.DIRECTION,
        ),
    ),
    Route(
        method="POST",
        path="/users/email-only",
        scopes=(Scope.MANAGE,),
        operation_id="usersCreateEmailOnly",
        handler=create,
        admin=True,
        summary="Create an email-only user",
        answer=None,
        body=_one,
        errors=(EmailOnlyUserNotFound,),
    ),
    Route(
        method="POST",
        path="/users/email-only/bulk",
        scopes=(Scope.MANAGE,),
        operation_id="usersCreateEmailOnlyBulk",
        handler=create,
        admin=True,
        summary="Create email-only users",
        answer=None,
        status=201,
        body=_several,
        errors=(EmailOnlyUserNotFound,),
    ),
)
