"""The errors of warehouses and of the network to them."""

from __future__ import annotations

from typing import ClassVar, Self

from moorings.distribution import install_command
from moorings.errors.base import MooringsError


class WarehouseError(MooringsError):
    """The warehouse refused.

    `step` is the step of a connection test that the error belongs to; `fields` are the Config's fields to blame (by
    their Python names; their aliases are the API's). The message describes the fault and what to do next; `detail` is
    the driver's own redacted text, which is shown beside the message and never alone.
    """

    code: ClassVar[str] = "warehouse_error"
    step: ClassVar[str] = "query"
    temporary: ClassVar[bool] = False
    """Whether the same request may succeed later without any change. If so, jobs try again."""

    def __init__(self, *fields: str, message: str | None = None, detail: str | None = None) -> None:
        super().__init__(message)
        self.fields = fields
        self.detail = detail

    @property
    def explained(self) -> str:
        """The message, followed by the driver's text in brackets."""
        return f"{self.message} ({self.detail})" if self.detail else self.message

    def with_detail(self, detail: str) -> Self:
        """A copy with the driver's own, already redacted text: FAULTS tables contain templates."""
        return type(self)(*self.fields, message=self.message, detail=detail)


class InvalidSettings(WarehouseError):
    """A setting of this connection is not allowed. Correct the setting."""

    code, step = "invalid_settings", "resolve"


class HostNotFound(WarehouseError):
    """The host name cannot be resolved. Check its spelling, and that this machine's DNS knows it."""

    code, step = "host_not_found", "resolve"
    temporary = True


class EgressRefused(WarehouseError):
    """The operator's rules for outgoing connections do not allow this address."""

    code, step = "egress_refused", "resolve"


class PortClosed(WarehouseError):
    """Nothing listens on this host and port. Check both, and that the database is running."""

    code, step = "port_closed", "connect"
    temporary = True


class ConnectTimeout(WarehouseError):
    """The host did not answer in time. Check host, port and the firewalls on the way."""

    code, step = "connect_timeout", "connect"
    temporary = True


class WarehouseSlow(WarehouseError):
    """The server accepted the connection, but is not ready. It may be starting or waking up: try again in a minute."""

    code, step = "warehouse_slow", "connect"
    temporary = True


class HostUnreachable(WarehouseError):
    """There is no way to this host. Check host, port and the network between."""

    code, step = "host_unreachable", "connect"
    temporary = True


class AnotherService(WarehouseError):
    """Another service, not this database, listens on this host and port. Check both."""

    code, step = "another_service", "connect"


class TlsRefused(WarehouseError):
    """The server does not speak TLS, or not in a version both know. Enable TLS there, or change the TLS mode."""

    code, step = "tls_refused", "tls"


class TlsNotOffered(WarehouseError):
    """The server has no TLS. Enable it, or set sslMode (or MOORINGS_DEFAULT_SSL_MODE) to prefer without sslRootCert."""

    code, step = "tls_not_offered", "tls"


class CertificateRefused(WarehouseError):
    """The server's certificate cannot be verified. Set sslRootCert to its authority, or check the host."""

    code, step = "certificate_refused", "tls"


class LoginRefused(WarehouseError):
    """The database refused the user name or the password. Check both, and that the user may log in from here."""

    code, step = "login_refused", "authenticate"


class CleartextPasswordRefused(WarehouseError):
    """The server asks for the password in clear text, and TLS is not verified. Set sslMode to verify-full."""

    code, step = "cleartext_password_refused", "authenticate"


class DatabaseStarting(WarehouseError):
    """The database is starting or shutting down. Wait a minute and try again."""

    code, step = "database_starting", "authenticate"
    temporary = True


class TooManyConnections(WarehouseError):
    """The server has no free connection. Try again shortly, raise its limit, or lower MOORINGS_POOL_SIZE."""

    code, step = "too_many_connections", "authenticate"
    temporary = True


class AccountLocked(WarehouseError):
    """The account is locked. Wait until the lock ends, or have the account unlocked, and check the password."""

    code, step = "account_locked", "authenticate"
    temporary = True


class PasswordExpired(WarehouseError):
    """The password has expired. Set a new one in the database, and give it to this connection."""

    code, step = "password_expired", "authenticate"


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
    temporary = True


class QueryCancelled(WarehouseError):
    """The query was cancelled."""

    code = "query_cancelled"
    temporary = True


class AccessLost(QueryCancelled):
    """The query was stopped: its key, its user's role or its connection has changed, and it is no longer permitted."""

    code = "access_lost"
    temporary = False


class ValueTooLarge(WarehouseError):
    """A value of the result is larger than Moorings may hold. Select a part of it."""

    code = "value_too_large"

    @classmethod
    def of(cls, column: str, size: int, most: int) -> Self:
        """The error that names the column and both sizes."""
        return cls(
            message=f'Column "{column}" holds a value of {size} bytes; at most {most} bytes are allowed. Select a part'
            " of it, or raise MOORINGS_MAX_VALUE_BYTES."
        )


class ResultTooLarge(WarehouseError):
    """The warehouse sent more at once than Moorings may hold. Select less, or raise MOORINGS_MAX_BUFFER_BYTES."""

    code = "result_too_large"

    @classmethod
    def of(cls, what: str, most: int) -> Self:
        """The error that names what is too large, and the limit in bytes."""
        return cls(
            message=f"{what} is larger than {most} bytes. Select fewer or smaller columns, or raise"
            " MOORINGS_MAX_BUFFER_BYTES."
        )


class SessionLost(WarehouseError):
    """The database closed the session. Try again; if it happens often, check the database's own log."""

    code = "session_lost"
    temporary = True


class DriverMissing(WarehouseError):
    """The driver of this dialect is not installed."""

    code, step = "driver_missing", "driver"

    @classmethod
    def of(cls, extra: str) -> Self:
        """The error that names the command which installs a dialect's extra into this copy of Moorings."""
        return cls(message=f"The driver is not installed. Install it with: {install_command(extra)}")


class DialectNotConnectable(WarehouseError):
    """This version of Moorings stores connections of this dialect but cannot open them yet."""

    code, step = "dialect_not_connectable", "connect"


class NotAllowedHere(WarehouseError):
    """The operator's settings do not allow this."""

    code, step = "not_allowed", "connect"


class UnknownFault(WarehouseError):
    """The database refused for a reason that Moorings does not know by name."""

    code = "unknown"
    temporary = True
