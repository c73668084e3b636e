"""Connections, their tests and health, and dialects."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from moorings.client.shapes.base import PageInfo


class HealthError(TypedDict):
    """Why the connection fails: the failed step of the test and its error code."""

    step: str
    code: str | None
    message: str | None


class Health(TypedDict):
    """The health of a connection: `healthy`, `failing`, or `unknown` if it was never tested."""

    status: str
    since: str | None
    error: HealthError | None


class Connection(TypedDict):
    """A connection, without its secrets. The attribute's name comes in both of its published spellings."""

    id: str
    name: str
    dialect: str
    database: str | None
    deletedAt: str | None
    userAttributeNameForConnectionEnvironments: str | None
    userAttributeNameForConnectionsEnvironments: str | None
    userAttributeValuesForDefaultEnvironment: str | None
    branchConnectionEnvironmentOverridesUserAttr: bool
    environmentConnectionSwitchesSchemaModel: bool
    allowBranchConnectionEnvironments: bool
    defaultSchema: str
    baseRole: str
    createdAt: str
    updatedAt: str
    health: Health


class Credential(TypedDict):
    """A secret that is set. Admins of the connection see its fingerprint, which shows whether two secrets are equal."""

    set: bool
    fingerprint: str | None
    updatedAt: str


class ConnectionDetails(TypedDict):
    """A connection with its settings, named as in requests. Send `etag` in `If-Match` to guard a change."""

    id: str
    name: str
    dialect: str
    database: str | None
    deletedAt: str | None
    userAttributeNameForConnectionEnvironments: str | None
    userAttributeNameForConnectionsEnvironments: str | None
    userAttributeValuesForDefaultEnvironment: str | None
    branchConnectionEnvironmentOverridesUserAttr: bool
    environmentConnectionSwitchesSchemaModel: bool
    allowBranchConnectionEnvironments: bool
    defaultSchema: str
    baseRole: str
    createdAt: str
    updatedAt: str
    health: Health
    settings: dict[str, Any]
    credentials: dict[str, Credential]
    needsCredentials: bool
    etag: str


class Archived(TypedDict):
    """The connection is archived. `warnings` name the base connections and users that are affected."""

    success: NotRequired[bool]
    message: NotRequired[str]
    warnings: NotRequired[list[str]]


class Dependents(TypedDict):
    """The resources that depend on a connection."""

    environments: list[str]
    environmentOf: list[str]
    schedules: list[str]
    dbt: bool
    userRoles: int
    groupRoles: int
    runningQueries: int


class TestStep(TypedDict):
    """One step of a connection test."""

    name: str
    status: str
    durationMs: int
    message: str
    code: str | None
    fields: list[str]


class TestResult(TypedDict):
    """The result of a connection test."""

    success: bool
    steps: list[TestStep]


class Login(TypedDict):
    """A login method: an `authenticationType` and the fields that it requires."""

    name: str
    requires: list[str]
    default: bool


class Field(TypedDict):
    """A field of a dialect. `required` is `always`, or the condition in words."""

    name: str
    kind: str
    secret: bool
    required: str | None
    default: Any
    allowed: list[str]
    description: str


class Dialect(TypedDict):
    """A dialect: its name, abilities and fields, and the JSON Schema of a request body that creates a connection."""

    name: str
    title: str
    connects: bool
    own: bool
    severalCatalogs: bool
    keyPair: bool
    probed: bool
    supportsDbt: bool
    extra: str | None
    defaultPort: int | None
    parameters: str | None
    authenticationTypes: list[Login]
    fields: list[Field]
    schema: dict[str, Any]


class HealthChange(TypedDict):
    """A change of health: from this time on the connection was healthy, or failed with this error."""

    at: str
    status: str
    error: HealthError | None


class HealthPage(TypedDict):
    """The current health of a connection, its next probe, and its history, newest first."""

    health: Health
    probed: bool
    checkedAt: str | None
    nextProbeAt: str | None
    pageInfo: PageInfo
    records: list[HealthChange]


class Otherwise(TypedDict):
    """The connection that another attribute value would select. A null value stands for users without a value."""

    value: str | None
    connectionId: str | None


class Route(TypedDict):
    """The connection that a user gets, the value that selected it, and the role on the base connection."""

    connectionId: str | None
    environmentId: str | None
    source: str
    attribute: str | None
    value: str | None
    role: str
    otherwise: list[Otherwise]


class Environment(TypedDict):
    """An environment of a base connection."""

    id: str
    baseConnectionId: str
    connectionId: str
    userAttributeValues: list[str]


class NewEnvironment(TypedDict):
    """A created environment, in the older published format."""

    id: str
    environmentConnectionId: str


class EnvironmentsCreated(TypedDict):
    """The created environments, in both published formats."""

    success: NotRequired[bool]
    data: list[NewEnvironment]
    connectionEnvironments: list[Environment]


class EnvironmentChange(TypedDict):
    """The change is made. `warnings` list who now gets another connection."""

    success: NotRequired[bool]
    warnings: NotRequired[list[str]]
