"""A Databricks SQL warehouse on loopback: `python -m tests.warehouses.databricks.stub SETTINGS.json`.

The Thrift protocol is the driver's own, turned around: its generated Processor calls `Warehouse` below. SQL runs on
DuckDB, translated by sqlglot. Ours are the logins (tokens, and the token endpoint of service principals), operations
that run on their own and can be cancelled or run out of time, errors with Databricks' classes, and a view from outside
for the tests, at `/outside`.
"""

from __future__ import annotations

import base64
import http.server
import json
import re
import secrets
import ssl
import sys
import threading
import urllib.parse
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from databricks.sql.thrift_api.TCLIService import TCLIService
from databricks.sql.thrift_api.TCLIService import ttypes as t
from sqlglot.dialects.databricks import Databricks
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

SETTINGS: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
PROTOCOL = t.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7
PATH = "/sql/1.0/warehouses/tested"
SLEEP = re.compile(r"java_method\('java\.lang\.Thread', 'sleep', (\d+)L\)", re.IGNORECASE)
RANGE = re.compile(r"\bFROM range\(([^)]*)\)", re.IGNORECASE)
NO_QUERY = re.compile(r"\s*(SELECT|WITH|VALUES|FROM|TABLE|\()", re.IGNORECASE)
ELSEWHERE = re.compile(r"/\* results at (\S+) \*/")
"""A statement with this note has its results at that link, as a server may say that has them in cloud storage."""
COMMENT = re.compile(r"^(\s|--[^\n]*(\n|$)|/\*.*?\*/)*", re.DOTALL)


class Spark4(Databricks):
    """Databricks as it is since Spark 4: in a text, two quotes are one."""

    class Tokenizer(Databricks.Tokenizer):
        STRING_ESCAPES = ["'", "\\"]  # noqa: RUF012  # as in the class that it changes


class Refused(Exception):
    """What an operation ends with: the server's text, which starts with the error's class, and the SQLSTATE."""

    def __init__(self, text: str, state: str) -> None:
        super().__init__(f"{text} SQLSTATE: {state}")
        self.state = state


@dataclass
class Login:
    """One session."""

    id: bytes
    user: str
    connection: duckdb.DuckDBPyConnection
    settings: dict[str, str]


@dataclass
class Operation:
    """One statement, in a thread of its own."""

    session: Login
    sql: str
    parameters: list[Any]
    state: int = t.TOperationState.RUNNING_STATE
    error: Refused | None = None
    table: pa.Table | None = None
    sent: int = 0
    wake: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        seconds = float(self.session.settings.get("STATEMENT_TIMEOUT", 172_800))
        late = Refused("[STATEMENT_TIMEOUT] The statement ran into its time limit.", "57014")
        timer = threading.Timer(seconds, self.stop, [t.TOperationState.ERROR_STATE, late])
        timer.daemon = True
        timer.start()
        try:
            self.table = self._table()
        except Refused as refused:
            self._end(t.TOperationState.ERROR_STATE, refused)
        except duckdb.InterruptException:
            pass  # whoever interrupted it has said how it ends
        except (duckdb.Error, sqlglot.ParseError) as error:
            self._end(t.TOperationState.ERROR_STATE, _refusal(error))
        else:
            self._end(t.TOperationState.FINISHED_STATE, None)
        finally:
            timer.cancel()

    def stop(self, state: int, error: Refused | None = None) -> None:
        """End it, if it still runs, in this state."""
        self._end(state, error)
        self.wake.set()
        self.session.connection.interrupt()

    def _end(self, state: int, error: Refused | None) -> None:
        if self.state == t.TOperationState.RUNNING_STATE:
            self.state, self.error = state, error

    def _table(self) -> pa.Table:
        sql = COMMENT.sub("", self.sql)
        if described := re.fullmatch(r"DESCRIBE QUERY \((.*)\)", sql, re.DOTALL):
            return _described(described[1])
        if setting := re.fullmatch(r"SET (\w+)(?: = (\w+))?", sql):
            if setting[2]:
                self.session.settings[setting[1]] = setting[2]
            return pa.table({"key": [setting[1]], "value": [self.session.settings.get(setting[1], "")]})
        if self.session.user == "reader" and re.search(r"\bwritten\b", sql):
            raise Refused("[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User does not have SELECT.", "42501")
        if requested := re.fullmatch(r"SELECT setting\('(\w+)'\)", sql):
            return pa.table({"value": [self.session.settings.get(requested[1])]})
        if slept := SLEEP.search(sql):
            self.wake.wait(int(slept[1]) / 1000)
        return _ask(self.session, SLEEP.sub("NULL", sql), self.parameters)


