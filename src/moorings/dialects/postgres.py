"""PostgreSQL, and what speaks its protocol.

Driver: ADBC (extra `postgres`). Login: user name and password (SCRAM, MD5 or plain, whichever the server asks for).
Limits: numeric arrives as a decimal where its precision is declared, else as exact text; infinite times, and NaN and
infinity of such decimals, arrive as null; types without a match in Arrow (inet, ranges) arrive as text; a parameter
that is a timestamptz needs a cast, `$1::timestamptz`. Source: https://www.postgresql.org/docs/current/libpq-ssl.html.
"""

from __future__ import annotations

import contextlib
import math
import re
import ssl
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from moorings import errors
from moorings.dialects import postgres_structure
from moorings.dialects.base import Abilities, Session, Statement, Surroundings, importing
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.fields import Port
from moorings.dialects.postgres_faults import FAULTS, TELLTALES
from moorings.dialects.required import Need, always
from moorings.dialects.structure import Scope, Table
from moorings.dialects.tls import TlsConfig

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_manager.dbapi import Connection, Cursor

USE_COPY, BATCH_BYTES = "adbc.postgresql.use_copy", "adbc.postgresql.batch_size_hint_bytes"
NO_COPY_SQLSTATES = ("42601", "0A000")
"""What COPY says of statements that it does not take, such as SHOW and EXPLAIN."""


class Config(TlsConfig, frozen=True):
    """What a PostgreSQL connection needs, and how it uses TLS."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "database", "username")

    dialect: Literal["postgres"] = "postgres"
    port: Port | None = 5432


class Postgres(BaseDialect):
    """PostgreSQL."""

    name = "postgres"
    title = "PostgreSQL"
    extra = "postgres"
    abilities = Abilities(connects=True)
    Config = Config
    PARAMETERS = "$1, $2"
    FAULTS = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The SQLSTATE, its class, or what the text tells."""
        text = str(error)
        if told := next((key for telltale, key in TELLTALES if telltale in text), None):
            return told
        if re.search(r"(database|role) \".*\" does not exist\n?$", text) and "Failed to connect" in text:
            return "3D000" if 'FATAL:  database "' in text else "28P01"
        state = getattr(error, "sqlstate", None) or _last(re.findall(r"SQLSTATE: (\w{5})", text))
        if state:
            return state if state in FAULTS else state[:2]
        if "ERROR:" in text:
            return "refused statement"
        return "empty" if re.search(r"Failed to execute query '.*': $|Must SetSqlQuery", text, re.DOTALL) else None

    def said(self, error: BaseException) -> str:
        """The server's words, without the statement that the driver repeats after them."""
        text = str(error).partition("\n\nQuery was:")[0]
        return re.sub(r"^.*?(?=ERROR:|FATAL:)|\. SQLSTATE: \w{5}$", "", text, flags=re.DOTALL)

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Log in."""
        with importing("postgres"):
            from adbc_driver_postgresql import dbapi
        with _root_certificates(config) as path:
            connection = dbapi.connect(conninfo(config, surroundings, path), autocommit=True)
        return PostgresSession(connection, config, surroundings.application_name)


def verified(config: TlsConfig) -> bool:
    """Whether the server's certificate has to be verified."""
    return config.ssl_mode.startswith("verify") and not config.trust_server_certificate


def conninfo(config: TlsConfig, surroundings: Surroundings, root_certificates: str) -> str:
    """What libpq needs to log in, as its `key = 'value'` string."""
    mode = config.ssl_mode
    if mode.startswith("verify") and not verified(config):
        mode = "require"
    values = {
        "host": config.host,
        "port": config.port,
        "user": config.username,
        "password": config.secrets().get("password", ""),
        "dbname": config.database,
        "application_name": surroundings.application_name,
        "connect_timeout": max(2, math.ceil(surroundings.connect_timeout_seconds)),
        "client_encoding": "UTF8",
        "gssencmode": "disable",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "sslmode": mode,
        "sslrootcert": root_certificates,
    }
    return " ".join(
        f"{key}={_quoted(str(value))}" for key, value in values.items() if value != "" and value is not None
    )


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _last(found: list[str]) -> str | None:
    return found[-1] if found else None


@contextlib.contextmanager
def _root_certificates(config: TlsConfig) -> Generator[str]:
    """The path of the certificates to verify with: libpq takes a file, and reads it only while it connects."""
    if not verified(config):
        yield ""
    elif config.ssl_root_cert is None:
        yield ssl.get_default_verify_paths().cafile or "system"
    else:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(config.ssl_root_cert)
            file.flush()
            yield file.name


