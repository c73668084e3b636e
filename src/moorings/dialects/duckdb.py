"""DuckDB: a local file, or memory. Ours: the published API does not have it.

Driver: duckdb (base install). Login: none. Limits: files only below the directory that the operator allows;
`:memory:` cannot be read-only and is empty at first. Source:
https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from moorings import errors
from moorings.dialects import duckdb_files, duckdb_structure
from moorings.dialects.base import Abilities, Session, Statement, Surroundings
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.dbt import DbtPlace
from moorings.dialects.required import Login, Need, always
from moorings.dialects.structure import Plan, Scope, Table, joined

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MEMORY = ":memory:"

OUT_OF_REACH = errors.StatementForbidden(
    message="Files, extensions and settings are out of reach of statements here. Leave them out."
)
FAULTS: Mapping[str, errors.WarehouseError] = {
    "Parser": errors.StatementRefused(),
    "Binder": errors.StatementRefused(),
    "Catalog": errors.StatementRefused(),
    "Conversion": errors.StatementRefused(),
    "Out of Range": errors.StatementRefused(),
    "Constraint": errors.StatementRefused(),
    "Invalid Input": errors.StatementRefused(),
    "Not implemented": errors.StatementRefused(),
    "TransactionContext": errors.StatementRefused(),
    "Out of Memory": errors.ResultTooLarge(
        message="The statement needs more memory or disk space than DuckDB may use here. Let it read less at once, or"
        " raise MOORINGS_DUCKDB_MEMORY_LIMIT or MOORINGS_DUCKDB_TEMP_BYTES."
    ),
    "Permission": OUT_OF_REACH,
    "locked configuration": OUT_OF_REACH,
    "read-only": errors.ReadOnly(),
    "parameters": errors.ParametersRefused(),
    "INTERRUPT": errors.QueryCancelled(),
    "file lock": errors.DatabaseForbidden(
        "database", message="Another process has this file open for writing. Close it there, or let both only read."
    ),
    "other configuration": errors.DatabaseForbidden(
        "database",
        "read_only",
        message="This file is open in another connection with the other readOnly. Give both the same.",
    ),
    "no DuckDB file": errors.DatabaseNotFound(
        "database", message="The file is no DuckDB database, or of a version that this DuckDB cannot read."
    ),
    "no extension": errors.DriverMissing(
        message="DuckDB's motherduck extension is missing. Run `INSTALL motherduck` in DuckDB, as the service's user."
    ),
    "token": errors.LoginRefused("password", message="MotherDuck refused the token. Make a new one in its settings."),
    "no MotherDuck database": errors.DatabaseNotFound("database"),
    "Connection": errors.UnknownFault(),
    "IO": errors.UnknownFault(),
}
TELLTALES = (
    ("Could not set lock on file", "file lock"),
    ("with a different configuration", "other configuration"),
    ("not a valid DuckDB database file", "no DuckDB file"),
    ("Trying to read a database file with version", "no DuckDB file"),
    ("motherduck.duckdb_extension", "no extension"),
    ("Jwt", "token"),
    ("token", "token"),
    ("no database/share named", "no MotherDuck database"),
    ("read-only mode", "read-only"),
    ("configuration has been locked", "locked configuration"),
    ("Parameter argument/count mismatch", "parameters"),
    ("Parameter/argument count mismatch", "parameters"),
    ("Python integer too large", "parameters"),
    ("Values were not provided for the following", "parameters"),
)
"""What DuckDB says → the key of FAULTS that is more exact than the kind of error, which its text begins with."""


class Config(ConnectionConfig, frozen=True):
    """What a DuckDB connection needs: `database` is a file below the operator's directory, or `:memory:`."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("database")

    LOGINS: ClassVar[tuple[Login, ...]] = (Login(None, ()),)

    dialect: Literal["duckdb"] = "duckdb"


class DuckDB(BaseDialect):
    """DuckDB."""

    name = "duckdb"
    title = "DuckDB"
    abilities = Abilities(connects=True, own=True)
    PARAMETERS = "$1, $2 or ?, ?"
    Config = Config
    FAULTS = FAULTS

    def address(self, config: Any) -> None:
        """None: there is no server."""

    def fault_key(self, error: BaseException) -> str | None:
        """A telltale of the text, or the kind that it begins with: batches fail with OSError, whatever the reason."""
        text = str(error)
        if told := next((key for telltale, key in TELLTALES if telltale in text), None):
            return told
        kind = re.match(r"([A-Za-z ]+?) Error:", text)
        return kind[1] if kind else None

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-duckdb; the path is the connection's, below the folder of DuckDB files. A file is one database."""
        return {"type": "duckdb", "path": config.database, "schema": place.schema}

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Open the file, or memory."""
        if config.database == MEMORY:
            return DuckSession(MEMORY, limited(MEMORY, surroundings), config)
        return file_session(config, surroundings)


def file_session(config: ConnectionConfig, surroundings: Surroundings) -> Session:
    """Open a local file; one that is not there yet is made if the connection may write, but not by a test.

    Raises NotAllowedHere, DatabaseNotFound or DatabaseForbidden.
    """
    path = duckdb_files.allowed_file(config.database or "", surroundings.duckdb_directory)
    if not duckdb_files.is_there(path):
        duckdb_files.check_makeable(path, read_only=config.read_only)
        if surroundings.trial:
            return DuckSession(MEMORY, limited(MEMORY, surroundings), config)
    mode = {"access_mode": "READ_ONLY" if config.read_only else "READ_WRITE"}
    return DuckSession(str(path), {**mode, **limited(str(path), surroundings)}, config)


def limited(database: str, surroundings: Surroundings) -> Mapping[str, str]:
    """What an instance may use of this machine, as DuckDB's options: set before its configuration is locked."""
    limits = surroundings.duckdb
    options = {"memory_limit": limits.memory, "threads": str(limits.threads)}
    if limits.spill_directory is None:
        return options
    # Instances of one folder would overwrite each other's files; the sessions of one file share an instance.
    of = uuid.uuid4().hex if database == MEMORY else hashlib.sha256(database.encode()).hexdigest()[:32]
    folder = f"{limits.spill_directory}/{os.getpid()}-{of}"
    return {**options, "temp_directory": folder, "max_temp_directory_size": f"{limits.spill_bytes // 1024}KiB"}