def _described(sql: str) -> pa.Table:
    """The check of DESCRIBE QUERY: its grammar has a query, and nothing after it."""
    try:
        statements = sqlglot.parse(sql, read=Spark4)
    except sqlglot.ParseError as error:
        raise _refusal(error) from None
    if len(statements) != 1 or not NO_QUERY.match(COMMENT.sub("", sql)):
        raise Refused("[PARSE_SYNTAX_ERROR] Syntax error at or near the statement.", "42601")
    return pa.table({"col_name": ["any"], "data_type": ["any"], "comment": [None]})


def _ask(session: Login, sql: str, parameters: list[Any]) -> pa.Table:
    if sql.startswith("DESCRIBE SCHEMA"):
        return _schema(session, sql)
    if sql.startswith("SHOW CATALOGS"):
        sql = "SELECT database_name AS catalog FROM duckdb_databases() WHERE NOT internal"
    if sql.startswith("EXPLAIN "):
        return pa.table({"plan": [f"== Physical Plan ==\n{sql.removeprefix('EXPLAIN ')}"]})
    sql = re.sub(r"`(\w+)`\.information_schema\.", r"\1.facts.", RANGE.sub(r"FROM range(\1) AS rows(id)", sql))
    translated = sqlglot.transpile(sql, read=Spark4, write="duckdb")
    if len(translated) != 1:
        raise Refused("[PARSE_SYNTAX_ERROR] Syntax error at or near ';'.", "42601")
    cursor = session.connection.execute(translated[0], parameters or None)
    table = cursor.to_arrow_table() if cursor.description else pa.table({})
    return table.cast(pa.schema([_arrow_field(each, session) for each in table.schema]))


def _schema(session: Login, sql: str) -> pa.Table:
    catalog, schema = re.findall(r"`([^`]*)`", sql)
    requested = "SELECT 1 FROM information_schema.schemata WHERE catalog_name = ? AND schema_name = ?"
    if not session.connection.execute(requested, [catalog, schema]).fetchall():
        raise Refused(f"[SCHEMA_NOT_FOUND] The schema `{schema}` cannot be found.", "42704")
    if schema == "closed":
        raise Refused("[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User does not have USE SCHEMA.", "42501")
    return pa.table({"database_description_item": ["Namespace Name"], "database_description_value": [schema]})


def _arrow_field(found: pa.Field, session: Login) -> pa.Field:
    """Arrow as the warehouse sends it: instants in the session's time zone, no type that Spark does not have."""
    kind = found.type
    if pa.types.is_timestamp(kind):
        kind = pa.timestamp("us", tz=session.settings.get("TIMEZONE") if kind.tz else None)
    elif pa.types.is_null(kind) or pa.types.is_time(kind):
        kind = pa.string()
    elif pa.types.is_decimal(kind) and kind.scale == 0 and kind.precision == 38:
        kind = pa.int64()  # what DuckDB makes of sums and counts of BIGINT
    return pa.field(found.name, kind)


def _refusal(error: Exception) -> Refused:
    text = str(error).split("\n")[0]
    if isinstance(error, (sqlglot.ParseError, duckdb.ParserException)):
        return Refused(f"[PARSE_SYNTAX_ERROR] {text}", "42601")
    if isinstance(error, duckdb.CatalogException):
        return Refused(f"[TABLE_OR_VIEW_NOT_FOUND] {text}", "42P01")
    if isinstance(error, duckdb.InvalidInputException) and "parameter" in text:
        return Refused(f"[UNBOUND_SQL_PARAMETER] {text}", "42P02")
    return Refused(f"[UNRESOLVED_COLUMN.WITHOUT_SUGGESTION] {text}", "42703")


# ---- the protocol -----------------------------------------------------------------------------------------------


def _status(error: Refused | None = None) -> t.TStatus:
    if error is None:
        return t.TStatus(statusCode=t.TStatusCode.SUCCESS_STATUS)
    text = str(error)
    return t.TStatus(
        statusCode=t.TStatusCode.ERROR_STATUS, errorMessage=text, displayMessage=text, sqlState=error.state
    )