class PostgresSession(Session):
    """One login through ADBC, in autocommit mode: transactions are begun and ended here, by statements."""

    def __init__(self, connection: Connection, config: TlsConfig, application_name: str) -> None:
        self._connection = connection
        self._schema = config.default_schema
        self._zone = config.session_zone
        self._application_name = application_name
        self._cursor: Cursor | None = None
        self._unread = False
        try:
            about = self._ask(
                "SELECT pg_backend_pid()::text AS pid,"
                " (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS ssl"
            )
        except Exception:
            self.close()
            raise
        self.id = str(about["pid"])
        self.encrypted = bool(about["ssl"])

    def ping(self) -> None:
        """Ask for 1."""
        self._ask("SELECT 1")

    def check_schemas(self) -> str:
        """Look for the default schema and the right to use it."""
        if self._schema is None:
            schema = self._ask("SELECT current_schema()::text AS name")["name"]
            return f"The default schema is {schema}." if schema else "There is no default schema."
        name = _literal(self._schema)
        found = self._ask(
            f"SELECT bool_or(has_schema_privilege(oid, 'USAGE')) AS usable FROM pg_namespace WHERE nspname = {name}"  # noqa: S608  # quoted
        )
        if found["usable"] is None:
            raise errors.SchemaNotFound("default_schema")
        if not found["usable"]:
            raise errors.SchemaForbidden("default_schema")
        return f"The default schema is {self._schema}."

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables of this database; PostgreSQL reaches no other one."""
        return postgres_structure.tables(self._rows, scope)

    # ---- statements -------------------------------------------------------------------------------------------

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement, through COPY where that takes it: rows then stream as they are made."""
        self._unread = True
        self._begin(statement)
        if statement.parameters:
            return self._query_with_parameters(statement)
        sql = re.sub(r"[\s;]+$", "", statement.sql)
        try:
            reader = self._execute(f"{sql}\n")  # COPY puts it in parentheses, which a last comment would swallow
        except Exception as error:
            if getattr(error, "sqlstate", None) not in NO_COPY_SQLSTATES or "could not begin COPY" not in str(error):
                raise
            self._begin(statement)
            reader = self._execute(statement.sql, copy=False)
        if statement.read_only and (casts := _casts(reader.schema)):
            return self._query_as_text(statement, sql, reader.schema, casts)
        return self._watched(reader.schema, reader)

    def _query_as_text(self, statement: Statement, sql: str, schema: pa.Schema, casts: str) -> pa.RecordBatchReader:
        """Run the statement again, as the source of one that casts what Arrow has no type for."""
        import pyarrow as pa

        names = ", ".join(f"c{place}" for place in range(len(schema)))
        try:
            self._stop()
            self._begin(statement)
            reader = self._execute(f"SELECT {casts} FROM (\n{sql}\n) AS source({names})\n")  # noqa: S608  # runs alone already
        except Exception as error:
            if getattr(error, "sqlstate", None) not in NO_COPY_SQLSTATES:
                raise
            self._begin(statement)
            reader = self._execute(f"{sql}\n")
        named = [found.with_name(field.name) for found, field in zip(reader.schema, schema, strict=True)]
        return self._watched(pa.schema(named), reader)

    def _begin(self, statement: Statement, *, transaction: bool = False) -> None:
        """Open the transaction, and settle what holds in it.

        The SELECT takes the transaction's snapshot, after which the server refuses to make it READ WRITE. The one
        statement that follows travels by the extended protocol, which takes no second one: so nothing can write after
        a COMMIT that it slips in. A statement that may write runs without a transaction: some refuse to be in one.
        """
        self._rollback()
        local = statement.read_only or transaction
        if local:
            self._run("BEGIN READ ONLY" if statement.read_only else "BEGIN")
        scope = "true" if local else "false"
        settings = {
            "statement_timeout": str(max(1, math.ceil(statement.timeout_seconds * 1000))),
            "application_name": f"{self._application_name} {statement.query_id}".strip(),
            "TimeZone": self._zone,
        }
        if self._schema is not None:
            quoted = self._schema.replace('"', '""')
            settings["search_path"] = f'"{quoted}", public'
        calls = (f"set_config('{name}', {_literal(value)}, {scope})" for name, value in settings.items())
        self._run(f"SELECT {', '.join(calls)}")

    def _query_with_parameters(self, statement: Statement) -> pa.RecordBatchReader:
        """Run a statement with bound values: through a cursor if it can have one, since COPY takes no values."""
        values = self._bound(statement)
        if not statement.read_only:
            self._begin(statement, transaction=True)
        try:
            self._execute(f"DECLARE moorings NO SCROLL CURSOR FOR {statement.sql}", values)
        except Exception as error:
            if getattr(error, "sqlstate", None) not in ("42601", "42P11"):
                raise
            self._begin(statement)
            reader = self._execute(statement.sql, values, copy=False)
            return self._watched(reader.schema, reader)
        fetch = f"FETCH {statement.batch_rows} FROM moorings"
        first = self._execute(fetch, copy=False)
        return self._watched(first.schema, self._fetched(fetch, first, commit=not statement.read_only))

    def _bound(self, statement: Statement) -> pa.RecordBatch:
        import pyarrow as pa

        cursor = self._fresh_cursor()
        types = cursor.adbc_prepare(statement.sql)
        wanted = list(types) if types is not None else []
        if len(wanted) != len(statement.parameters):
            raise errors.ParametersRefused(
                message=f"The statement takes {len(wanted)} parameters, and {len(statement.parameters)} were given."
            )
        columns = [_value(value, field.type) for value, field in zip(statement.parameters, wanted, strict=True)]
        return pa.record_batch(columns, names=[str(place) for place in range(len(columns))])

    def _fetched(self, fetch: str, first: pa.RecordBatchReader, *, commit: bool) -> Iterator[pa.RecordBatch]:
        reader = first
        while True:
            rows = 0
            for batch in reader:
                rows += batch.num_rows
                yield batch
            if not rows:
                break
            reader = self._execute(fetch, copy=False)
        if commit:
            self._run("COMMIT")

    def _watched(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatchReader:
        """Batches in the types that we promise, and a note when the last one was read."""
        import pyarrow as pa

        from moorings.dialects.arrow import plain, plain_schema

        target = plain_schema(schema)

        def reading() -> Iterator[pa.RecordBatch]:
            for batch in batches:
                if batch.num_rows:
                    yield plain(batch, target)
            self._unread = False

        return pa.RecordBatchReader.from_batches(target, reading())

    def _execute(self, sql: str, values: pa.RecordBatch | None = None, *, copy: bool = True) -> pa.RecordBatchReader:
        cursor = self._fresh_cursor()
        options = {BATCH_BYTES: str(2 * 1024 * 1024)} | ({} if copy else {USE_COPY: "false"})
        cursor.adbc_statement.set_options(**options)
        cursor.execute(sql, values)
        return cursor.fetch_record_batch()

    def _fresh_cursor(self) -> Cursor:
        if self._cursor is not None:
            self._cursor.close()
        self._cursor = self._connection.cursor()
        return self._cursor

    def _run(self, sql: str) -> Mapping[str, Sequence[Any]]:
        return self._execute(sql, copy=False).read_all().to_pydict()

    def _rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        found = self._execute(sql, copy=False).read_all()
        return zip(*(column.to_pylist() for column in found.columns), strict=True)

    def _ask(self, sql: str) -> Mapping[str, Any]:
        return {name: values[0] for name, values in self._run(sql).items()}

    # ---- the end ------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Ask the server to stop the statement, over a connection of libpq's own."""
        self._connection.adbc_cancel()

    def _stop(self) -> None:
        with contextlib.suppress(Exception):  # it may just have ended
            self._connection.adbc_cancel()
        with contextlib.suppress(Exception):  # the first call after it is told of the cancel
            self._rollback()

    def _rollback(self) -> None:
        self._run("ROLLBACK")

    def reset(self) -> bool:
        """Roll back, and discard what the session holds; a result that was not read is cancelled, not drained."""
        if self._unread:
            self._stop()
        self._unread = False
        self._rollback()
        self._run("DISCARD ALL")
        return True

    def close(self) -> None:
        """Log out; an unread result goes with the connection."""
        with contextlib.suppress(Exception):
            if self._unread:
                self._connection.adbc_cancel()
        with contextlib.suppress(Exception):
            if self._cursor is not None:
                self._cursor.close()
        with contextlib.suppress(Exception):
            self._connection.close()


def _casts(schema: pa.Schema) -> str:
    """The columns of `source`, with a cast to text of those without a type in Arrow; empty when there are none."""
    import pyarrow as pa

    unknown = {
        place
        for place, field in enumerate(schema)
        if isinstance(field.type, pa.OpaqueType) and field.type.storage_type == pa.binary()
    }
    columns = (f"c{place}::text" if place in unknown else f"c{place}" for place in range(len(schema)))
    return ", ".join(columns) if unknown else ""


def _literal(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def _value(value: Any, wanted: pa.DataType) -> pa.Array:
    """A parameter as a column of one row, in the type that the statement takes; as text where Arrow cannot say it."""
    import decimal

    import pyarrow as pa

    if value is not None and "numeric" in str(wanted) and not isinstance(value, bool):
        with contextlib.suppress(decimal.InvalidOperation, pa.ArrowInvalid):
            return pa.array([decimal.Decimal(str(value))])
    zoned = pa.types.is_timestamp(wanted) and wanted.tz is not None  # for these the driver would end our transaction
    with contextlib.suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        if zoned:
            return pa.array([value], type=pa.string())
        return pa.array([value], type=pa.string() if value is None else None).cast(wanted)
    return pa.array([value if isinstance(value, (int, float, bool)) else str(value)])
