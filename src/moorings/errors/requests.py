"""The errors of requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as defaulted
from typing import Any, Self

from moorings.errors.base import MooringsError


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one field.

    `field` is the dotted name on the wire; `code` one of: required, type, enum, enum_short, too_short, too_long,
    too_small, too_big, uuid, url, invalid, custom. `details` are the code's parameters: `expected` and `received`
    (type), `allowed` and `received` (enum), `limit` (the four bounds), `reason` (custom). Never a secret value.
    """

    field: str
    code: str
    details: Mapping[str, Any] = defaulted(default_factory=dict[str, Any])


class InvalidInput(MooringsError):
    """The input has faults."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__()
        self.faults = tuple(faults)


class UnknownKeys(MooringsError):
    """The input has unknown keys."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__()
        self.keys = tuple(keys)


class InvalidJson(MooringsError):
    """The body is not JSON."""


class NotAnObject(MooringsError):
    """The body is JSON, but no object."""

    def __init__(self, received: str) -> None:
        super().__init__()
        self.received = received


class EmptyBody(MooringsError):
    """The body is empty, or an empty object."""


class InvalidId(MooringsError):
    """A path parameter is not a UUID."""

    def __init__(self, parameter: str) -> None:
        super().__init__()
        self.parameter = parameter


class UnknownDialect(MooringsError):
    """Invalid connection dialect"""


class UnknownDialects(MooringsError):
    """A filter names dialects that do not exist."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)


class ValueInUse(MooringsError):
    """A user attribute's value can mean one connection only."""

    def __init__(self, value: str) -> None:
        super().__init__(f'User attribute value "{value}" is already in use')
        self.value = value


class AttributeInUse(MooringsError):
    """Another user attribute has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f'User attribute "{name}" exists already')


class AttributeHasDependents(MooringsError):
    """A connection chooses environments by this user attribute, or users have values of it."""

    def __init__(self, name: str, dependents: str, act: str) -> None:
        super().__init__(f'User attribute "{name}" is in use: {dependents}. Send force=true to {act} it anyway')


class NameTaken(MooringsError):
    """Another resource of the same kind has this name."""


class EmailInUse(NameTaken):
    """A user with this email exists already"""


class GroupInUse(NameTaken):
    """A group with this name exists already"""


class NotEnvironments(MooringsError):
    """Some connections cannot be environments of the base connection."""

    def __init__(self, ids: Sequence[str]) -> None:
        listed = ", ".join(ids)
        super().__init__(f"The following environment connection IDs are not valid for this connection: {listed}")


class NotUsers(MooringsError):
    """Some ids are not ids of users."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(f"The following user IDs are not valid for this group: {', '.join(ids)}")


class QueryIdInUse(MooringsError):
    """A query with this id is running already. Choose another, or leave Moorings-Query-Id out"""


class InvalidMethod(MooringsError):
    """Invalid method"""

    def __init__(self, allowed: Iterable[str] = (), message: str | None = None) -> None:
        super().__init__(message)
        self.allowed = tuple(allowed)


class BodyTooLarge(MooringsError):
    """Request body is too large"""


class BodyTooSlow(MooringsError):
    """Request body did not arrive in time"""


class WrongContentType(MooringsError):
    """Content type must be application/json"""


class NotAcceptable(MooringsError):
    """None of the media types in Accept can be produced"""


class ProtocolTooOld(MooringsError):
    """Results need HTTP/1.1 or later"""


class AuthenticationRequired(MooringsError):
    """Authentication required"""


class InvalidToken(MooringsError):
    """Invalid bearer token"""


class PermissionDenied(MooringsError):
    """Permission denied"""


class ScopeMissing(PermissionDenied):
    """Permission denied"""

    def __init__(self, scopes: Sequence[str]) -> None:
        super().__init__()
        self.scopes = tuple(scopes)


class ForeignOrigin(PermissionDenied):
    """A web page of another origin sent the request."""


class ExtraMissing(MooringsError):
    """The service was installed without an extra."""

    def __init__(self, package: str, command: str) -> None:
        super().__init__(f"The package {package} is not installed. Install it with: {command}")


class BootstrapKey(MooringsError):
    """This key is set by MOORINGS_BOOTSTRAP_TOKEN. Change the setting to replace it"""


class NoEnvironment(PermissionDenied):
    """The base connection is for those only whose values mean one of its environments."""

    def __init__(self, attribute: str | None) -> None:
        means = "means an environment of this connection"
        own = f'None of your values of the user attribute "{attribute}"' if attribute else "No user attribute"
        super().__init__(f"{own} {means}")


