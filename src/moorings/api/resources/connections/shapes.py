"""Connections as answers show them; a secret cannot leak through a struct that has no field for it."""

from __future__ import annotations

from typing import Any

import msgspec

from moorings import dialects
from moorings.api.http.answers import Done, Shape, instant
from moorings.api.resources.health import UNKNOWN, HealthShape
from moorings.connections.listing import Listed


class Archived(Done, kw_only=True):
    """The connection is archived. `warnings` name the base connections and users that are affected."""

    message: str = "Connection moved to trash."
    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET


class Created(Shape, kw_only=True):
    """The id of the created resource."""

    success: bool = True
    data: str


class ConnectionShape(Shape):
    """A connection, without its secrets. The attribute's name comes in both of its published spellings."""

    id: str
    name: str
    dialect: str
    database: str | None
    deleted_at: str | None
    user_attribute_name_for_connection_environments: str | None
    user_attribute_name_for_connections_environments: str | None
    user_attribute_values_for_default_environment: str | None
    branch_connection_environment_overrides_user_attr: bool
    environment_connection_switches_schema_model: bool
    allow_branch_connection_environments: bool
    default_schema: str
    base_role: str
    created_at: str
    updated_at: str
    health: HealthShape


class ConnectionList(Shape):
    """Connections, sorted as requested."""

    connections: list[ConnectionShape]


class CredentialShape(Shape):
    """A secret that is set. Admins of the connection see its fingerprint, which shows whether two secrets are equal."""

    set: bool
    fingerprint: str | None
    updated_at: str


class ConnectionDetails(ConnectionShape, kw_only=True):
    """A connection with its settings, named as in requests. Send `etag` in `If-Match` to guard a change."""

    settings: dict[str, Any]
    credentials: dict[str, CredentialShape]
    needs_credentials: bool
    etag: str


class OneConnection(Shape):
    """One connection."""

    connection: ConnectionDetails


class DependentsShape(Shape, kw_only=True):
    """The resources that depend on a connection."""

    environments: list[str]
    environment_of: list[str]
    schedules: list[str]
    dbt: bool
    user_roles: int
    group_roles: int
    running_queries: int


def connection_shape(listed: Listed, health: HealthShape = UNKNOWN) -> ConnectionShape:
    """A connection as the wire shows it."""
    return ConnectionShape(
        id=listed.id,
        name=listed.name,
        dialect=listed.dialect,
        database=listed.database,
        deleted_at=None if listed.deleted_at is None else instant(listed.deleted_at),
        user_attribute_name_for_connection_environments=listed.environment_attribute,
        user_attribute_name_for_connections_environments=listed.environment_attribute,
        user_attribute_values_for_default_environment=",".join(listed.default_values) or None,
        branch_connection_environment_overrides_user_attr=False,
        environment_connection_switches_schema_model=False,
        allow_branch_connection_environments=False,
        default_schema=listed.default_schema or dialects.named(listed.dialect).Config.usual_schema(listed.database),
        base_role=listed.base_role_name,
        created_at=instant(listed.created_at),
        updated_at=instant(listed.updated_at),
        health=health,
    )


class StepShape(Shape):
    """One step of a connection test."""

    name: str
    status: str
    duration_ms: int
    message: str
    code: str | None
    fields: list[str]


class TestShape(Shape):
    """The result of a connection test."""

    success: bool
    steps: list[StepShape]
