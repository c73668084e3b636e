"""What goes out: structs of the wire, in camelCase. A secret cannot leak through a struct that has no field for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from moorings.access.policy import Role
from moorings.clock import iso as instant
from moorings.connections.listing import Listed
from moorings.health.service import Health


class Shape(msgspec.Struct, rename="camel"):
    """The base of all answers."""


class Done(Shape, kw_only=True):
    """It is done."""

    success: bool = True


class Archived(Done, kw_only=True):
    """It is archived; `warnings` say whom that concerns, if anybody."""

    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET


class Moving(Done, kw_only=True):
    """It is done; `warnings` say who gets another connection by it, if anybody."""

    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET


class MoveShape(Shape):
    """So many users and organization keys who get another connection through a base connection than before.

    A `connectionIdBefore` or `connectionIdAfter` of null: they get none, but 403.
    """

    base_connection_id: str
    base_connection_name: str
    connection_id_before: str | None
    connection_id_after: str | None
    users: int
    api_keys: int


class AttributeRemoved(Moving, kw_only=True):
    """The attribute is deleted; where it was in use, whom that moves, and how many users and keys had values of it."""

    moved: list[MoveShape] | msgspec.UnsetType = msgspec.UNSET
    users_with_values: int | msgspec.UnsetType = msgspec.UNSET
    api_keys_with_values: int | msgspec.UnsetType = msgspec.UNSET


class Changed(Shape, kw_only=True):
    """It is done, and what was; `warnings` say whom that concerns, if anybody."""

    success: bool = True
    message: str
    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET


class Created(Shape, kw_only=True):
    """The id of what was created."""

    success: bool = True
    data: str


class HealthErrorShape(Shape):
    """What fails: the step of the test, a code, and words for those who may read the connection."""

    step: str
    code: str | None
    message: str | None


class HealthShape(Shape):
    """How a connection is: `healthy`, `failing`, or `unknown` where it was never tested."""

    status: str
    since: str | None
    error: HealthErrorShape | None


class ConnectionShape(Shape):
    """A connection, without anything secret."""

    id: str
    name: str
    dialect: str
    database: str | None
    deleted_at: str | None
    user_attribute_name_for_connection_environments: str | None
    user_attribute_values_for_default_environment: str | None
    branch_connection_environment_overrides_user_attr: bool
    environment_connection_switches_schema_model: bool
    default_schema: str | None
    base_role: str
    created_at: str
    updated_at: str
    health: HealthShape


class ConnectionList(Shape):
    """Connections, in the order asked for."""

    connections: list[ConnectionShape]


class CredentialShape(Shape):
    """A secret that is set. Its fingerprint, for the connection's admins, tells whether two are the same."""

    set: bool
    fingerprint: str | None
    updated_at: str


class ConnectionDetails(ConnectionShape, kw_only=True):
    """A connection with its settings, by the names that requests have for them; `etag` goes into If-Match."""

    settings: dict[str, Any]
    credentials: dict[str, CredentialShape]
    needs_credentials: bool
    etag: str


class OneConnection(Shape):
    """One connection."""

    connection: ConnectionDetails


class DependentsShape(Shape, kw_only=True):
    """What hangs on a connection: it is the base of these environments, an environment of those, and so on."""

    environments: list[str]
    environment_of: list[str]
    schedules: list[str]
    dbt: bool
    user_roles: int
    group_roles: int
    running_queries: int


UNKNOWN = HealthShape("unknown", None, None)


def health_shape(found: Health | None, *, words: bool) -> HealthShape:
    """How a connection is; without `words`, the message of what fails is left out."""
    if found is None:
        return UNKNOWN
    return HealthShape(found.status, instant(found.since), error_shape(found.error, words=words))


def error_shape(error: Mapping[str, Any] | None, *, words: bool) -> HealthErrorShape | None:
    """What fails, of a connection that does."""
    return HealthErrorShape(error["step"], error["code"], error["message"] if words else None) if error else None


