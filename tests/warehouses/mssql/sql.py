"""T-SQL on DuckDB, as far as the suite speaks it: what sqlglot translates, and by hand what it does not.

The views of `sys` have the columns and the meaning that Microsoft documents, filled from DuckDB's own catalog.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from moorings.testing.engines import SENTINEL

OWNER = "sa"
DATABASES = ("app", "elsewhere", "master")
ROWS_AT_ONCE = 2_000


class Refused(Exception):
    """An error of the server: its number and its text."""

    def __init__(self, number: int, text: str, severity: int = 16) -> None:
        super().__init__(text)
        self.number, self.text, self.severity = number, text, severity


class Stopped(Exception):
    """The client sent an attention."""


@dataclass
class User:
    """Who may log in; `grants` are the schemas and tables that may be read, None for everything."""

    password: str
    databases: set[str] = field(default_factory=lambda: {"master"})
    grants: set[str] | None = field(default_factory=set[str])


class Database:
    """What all sessions share: DuckDB's instance, the users, and which statements run."""

    def __init__(self) -> None:
        self._instance = duckdb.connect()
        self.users = {OWNER: User(SENTINEL, set(DATABASES), None)}
        self.statements = 0
        self._instance.execute("SET TimeZone = 'UTC'")
        for name in DATABASES:
            self._instance.execute(f"ATTACH ':memory:' AS {name}")
            self._instance.execute(f"USE {name}")
            self._instance.execute("CREATE SCHEMA dbo; CREATE SCHEMA sys")
            self._instance.execute("CREATE MACRO dbo.long_text(text) AS [text::VARCHAR]")
            self._instance.execute(SYSTEM_VIEWS)

    def cursor(self, database: str) -> duckdb.DuckDBPyConnection:
        """A connection of its own, in a database."""
        cursor = self._instance.cursor()
        cursor.execute(f"USE {database}.dbo")
        cursor.execute("SET scalar_subquery_error_on_multiple_rows = false")
        return cursor

    def close(self) -> None:
        self._instance.close()


@dataclass
class Result:
    """Names and DuckDB types of the columns, none for a statement without a result, and the rows as they are read."""

    columns: list[tuple[str, str]]
    rows: Iterator[Sequence[tuple[Any, ...]]]
    changed: int | None = None


