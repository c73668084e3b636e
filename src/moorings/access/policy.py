"""Roles and their permissions: one table for every service."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
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


class Scope(StrEnum):
    """A kind of operation that a key can be limited to."""

    READ = "read"
    QUERY = "query"
    MANAGE = "manage"
    SCIM = "scim"
    MCP = "mcp"


ON_CONNECTIONS = frozenset({Scope.READ, Scope.QUERY, Scope.MANAGE, Scope.MCP})
"""The scopes of a key that is limited to connections only."""

OVER_MCP = frozenset({Scope.READ, Scope.QUERY})
"""The scopes that count over MCP: it changes nothing."""

ANY_API_SCOPE = (Scope.READ, Scope.QUERY, Scope.MANAGE, Scope.SCIM)
"""The scopes of an operation for every key, except one that is limited to MCP."""

NO_SCOPE: tuple[Scope, ...] = ()
"""The scopes of an operation that needs a key without limits: one that makes or changes keys."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a key, in addition to its owner's rights; None: not limited."""

    scopes: frozenset[Scope] | None = None
    connection_ids: frozenset[str] | None = None

    @property
    def limited(self) -> bool:
        """Whether the key is limited in any way. Such a key is never an organization admin."""
        return self.scopes is not None or self.connection_ids is not None

    def allow(self, scopes: Collection[Scope], *, over_mcp: bool = False) -> bool:
        """Whether the key can call an operation that needs one of these scopes.

        Over MCP a key has `read` and `query` at most. A key that has neither of them beside `mcp` has both there.
        """
        if not self.limited:
            return True
        held = ON_CONNECTIONS if self.scopes is None else self.scopes
        if over_mcp:
            held = ((held & OVER_MCP) or OVER_MCP) if Scope.MCP in held else frozenset[Scope]()
        return not held.isdisjoint(scopes)

    def include(self, connection_id: str) -> bool:
        """Whether the key can use a connection."""
        return self.connection_ids is None or connection_id in self.connection_ids


UNLIMITED = Limits()


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
