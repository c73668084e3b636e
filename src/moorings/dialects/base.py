"""What a dialect is, and what a session with a warehouse can do.

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
from moorings.dialects.introspection import Plan, joined
from moorings.dialects.network.dialing import Network

if TYPE_CHECKING:
    import pyarrow as pa

    from moorings.dialects.config.connection import ConnectionConfig
    from moorings.dialects.config.fields import SslMode
    from moorings.dialects.dbt import DbtPlace
    from moorings.dialects.introspection import Scope, Table


@dataclass(frozen=True, slots=True)
class Abilities:
    """What core may ask of a dialect instead of its name."""

    connects: bool = False
    """A live driver exists: test, introspection and queries work."""
    several_catalogs: bool = False
    """One connection reaches several catalogs, so names are always scoped by default."""
    key_pair: bool = False
    """A user can log in with a private key in place of a password."""
    own: bool = False
    """Ours, beyond the dialects of the published API."""
    probed: bool = True
    """Health is probed unless a connection says otherwise; not where a probe wakes what is billed by the minute."""
    own_process: bool = False
    """Each session runs in a process of its own, because the driver can hold the interpreter's lock while it waits."""


MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ByteLimits:
    """How much of a result may be in memory at once, in bytes of Arrow. The engine keeps them for every dialect."""

    value: int = 8 * MEBIBYTE
    """One value of one row."""
    batch: int = 4 * MEBIBYTE
    """A record batch, unless one row alone is larger: results are encoded and sent in pieces of this size."""
    buffer: int = 64 * MEBIBYTE
    """What must be in memory as a whole: one row, one message or one answer of a warehouse, a plan."""


@dataclass(frozen=True, slots=True)
class DuckLimits:
    """What one instance of DuckDB, which runs in this process, may use."""

    memory: str = "200MB"
    threads: int = 2
    spill_bytes: int = 2 * 1024 * MEBIBYTE
    """How much it may write to disk when its memory is not enough."""
    spill_directory: str | None = None
    """Where it writes that, in a folder for each instance; None leaves the place to DuckDB."""


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What the operator's settings allow and ask of drivers. `engine` builds it; dialects never read settings."""

    connect_timeout_seconds: float = 10.0
    duckdb_directory: str | None = None
    """The one directory below which local DuckDB files may be opened; None allows none."""
    application_name: str = "moorings"
    network: Network = field(default_factory=Network)
    """The way out: every host that a caller names is resolved and dialled through it."""
    credential_directories: Sequence[str] = ()
    """The directories whose files a login may send as tokens."""
    never_read: Sequence[str] = ()
    """Files and directories of the service itself, such as DATA_DIR and the keyset, which no login reads."""
    google_sts_url: str | None = None
    """A server that stands in for Google's token services, in tests."""
    aws_key: tuple[str, str] | None = field(default=None, repr=False)
    """The service's own AWS access key, which assumes roles for connections without one."""
    default_ssl_mode: SslMode = "require"
    """What an absent `ssl_mode` means to dialects that leave it to the operator."""
    trial: bool = False
    """The session is a test's: opening it leaves nothing behind that was not there."""
    limits: ByteLimits = ByteLimits()
    duckdb: DuckLimits = DuckLimits()
    light: bool = False
    """The session is for a look only, and no statement of a caller runs in it: log in by the cheapest way there is."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement to run, with what bounds it."""

    sql: str
    parameters: Sequence[Any] = ()
    read_only: bool = True
    timeout_seconds: float = 900.0
    batch_rows: int = 65_536
    """How many rows a record batch may have at most, where the driver lets us choose."""
    limits: ByteLimits = ByteLimits()
    """`limits.batch` is how large a record batch should be, where the driver lets us choose; the engine cuts others."""
    exact: bool = False
    """The caller writes values that readers of Arrow cannot hold, such as infinite dates; else they become null."""
    numeric_as: str = "text"
    """What becomes of numbers without a declared precision: `text`, `double` or `decimal(p,s)`."""
    query_id: str = ""
    """Moorings' own id of the query, so that a DBA finds it in the server's process list where the driver allows."""
    traceparent: str = ""
    """The W3C name of the span that waits for the statement; empty where nobody traces."""

    @property
    def note(self) -> str:
        """What a comment or tag in the warehouse says of the statement: the query's id, and the trace it belongs to."""
        return f"{self.query_id} traceparent={self.traceparent}".strip() if self.traceparent else self.query_id


@contextlib.contextmanager
def importing(extra: str) -> Generator[None]:
    """A block that imports a driver; raises DriverMissing, which names the extra, when it is not there."""
    try:
        yield
    except ImportError:
        raise errors.DriverMissing.of(extra) from None