class RateLimited(MooringsError):
    """Too many requests"""

    def __init__(
        self, limit: int, retry_after_seconds: int, window_seconds: int = 0, setting: str = "", full_seconds: int = 0
    ) -> None:
        super().__init__()
        self.limit = limit
        self.retry_after_seconds = retry_after_seconds
        """Seconds until the next request is allowed."""
        self.full_seconds = full_seconds or retry_after_seconds
        """Seconds until all requests of the limit are available again."""
        self.window_seconds = window_seconds
        self.setting = setting
        """The setting that defines the limit."""


class NotFound(MooringsError):
    """Not found"""


class ConnectionNotFound(NotFound):
    """Connection not found"""


class BaseConnectionNotFound(NotFound):
    """The connection that environments should be added to does not exist."""

    def __init__(self, connection_id: str) -> None:
        super().__init__(f"Connection with id {connection_id} does not exist")


class EnvironmentNotFound(NotFound):
    """The connection environment does not exist."""

    def __init__(self, environment_id: str) -> None:
        super().__init__(f"Connection environment with id {environment_id} does not exist")


class AttributeNotFound(NotFound):
    """User attribute not found"""


class DbtNotConfigured(NotFound):
    """dbt not configured for this connection"""


class DbtEnvironmentNotFound(NotFound):
    """dbt environment not found"""


class ScheduleNotFound(NotFound):
    """Schedule not found"""


class UserNotFound(NotFound):
    """User not found"""


class EmbedUserNotFound(UserNotFound):
    """Users of embedding do not exist here"""


class EmailOnlyUserNotFound(UserNotFound):
    """Email-only users do not exist here. Create users with POST /api/scim/v2/Users"""


class GroupNotFound(NotFound):
    """User group not found"""


class KeyNotFound(NotFound):
    """API key not found"""


class PersonalKey(MooringsError):
    """Only organization keys can be enabled or disabled. Delete the personal key to revoke it"""


class WebhookNotFound(NotFound):
    """Webhook not found"""


class DeliveryNotFound(NotFound):
    """Delivery not found"""


class QueryNotFound(NotFound):
    """Query not found"""


class ConnectionRequired(MooringsError):
    """Name a connection: send its name or id in the header `database`, or in the session option `catalog`"""


class AmbiguousName(MooringsError):
    """Several connections have this name."""

    def __init__(self, name: str, ids: Sequence[str]) -> None:
        super().__init__(f'Several connections are named "{name}". Use the id of one: {", ".join(ids)}')


class InvalidCommand(MooringsError):
    """The client's message is malformed."""

    @classmethod
    def of(cls, message: str) -> Self:
        """The error that names the malformed message."""
        return cls(f"{message}: the message is malformed.")


class CommandNotSupported(MooringsError):
    """The server does not support this command."""

    @classmethod
    def of(cls, command: str) -> Self:
        """The error that names the command."""
        return cls(f"The server does not support {command}.")


class InvalidTicket(MooringsError):
    """The ticket is invalid, or belongs to another key. Run the statement again"""


class TicketExpired(InvalidTicket):
    """The ticket has expired. Run the statement again"""


class TicketUsed(InvalidTicket):
    """The ticket was used before. Run the statement again"""


class JobNotFound(NotFound):
    """Job not found"""


class Archived(MooringsError):
    """Connection is archived"""


class AlreadyArchived(Archived):
    """Connection is already archived"""


class NotArchived(MooringsError):
    """Connection is not archived"""


class NeedsCredentials(MooringsError):
    """This connection was restored without its credentials. Send them with PATCH /connections/{id}"""


class RepeatDiffers(MooringsError):
    """This Idempotency-Key came with another request before"""


class DbtNotSupported(MooringsError):
    """dbt has no adapter for this connection's dialect"""


class NoDbtSchema(MooringsError):
    """dbt needs a schema to build in. Choose a dbt environment, or give the connection a defaultSchema"""


class DbtSecretsDisabled(MooringsError):
    """Profiles with secrets are disabled here. The operator can enable them with MOORINGS_DBT_SECRETS=true"""


class PreconditionFailed(MooringsError):
    """The connection was changed after you read it. Read it again, and send its new etag in If-Match"""


class Saturated(MooringsError):
    """All sessions are in use."""

    def __init__(self, what: str, setting: str, retry_after_seconds: int) -> None:
        super().__init__(f"{what} in use. Try again shortly, or raise {setting}")
        self.retry_after_seconds = retry_after_seconds


class ConnectionTestFailed(MooringsError):
    """The test of a connection failed, and the request stores it only if the test passes."""

    def __init__(self, step: str, message: str) -> None:
        super().__init__(f"Connection test failed at {step}: {message}")


class ConnectionChanged(MooringsError):
    """The connection was changed while its warehouse was read."""


class LeaseLost(MooringsError):
    """Another worker has taken this job over."""