WIDE_ROWS = 1024
"""Rows of a batch whose values may be of any size. DuckDB itself works on 2,048 rows at a time."""
FIXED = re.compile(
    r"BOOLEAN|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|DATE|TIME|TIMESTAMP(_S|_MS|_NS)?"
    r"|TIME(STAMP)? WITH TIME ZONE|INTERVAL|UUID"
)
"""The types whose values have one size."""
HARDENED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",  # or SQL could name this process's variables as tables
}


class DuckSession(Session):
    """A connection to an instance of DuckDB, which the driver shares among sessions with the same file.

    Temporary tables, variables and the schema live in a connection, so a fresh one is how a session is reset.
    """

    def __init__(
        self, database: str, options: Mapping[str, str], config: ConnectionConfig, *, harden: bool = True
    ) -> None:
        import duckdb

        self._database = database
        self._schema = config.default_schema
        self._reader: pa.RecordBatchReader | None = None
        self._instance = duckdb.connect(database, config={**(HARDENED if harden else {}), **options})
        try:
            _settle(self._instance, config.session_zone, lock=harden)
            self._connection = self._fresh()
        except BaseException:
            self._instance.close()
            raise

    def _fresh(self) -> duckdb.DuckDBPyConnection:
        connection = self._instance.cursor()
        if self._schema and _schemas(connection, self._schema):
            quoted = self._schema.replace("'", "''")
            connection.execute(f"SET schema = '{quoted}'")
        return connection

    def ping(self) -> None:
        """Ask for 1."""
        self._connection.execute("SELECT 1").fetchall()

    def check_schemas(self) -> str:
        """Look for the default schema."""
        if self._schema is None:
            return "The default schema is main."
        if not _schemas(self._connection, self._schema):
            raise errors.SchemaNotFound("default_schema")
        return f"The default schema is {self._schema}."

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables of this database, and of others that are attached and included."""
        own = self._rows("SELECT current_database()")[0][0]
        return duckdb_structure.tables(self._rows, scope, own)

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        """Run one statement; a read-only one in a transaction that refuses writes, besides a read-only file."""
        connection = self._connection
        self._require_one(statement.sql)
        if statement.read_only:
            connection.execute("BEGIN TRANSACTION READ ONLY")
        relation = connection.sql(statement.sql, params=list(statement.parameters) or None)
        most = statement.batch_rows if _is_narrow(relation) else min(statement.batch_rows, WIDE_ROWS)
        reader = self._reader = relation.to_arrow_reader(most)
        return reader

    def plan(self, statement: Statement) -> Plan:
        """What running the statement would take.

        In a transaction that is rolled back, since one that only reads refuses to explain a write.
        """
        self._require_one(statement.sql)
        self._connection.execute("BEGIN TRANSACTION")
        rows = self._connection.execute(f"{self.EXPLAIN} {statement.sql}", list(statement.parameters)).fetchall()
        self._connection.execute("ROLLBACK")
        return Plan(joined(row[1:] for row in rows))

    def _require_one(self, sql: str) -> None:
        if len(self._connection.extract_statements(sql)) != 1:
            raise errors.StatementRefused(message="Send exactly one statement at a time.")

    def cancel(self) -> None:
        """Interrupt what runs."""
        self._connection.interrupt()

    def reset(self) -> bool:
        """Go on with a fresh connection; memory is given up instead, since its tables would stay."""
        if self._database == MEMORY:
            return False
        self._disconnect()
        self._connection = self._fresh()
        return True

    def close(self) -> None:
        """Close the connection, and with the last one the file."""
        self._disconnect()
        self._instance.close()

    def _disconnect(self) -> None:
        """A result that someone still holds would keep the file open, and the next one who opens it waiting."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._connection.close()


def _is_narrow(relation: duckdb.DuckDBPyRelation) -> bool:
    """Whether all values of a result are of fixed, small size."""
    return all(FIXED.fullmatch(str(kind)) for kind in relation.types)


def _settle(instance: duckdb.DuckDBPyConnection, zone: str, *, lock: bool) -> None:
    """Set the time zone, and let no statement change a setting later; a file's first session does it for all."""
    import duckdb

    try:
        instance.execute(f"SET GLOBAL TimeZone = '{zone}'")
        if lock:
            instance.execute("SET GLOBAL lock_configuration = true")
    except duckdb.InvalidInputException:
        (found,) = instance.execute("SELECT current_setting('TimeZone')").fetchall()
        if found != (zone,):
            raise errors.DatabaseForbidden(
                "database",
                "query_timezone",
                "system_timezone",
                message="This file is open in another connection with another time zone. Give both the same.",
            ) from None


def _schemas(connection: duckdb.DuckDBPyConnection, name: str) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT 1 FROM information_schema.schemata WHERE schema_name = ? AND catalog_name = current_database()", [name]
    ).fetchall()
