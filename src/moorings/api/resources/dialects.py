"""The endpoint that lists each dialect's fields, so that clients can build a form."""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from moorings import dialects
from moorings.access.policy import Scope
from moorings.api.http.answers import Shape
from moorings.api.http.call import Call
from moorings.api.http.routing import Route
from moorings.dialects.base import Dialect


class LoginShape(Shape):
    """A login method: an `authenticationType` and the fields that it requires."""

    name: str
    requires: list[str]
    default: bool


class FieldShape(Shape):
    """A field of a dialect. `required` is `always`, or the condition in words."""

    name: str
    kind: str
    secret: bool
    required: str | None
    default: Any
    allowed: list[str]
    description: str


class DialectShape(Shape):
    """A dialect: its name, abilities and fields, and the JSON Schema of a request body that creates a connection."""

    name: str
    title: str
    connects: bool
    own: bool
    several_catalogs: bool
    key_pair: bool
    probed: bool
    supports_dbt: bool
    extra: str | None
    default_port: int | None
    parameters: str | None
    authentication_types: list[LoginShape]
    fields: list[FieldShape]
    schema: dict[str, Any]


class DialectList(Shape):
    """Every dialect."""

    dialects: list[DialectShape]


async def list_dialects(call: Call) -> bytes:
    """All dialects, with their fields: which are secret, and when each is required."""
    return _rendered()


@functools.cache
def _rendered() -> bytes:
    """The answer is the same for all callers until the process ends."""
    return msgspec.json.encode(DialectList([_shape(dialects.named(name)) for name in dialects.names()]))


def _shape(dialect: Dialect) -> DialectShape:
    config = dialect.Config
    fields = [
        FieldShape(
            facts.wire,
            facts.kind,
            facts.secret,
            facts.required,
            None if facts.required == "always" else facts.default,
            list(facts.allowed),
            facts.description,
        )
        for facts in config.fields()
    ]
    logins = [
        LoginShape(login.name, [config.wire_name(field) for field in login.requires], login is config.LOGINS[0])
        for login in config.LOGINS
        if login.name
    ]
    return DialectShape(
        dialect.name,
        dialect.title,
        dialect.abilities.connects,
        dialect.abilities.own,
        dialect.abilities.several_catalogs,
        dialect.abilities.key_pair,
        dialect.abilities.probed,
        dialect.has_dbt,
        dialect.extra,
        dialect.default_port,
        dialect.PARAMETERS,
        logins,
        fields,
        config.json_schema(),
    )


ROUTES = (
    Route(
        method="GET",
        path="/dialects",
        scopes=(Scope.READ,),
        handler=list_dialects,
        kind="free",
        summary="List dialects",
        answer=DialectList,
    ),
)