def connection_shape(listed: Listed, health: HealthShape = UNKNOWN) -> ConnectionShape:
    """A connection as the wire shows it."""
    return ConnectionShape(
        id=listed.id,
        name=listed.name,
        dialect=listed.dialect,
        database=listed.database,
        deleted_at=None if listed.deleted_at is None else instant(listed.deleted_at),
        user_attribute_name_for_connection_environments=listed.environment_attribute,
        user_attribute_values_for_default_environment=",".join(listed.default_values) or None,
        branch_connection_environment_overrides_user_attr=False,
        environment_connection_switches_schema_model=False,
        default_schema=listed.default_schema,
        base_role=Role(listed.base_role).name,
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
    """How a connection test went."""

    success: bool
    steps: list[StepShape]


class ColumnShape(Shape):
    """A column of a result."""

    name: str
    type: str


class ResultShape(Shape):
    """A query's result; `truncated` when rowLimit cut it. No code builds one: it is streamed."""

    columns: list[ColumnShape]
    rows: list[list[Any]]
    row_count: int
    truncated: bool


class PlanShape(Shape, kw_only=True):
    """What running a statement would take; `estimatedBytes` where the engine tells."""

    dry_run: bool = True
    plan: str
    estimated_bytes: int | None


class CatalogColumn(Shape):
    """A column: its type in the engine's words, and in Arrow's where that can be said before a query."""

    name: str
    position: int
    native_type: str
    arrow_type: str | None
    nullable: bool
    comment: str | None


class CatalogReference(Shape):
    """A foreign key: columns, and those of another table that they refer to."""

    name: str | None
    columns: list[str]
    catalog: str | None
    schema: str | None
    table: str
    referred_columns: list[str]


class CatalogTable(Shape):
    """A table or view; numbers are the engine's estimates."""

    catalog: str | None
    schema: str | None
    name: str
    kind: str
    comment: str | None
    row_count: int | None
    size_bytes: int | None
    columns: list[CatalogColumn]
    primary_key: list[str]
    foreign_keys: list[CatalogReference]


class CatalogTables(Shape):
    """Tables, by catalog, schema and name."""

    tables: list[CatalogTable]


class PageInfo(Shape, kw_only=True):
    """Where a page stands in its list."""

    has_next_page: bool
    next_cursor: str | None
    page_size: int
    total_records: int


class KeyShape(Shape):
    """A key, without its token, which is stored nowhere. `membershipId` is the user's whom it acts as."""

    id: str
    name: str
    type: str
    enabled: bool
    created_at: str
    membership_id: str | None


class KeyPage(Shape):
    """Keys, newest first."""

    page_info: PageInfo
    records: list[KeyShape]


class UserShape(Shape):
    """The user whom a key acts as."""

    id: str
    membership_id: str


class WhoShape(Shape):
    """Whom a key acts as; `rolesByModel` has the roles of their own and of their groups, by connection."""

    key_scope: str
    org_role: str
    roles_by_model: dict[str, str]
    user: UserShape | None


class AttributeShape(msgspec.Struct):
    """A user attribute, in the published spelling; those of the system have no id."""

    id: str
    name: str
    label: str
    description: str | None
    type: str
    multiple_values: bool
    default_value: str | None
    system: bool


class AttributeList(Shape):
    """User attributes."""

    records: list[AttributeShape]


class HeldShape(Shape):
    """What somebody has of the attributes: name → values."""

    attributes: dict[str, list[str]]


class OtherwiseShape(Shape):
    """The connection that another value would have meant; a null value means nothing, a null connection is none."""

    value: str | None
    connection_id: str | None


class RouteShape(Shape, kw_only=True):
    """The connection that somebody gets, by which value of which attribute, and with which role on the base connection.

    `source` is `user attribute`, `attribute default`, `base`, or `denied`: then there is no connection.
    """

    connection_id: str | None
    environment_id: str | None
    source: str
    attribute: str | None
    value: str | None
    role: str
    otherwise: list[OtherwiseShape]
