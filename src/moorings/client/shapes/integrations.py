"""Webhooks and dbt."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Webhook(TypedDict):
    """A webhook, without its secret."""

    id: str
    url: str
    events: list[str]
    enabled: bool
    disabledReason: str | None
    previousSecretExpiresAt: str | None
    createdAt: str
    updatedAt: str


class NewWebhook(TypedDict):
    """A new webhook, with its secret, which is shown this once."""

    id: str
    url: str
    events: list[str]
    enabled: bool
    disabledReason: str | None
    previousSecretExpiresAt: str | None
    createdAt: str
    updatedAt: str
    secret: str


class Delivery(TypedDict):
    """A message for a webhook: `pending`, `delivered` or `failed`, and what came of the last attempt."""

    id: str
    event: str
    status: str
    attempts: int
    answer: str | None
    createdAt: str
    attemptedAt: str | None
    nextAttemptAt: str | None
    body: str


class Dbt(TypedDict):
    """The dbt repository of a connection. Add `publicKey` to the repository as its deploy key."""

    autogenRelationships: bool
    branch: str
    dbtVersion: str
    enableSemanticLayer: bool
    enableVirtualSchemas: bool
    projectRootPath: str | None
    sshUrl: str
    supportsDbt: bool
    message: str
    publicKey: str | None


class DbtMissing(TypedDict):
    """No dbt repository is linked. `supportsDbt` says whether the dialect supports dbt."""

    supportsDbt: bool
    message: str


class DbtVariable(TypedDict):
    """A variable. The value of a secret variable is never returned."""

    id: str
    name: str
    value: str | None
    isSecret: bool


class DbtEnvironment(TypedDict):
    """A dbt environment: a target that a dbt project is built in. The oldest is the default."""

    id: str
    name: str
    isDefaultEnvironment: bool
    isDeferralEnabled: bool
    ownerId: str | None
    targetDatabase: str | None
    targetName: str | None
    targetRole: str | None
    targetSchema: str
    variables: list[DbtVariable]
    warnings: NotRequired[list[str]]
