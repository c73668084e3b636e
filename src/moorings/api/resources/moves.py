"""Warnings in responses about users and keys that are routed to another connection than before."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from moorings.access.policy import Permission
from moorings.access.service import Actor
from moorings.api.http.answers import Done, Shape
from moorings.connections.models import Connection
from moorings.environments.moves import Move, counted


class Moving(Done, kw_only=True):
    """The change is made. `warnings` list the users and keys that now get another connection."""

    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET


class MoveShape(Shape):
    """The number of users and organization keys that now get another connection through a base connection.

    Null in `connectionIdBefore` or `connectionIdAfter` means that they get no connection (403).
    """

    base_connection_id: str
    base_connection_name: str
    connection_id_before: str | None
    connection_id_after: str | None
    users: int
    api_keys: int


def warnings(actor: Actor, moves: Iterable[Move]) -> list[str] | msgspec.UnsetType:
    """A sentence for each move; unset without moves."""
    return sentences(actor, moves) or msgspec.UNSET


def sentences(actor: Actor, moves: Iterable[Move]) -> list[str]:
    """A sentence for each move."""
    return [_sentence(actor, move) for move in moves]


def _sentence(actor: Actor, move: Move) -> str:
    gets = "gets" if move.users + move.api_keys == 1 else "get"
    now = _name(actor, move.after) if move.after else "no connection (403)"
    before = _name(actor, move.before) if move.before else "no connection"
    return f'{counted(move.users, move.api_keys)} now {gets} {now} through "{move.base.name}", and no longer {before}'


def _name(actor: Actor, connection: Connection) -> str:
    return f'"{connection.name}"' if actor.may(Permission.SEE, connection) else "another connection"


def shapes(moves: Iterable[Move]) -> list[MoveShape]:
    """Moves as answers show them."""
    return [
        MoveShape(
            move.base.id,
            move.base.name,
            move.before.id if move.before else None,
            move.after.id if move.after else None,
            move.users,
            move.api_keys,
        )
        for move in moves
    ]
