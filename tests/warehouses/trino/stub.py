"""A coordinator of Trino, as its REST protocol tells it, that runs SQL on DuckDB.

Real: nothing but the driver that speaks to it. Ours, from https://trino.io/docs/current/develop/client-protocol.html:
logins over TLS, statements with pages that follow each other by `nextUri`, DELETE, transactions, session properties,
names and types of errors, catalogs with their information_schema, a little access control. SQL goes through sqlglot,
which stands for Trino's parser; `pause(seconds)` is a function of the stub's own.

`stub.py <TLS port> <plain port> <certificate> <key>`, with the password of `moorings` in the environment. The
plain port has a back door for tests, `/outside`.
"""

from __future__ import annotations

import base64
import datetime
import itertools
import json
import os
import re
import sys
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Any

import duckdb
import sqlglot

sys.path.append(__file__.rsplit("/", 2)[0] + "/servers")
from http_stub import Handler, server

USERS = {"moorings": os.environ["PASSWORD"], **{name: name for name in ("reader", "guest", "stranger")}}
FORBIDDEN = {"reader": "written", "guest": "closed", "stranger": "app"}
"""User → the name that it may not use."""
PAGE_ROWS = 20_000
DEFAULT_SCHEMA = "public"
"""What `sql.default-schema` is set to."""
LONGEST_POLL_SECONDS = 1.0
SETUP = """
ATTACH ':memory:' AS app; CREATE SCHEMA app.public; CREATE SCHEMA app.closed;
ATTACH ':memory:' AS lake; CREATE SCHEMA lake.raw; CREATE TABLE lake.raw.events (id BIGINT, tags VARCHAR[]);
CREATE VIEW memory.main.tables AS SELECT database_name AS table_catalog, schema_name AS table_schema, table_name,
    'BASE TABLE' AS table_type FROM duckdb_tables()
    UNION ALL SELECT database_name, schema_name, view_name, 'VIEW' FROM duckdb_views() WHERE NOT internal;
CREATE VIEW memory.main.columns AS SELECT database_name AS table_catalog, schema_name AS table_schema, table_name,
    column_name, column_index AS ordinal_position, data_type, IF(is_nullable, 'YES', 'NO') AS is_nullable, comment
    FROM duckdb_columns() WHERE NOT internal;
CREATE VIEW memory.main.table_comments AS SELECT database_name AS catalog_name, schema_name, table_name, comment
    FROM duckdb_tables();
CREATE VIEW memory.main.materialized_views AS SELECT '' AS catalog_name, '' AS schema_name, '' AS name WHERE false;
"""
SYSTEM = re.compile(r'"(\w+)"\.information_schema\.(tables|columns)\b|system\.metadata\.(\w+)')
SIMPLE = {
    "BOOLEAN": "boolean", "TINYINT": "tinyint", "SMALLINT": "smallint", "INTEGER": "integer", "BIGINT": "bigint",
    "FLOAT": "real", "DOUBLE": "double", "VARCHAR": "varchar", "BLOB": "varbinary", "DATE": "date", "TIME": "time(6)",
    "TIMESTAMP": "timestamp(6)",
    "TIMESTAMP_S": "timestamp(6)", "TIMESTAMP_MS": "timestamp(6)", "TIMESTAMP_NS": "timestamp(6)",
    "TIMESTAMP WITH TIME ZONE": "timestamp(6) with time zone", "HUGEINT": "decimal(38,0)",
    '"NULL"': "unknown", "JSON": "json", "UUID": "uuid",
}  # fmt: skip
VERBS = (
    "SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "CREATE", "DROP", "ALTER",
    "EXPLAIN", "COMMENT",
)  # fmt: skip
QUOTED = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
USER_ERRORS = {
    "SYNTAX_ERROR": 1, "GENERIC_USER_ERROR": 0, "CATALOG_NOT_FOUND": 44, "SCHEMA_NOT_FOUND": 45, "TABLE_NOT_FOUND": 46,
    "COLUMN_NOT_FOUND": 47, "PERMISSION_DENIED": 4, "USER_CANCELED": 3, "READ_ONLY_VIOLATION": 37,
    "UNKNOWN_TRANSACTION": 34, "INVALID_PARAMETER_USAGE": 73, "NOT_SUPPORTED": 13,
}  # fmt: skip