class Engine:
    """One session's SQL. `stop` may be called from another thread."""

    def __init__(self, shared: Database, user: str, database: str, session_id: int) -> None:
        self._shared, self.user, self.database = shared, user, database
        self._session_id = session_id
        self._cursor = shared.cursor(database)
        self._stopped = threading.Event()
        self._plans = False
        self.transactions = 0
        self.batch = ""

    def stop(self) -> None:
        """End what runs."""
        self._stopped.set()
        with contextlib.suppress(duckdb.Error):  # it may just have been closed
            self._cursor.interrupt()

    def close(self) -> None:
        self._cursor.close()

    def reset(self) -> None:
        """Be as after the login: what RESETCONNECTION in a packet's header asks for."""
        self._rollback()
        self._plans = False
        self._cursor.close()
        self._cursor = self._shared.cursor(self.database)

    def run(self, batch: str, parameters: Mapping[str, Any]) -> Iterator[Result]:
        """The results of a batch, one a statement; raises Refused and Stopped."""
        self._stopped.clear()
        self._shared.statements += 1
        self.batch = batch
        try:
            for statement in _statements(batch):
                yield self._one(statement, parameters)
                self._check()
        except duckdb.InterruptException:
            raise Stopped from None
        except (duckdb.Error, SqlglotError) as error:
            raise _refused(error) from None
        finally:
            self.batch = ""

    def _one(self, statement: str, parameters: Mapping[str, Any]) -> Result:
        for pattern, act in BY_HAND:
            if found := re.fullmatch(pattern, statement, re.IGNORECASE | re.DOTALL):
                return act(self, found) or Result([], iter(()))
        sql = self._translated(statement)
        if self._plans:
            return _rows([("StmtText", "VARCHAR")], [(statement,), (f"  |--{self._plan(sql)}",)])
        used = {name: value for name, value in parameters.items() if f"${name}" in sql}
        if missing := set(re.findall(r"\$(P\d+)", sql)) - set(used):
            raise Refused(137, f'Must declare the scalar variable "@{missing.pop()}".', 15)
        cursor = self._cursor.execute(sql, used or None)
        columns = [(name, str(kind)) for name, kind, *_ in cursor.description or []]
        if not re.match(r"\s*(SELECT|WITH)\b", sql, re.IGNORECASE):
            counted = cursor.fetchall()
            return Result([], iter(()), counted[0][0] if columns and counted and columns[0][0] == "Count" else None)
        return Result(columns, self._fetched(cursor))

    def _plan(self, sql: str) -> str:
        return str(self._cursor.execute(f"EXPLAIN {sql}").fetchall()[0][1])

    def _fetched(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[Sequence[tuple[Any, ...]]]:
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield rows
            self._check()

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Stopped

    def _translated(self, statement: str) -> str:
        for pattern, replacement in BEFORE:
            statement = re.sub(pattern, replacement, statement, flags=re.IGNORECASE)
        statement = statement.replace("@@SPID", str(self._session_id)).replace("@@TRANCOUNT", str(self.transactions))
        (tree,) = sqlglot.parse(statement, read="tsql")
        if tree is None or isinstance(tree, (exp.Command, exp.Alias, exp.Column)):
            raise Refused(102, f"Incorrect syntax near '{statement.split()[0]}'.", 15)
        self._check_grants(tree)
        sql = tree.sql(dialect="duckdb")
        for pattern, replacement in AFTER:
            sql = re.sub(pattern, replacement, sql)
        return sql.replace("USER_NAME()", f"'{self.user}'")

    def _check_grants(self, tree: exp.Expression) -> None:
        grants = self._shared.users[self.user].grants
        if grants is None:
            return
        for table in tree.find_all(exp.Table):
            if table.db != "sys" and table.name and not {table.db or "dbo", table.name} & grants:
                text = f"The SELECT permission was denied on the object '{table.name}', database '{self.database}'."
                raise Refused(229, text, 14)

    # ---- by hand ----------------------------------------------------------------------------------------------

    def begin(self, _: re.Match[str]) -> None:
        self.transactions += 1
        if self.transactions == 1:
            self._cursor.execute("BEGIN TRANSACTION")

    def commit(self, _: re.Match[str]) -> None:
        if not self.transactions:
            raise Refused(3902, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.")
        self.transactions -= 1
        if not self.transactions:
            self._cursor.execute("COMMIT")

    def rollback(self, _: re.Match[str]) -> None:
        if not self.transactions:
            raise Refused(3903, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.")
        self._rollback()

    def rollback_if(self, _: re.Match[str]) -> None:
        self._rollback()

    def _rollback(self) -> None:
        if self.transactions:
            self.transactions = 0
            self._cursor.execute("ROLLBACK")

    def show_plans(self, found: re.Match[str]) -> None:
        self._plans = found[1].upper() == "ON"

    def wait(self, found: re.Match[str]) -> None:
        hours, minutes, seconds = map(int, found[1].split(":"))
        self._stopped.wait((hours * 60 + minutes) * 60 + seconds)
        self._check()

    def raise_error(self, found: re.Match[str]) -> None:
        raise Refused(int(found[1]), found[2])

    def access(self, found: re.Match[str]) -> Result:
        database = found[1].replace("''", "'")
        known = database in DATABASES
        usable = database in self._shared.users[self.user].databases
        return _rows([("found", "INTEGER"), ("usable", "INTEGER")], [(1 if known else None, int(usable))])

    def schema(self, found: re.Match[str]) -> Result:
        name, grants = found[1].replace("''", "'"), self._shared.users[self.user].grants
        known = self._cursor.execute(
            "SELECT count(*) FROM duckdb_schemas() WHERE schema_name = ? AND database_name = ?", [name, self.database]
        ).fetchone()
        usable = grants is None or name in grants
        columns = [("found", "INTEGER"), ("usable", "INTEGER"), ("own", "VARCHAR")]
        return _rows(columns, [(1 if known and known[0] else None, int(usable), "dbo")])

    def create_login(self, found: re.Match[str]) -> None:
        self._shared.users[found[1]] = User(found[2])

    def create_user(self, found: re.Match[str]) -> None:
        self._shared.users[found[1]].databases.add(self.database)

    def grant(self, found: re.Match[str]) -> None:
        grants = self._shared.users[found[2]].grants
        if grants is not None:
            grants.add(found[1])

    def describe(self, found: re.Match[str]) -> None:
        text, table, column = found[1], found[2], found[3]
        what = f"COLUMN {table}.{column}" if column else f"TABLE {table}"
        self._cursor.execute(f"COMMENT ON {what} IS '{text}'")

    def nothing(self, _: re.Match[str]) -> None:
        """Settings that DuckDB has no need of."""


def _rows(columns: list[tuple[str, str]], rows: list[tuple[Any, ...]]) -> Result:
    return Result(columns, iter([rows]))


def _statements(batch: str) -> Iterator[str]:
    """The statements of a batch without its comments: good enough for what the suite sends."""
    bare = re.sub(r"('(?:[^']|'')*')|--[^\n]*|/\*.*?\*/", lambda found: found[1] or " ", batch, flags=re.DOTALL)
    for part in re.findall(r"(?:'(?:[^']|'')*'|[^;'])+", bare):
        if part.strip():
            yield part.strip()


def _refused(error: Exception) -> Refused:
    text = str(error).split("\n", 1)[0]
    if isinstance(error, duckdb.CatalogException):
        return Refused(208, f"Invalid object name. {text}")
    if isinstance(error, duckdb.BinderException):
        return Refused(207, f"Invalid column name. {text}")
    if isinstance(error, (SqlglotError, duckdb.ParserException)):
        return Refused(102, f"Incorrect syntax. {text}", 15)
    return Refused(245, f"Conversion failed. {text}")


DESCRIBED = r"'TABLE', '(\w+)'(?:, 'COLUMN', '(\w+)')?"
Act = Callable[[Engine, re.Match[str]], "Result | None"]
TRAN = r"\s+TRAN(?:SACTION)?"
LITERAL = r"N?'((?:[^']|'')*)'"
BY_HAND: Sequence[tuple[str, Act]] = (
    (rf"BEGIN{TRAN}", Engine.begin),
    (rf"COMMIT(?:{TRAN})?", Engine.commit),
    (rf"ROLLBACK(?:{TRAN})?", Engine.rollback),
    (rf"IF @@TRANCOUNT > 0 ROLLBACK{TRAN}", Engine.rollback_if),
    (r"SET SHOWPLAN_TEXT (ON|OFF)", Engine.show_plans),
    (r"SET (?:NOCOUNT|XACT_ABORT|ANSI_WARNINGS|QUOTED_IDENTIFIER|LOCK_TIMEOUT)\s+\S+", Engine.nothing),
    (r"WAITFOR DELAY '([0-9:]+)'", Engine.wait),
    (rf"THROW (\d+), {LITERAL}, 1", Engine.raise_error),
    (rf"SELECT DB_ID\({LITERAL}\), HAS_DBACCESS\(.*", Engine.access),
    (rf"SELECT SCHEMA_ID\({LITERAL}\), .*", Engine.schema),
    (r"(?:IF .* IS NULL )?CREATE LOGIN (\w+) WITH PASSWORD = '(\w+)'(?:, CHECK_POLICY = OFF)?", Engine.create_login),
    (r"(?:IF .* IS NULL )?CREATE USER (\w+) FOR LOGIN \w+", Engine.create_user),
    (r"GRANT SELECT ON (?:SCHEMA::)?(\w+) TO (\w+)", Engine.grant),
    (
        rf"EXEC sys\.sp_addextendedproperty 'MS_Description', {LITERAL}, 'SCHEMA', 'dbo', {DESCRIBED}",
        Engine.describe,
    ),
)
"""Statements that sqlglot or DuckDB do not know → what does them."""

BEFORE = (
    (r"^IF \S+ IS NULL CREATE (TABLE|SCHEMA) ", r"CREATE \1 IF NOT EXISTS "),
    (r"\bGENERATE_SERIES\(1, (\d+)\)", r"range(1, \1 + 1) AS series(value)"),
    (r"\bAS (?:small)?money\b", "AS decimal(19, 4)"),
    (r"\bCAST\((.+?) AS nvarchar\(max\)\)", r"long_text(\1)"),
    (r"\bAS bit\b", "AS boolean"),
    (r"\bAS float\b", "AS double"),
)
AFTER = (
    (r" NULLS FIRST", ""),
    (r"\$?@(P\d+)", r"$\1"),
    (r"\bDB_NAME\(\)", "current_database()"),
)

SYSTEM_VIEWS = """
CREATE VIEW sys.databases AS SELECT database_name AS name,
    CASE database_name WHEN 'master' THEN 1 ELSE 5 END AS database_id
    FROM duckdb_databases() WHERE NOT internal AND database_name <> 'memory';
CREATE VIEW sys.schemas AS SELECT schema_name AS name, oid AS schema_id FROM duckdb_schemas()
    WHERE database_name = current_database();
CREATE VIEW sys.objects AS
    SELECT table_oid AS object_id, table_name AS name, schema_oid AS schema_id, 'U' AS type, false AS is_ms_shipped
    FROM duckdb_tables() WHERE database_name = current_database() AND NOT temporary
    UNION ALL SELECT view_oid, view_name, schema_oid, 'V', schema_name = 'sys' FROM duckdb_views()
    WHERE database_name = current_database() AND NOT internal;
CREATE VIEW sys.extended_properties AS
    SELECT 1 AS class, table_oid AS major_id, 0 AS minor_id, 'MS_Description' AS name, comment AS value
    FROM duckdb_tables() WHERE comment IS NOT NULL AND database_name = current_database()
    UNION ALL SELECT 1, table_oid, column_index, 'MS_Description', comment FROM duckdb_columns()
    WHERE comment IS NOT NULL AND database_name = current_database();
CREATE VIEW sys.partitions AS SELECT table_oid AS object_id, 1 AS index_id, estimated_size AS rows,
    table_oid AS partition_id, table_oid AS hobt_id FROM duckdb_tables() WHERE database_name = current_database();
CREATE VIEW sys.allocation_units AS SELECT table_oid AS container_id, 1 AS type, 2 AS total_pages
    FROM duckdb_tables() WHERE database_name = current_database();
CREATE VIEW sys.types AS SELECT * FROM (VALUES ('bit', 104), ('int', 56), ('bigint', 127), ('decimal', 106),
    ('float', 62), ('nvarchar', 231), ('varbinary', 165), ('date', 40), ('datetime2', 42)) AS types(name, user_type_id),
    LATERAL (SELECT user_type_id AS system_type_id);
CREATE VIEW sys.columns AS SELECT table_oid AS object_id, column_name AS name, column_index AS column_id,
    CASE data_type_id WHEN 10 THEN 104 WHEN 13 THEN 56 WHEN 14 THEN 127 WHEN 21 THEN 106 WHEN 23 THEN 62
    WHEN 26 THEN 165 WHEN 15 THEN 40 WHEN 19 THEN 42 ELSE 231 END AS user_type_id,
    CASE data_type WHEN 'VARCHAR' THEN -1 ELSE 8 END AS max_length,
    coalesce(numeric_precision, 0) AS precision, coalesce(numeric_scale, 0) AS scale, is_nullable
    FROM duckdb_columns() WHERE database_name = current_database();
CREATE VIEW sys.indexes AS SELECT table_oid AS object_id, constraint_index AS index_id, true AS is_primary_key,
    constraint_column_indexes AS places FROM duckdb_constraints()
    WHERE constraint_type = 'PRIMARY KEY' AND database_name = current_database();
CREATE VIEW sys.index_columns AS SELECT object_id, index_id, unnest(places) + 1 AS column_id,
    generate_subscripts(places, 1) AS key_ordinal FROM sys.indexes;
CREATE VIEW sys.foreign_keys AS SELECT table_oid * 1000 + constraint_index AS object_id, constraint_name AS name,
    table_oid AS parent_object_id, referenced_table AS other, schema_oid AS schema_id,
    constraint_column_indexes AS places, referenced_column_names AS others FROM duckdb_constraints()
    WHERE constraint_type = 'FOREIGN KEY' AND database_name = current_database();
CREATE VIEW sys.foreign_key_columns AS SELECT k.object_id AS constraint_object_id, k.parent_object_id,
    o.object_id AS referenced_object_id, unnest(k.places) + 1 AS parent_column_id,
    generate_subscripts(k.places, 1) AS constraint_column_id, 1 AS referenced_column_id
    FROM sys.foreign_keys k JOIN sys.objects o ON o.name = k.other AND o.schema_id = k.schema_id;
"""
