"""Roles and their permissions: one table for every service."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Role(IntEnum):
    """A role on one connection, from low to high."""

    NO_ACCESS = 0
    VIEWER = 1
    RESTRICTED_QUERIER = 2
    QUERIER = 3
    MODELER = 4
    CONNECTION_ADMIN = 5


ROLE_ALIASES = {"QUERY_TOPICS": Role.RESTRICTED_QUERIER}
"""Published aliases of roles. Responses show the name that the caller wrote."""

ROLE_NAMES = (*Role.__members__, *ROLE_ALIASES)


def role_named(name: str) -> Role:
    """The role with a name, in either spelling."""
    return ROLE_ALIASES.get(name) or Role[name]


def alias_of(name: str) -> str | None:
    """The alias to store beside a role that was written by its alias; None for the role's own name."""
    return name if name in ROLE_ALIASES else None


class Permission(StrEnum):
    """An act on one connection."""

    SEE = "see"
    READ = "read"
    OVERSEE = "oversee"
    TEST = "test"
    QUERY = "query"
    CHANGE = "change"
    ARCHIVE = "archive"
    RESTORE = "restore"


LOWEST_ROLE = {
    Permission.SEE: Role.VIEWER,
    Permission.READ: Role.RESTRICTED_QUERIER,
    Permission.OVERSEE: Role.CONNECTION_ADMIN,
    Permission.TEST: Role.QUERIER,
    Permission.QUERY: Role.QUERIER,
    Permission.CHANGE: Role.CONNECTION_ADMIN,
    Permission.ARCHIVE: Role.CONNECTION_ADMIN,
    Permission.RESTORE: Role.CONNECTION_ADMIN,
}
"""The lowest role that permits each act. Only organization admins create connections."""

ON_ARCHIVED = (Permission.READ, Permission.OVERSEE, Permission.RESTORE)
"""The acts that are allowed on an archived connection."""