class Session(ABC):
    """One login to one warehouse. Used by one thread at a time, but for `cancel`, which any thread may call.

    Methods raise the driver's own exceptions; `Dialect.translate` turns them into `WarehouseError`s at the one border,
    `engine`, and redacts them there.
    """

    id: str = ""
    """The server's own name for this session (backend pid, thread id); empty where it has none."""
    encrypted: bool | None = None
    """Whether the transport is TLS; None where there is no transport."""
    transport: str = ""
    """What a test's `tls` step says of the transport; empty for a sentence that `encrypted` alone gives."""
    EXPLAIN: ClassVar[str] = "EXPLAIN"
    """What makes a plan out of a statement, written before it."""

    @abstractmethod
    def ping(self) -> None:
        """Make one cheap round trip (`SELECT 1`); raises when the session is of no use any more."""

    @abstractmethod
    def check_schemas(self) -> str:
        """Look for the default schema and the right to use it; returns a sentence for the test's `schemas` step.

        Raises SchemaNotFound or SchemaForbidden, blaming `default_schema`.
        """

    def try_query(self) -> str:
        """See that a query runs; returns a sentence for the test's `query` step."""
        self.ping()
        return "A query ran."

    @abstractmethod
    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables and views that the login may see, with columns and keys, in a handful of statements."""

    @abstractmethod
    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement and stream its result; reading the batches may raise the driver's errors too."""

    def plan(self, statement: Statement) -> Plan:
        """What running the statement would take. It is not run, and could not write if its text made it run."""
        reader = self.query(replace(statement, sql=f"{self.EXPLAIN} {statement.sql}", read_only=True))
        rows = reader.read_all()
        return Plan(joined(zip(*(column.to_pylist() for column in rows.columns), strict=True)))

    @abstractmethod
    def cancel(self) -> None:
        """Stop the running statement in the database itself. Thread-safe; harmless when nothing runs."""

    def sever(self) -> None:  # noqa: B027  # most have nothing to add
        """End a call that hangs in another thread. Thread-safe, never waits; the session is of no use any more.

        `engine` calls it, as often as it takes, for what is not over at its deadline: login, ping, query, fetch,
        cancel, reset or close. By itself it shuts down the network connections that the session's thread waits for,
        whatever driver opened them. Here belongs what that cannot reach: calls that wait for threads of the driver's.
        """

    @abstractmethod
    def reset(self) -> bool:
        """Bring the session back to how it was when opened (transaction, settings, temporary objects).

        A result that was not read to its end is stopped first, not drained.

        Returns False when that is impossible, so that the pool drops it.
        """

    @abstractmethod
    def close(self) -> None:
        """Log out. Never raises, never waits for rows that nobody reads."""


class Dialect(ABC):
    """One kind of warehouse: the facts about it, its `Config`, and how to connect."""

    name: ClassVar[str]
    title: ClassVar[str]
    extra: ClassVar[str | None] = None
    """The pip extra that brings its driver; None when the base install has it."""
    abilities: ClassVar[Abilities] = Abilities()
    Config: ClassVar[type[ConnectionConfig]]
    dials: ClassVar[bool] = True
    """A test may open a bare TCP connection first. False where servers hold that against us: MySQL blocks a host after
    `max_connect_errors` of them, so there only the driver's own attempt tells what the `connect` step found."""
    over_http: ClassVar[bool] = False
    """Whether everything goes over HTTP, and so through the operator's proxy, if there is one."""
    probes_cheaply: ClassVar[bool] = False
    """`connect` has a cheaper login for `SessionContext.light`, and tells by its faults alone what a test dials for."""
    ADDRESS_FIELDS: ClassVar[tuple[str, ...]] = ("host", "port")
    """The Config fields that say where `address` is, to blame when nothing answers there; the host's comes first."""
    FAULTS: ClassVar[Mapping[str, errors.WarehouseError]] = {}
    """SQLSTATE, error number or exception name → a template of our error with the Config fields to blame."""
    PARAMETERS: ClassVar[str | None] = None
    """How `parameters` are written in this dialect's SQL, for the docs: `$1, $2` or `?`."""

    @property
    def default_port(self) -> int | None:
        """The port of a connection that names none."""
        return self.Config.default("port")

    def address(self, config: Any) -> tuple[str, int] | None:
        """Host and port of the server for the `resolve` and `connect` steps; None where there is none to dial."""
        return (config.host, config.port) if config.host and config.port else None

    def connect(self, config: Any, context: SessionContext) -> Session:
        """Log in; the driver import's only home. Raises the driver's exceptions, or a WarehouseError."""
        raise errors.DialectNotConnectable

    def config_faults(self, config: Any, context: SessionContext) -> Iterable[tuple[str, str]]:
        """Field and reason of what the operator's settings refuse of a Config, when it is written."""
        del config, context
        return ()

    def dbt_output(self, config: Any, place: DbtPlace) -> Mapping[str, Any]:
        """One output of dbt's profiles.yml, in the words of dbt's adapter for this dialect, that builds in a place.

        Values are texts, numbers, booleans, DbtSecrets, None (left out) or such mappings. Raises DbtNotSupported.
        """
        raise errors.DbtNotSupported

    @property
    def has_dbt(self) -> bool:
        """Whether dbt has an adapter for this dialect."""
        return type(self).dbt_output is not Dialect.dbt_output

    def fault_key(self, error: BaseException) -> str | None:
        """The key of FAULTS that a driver's exception stands for; None when there is none."""
        return type(error).__name__

    def error_text(self, error: BaseException) -> str:
        """The driver's own text of an exception, without what the driver adds to every text."""
        return str(error)

    def translate(self, error: BaseException, secrets: Sequence[str]) -> errors.WarehouseError:
        """Our error for a driver's, by FAULTS; its text redacted of every secret, raw and URL-escaped."""
        from moorings.dialects.redaction import translated

        return translated(self, error, secrets)
