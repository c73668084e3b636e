"""Everything that Moorings refuses or fails at, as one tree.

    MooringsError
    ├── InvalidInput              faults of fields, all of them
    ├── UnknownKeys               keys that a body or a query does not know
    ├── InvalidJson · NotAnObject · EmptyBody · InvalidId
    ├── UnknownDialect · UnknownDialects · ValueInUse · NotEnvironments · QueryIdInUse · AttributeInUse
    ├── AuthenticationRequired · InvalidToken · PermissionDenied
    ├── NotFound
    │   ├── ConnectionNotFound · EnvironmentNotFound · BaseConnectionNotFound · QueryNotFound
    │   ├── KeyNotFound · UserNotFound · AttributeNotFound
    ├── Archived
    │   └── AlreadyArchived
    ├── NotArchived · NeedsCredentials · PreconditionFailed
    ├── InvalidMethod · BodyTooLarge · WrongContentType · NotAcceptable · ProtocolTooOld
    ├── RateLimited
    ├── Saturated                 every session that a setting allows is in use
    ├── ConnectionTestFailed      create with `test=true` found a fault
    ├── WarehouseError            the warehouse, or the way to it; has a code, a step and blamed fields
    │   ├── HostNotFound                            step resolve
    │   ├── PortClosed · ConnectTimeout · HostUnreachable · AnotherService   step connect
    │   ├── TlsRefused · CertificateRefused         step tls
    │   ├── LoginRefused                            step authenticate
    │   ├── DatabaseNotFound · DatabaseForbidden    step database
    │   ├── SchemaNotFound · SchemaForbidden        step schemas
    │   ├── StatementRefused · StatementForbidden · ReadOnly · QueryTimeout · QueryCancelled
    │   │   · SessionLost · ParametersRefused       step query
    │   ├── DriverMissing · DialectNotConnectable · NotAllowedHere  before any step
    │   └── UnknownFault                            what no table names
    └── OperatorError             said in one line to the person who runs the service

A class's docstring is its default message. How an error looks on the wire is `api/problems`' business alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as defaulted
from typing import Any, ClassVar, Self


class MooringsError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        self.message = message or inspect.cleandoc(type(self).__doc__ or "")
        super().__init__(self.message)


# ---- what callers send ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one field.

    `field` is the dotted name on the wire; `code` one of: required, type, enum, enum_short, too_short, too_long,
    too_small, too_big, uuid, url, invalid, said. `details` are the code's parameters: `expected` and `received` (type),
    `allowed` and `received` (enum), `limit` (the four bounds), `reason` (said). Secret values never go into them.
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
    """The input has keys that are not known."""

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
    """The body asks for nothing."""


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


class NotEnvironments(MooringsError):
    """Some connections cannot be environments of the base connection."""

    def __init__(self, ids: Sequence[str]) -> None:
        listed = ", ".join(ids)
        super().__init__(f"The following environment connection IDs are not valid for this connection: {listed}")


class QueryIdInUse(MooringsError):
    """A query with this id is running already. Choose another, or leave Moorings-Query-Id out"""


class InvalidMethod(MooringsError):
    """Invalid method"""


class BodyTooLarge(MooringsError):
    """Request body is too large"""


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


class RateLimited(MooringsError):
    """Too many requests"""

    def __init__(self, limit: int, reset_seconds: int) -> None:
        super().__init__()
        self.limit = limit
        self.reset_seconds = reset_seconds


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


class UserNotFound(NotFound):
    """User not found"""


class KeyNotFound(NotFound):
    """API key not found"""


class QueryNotFound(NotFound):
    """Query not found"""


class Archived(MooringsError):
    """Connection is archived"""


class AlreadyArchived(Archived):
    """Connection is already archived"""


class NotArchived(MooringsError):
    """Connection is not archived"""


class NeedsCredentials(MooringsError):
    """This connection was restored without its credentials. Send them with PATCH /connections/{id}"""


class PreconditionFailed(MooringsError):
    """The connection has changed since it was read. Read it again, and send its new etag in If-Match"""


# ---- warehouses -----------------------------------------------------------------------------------------------


class Saturated(MooringsError):
    """All sessions are in use."""

    def __init__(self, what: str, setting: str, retry_after_seconds: int) -> None:
        super().__init__(f"{what} in use. Try again shortly, or raise {setting}")
        self.retry_after_seconds = retry_after_seconds


class WarehouseError(MooringsError):
    """The warehouse refused.

    `step` is the step of a connection test that it belongs to, `fields` the names of the Config's fields to blame
    (as in Python; the wire's spelling is the Config's alias). The message says in words what is wrong and what to do
    next; `detail` is the driver's own text, redacted, shown beside it and never alone.
    """

    code: ClassVar[str] = "warehouse_error"
    step: ClassVar[str] = "query"

    def __init__(self, *fields: str, message: str | None = None, detail: str | None = None) -> None:
        super().__init__(message)
        self.fields = fields
        self.detail = detail

    @property
    def explained(self) -> str:
        """The message, with what the driver said in brackets behind it."""
        return f"{self.message} ({self.detail})" if self.detail else self.message

    def with_detail(self, detail: str) -> Self:
        """A copy that carries the driver's own, already redacted text: FAULTS tables hold templates."""
        return type(self)(*self.fields, message=self.message, detail=detail)


