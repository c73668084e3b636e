"""Tickets and handles of prepared statements: sealed by the keyset, for one key, so that any replica can open them.

A ticket can be used once, within a minute. It names the replica that issued it, for the log. A handle holds the
statement itself: the server keeps nothing for a client that prepares and never comes back.
"""

from __future__ import annotations

import json
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from moorings import clock
from moorings.errors import InvalidTicket, OperatorError, TicketExpired, TicketUsed
from moorings.queries import owners
from moorings.secrets import Keyset, Sealed

LIFETIME_MILLISECONDS = 60_000
LONGEST = 16 * 1024 * 1024
"""The most bytes of a ticket or handle: a statement and its parameters, with room for escapes and the seal."""

Value = str | int | float | bool | None
"""A parameter of a statement."""


@dataclass(frozen=True, slots=True)
class Route:
    """The connection that a client names by id, and the environment that it names; None where it names none."""

    connection_id: str | None
    environment: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement with its parameters, and the connection that it is for."""

    sql: str
    parameters: Sequence[Value]
    route: Route


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to get one result: that of a statement, or that of a command about the catalog (as it was sent)."""

    id: str
    """The id of the query, once it runs."""
    issued_at: int
    replica: str
    route: Route
    statement: Prepared | None
    command: bytes


class Tickets:
    """Issues and opens tickets and handles."""

    def __init__(self, keyset: Keyset) -> None:
        self._keyset = keyset
        self.replica = owners.this_process()
        self._used: OrderedDict[str, int] = OrderedDict()
        """Ticket → when it was used; those whose time is up are forgotten."""

    def issue(self, key_id: str, route: Route, statement: Prepared | None, command: bytes = b"") -> bytes:
        """A new ticket for the owner of a key."""
        content = {
            "id": str(uuid.uuid4()),
            "at": clock.now(),
            "replica": self.replica,
            "route": [route.connection_id, route.environment],
            "statement": None if statement is None else [statement.sql, list(statement.parameters)],
            "command": command.hex(),
        }
        return self._sealed("ticket", key_id, content)

    def open(self, key_id: str, ticket: bytes) -> Ticket:
        """The content of a ticket; raises InvalidTicket or TicketExpired."""
        content = self._opened("ticket", key_id, ticket)
        if clock.now() - content["at"] > LIFETIME_MILLISECONDS:
            raise TicketExpired
        route = Route(*content["route"])
        stored = content["statement"]
        statement = Prepared(stored[0], stored[1], route) if stored else None
        command = bytes.fromhex(content["command"])
        return Ticket(content["id"], content["at"], content["replica"], route, statement, command)

    def use(self, ticket: Ticket) -> None:
        """Mark a ticket as used; raises TicketUsed the second time."""
        now = clock.now()
        while self._used and now - next(iter(self._used.values())) > LIFETIME_MILLISECONDS:
            self._used.popitem(last=False)
        if ticket.id in self._used:
            raise TicketUsed
        self._used[ticket.id] = now

    def handle(self, key_id: str, prepared: Prepared) -> bytes:
        """The handle of a prepared statement."""
        route = prepared.route
        content = {
            "sql": prepared.sql,
            "parameters": list(prepared.parameters),
            "route": [route.connection_id, route.environment],
        }
        return self._sealed("prepared", key_id, content)

    def prepared(self, key_id: str, handle: bytes) -> Prepared:
        """The statement of a handle; raises InvalidTicket."""
        content = self._opened("prepared", key_id, handle)
        return Prepared(content["sql"], content["parameters"], Route(*content["route"]))

    def _sealed(self, kind: str, key_id: str, content: dict[str, Any]) -> bytes:
        return self._keyset.seal(json.dumps(content), table="flight", column=kind, row=key_id).ciphertext

    def _opened(self, kind: str, key_id: str, content: bytes) -> dict[str, Any]:
        if not content or len(content) > LONGEST:
            raise InvalidTicket
        try:
            text = self._keyset.open(Sealed(content), table="flight", column=kind, row=key_id)
        except OperatorError:
            raise InvalidTicket from None
        return cast("dict[str, Any]", json.loads(text))