GONE = Refused("INVALID_HANDLE: Invalid SessionHandle", "08003")
TYPE_IDS = (
    (pa.types.is_boolean, t.TTypeId.BOOLEAN_TYPE),
    (pa.types.is_int8, t.TTypeId.TINYINT_TYPE),
    (pa.types.is_int16, t.TTypeId.SMALLINT_TYPE),
    (pa.types.is_int32, t.TTypeId.INT_TYPE),
    (pa.types.is_integer, t.TTypeId.BIGINT_TYPE),
    (pa.types.is_float32, t.TTypeId.FLOAT_TYPE),
    (pa.types.is_floating, t.TTypeId.DOUBLE_TYPE),
    (pa.types.is_decimal, t.TTypeId.DECIMAL_TYPE),
    (pa.types.is_date, t.TTypeId.DATE_TYPE),
    (pa.types.is_timestamp, t.TTypeId.TIMESTAMP_TYPE),
    (pa.types.is_binary, t.TTypeId.BINARY_TYPE),
    (pa.types.is_list, t.TTypeId.ARRAY_TYPE),
    (pa.types.is_struct, t.TTypeId.STRUCT_TYPE),
)


def _described_column(place: int, column: pa.Field) -> t.TColumnDesc:
    number = next((number for is_kind, number in TYPE_IDS if is_kind(column.type)), t.TTypeId.STRING_TYPE)
    entry = t.TPrimitiveTypeEntry(number)
    if pa.types.is_decimal(column.type):
        digits = {"precision": column.type.precision, "scale": column.type.scale}
        values = {name: t.TTypeQualifierValue(i32Value=value) for name, value in digits.items()}
        entry.typeQualifiers = t.TTypeQualifiers(values)
    return t.TColumnDesc(column.name, t.TTypeDesc([t.TTypeEntry(primitiveEntry=entry)]), place, "")