class HostNotFound(WarehouseError):
    """The host name cannot be resolved. Check its spelling, and that this machine's DNS knows it."""

    code, step = "host_not_found", "resolve"


class PortClosed(WarehouseError):
    """Nothing listens on this host and port. Check both, and that the database is running."""

    code, step = "port_closed", "connect"


class ConnectTimeout(WarehouseError):
    """The host did not answer in time. Check host, port and the firewalls on the way."""

    code, step = "connect_timeout", "connect"


class HostUnreachable(WarehouseError):
    """There is no way to this host. Check host, port and the network between."""

    code, step = "host_unreachable", "connect"


class AnotherService(WarehouseError):
    """Something else than this database listens on this host and port. Check both."""

    code, step = "another_service", "connect"


class TlsRefused(WarehouseError):
    """The server does not speak TLS, or not in a version both know. Enable TLS there, or change the TLS mode."""

    code, step = "tls_refused", "tls"


class CertificateRefused(WarehouseError):
    """The server's certificate cannot be verified. Give the certificate authority that signed it, or check the host."""

    code, step = "certificate_refused", "tls"


class LoginRefused(WarehouseError):
    """The database refused the user name or the password. Check both, and that the user may log in from here."""

    code, step = "login_refused", "authenticate"


class DatabaseNotFound(WarehouseError):
    """The database does not exist there. Check its name, upper and lower case included."""

    code, step = "database_not_found", "database"


class DatabaseForbidden(WarehouseError):
    """The user may not use this database. Grant it the right to connect, or name another database."""

    code, step = "database_forbidden", "database"


class SchemaNotFound(WarehouseError):
    """The default schema does not exist. Check its name, upper and lower case included."""

    code, step = "schema_not_found", "schemas"


class SchemaForbidden(WarehouseError):
    """The user has no permission on the default schema. Grant it usage of the schema."""

    code, step = "schema_forbidden", "schemas"


class StatementRefused(WarehouseError):
    """The database cannot run this statement. Check its syntax and the names in it."""

    code = "statement_refused"


class StatementForbidden(WarehouseError):
    """The user has no permission on something this statement uses. Grant it, or leave it out."""

    code = "statement_forbidden"


class ReadOnly(WarehouseError):
    """This connection only reads. Set readOnly to false on it to let statements write."""

    code = "read_only"


class ParametersRefused(WarehouseError):
    """The parameters do not fit the statement. Check their number, order and types."""

    code = "parameters_refused"


class QueryTimeout(WarehouseError):
    """The statement ran into its time limit and was stopped. Narrow it, or raise queryTimeoutSeconds."""

    code = "query_timeout"


class QueryCancelled(WarehouseError):
    """The query was cancelled."""

    code = "query_cancelled"


class SessionLost(WarehouseError):
    """The database closed the session. Try again; if it happens often, look into the database's own log."""

    code = "session_lost"


class DriverMissing(WarehouseError):
    """The driver of this dialect is not installed."""

    code, step = "driver_missing", "connect"

    @classmethod
    def of(cls, extra: str) -> Self:
        """The error that names the pip command for a dialect's extra."""
        return cls(message=f"The driver is not installed. Install it with: pip install 'moorings[{extra}]'")


class DialectNotConnectable(WarehouseError):
    """This version of Moorings stores connections of this dialect but cannot open them yet."""

    code, step = "dialect_not_connectable", "connect"


class NotAllowedHere(WarehouseError):
    """The operator's settings do not allow this."""

    code, step = "not_allowed", "connect"


class UnknownFault(WarehouseError):
    """The database refused for a reason that Moorings does not know by name."""

    code = "unknown"


class ConnectionTestFailed(MooringsError):
    """A connection was to be created only if its test passes."""

    def __init__(self, step: str, message: str) -> None:
        super().__init__(f"Connection test failed at {step}: {message}")


class OperatorError(MooringsError):
    """The service cannot start or go on. Its message is one line, for the person at the terminal."""
