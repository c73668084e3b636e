"""The endpoint that says what each dialect needs: enough to draw a form."""

from __future__ import annotations

import functools

import msgspec

from moorings import dialects
from moorings.api.routing import Call, Route
from moorings.api.shapes import DialectList, DialectShape, FieldShape, LoginShape
from moorings.dialects.base import Dialect


async def list_dialects(call: Call) -> bytes:
    """Every dialect, with its fields, what is secret and what is required when."""
    return _rendered()


@functools.cache
def _rendered() -> bytes:
    """The same for everybody until the process ends."""
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
        handler=list_dialects,
        kind="free",
        summary="List dialects",
        answer=DialectList,
    ),
)