database = duckdb.connect(":memory:", config={"threads": 1})
queries: dict[str, Query] = {}
transactions: dict[str, duckdb.DuckDBPyConnection] = {}
numbers = itertools.count(1)
heard: list[dict[str, str]] = []


class TrinoError(Exception):
    """What a statement fails with: the name of the error, and what it says."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class Query:
    """A statement: it runs in a thread of its own, and its pages wait to be fetched."""

    def __init__(self, sql: str, headers: Mapping[str, str]) -> None:
        self.id = f"20260101_000000_{next(numbers):05}_stubs"
        self.sql = sql
        self.headers = headers
        self.columns: list[dict[str, Any]] | None = None
        self.update: str | None = None
        self.error: TrinoError | None = None
        self.answer_headers: dict[str, str] = {}
        self.done = threading.Event()
        self._rows: Any = iter(())
        self._stopped = threading.Event()
        self._why: TrinoError | None = None
        self._connection = transactions.get(headers.get("X-Trino-Transaction-Id", ""))
        self._own = self._connection is None
        queries[self.id] = self
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        properties = dict(
            urllib.parse.unquote(each).split("=", 1)
            for each in self.headers.get("X-Trino-Session", "").split(",")
            if "=" in each
        )
        seconds = float(properties.get("query_max_execution_time", "3600s").rstrip("s"))
        late = TrinoError("EXCEEDED_TIME_LIMIT", f"Query exceeded the maximum execution time limit of {seconds:.2f}s")
        timer = threading.Timer(seconds, self.stop, (late,))
        timer.start()
        try:
            self._connection = self._connection or database.cursor()
            self._run(self.sql.strip())
        except TrinoError as error:
            self.error = self._why or error
        except duckdb.Error as error:
            self.error = self._why or refused(error)
        finally:
            timer.cancel()
            self.done.set()

    def _run(self, sql: str) -> None:
        if self.headers.get("X-Trino-Transaction-Id", "NONE") != "NONE" and self._own:
            raise TrinoError("UNKNOWN_TRANSACTION", "Unknown transaction ID")
        user = self.headers.get("X-Trino-User", "")
        place = f"{self.headers.get('X-Trino-Catalog')}.{self.headers.get('X-Trino-Schema')} {sql}"
        if (name := FORBIDDEN.get(user)) and re.search(rf"\b{name}\b", place if name == "app" else sql):
            raise TrinoError("PERMISSION_DENIED", f"Access Denied: Cannot access {name}")
        if found := re.fullmatch(r"START TRANSACTION( READ ONLY)?", sql):
            self._start(read_only=bool(found[1]))
        elif sql in ("COMMIT", "ROLLBACK"):
            self._finish(sql)
        elif found := re.match(r"SHOW (\w+)", sql):
            self._show(found[1], sql)
        elif sql.startswith("CALL "):
            raise TrinoError("NOT_SUPPORTED", "Procedures cannot be called within a transaction (use autocommit mode)")
        else:
            self._execute(sql)

    def _start(self, *, read_only: bool) -> None:
        name = f"transaction-{self.id}"
        transactions[name] = database.cursor()
        transactions[name].execute("BEGIN TRANSACTION READ ONLY" if read_only else "BEGIN TRANSACTION")
        self.update, self.answer_headers = "START TRANSACTION", {"X-Trino-Started-Transaction-Id": name}

    def _finish(self, verb: str) -> None:
        name = self.headers.get("X-Trino-Transaction-Id", "")
        connection = transactions.pop(name, None)
        if connection is None:
            raise TrinoError("NOT_IN_TRANSACTION", "No transaction in progress")
        connection.execute(verb)
        connection.close()
        self.update, self.answer_headers = verb, {"X-Trino-Clear-Transaction-Id": "true"}

    def _show(self, what: str, sql: str) -> None:
        names = re.findall(r'"((?:[^"]|"")*)"', sql)
        catalogs = [
            name for (name,) in database.cursor().execute("SELECT database_name FROM duckdb_databases()").fetchall()
        ]
        catalogs = [name for name in catalogs if name not in ("memory", "temp")]
        self.columns = [described(what.title(), "varchar")]
        if what == "CATALOGS":
            self._rows = iter([[[name] for name in catalogs]])
            return
        if names[0] not in catalogs:
            raise TrinoError("CATALOG_NOT_FOUND", f"line 1:1: Catalog '{names[0]}' not found")
        query = "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name = ?"
        if what == "TABLES" and not database.cursor().execute(query, names).fetchall():
            raise TrinoError("SCHEMA_NOT_FOUND", f"line 1:1: Schema '{names[1]}' does not exist")

    def _execute(self, sql: str) -> None:
        assert self._connection is not None
        bound: list[Any] = []
        if found := re.fullmatch(r"EXECUTE IMMEDIATE '((?:[^']|'')*)' USING (.*)", sql, re.DOTALL):
            sql = found[1].replace("''", "'")
            bound = list(self._connection.execute("SELECT " + transpiled(f"SELECT {found[2]}")[7:]).fetchone() or ())
        statement = transpiled(sql)
        catalog, schema = self.headers.get("X-Trino-Catalog"), self.headers.get("X-Trino-Schema") or DEFAULT_SCHEMA
        if catalog:
            self._connection.execute(f'USE "{catalog}"."{schema}"')
        if zone := self.headers.get("X-Trino-Time-Zone"):
            self._connection.execute(f"SET TimeZone = '{zone}'")
        if found := re.search(r"\bpause\((\d+)\)", statement, re.IGNORECASE):
            self._stopped.wait(int(found[1]))
            statement = statement.replace(found[0], found[1])
        if self._why:
            raise self._why
        try:
            cursor = self._connection.execute(statement, bound or None)
        except duckdb.InvalidInputException as error:
            if "arameter" in str(error) or "Values were not provided" in str(error):
                expected = sql.count("?")
                text = f"Incorrect number of parameters: expected {expected} but found {len(bound)}"
                raise TrinoError("INVALID_PARAMETER_USAGE", text) from error
            raise
        self._take(cursor, sql)

    def _take(self, cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
        verb = verb_of(sql)
        if verb in ("SELECT", "WITH", "VALUES", "TABLE", "EXPLAIN"):
            kinds = [kind for _, kind, *_ in cursor.description]
            self.columns = [described(name, of_trino(kind)) for name, kind, *_ in cursor.description]
            foreign = [name == "data_type" for name, *_ in cursor.description]
            pages = iter(lambda: cursor.fetchmany(PAGE_ROWS), [])
            self._rows = (
                pages
                if alike(kinds) and not any(foreign)
                else (
                    [
                        [
                            of_text(value) if named else in_json(value, kind)
                            for value, kind, named in zip(row, kinds, foreign, strict=True)
                        ]
                        for row in page
                    ]
                    for page in pages
                )
            )
        else:
            self.update = verb

    def page(self) -> list[Any] | None:
        """The next rows; None when there are no more."""
        return next(self._rows, None)

    def stop(self, why: TrinoError) -> None:
        """Stop what runs."""
        if not self.done.is_set():
            self._why = why
            self._stopped.set()
            if self._connection is not None:
                self._connection.interrupt()

    def close(self) -> None:
        """Forget the statement."""
        queries.pop(self.id, None)
        if self._own and self._connection is not None:
            self._connection.close()


def verb_of(sql: str) -> str:
    """The first word of a statement, in upper case."""
    return next(iter(QUOTED.sub("", sql).split()), "").upper()


def transpiled(sql: str) -> str:
    """One statement of Trino's as DuckDB's; raises a syntax error for anything else."""
    outside = SYSTEM.sub(
        lambda found: (
            f"memory.main.{found[3]}"
            if found[3]
            else f"(SELECT * FROM memory.main.{found[2]} WHERE table_catalog = '{found[1]}')"
        ),
        sql,
    )
    try:
        parsed = [each for each in sqlglot.parse(outside, read="trino") if each is not None]
    except sqlglot.errors.SqlglotError as error:
        raise TrinoError("SYNTAX_ERROR", f"line 1:1: mismatched input: {str(error).splitlines()[0]}") from error
    if len(parsed) != 1 or ";" in QUOTED.sub("", sql) or verb_of(sql) not in VERBS:
        raise TrinoError("SYNTAX_ERROR", "line 1:1: mismatched input")
    return parsed[0].sql(dialect="duckdb").replace("CURRENT_TIMEZONE()", "current_setting('TimeZone')")


def refused(error: duckdb.Error) -> TrinoError:
    """DuckDB's error as one of Trino's."""
    text = str(error).splitlines()[0]
    if "read-only" in text.lower():
        return TrinoError("READ_ONLY_VIOLATION", "Cannot execute write in a read-only transaction")
    if isinstance(error, duckdb.CatalogException):
        return TrinoError("TABLE_NOT_FOUND", text)
    if isinstance(error, duckdb.BinderException):
        return TrinoError("COLUMN_NOT_FOUND", text)
    return TrinoError("GENERIC_USER_ERROR", text)


def described(name: str, native: str) -> dict[str, Any]:
    """A column, as the protocol has it; the driver needs no more of the signature than its name."""
    return {"name": name, "type": native, "typeSignature": {"rawType": native.partition("(")[0], "arguments": []}}


def of_trino(kind: Any) -> str:
    """DuckDB's type as Trino's."""
    name = kind.id
    if name in ("list", "array"):
        return f"array({of_trino(kind.children[0][1])})"
    if name == "map":
        return f"map({of_trino(kind.children[0][1])}, {of_trino(kind.children[1][1])})"
    if name == "struct":
        return f"row({', '.join(f'{label} {of_trino(each)}' for label, each in kind.children)})"
    return of_text(str(kind))


def of_text(native: str) -> str:
    """DuckDB's name of a simple type, or a list of one, as Trino's."""
    if native.endswith("[]"):
        return f"array({of_text(native[:-2])})"
    return SIMPLE.get(native, native.lower())


def alike(kinds: list[Any]) -> bool:
    """Whether values of these types are in JSON what they are in Python."""
    return {str(kind) for kind in kinds} <= {"INTEGER", "BIGINT", "VARCHAR", "BOOLEAN"}


def in_json(value: Any, kind: Any) -> Any:
    """A value, as the protocol has it."""
    if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, datetime.datetime):
        moment = value.astimezone(datetime.UTC) if value.tzinfo else value
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f") + (" UTC" if value.tzinfo else "")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [in_json(each, kind.children[0][1]) for each in value]
    if isinstance(value, dict) and kind.id == "struct":
        return [in_json(each, inner) for each, (_, inner) in zip(value.values(), kind.children, strict=True)]
    if isinstance(value, dict):
        return {str(key): in_json(each, kind.children[1][1]) for key, each in value.items()}
    return value.strftime("%H:%M:%S.%f") if isinstance(value, datetime.time) else str(value)


class Trino(Handler):
    """One client's requests."""

    secure = True

    def do_POST(self) -> None:  # noqa: N802
        """A new statement."""
        body = self.body().decode()
        if self.path == "/outside":
            self.outside(body)
        elif self.path != "/v1/statement":
            self.answer(404, b"not found", {})
        elif self.allowed():
            heard.append(dict(self.headers) | {"sql": body})
            query = Query(body, {name.title(): value for name, value in self.headers.items()})
            self.send(query, {"nextUri": self.uri(query, 1), "stats": {"state": "QUEUED"}}, {})

    def do_GET(self) -> None:  # noqa: N802
        """The next page of a statement, after a while if it has none yet."""
        if not self.allowed():
            return
        query, token = self.addressed()
        if query is None:
            self.answer(404, b"Query not found", {})
            return
        query.done.wait(LONGEST_POLL_SECONDS)
        found: dict[str, Any] = {"stats": {"state": "RUNNING"}}
        if not query.done.is_set():
            found["nextUri"] = self.uri(query, token + 1)
        elif query.error:
            found |= {"error": in_words(query.error), "stats": {"state": "FAILED"}}
        else:
            found |= {"columns": query.columns} if query.columns else {}
            found |= {"updateType": query.update} if query.update else {}
            if page := query.page():
                found |= {"data": page, "nextUri": self.uri(query, token + 1)}
        self.send(query, found, query.answer_headers if query.done.is_set() else {})
        if "nextUri" not in found:
            query.close()

    def do_DELETE(self) -> None:  # noqa: N802
        """Cancel a statement."""
        if self.allowed():
            query, _ = self.addressed()
            if query is not None:
                query.stop(TrinoError("USER_CANCELED", "Query was canceled"))
                query.done.wait(LONGEST_POLL_SECONDS)
                query.close()
            self.answer(204, b"", {})

    def allowed(self) -> bool:
        """Whether the request is logged in: with a password over TLS, by its name alone without."""
        login = self.basic()
        if not self.secure and login is None and self.headers.get("X-Trino-User"):
            return True
        if self.secure and login and USERS.get(login[0]) == login[1]:
            return True
        text = b"Invalid credentials" if self.secure else b"Password not allowed for insecure authentication"
        self.answer(401, text, {"WWW-Authenticate": 'Basic realm="Trino"'})
        return False

    def uri(self, query: Query, token: int) -> str:
        """Where a statement's page is."""
        scheme = "https" if self.secure else "http"
        return f"{scheme}://{self.headers['Host']}/v1/statement/executing/{query.id}/slug/{token}"

    def addressed(self) -> tuple[Query | None, int]:
        """The statement that a page's address names, and the page's number."""
        *_, name, _, token = self.path.split("/")
        return queries.get(name), int(token)

    def send(self, query: Query, found: dict[str, Any], headers: dict[str, str]) -> None:
        """An answer about a statement."""
        answer = {"id": query.id, "infoUri": f"http://{self.headers['Host']}/ui/query.html?{query.id}", **found}
        self.answer(200, json.dumps(answer).encode(), {"Content-Type": "application/json", **headers})

    def outside(self, body: str) -> None:
        """The back door: statements in DuckDB's words, what runs, and what was heard."""
        requested = json.loads(body)
        found: Any = None
        if "running" in requested:
            found = sum(requested["running"] in each.sql and not each.done.is_set() for each in list(queries.values()))
        elif "tagged" in requested:
            sources = [each.headers["X-Trino-Source"] for each in list(queries.values()) if not each.done.is_set()]
            found = sum(requested["tagged"] in source for source in sources)
        elif "heard" in requested:
            found = heard
        elif "transactions" in requested:
            found = len(transactions)
        else:
            with database.cursor() as cursor:
                cursor.execute("USE app.public")
                for statement in requested["statements"]:
                    found = cursor.execute(statement).fetchall()
        self.answer(200, json.dumps(found, default=str).encode(), {})


class Insecure(Trino):
    """The same without TLS."""

    secure = False


def in_words(error: TrinoError) -> dict[str, Any]:
    """An error, as the protocol has it."""
    late = error.name == "EXCEEDED_TIME_LIMIT"
    return {
        "message": str(error),
        "errorCode": 131075 if late else USER_ERRORS.get(error.name, 0),
        "errorName": error.name,
        "errorType": "INSUFFICIENT_RESOURCES" if late else "USER_ERROR",
        "failureInfo": {"type": "io.trino.spi.TrinoException", "message": str(error)},
    }


if __name__ == "__main__":
    database.execute(SETUP)
    secure = server(int(sys.argv[1]), Trino, (sys.argv[3], sys.argv[4]))
    threading.Thread(target=secure.serve_forever, daemon=True).start()
    server(int(sys.argv[2]), Insecure).serve_forever()