class Warehouse:
    """What the generated Processor calls: one method a request of the protocol."""

    def __init__(self) -> None:
        self.base = duckdb.connect()
        self.sessions: dict[bytes, Login] = {}
        self.operations: dict[bytes, Operation] = {}
        self.counts = {"statements": 0, "tokens": 0}
        self.unknown: list[str] = []
        self.user = threading.local()
        for name in ("app", "other_catalog"):
            self.base.execute(f"ATTACH ':memory:' AS {name}; CREATE SCHEMA {name}.default; CREATE SCHEMA {name}.closed")
            self.base.execute(FACTS.format(catalog=name))

    def OpenSession(self, request: Any) -> Any:  # noqa: N802
        where = request.initialNamespace or t.TNamespace()
        catalog, schema = where.catalogName or "app", where.schemaName or "default"
        connection = self.base.cursor()
        if not connection.execute("SELECT 1 FROM duckdb_databases() WHERE database_name = ?", [catalog]).fetchall():
            missing = Refused(f"[NO_SUCH_CATALOG_EXCEPTION] Catalog '{catalog}' was not found.", "42704")
            return t.TOpenSessionResp(status=_status(missing), serverProtocolVersion=PROTOCOL)
        known = connection.execute("SELECT schema_name FROM duckdb_schemas() WHERE database_name = ?", [catalog])
        if (schema,) not in known.fetchall():
            missing = Refused(f"[SCHEMA_NOT_FOUND] The schema `{schema}` cannot be found.", "42704")
            return t.TOpenSessionResp(status=_status(missing), serverProtocolVersion=PROTOCOL)
        connection.execute(f'USE {catalog}."{schema}"')
        session = Login(uuid.uuid4().bytes, self.user.name, connection, dict(request.configuration or {}))
        self.sessions[session.id] = session
        handle = t.TSessionHandle(t.THandleIdentifier(session.id, session.id), serverProtocolVersion=PROTOCOL)
        return t.TOpenSessionResp(
            status=_status(), serverProtocolVersion=PROTOCOL, sessionHandle=handle, canUseMultipleCatalogs=True
        )

    def CloseSession(self, request: Any) -> Any:  # noqa: N802
        self.end(request.sessionHandle.sessionId.guid)
        return t.TCloseSessionResp(status=_status())

    def end(self, session_id: bytes) -> None:
        """Drop a session and what runs in it."""
        session = self.sessions.pop(session_id, None)
        for guid, operation in list(self.operations.items()):
            if operation.session is session:
                operation.stop(t.TOperationState.ERROR_STATE, GONE)
                if session is None or operation.state != t.TOperationState.ERROR_STATE:
                    self.operations.pop(guid, None)

    def ExecuteStatement(self, request: Any) -> Any:  # noqa: N802
        session = self.sessions.get(request.sessionHandle.sessionId.guid)
        if session is None:
            return t.TExecuteStatementResp(status=_status(GONE))
        parameters = [_value(each) for each in request.parameters or ()]
        operation = Operation(session, request.statement, parameters)
        self.counts["statements"] += 1
        guid = uuid.uuid4().bytes
        self.operations[guid] = operation
        threading.Thread(target=operation.run, daemon=True).start()
        kind = t.TOperationType.EXECUTE_STATEMENT
        handle = t.TOperationHandle(t.THandleIdentifier(guid, guid), kind, hasResultSet=True)
        return t.TExecuteStatementResp(status=_status(), operationHandle=handle)

    def GetOperationStatus(self, request: Any) -> Any:  # noqa: N802
        operation = self.operations.get(request.operationHandle.operationId.guid)
        if operation is None:
            return t.TGetOperationStatusResp(status=_status(GONE))
        message = str(operation.error) if operation.error else None
        state = operation.error.state if operation.error else None
        return t.TGetOperationStatusResp(
            status=_status(),
            operationState=operation.state,
            displayMessage=message,
            errorMessage=message,
            sqlState=state,
        )

    def FetchResults(self, request: Any) -> Any:  # noqa: N802
        operation = self.operations.get(request.operationHandle.operationId.guid)
        if operation is None or operation.table is None:
            return t.TFetchResultsResp(status=_status(GONE))
        rows = operation.table.slice(operation.sent, request.maxRows).combine_chunks()
        operation.sent += rows.num_rows
        if elsewhere := ELSEWHERE.search(operation.sql):
            link = t.TSparkArrowResultLink(elsewhere[1], 2**33, 0, rows.num_rows, 1, {})
            return t.TFetchResultsResp(
                status=_status(),
                hasMoreRows=False,
                results=t.TRowSet(startRowOffset=0, rows=[], resultLinks=[link]),
                resultSetMetadata=self._metadata(operation.table.schema, t.TSparkRowSetType.URL_BASED_SET),
            )
        batches = [t.TSparkArrowBatch(batch.serialize().to_pybytes(), batch.num_rows) for batch in rows.to_batches()]
        return t.TFetchResultsResp(
            status=_status(),
            hasMoreRows=operation.sent < operation.table.num_rows,
            results=t.TRowSet(startRowOffset=operation.sent - rows.num_rows, rows=[], arrowBatches=batches),
            resultSetMetadata=self._metadata(operation.table.schema),
        )

    def _metadata(self, schema: pa.Schema, kind: int = t.TSparkRowSetType.ARROW_BASED_SET) -> Any:
        columns = [_described_column(place, column) for place, column in enumerate(schema, 1)]
        return t.TGetResultSetMetadataResp(
            status=_status(),
            schema=t.TTableSchema(columns),
            resultFormat=kind,
            lz4Compressed=False,
            arrowSchema=schema.serialize().to_pybytes(),
        )

    def CancelOperation(self, request: Any) -> Any:  # noqa: N802
        operation = self.operations.get(request.operationHandle.operationId.guid)
        if operation is not None:
            operation.stop(t.TOperationState.CANCELED_STATE)
        return t.TCancelOperationResp(status=_status())

    def CloseOperation(self, request: Any) -> Any:  # noqa: N802
        self.operations.pop(request.operationHandle.operationId.guid, None)
        return t.TCloseOperationResp(status=_status())


def _value(parameter: Any) -> Any:
    """A parameter as DuckDB takes it; Databricks sends text and the name of its type."""
    text = parameter.value.stringValue if parameter.value else None
    kinds = {"INT": int, "BIGINT": int, "TINYINT": int, "SMALLINT": int, "DOUBLE": float, "FLOAT": float}
    return text if text is None else kinds.get(parameter.type, str)(text)


