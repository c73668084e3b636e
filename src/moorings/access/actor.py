"""The identity of a request, and its rights on connections."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from moorings.access.policy import LOWEST_ROLE, UNLIMITED, Limits, Permission, Role, Scope
from moorings.errors import InvalidToken, PermissionDenied, ScopeMissing


class Guarded(Protocol):
    """A connection that roles apply to, as stored or as listed."""

    @property
    def id(self) -> Any:
        """Its id."""
        ...

    @property
    def base_role(self) -> Any:
        """The lowest role of every user in the organization."""
        ...

    @property
    def base_role_name(self) -> str:
        """The same, as it was written."""
        ...


@dataclass(frozen=True, slots=True)
class Actor:
    """The identity of a request: an organization key (no user) or a user, within the limits of the key."""

    organization_id: str
    key_id: str
    user_id: str | None
    admin: bool
    roles: Mapping[str, Role]
    """The highest of the user's own roles and those of their groups, by connection id."""
    owner_admin: bool = False
    """Whether the key's owner is the organization or an organization admin: `admin`, but for the limits of the key."""
    limits: Limits = UNLIMITED
    expires_at: int | None = None

    def role_on(self, connection: Guarded) -> Role:
        """The highest of base role, own role and groups' roles; an organization admin is admin of every connection.

        On a connection that the key is not limited to, it is NO_ACCESS.
        """
        if self.admin:
            return Role.CONNECTION_ADMIN
        if not self.limits.include(connection.id):
            return Role.NO_ACCESS
        if self.owner_admin:
            return Role.CONNECTION_ADMIN
        return max(Role(connection.base_role), self.roles.get(connection.id, Role.NO_ACCESS))

    def may(self, permission: Permission, connection: Guarded) -> bool:
        """Whether the role on this connection permits the act."""
        return self.role_on(connection) >= LOWEST_ROLE[permission]

    def require(self, permission: Permission, connection: Guarded) -> None:
        """Raise PermissionDenied unless the role on this connection permits the act."""
        if not self.may(permission, connection):
            raise PermissionDenied

    def require_admin(self) -> None:
        """Raise PermissionDenied unless this is an organization admin."""
        if not self.admin:
            raise PermissionDenied

    def require_directory(self) -> None:
        """Raise PermissionDenied unless this may manage users and groups: an organization admin, or its SCIM key."""
        if not (self.admin or (self.owner_admin and self.limits.scopes and Scope.SCIM in self.limits.scopes)):
            raise PermissionDenied

    def require_scope(self, scopes: Collection[Scope], *, over_mcp: bool = False) -> None:
        """Raise ScopeMissing unless the key can call an operation that needs one of these scopes."""
        if not self.limits.allow(scopes, over_mcp=over_mcp):
            raise ScopeMissing([str(scope) for scope in scopes])

    def require_unexpired(self, now: int) -> None:
        """Raise InvalidToken if the key has expired."""
        if self.expires_at is not None and now >= self.expires_at:
            raise InvalidToken

    @property
    def view(self) -> Hashable:
        """Equal for actors that see the same connections and have the same rights on them, at one version of access."""
        return None if self.admin else (self.user_id, self.owner_admin, self.limits)
