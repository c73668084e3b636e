"""GET /connections/{id}: its settings, the public facts about its credentials, and the etag that guards changes."""

from __future__ import annotations

import hashlib
import re

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access.policy import Permission
from moorings.api.http.answers import instant
from moorings.api.http.call import Call, Parameter
from moorings.api.resources.connections.shapes import (
    ConnectionDetails,
    CredentialShape,
    OneConnection,
    connection_shape,
)
from moorings.api.resources.health import health_shape
from moorings.connections import service
from moorings.connections.listing import listed
from moorings.connections.models import Connection
from moorings.errors import PreconditionFailed
from moorings.health import service as health

ETAG = b"etag"
TAG = r'(?:W/)?"[^"]*"'
IF_MATCH = Parameter(
    "If-Match",
    {"type": "string"},
    "The connection's `etag`. The change is made only if the connection still has this version.",
    place="header",
)

_encode = msgspec.json.Encoder().encode


async def get(call: Call) -> bytes:
    """One connection, with its settings. Secrets are listed by name and fingerprint, never by value."""
    connection, db = call.connection, call.services.db

    async def render() -> tuple[bytes, bytes]:
        async with db.reading() as session:
            found = await _details(call, session, connection)
        return found.etag.encode(), _encode(OneConnection(found))

    key = ("details", connection.id, call.actor.may(Permission.CHANGE, connection))
    etag, body = await db.cached(key, call.version, render)
    call.extra_headers.append((ETAG, etag))
    return body


async def details(call: Call, session: AsyncSession) -> ConnectionDetails:
    """The call's connection in full; the answer has its etag as a header too."""
    found = await _details(call, session, call.connection)
    call.extra_headers.append((ETAG, found.etag.encode()))
    return found


async def require_match(call: Call) -> None:
    """Raise PreconditionFailed if If-Match was sent and is not the connection's current etag.

    Locks the connection until the transaction ends.
    """
    if call.header(b"if-match") is None:
        return
    sent = b",".join(value for name, value in call.scope["headers"] if name == b"if-match").decode("latin-1").strip()
    await service.lock(call.session, call.connection)
    current = (await _details(call, call.session, call.connection)).etag
    named = re.findall(TAG, sent) if re.fullmatch(rf"{TAG}(\s*,\s*{TAG})*", sent) else []
    if sent != "*" and current not in named:
        raise PreconditionFailed


async def _details(call: Call, session: AsyncSession, connection: Connection) -> ConnectionDetails:
    config, secrets = await service.described(session, call.services.keyset, connection)
    credentials = {
        config.wire_name(each.field): CredentialShape(True, each.fingerprint, instant(each.updated_at))
        for each in secrets
    }
    shown = ConnectionDetails(
        **msgspec.structs.asdict(connection_shape(await listed(session, connection))),
        settings={config.wire_name(field): value for field, value in config.public().items()},
        credentials=credentials,
        needs_credentials=config.lacks_credentials,
        etag="",
    )
    shown.etag = f'"{hashlib.sha256(_encode(shown)).hexdigest()[:32]}"'
    # users who can set secrets on other connections could guess by comparing
    if not call.actor.may(Permission.CHANGE, connection):
        for credential in credentials.values():
            credential.fingerprint = None
    shown.health = health_shape(await health.of_connection(session, connection.id), words=True)  # no change of theirs
    return shown