FACTS = """
CREATE SCHEMA {catalog}.facts;
CREATE VIEW {catalog}.facts.tables AS
    SELECT database_name AS table_catalog, schema_name AS table_schema, table_name, 'MANAGED' AS table_type, comment
    FROM duckdb_tables() WHERE database_name = '{catalog}'
    UNION ALL SELECT database_name, schema_name, view_name, 'VIEW', comment FROM duckdb_views()
    WHERE database_name = '{catalog}' AND schema_name <> 'facts' AND NOT internal;
CREATE VIEW {catalog}.facts.columns AS
    SELECT database_name AS table_catalog, schema_name AS table_schema, table_name, column_name,
        column_index AS ordinal_position, comment, CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable,
        CASE data_type WHEN 'INTEGER' THEN 'int' WHEN 'VARCHAR' THEN 'string'
            WHEN 'TIMESTAMP' THEN 'timestamp_ntz' ELSE lower(data_type) END AS full_data_type
    FROM duckdb_columns() WHERE database_name = '{catalog}' AND schema_name <> 'facts';
CREATE VIEW {catalog}.facts.table_constraints AS SELECT * FROM information_schema.table_constraints
    WHERE constraint_catalog = '{catalog}';
CREATE VIEW {catalog}.facts.key_column_usage AS SELECT * FROM information_schema.key_column_usage
    WHERE constraint_catalog = '{catalog}';
CREATE VIEW {catalog}.facts.referential_constraints AS SELECT * FROM information_schema.referential_constraints
    WHERE constraint_catalog = '{catalog}';
"""
"""A catalog's information_schema: DuckDB's own cannot be added to."""

WAREHOUSE = Warehouse()
PROCESSOR = TCLIService.Processor(WAREHOUSE)
ISSUED: dict[str, str] = dict(SETTINGS["tokens"])
"""Access token → who it stands for."""


class Door(http.server.BaseHTTPRequestHandler):
    """HTTP: who may in, and by which path."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say what was asked, not with which token."""
        sys.stderr.write(f"{self.command} {self.path}\n")

    def do_GET(self) -> None:
        WAREHOUSE.unknown.append(self.path)
        self.answer(404, b"{}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/outside":
            return self.answer(200, json.dumps(_outside(json.loads(body))).encode())
        if self.path == "/oidc/v1/token":
            return self.answer(*_issue(self.headers.get("Authorization", ""), body.decode()))
        user = ISSUED.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
        if user is None:
            return self.answer(403, b"{}", "Invalid access token.")
        if self.path != PATH:
            WAREHOUSE.unknown.append(self.path)
            return self.answer(404, b"{}", "RESOURCE_DOES_NOT_EXIST: No such warehouse.")
        if user == "stranger":
            return self.answer(403, b"{}", "PERMISSION_DENIED: You do not have permission to use the SQL warehouse.")
        WAREHOUSE.user.name = user
        reply = TMemoryBuffer()
        PROCESSOR.process(TBinaryProtocol(TMemoryBuffer(body)), TBinaryProtocol(reply))
        return self.answer(200, reply.getvalue())

    def answer(self, status: int, body: bytes, reason: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if reason:
            self.send_header("x-databricks-reason-phrase", reason)
        self.end_headers()
        self.wfile.write(body)


def _issue(credentials: str, body: str) -> tuple[int, bytes]:
    """The token endpoint of service principals: client credentials for an access token."""
    decoded = base64.b64decode(credentials.removeprefix("Basic ")).decode()
    client = tuple(urllib.parse.unquote_plus(part) for part in decoded.split(":", 1))
    requested = urllib.parse.parse_qs(body)
    if client != tuple(SETTINGS["client"]) or requested.get("scope") != ["all-apis"]:
        return 401, b'{"error": "invalid_client"}'
    token = secrets.token_urlsafe(16)
    ISSUED[token] = client[0]
    WAREHOUSE.counts["tokens"] += 1
    return 200, json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": SETTINGS["lifetime"]}).encode()


def _outside(requested: dict[str, Any]) -> dict[str, Any]:
    """What tests ask past Moorings: run statements, count what runs, count and end sessions."""
    running = [each for each in WAREHOUSE.operations.values() if each.state == t.TOperationState.RUNNING_STATE]
    if "kill" in requested:
        WAREHOUSE.end(uuid.UUID(requested["kill"]).bytes)
    rows: list[Any] = []
    with WAREHOUSE.base.cursor() as cursor:
        cursor.execute('USE app."default"')
        for statement in requested.get("statements", []):
            result = cursor.execute(statement)
            rows = result.fetchall() if result.description else []
    marked = [each for each in running if requested.get("marker", "") in each.sql]
    return {
        "rows": rows,
        "running": len(marked),
        "sessions": len(WAREHOUSE.sessions),
        "unknown": WAREHOUSE.unknown,
    } | WAREHOUSE.counts


def main() -> None:
    """Serve, with TLS."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", SETTINGS["port"]), Door)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SETTINGS["certificate"], SETTINGS["key"])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main()
