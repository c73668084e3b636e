"""The interfaces of a dialect and of a session with a warehouse.

Everything here is synchronous: drivers are. `engine` runs sessions in threads, one thread a session.
Core never branches on a dialect's name: it asks `abilities` or calls a method.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from moorings import errors
from moorings.dialects.introspection import Description, Plan, joined
from moorings.dialects.network.dialing import Network

if TYPE_CHECKING:
    import pyarrow as pa

    from moorings.dialects.config.connection import ConnectionConfig
    from moorings.dialects.config.fields import SslMode
    from moorings.dialects.dbt import DbtPlace
    from moorings.dialects.introspection import Scope, Table


@dataclass(frozen=True, slots=True)
class Abilities:
    """Properties of a dialect that core checks instead of its name."""

    connects: bool = False
    """A live driver exists: test, introspection and queries work."""
    several_catalogs: bool = False
    """One connection reaches several catalogs, so names are always scoped by default."""
    key_pair: bool = False
    """A user can log in with a private key in place of a password."""
    own: bool = False
    """The dialect is not part of the published API."""
    probed: bool = True
    """Health is probed by default; False if a probe would wake a warehouse that is billed by the minute."""
    own_process: bool = False
    """Each session runs in a process of its own, because the driver can hold the interpreter's lock while it waits."""


MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ByteLimits:
    """The most of a result in memory at once, in bytes of Arrow. The engine enforces it for every dialect."""

    value: int = 8 * MEBIBYTE
    """One value of one row."""
    batch: int = 4 * MEBIBYTE
    """A record batch, unless one row alone is larger: results are encoded and sent in pieces of this size."""
    buffer: int = 64 * MEBIBYTE
    """Data that is in memory as a whole: one row, one message or one response of a warehouse, a plan."""


@dataclass(frozen=True, slots=True)
class DuckLimits:
    """Resource limits of one DuckDB instance, which runs in this process."""

    memory: str = "200MB"
    threads: int = 2
    spill_bytes: int = 2 * 1024 * MEBIBYTE
    """The most bytes that it may spill to disk."""
    spill_directory: str | None = None
    """The spill directory, with a folder for each instance; None uses DuckDB's default."""


@dataclass(frozen=True, slots=True)
class SessionContext:
    """The operator's settings for drivers. `engine` builds it; dialects never read settings."""

    connect_timeout_seconds: float = 10.0
    duckdb_directory: str | None = None
    """The one directory below which local DuckDB files may be opened; None allows none."""
    application_name: str = "moorings"
    network: Network = field(default_factory=Network)
    """The network that resolves and dials every host that a caller names."""
    credential_directories: Sequence[str] = ()
    """The directories whose files a login may send as tokens."""
    never_read: Sequence[str] = ()
    """Files and directories of the service itself, such as DATA_DIR and the keyset, which no login reads."""
    google_sts_url: str | None = None
    """A server that replaces Google's token services in tests."""
    aws_key: tuple[str, str] | None = field(default=None, repr=False)
    """The service's own AWS access key, which assumes roles for connections without one."""
    default_ssl_mode: SslMode = "require"
    """The default `ssl_mode` of dialects without their own default."""
    trial: bool = False
    """The session belongs to a connection test: opening it must create nothing that stays."""
    limits: ByteLimits = ByteLimits()
    duckdb: DuckLimits = DuckLimits()
    light: bool = False
    """The session is for a health probe, and runs no caller's statement: use the cheapest login."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement to run, with its limits."""

    sql: str
    parameters: Sequence[Any] = ()
    read_only: bool = True
    timeout_seconds: float = 900.0
    batch_rows: int = 65_536
    """The maximum rows of a record batch, if the driver has such an option."""
    limits: ByteLimits = ByteLimits()
    """`limits.batch` is the size of a record batch, if the driver has such an option; the engine splits larger ones."""
    exact: bool = False
    """Keep values that Arrow readers cannot represent, such as infinite dates; otherwise they become null."""
    numeric_as: str = "text"
    """The type of numbers without a declared precision: `text`, `double` or `decimal(p,s)`."""
    query_id: str = ""
    """Moorings' own id of the query, so that a DBA finds it in the server's process list where the driver allows."""
    traceparent: str = ""
    """The W3C traceparent of the span that waits for the statement; empty without tracing."""

    @property
    def note(self) -> str:
        """The text of a statement's comment or tag in the warehouse: the query's id and its trace."""
        return f"{self.query_id} traceparent={self.traceparent}".strip() if self.traceparent else self.query_id


@contextlib.contextmanager
def importing(extra: str) -> Generator[None]:
    """A block that imports a driver; raises DriverMissing, which names the extra, when it is not there."""
    try:
        yield
    except ImportError:
        raise errors.DriverMissing.of(extra) from None


