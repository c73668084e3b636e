"""The `user` commands."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.access.models import User
from moorings.access.policy import Role
from moorings.cli.storage import changing
from moorings.cli.tables import when
from moorings.connections.models import Connection
from moorings.errors import NotFound, OperatorError

EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
LONGEST_EMAIL, LONGEST_NAME = 254, 255
"""The longest address that mail can be sent to, and the longest name of anything here."""


def create(email: str, name: str, *, admin: bool) -> str:
    """Add a user; returns their id. Raises OperatorError when the email is none, or taken."""
    if len(email) > LONGEST_EMAIL or not email.isprintable() or not EMAIL.fullmatch(email):
        raise OperatorError(f"an email address has one @, no space, and {LONGEST_EMAIL} characters at most")
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise OperatorError(f"a name has {LONGEST_NAME} characters at most, all of them printable")

    async def act(session: AsyncSession, organization_id: str) -> str:
        return (await access.create_user(session, organization_id, email, name, admin=admin)).id

    try:
        return changing(act)
    except IntegrityError:
        raise OperatorError(f"there is a user {email} already") from None


def listed() -> list[dict[str, Any]]:
    """Every user, oldest first."""

    async def act(session: AsyncSession, organization_id: str) -> list[dict[str, Any]]:
        users = await session.scalars(
            select(User).where(User.organization_id == organization_id).order_by(User.created_at, User.id)
        )
        return [
            {
                "id": user.id,
                "email": user.email,
                "name": user.name,
                "admin": user.organization_role == "ORG_ADMIN",
                "created": when(user.created_at),
            }
            for user in users
        ]

    return changing(act)


def give(user: str, connection_id: str, role: str) -> None:
    """Give a user a role on a connection; raises OperatorError or NotFound for what does not exist."""
    wanted = role.upper()
    if wanted not in Role.__members__:
        raise OperatorError(f"there is no role {role}: choose one of {', '.join(Role.__members__)}")

    async def act(session: AsyncSession, organization_id: str) -> None:
        found = await access.find_user(session, organization_id, user)
        connection = await session.get(Connection, connection_id)
        if connection is None or connection.organization_id != organization_id:
            raise NotFound(f"There is no connection with id {connection_id}")
        await access.assign_role(session, found, connection.id, Role[wanted])

    changing(act)