class Session(ABC):
    """One login to one warehouse. One thread at a time uses it; any thread may call `cancel`.

    Methods raise the driver's own exceptions; `Dialect.translate` turns them into `WarehouseError`s at the one border,
    `engine`, and redacts them there.
    """

    id: str = ""
    """The server's own id of this session (backend pid, thread id); empty if it has none."""
    encrypted: bool | None = None
    """Whether the transport is TLS; None where there is no transport."""
    transport: str = ""
    """The text of a test's `tls` step; if empty, `encrypted` decides the text."""
    EXPLAIN: ClassVar[str] = "EXPLAIN"
    """The prefix that makes a statement return its plan."""

    @abstractmethod
    def ping(self) -> None:
        """Make one cheap round trip (`SELECT 1`); raises if the session is unusable."""

    @abstractmethod
    def check_schemas(self) -> str:
        """Look for the default schema and the right to use it; returns a sentence for the test's `schemas` step.

        Raises SchemaNotFound or SchemaForbidden, blaming `default_schema`.
        """

    def try_query(self) -> str:
        """Run a small query; returns a sentence for the test's `query` step."""
        self.ping()
        return "A query ran."

    @abstractmethod
    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables and views that the login may see, with columns and keys, in a handful of statements."""

    @abstractmethod
    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement and stream its result; reading the batches may raise the driver's errors too."""

    def plan(self, statement: Statement) -> Plan:
        """The plan of a statement. The statement does not run, and could not write if its text made it run."""
        reader = self.query(replace(statement, sql=f"{self.EXPLAIN} {statement.sql}", read_only=True))
        rows = reader.read_all()
        return Plan(joined(zip(*(column.to_pylist() for column in rows.columns), strict=True)))

    def describe(self, statement: Statement) -> Description:
        """The columns and parameters of a statement, which never runs; its parameters have no values yet.

        Empty where the engine cannot tell, or only at a price: clients then see the columns once the statement runs.
        """
        del statement
        return Description()

    @abstractmethod
    def cancel(self) -> None:
        """Stop the running statement in the database itself. Thread-safe; harmless when nothing runs."""

    def sever(self) -> None:  # noqa: B027  # most have nothing to add
        """End a call that hangs in another thread. Thread-safe, never waits; the session is unusable afterwards.

        `engine` calls it repeatedly for a call that exceeds its deadline: login, ping, query, fetch,
        cancel, reset or close. By itself it shuts down the network connections that the session's thread waits for,
        with any driver. Override it for calls that this cannot end: those that wait for the driver's own threads.
        """

    @abstractmethod
    def reset(self) -> bool:
        """Restore the session's initial state (transaction, settings, temporary objects).

        A result that was not read to its end is stopped first, not drained.

        Returns False when that is impossible, so that the pool drops it.
        """

    @abstractmethod
    def close(self) -> None:
        """Log out. Never raises, never waits for unread rows."""


class Dialect(ABC):
    """One kind of warehouse: the facts about it, its `Config`, and how to connect."""

    name: ClassVar[str]
    title: ClassVar[str]
    extra: ClassVar[str | None] = None
    """The pip extra that brings its driver; None when the base install has it."""
    abilities: ClassVar[Abilities] = Abilities()
    Config: ClassVar[type[ConnectionConfig]]
    dials: ClassVar[bool] = True
    """A test may open a bare TCP connection first.

    False for servers that penalize this: MySQL blocks a host after `max_connect_errors` of them, so there only the
    driver's own attempt decides the `connect` step.
    """
    over_http: ClassVar[bool] = False
    """Whether all traffic uses HTTP, and so the operator's proxy, if there is one."""
    stateless: ClassVar[bool] = False
    """Whether each statement is a request of its own: the server has no session that it could close meanwhile."""
    probes_cheaply: ClassVar[bool] = False
    """`connect` has a cheaper login for `SessionContext.light`, whose faults alone show whether dialling worked."""
    ADDRESS_FIELDS: ClassVar[tuple[str, ...]] = ("host", "port")
    """The Config fields that hold `address`, to blame if the server does not answer; the host's field first."""
    FAULTS: ClassVar[Mapping[str, errors.WarehouseError]] = {}
    """SQLSTATE, error number or exception name → a template of our error with the Config fields to blame."""
    PARAMETERS: ClassVar[str | None] = None
    """How `parameters` are written in this dialect's SQL, for the docs: `$1, $2` or `?`."""

    @property
    def default_port(self) -> int | None:
        """The default port of a connection."""
        return self.Config.default("port")

    def needs_process(self, config: Any) -> bool:
        """Whether sessions of this connection run in processes of their own, which can be killed at any time."""
        del config
        return self.abilities.own_process

    def address(self, config: Any) -> tuple[str, int] | None:
        """Host and port of the server for the `resolve` and `connect` steps; None if there is no server to dial."""
        return (config.host, config.port) if config.host and config.port else None

    def connect(self, config: Any, context: SessionContext) -> Session:
        """Log in; the driver import's only home. Raises the driver's exceptions, or a WarehouseError."""
        raise errors.DialectNotConnectable

    def config_faults(self, config: Any, context: SessionContext) -> Iterable[tuple[str, str]]:
        """The fields of a new Config that the operator's settings refuse, each with the reason."""
        del config, context
        return ()

    def dbt_output(self, config: Any, place: DbtPlace) -> Mapping[str, Any]:
        """One output of dbt's profiles.yml, with the fields of dbt's adapter for this dialect, for a place to build in.

        Values are texts, numbers, booleans, DbtSecrets, None (left out) or such mappings. Raises DbtNotSupported.
        """
        raise errors.DbtNotSupported

    @property
    def has_dbt(self) -> bool:
        """Whether dbt has an adapter for this dialect."""
        return type(self).dbt_output is not Dialect.dbt_output

    def fault_key(self, error: BaseException) -> str | None:
        """The key of a driver's exception in FAULTS; None if it has none."""
        return type(error).__name__

    def error_text(self, error: BaseException) -> str:
        """The text of a driver's exception, without the parts that the driver adds to every text."""
        return str(error)

    def translate(self, error: BaseException, secrets: Sequence[str]) -> errors.WarehouseError:
        """Our error for a driver's, by FAULTS; its text redacted of every secret, raw and URL-escaped."""
        from moorings.dialects.redaction import translated

        return translated(self, error, secrets)
