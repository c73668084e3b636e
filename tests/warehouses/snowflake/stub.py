"""A Snowflake account on loopback, run by fakesnow's own Python: `python stub.py SETTINGS.json`.

fakesnow brings the SQL, on DuckDB. Ours is what it leaves out: logins that are checked (password, key pair, OAuth) and
the tokens and default objects that come with them, statements that run on their own and can be asked for, timed out
and aborted, results in chunks, and a view from outside for the tests, below `/outside`.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import importlib
import json
import re
import secrets
import sys
import threading
import time
import types
import urllib.parse
import uuid
from concurrent.futures import Future
from pathlib import Path
from typing import Any

for module, needed in (("converter", "SnowflakeConverter"), ("file_util", "SnowflakeFileUtil")):
    # The connector of version 5 has these no more. fakesnow needs them for statements that never come by HTTP.
    sys.modules[f"snowflake.connector.{module}"] = stand_in = types.ModuleType(module)
    setattr(stand_in, needed, type(needed, (), {}))
import snowflake.connector  # noqa: E402

for module in ("converter", "file_util"):
    setattr(snowflake.connector, module, sys.modules[f"snowflake.connector.{module}"])

import uvicorn  # noqa: E402
from cryptography.exceptions import InvalidSignature  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import padding  # noqa: E402
from starlette.applications import Starlette  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import JSONResponse, Response  # noqa: E402
from starlette.routing import Route  # noqa: E402

fakesnow_server: Any = importlib.import_module("fakesnow.server")  # the package has a function of that name

SETTINGS: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
DATABASES, WAREHOUSES = ("APP", "OTHER_DB"), ("WH",)
CHUNK_ROWS, INLINE_ROWS = 50_000, 1_000
HOLD_SECONDS = 5.0
"""How long a question for a result is held before it is answered that the statement still runs."""
ELSEWHERE = re.compile(r"/\* results at (\S+) \*/")
"""A statement with this note has its chunks at that address."""
WAIT = re.compile(r"SYSTEM\$WAIT\((\d+)\)", re.IGNORECASE)
PLAN = """\
GlobalStats:
    partitionsTotal=3
    partitionsAssigned=1
    bytesAssigned=1024
Operations:
1:0     ->Result"""
FORBIDDEN_TO_READER = re.compile(r"\bwritten\b", re.IGNORECASE)


class Refused(Exception):
    """What the server answers in place of a result: its code, a sentence, and the SQLSTATE."""

    def __init__(self, code: str, message: str, state: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.state = code, message, state


SESSION_GONE = Refused("390111", "Session no longer exists. New login required.", "08001")


# ---- logins -----------------------------------------------------------------------------------------------------


class Login:
    """One session, and fakesnow's connection behind it."""

    def __init__(self, number: int, user: str, requested: dict[str, Any], where: dict[str, str | None]) -> None:
        self.id, self.user, self.token = number, user, secrets.token_urlsafe(16)
        self.parameters: dict[str, Any] = requested.get("SESSION_PARAMETERS") or {}
        self.warehouse = where["warehouse"]
        self.connection = fakesnow_server.shared_fs.connect(where["database"], where["schema"] or "PUBLIC")
        self.lock = threading.Lock()


LOGINS: dict[str, Login] = {}
JOBS: dict[str, Job] = {}
ISSUED: set[str] = set()
"""Access tokens of the OAuth server that plays along."""
UNKNOWN: list[str] = []
"""Paths that were asked for and that the tests do not expect, such as telemetry's."""
COUNTS = {"logins": 0, "statements": 0}


def check_login(requested: dict[str, Any]) -> str:
    """The user who logs in; raises Refused as the service does."""
    user = (requested.get("LOGIN_NAME") or "").upper()
    known = SETTINGS["users"].get(user, {})
    kind = (requested.get("AUTHENTICATOR") or "SNOWFLAKE").upper()
    if kind == "SNOWFLAKE_JWT":
        if not (known.get("public_key") and _signed(requested.get("TOKEN") or "", known["public_key"], user)):
            raise Refused("390144", f"JWT token is invalid. [{uuid.uuid4()}]", "08001")
    elif kind == "OAUTH":
        if requested.get("TOKEN") not in ISSUED:
            raise Refused("390303", "Invalid OAuth access token. [0]", "08001")
    elif not known.get("password") or requested.get("PASSWORD") != known["password"]:
        raise Refused("390100", "Incorrect username or password was specified.", "08001")
    return user


def _signed(token: str, public_key: str, user: str) -> bool:
    """Whether a JWT is signed by the key that is registered, names it, and has not expired."""
    try:
        head, body, signature = token.split(".")
        claims = json.loads(_decoded(body))
        key: Any = serialization.load_pem_public_key(public_key.encode())
        key.verify(_decoded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        return False
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    finger = base64.b64encode(hashlib.sha256(der).digest()).decode()
    subject = f"{SETTINGS['account']}.{user}"
    return (claims["iss"], claims["sub"]) == (f"{subject}.SHA256:{finger}", subject) and claims["exp"] > time.time()


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def check_defaults(where: dict[str, str | None]) -> None:
    """Raise Refused for a database, schema or warehouse that is not there, as the service does when asked to."""
    found = {"database": where["database"] in DATABASES, "warehouse": where["warehouse"] in WAREHOUSES}
    found["schema"] = where["schema"] is None or where["schema"] in _schemas(where["database"])
    for kind in ("database", "schema", "warehouse"):
        if not found[kind]:
            raise Refused("390201", f"The requested {kind} does not exist or not authorized.", "08001")


def _schemas(database: str | None) -> set[str]:
    with fakesnow_server.shared_fs.duck_conn.cursor() as cursor:
        rows = cursor.execute(
            "SELECT upper(schema_name) FROM information_schema.schemata WHERE upper(catalog_name) = ?", [database]
        ).fetchall()
    return {str(name) for (name,) in rows}


async def login(request: Request) -> Response:
    requested = (await _json(request))["data"]
    query = request.query_params
    names = {"database": "databaseName", "schema": "schemaName", "warehouse": "warehouse"}
    where = {kind: _identifier(query.get(name)) for kind, name in names.items()}
    try:
        user = check_login(requested)
        check_defaults(where)
    except Refused as refused:
        return _refusal(refused)
    COUNTS["logins"] += 1
    session = Login(COUNTS["logins"], user, requested, where)
    LOGINS[session.token] = session
    reply = {
        "token": session.token,
        "masterToken": secrets.token_urlsafe(16),
        "validityInSeconds": 3600,
        "masterValidityInSeconds": 14400,
        "sessionId": session.id,
        "displayUserName": user,
        "serverVersion": "10.0.0",
        "parameters": _parameters(session),
        "sessionInfo": {"databaseName": where["database"], "schemaName": where["schema"]},
    }
    return JSONResponse({"data": reply, "code": None, "message": None, "success": True})


def _identifier(name: str | None) -> str | None:
    return (name[1:-1] if name.startswith('"') else name.upper()) if name else None


def _parameters(session: Login) -> list[dict[str, Any]]:
    values = {"TIMEZONE": session.parameters.get("TIMEZONE", "America/Los_Angeles"), "AUTOCOMMIT": True}
    values |= {"CLIENT_STAGE_ARRAY_BINDING_THRESHOLD": 0}
    return [{"name": name, "value": value} for name, value in values.items()]


async def token(request: Request) -> Response:
    """The token endpoint of an OAuth server: client credentials for an access token (RFC 6749, 4.4)."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    decoded = base64.b64decode(given).decode() if scheme == "Basic" else ""
    client = tuple(urllib.parse.unquote_plus(part) for part in decoded.split(":", 1))
    requested = urllib.parse.parse_qs((await request.body()).decode())
    if client != tuple(SETTINGS["client"]) or requested.get("grant_type") != ["client_credentials"]:
        return JSONResponse({"error": "invalid_client", "error_description": "Unknown client."}, 401)
    if SETTINGS["audience"] and requested.get("audience") != [SETTINGS["audience"]]:
        return JSONResponse({"error": "invalid_request", "error_description": "Unknown audience."}, 400)
    issued = secrets.token_urlsafe(16)
    ISSUED.add(issued)
    return JSONResponse({"access_token": issued, "token_type": "Bearer", "expires_in": 600})


# ---- statements -------------------------------------------------------------------------------------------------


class Job:
    """One statement in a thread of its own, from its submission until its result is forgotten."""

    def __init__(self, session: Login, requested: dict[str, Any]) -> None:
        self.id = str(uuid.uuid4())
        self.session, self.requested = session, requested
        self.sql: str = requested["sqlText"]
        self.done: Future[dict[str, Any]] = Future()
        self.stopped: Refused | None = None
        self.wake = threading.Event()
        self.chunks: list[bytes] = []
        JOBS[self.id] = self
        seconds = self.setting("STATEMENT_TIMEOUT_IN_SECONDS")
        late = Refused("000630", f"Statement reached its timeout of {seconds} second(s) and was canceled.", "57014")
        self.timer = threading.Timer(float(seconds or 172_800), self.stop, [late])
        self.timer.daemon = True
        threading.Thread(target=self._run, daemon=True).start()

    def setting(self, name: str) -> Any:
        """A parameter as it holds for this statement."""
        return (self.requested.get("parameters") or {}).get(name, self.session.parameters.get(name))

    def stop(self, reason: Refused) -> None:
        """End the statement, which then raises the reason."""
        if not self.done.done():
            self.stopped = self.stopped or reason
            self.wake.set()
            self.session.connection._duck_conn.interrupt()

    def _run(self) -> None:
        self.timer.start()
        COUNTS["statements"] += 1
        try:
            with self.session.lock:
                result = self._result()
        except Refused as refused:
            self.done.set_exception(refused)
        except Exception as error:  # noqa: BLE001  # whatever fakesnow raises has to reach the driver
            code = f"{getattr(error, 'errno', None) or 603:06d}"
            text, state = getattr(error, "raw_msg", str(error)), getattr(error, "sqlstate", None) or "XX000"
            self.done.set_exception(self.stopped or Refused(code, text, state))
        else:
            self.done.set_result(result)
        finally:
            self.timer.cancel()

    def _result(self) -> dict[str, Any]:
        if self.stopped:
            raise self.stopped
        if self.session.user == "READER" and FORBIDDEN_TO_READER.search(self.sql):
            raise Refused("003001", "SQL access control error: Insufficient privileges to operate on table.", "42501")
        if parameter := re.fullmatch(r"SHOW PARAMETERS LIKE '(\w+)'", self.sql):
            return self._run_in_fakesnow(f"SELECT '{self.setting(parameter[1])}' AS \"value\"")
        if self.sql == "SELECT CURRENT_WAREHOUSE() AS name":
            return self._run_in_fakesnow(f"SELECT '{self.session.warehouse}' AS name")
        if self.sql.startswith("EXPLAIN"):
            return self._run_in_fakesnow(f'SELECT $${PLAN}$$ AS "content"')
        if self.sql.startswith("SHOW PRIMARY KEYS IN DATABASE"):
            return self._run_in_fakesnow("SHOW PRIMARY KEYS IN ACCOUNT")  # of databases, fakesnow knows all or none
        if self.sql.startswith("SHOW IMPORTED KEYS"):
            return self._run_in_fakesnow('SELECT 1 AS "key_sequence" WHERE FALSE')
        found = WAIT.search(self.sql)
        if found and not self.requested.get("describeOnly"):
            self.wake.wait(float(found[1]))
            if self.stopped:
                raise self.stopped
        return self._run_in_fakesnow(WAIT.sub(r"'waited \1 seconds'", self.sql))

    def _run_in_fakesnow(self, sql: str) -> dict[str, Any]:
        """What fakesnow's own handler answers, which is synchronous but for its thread."""
        requested = self.requested | {"sqlText": sql}
        fakesnow_server.sessions[self.session.token] = self.session.connection
        answer = asyncio.run(fakesnow_server.query_request(_Replayed(requested, self.session.token)))  # type: ignore[arg-type]
        reply = json.loads(answer.body)
        if not reply["success"]:
            state = (reply.get("data") or {}).get("sqlState") or ""
            raise self.stopped or Refused(reply["code"], re.sub(r"^\d{6} \(\w+\): ", "", reply["message"]), state)
        reply["data"] |= {"queryId": self.id, "parameters": _parameters(self.session)}
        self._cut(reply["data"])
        return reply

    def _cut(self, data: dict[str, Any]) -> None:
        """Cut a large result into chunks to be fetched one by one, as the service does."""
        if data.get("queryResultFormat") != "arrow" or data["total"] <= INLINE_ROWS:
            return
        import pyarrow as pa
        from fakesnow.arrow import to_ipc

        table = pa.ipc.open_stream(base64.b64decode(data["rowsetBase64"])).read_all()
        data["rowsetBase64"] = base64.b64encode(to_ipc(table.slice(0, INLINE_ROWS))).decode()
        parts = [table.slice(at, CHUNK_ROWS) for at in range(INLINE_ROWS, table.num_rows, CHUNK_ROWS)]
        self.chunks = [to_ipc(part).to_pybytes() for part in parts]
        elsewhere = ELSEWHERE.search(self.sql)
        base = f"{elsewhere[1] if elsewhere else SETTINGS['url']}/chunks/{self.id}"
        data["chunks"] = [
            {"url": f"{base}/{at}", "rowCount": part.num_rows, "uncompressedSize": len(raw), "compressedSize": len(raw)}
            for at, (part, raw) in enumerate(zip(parts, self.chunks, strict=True))
        ]
        data["chunkHeaders"] = {"x-moorings-chunk": self.id}


class _Replayed:
    """As much of a request as fakesnow's handler reads."""

    def __init__(self, requested: dict[str, Any], token: str) -> None:
        self._asked = requested
        self.headers = {"Authorization": f'Snowflake Token="{token}"'}

    async def body(self) -> bytes:
        return json.dumps(self._asked).encode()


async def query(request: Request) -> Response:
    session = _session(request)
    if isinstance(session, Response):
        return session
    job = Job(session, await _json(request))
    if job.requested.get("asyncExec"):
        where = {"queryId": job.id, "getResultUrl": f"/queries/{job.id}/result", "queryAbortsAfterSecs": 300}
        return JSONResponse({"data": where, "code": "333334", "message": "Asynchronous execution.", "success": True})
    return await _answer(job)


async def result(request: Request) -> Response:
    if isinstance(found := _session(request), Response):
        return found
    job = JOBS.get(request.path_params["query_id"])
    return await _answer(job) if job else _refusal(Refused("000709", "Statement not found.", "02000"))


async def _answer(job: Job) -> Response:
    try:
        reply = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(job.done)), HOLD_SECONDS)
    except TimeoutError:
        where = {"queryId": job.id, "getResultUrl": f"/queries/{job.id}/result", "queryAbortsAfterSecs": 300}
        return JSONResponse(
            {"data": where, "code": "333333", "message": "Query execution in progress.", "success": True}
        )
    except Refused as refused:
        return _refusal(refused, job.id)
    return JSONResponse(reply)


async def status(request: Request) -> Response:
    if isinstance(found := _session(request), Response):
        return found
    job = JOBS.get(request.path_params["query_id"])
    if job is None:
        return JSONResponse({"data": {"queries": []}, "success": True})
    reply: dict[str, Any] = {"id": job.id, "status": "RUNNING"}
    if job.done.done():
        refused = job.done.exception()
        reply["status"] = "FAILED_WITH_ERROR" if refused else "SUCCESS"
        if isinstance(refused, Refused):
            reply |= {"errorCode": refused.code, "errorMessage": refused.message}
    return JSONResponse({"data": {"queries": [reply]}, "success": True})


async def abort(request: Request) -> Response:
    job = JOBS.get(request.path_params["query_id"])
    if job is not None and not job.done.done():
        job.stop(Refused("000604", "SQL execution canceled", "57014"))
        return JSONResponse({"data": None, "success": True})
    return _refusal(Refused("000605", "Identified SQL statement is not currently executing.", "02000"))


async def chunk(request: Request) -> Response:
    query_id = request.path_params["query_id"]
    if request.headers.get("x-moorings-chunk") != query_id:
        return Response(status_code=403)
    return Response(JOBS[query_id].chunks[request.path_params["number"]], media_type="application/octet-stream")


# ---- sessions, and the view from outside ------------------------------------------------------------------------


def _session(request: Request) -> Login | Response:
    token = request.headers.get("authorization", "")[17:-1]
    return LOGINS.get(token) or _refusal(SESSION_GONE)


async def session(request: Request) -> Response:
    found = _session(request)
    if isinstance(found, Login) and request.query_params.get("delete"):
        _end(found)
    return found if isinstance(found, Response) else JSONResponse({"data": None, "code": None, "success": True})


def _end(session: Login) -> None:
    LOGINS.pop(session.token, None)
    for job in list(JOBS.values()):
        if job.session is session:
            job.stop(SESSION_GONE)
            JOBS.pop(job.id, None)


async def outside(request: Request) -> Response:
    """What tests ask past Moorings: run statements, count what runs, count and end sessions."""
    requested = await _json(request)
    running = [job for job in JOBS.values() if not job.done.done() and requested.get("marker", "") in job.sql]
    if "kill" in requested:
        for found in [each for each in LOGINS.values() if str(each.id) == requested["kill"]]:
            _end(found)
    rows = await asyncio.to_thread(_ask, requested.get("statements", []))
    tags = [job.setting("QUERY_TAG") for job in JOBS.values() if not job.done.done()]
    reply = {"rows": rows, "running": len(running), "sessions": len(LOGINS), "tags": tags, "unknown": UNKNOWN} | COUNTS
    return JSONResponse(reply)


async def unknown(request: Request) -> Response:
    UNKNOWN.append(request.url.path)
    return Response(status_code=404)


def _ask(statements: list[str]) -> list[Any]:
    rows: list[Any] = []
    if statements:
        connection = fakesnow_server.shared_fs.connect("APP", "PUBLIC")
        for statement in statements:
            if statement.startswith("CREATE TABLE many."):  # two thousand of them: translating would take a minute
                connection._duck_conn.execute(statement.replace("many.", "MANY."))
            else:
                rows = connection.cursor().execute(statement).fetchall()
    return [
        [str(cell) if not isinstance(cell, (int, float, str, type(None))) else cell for cell in row] for row in rows
    ]


def _refusal(refused: Refused, query_id: str | None = None) -> JSONResponse:
    reply = {"errorCode": refused.code, "sqlState": refused.state, "queryId": query_id}
    data = None if refused.code == SESSION_GONE.code else reply
    return JSONResponse({"data": data, "code": refused.code, "message": refused.message, "success": False})


async def _json(request: Request) -> dict[str, Any]:
    body = await request.body()
    return json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)


ROUTES = [
    Route("/session/v1/login-request", login, methods=["POST"]),
    Route("/session", session, methods=["POST"]),
    Route("/session/heartbeat", session, methods=["POST"]),
    Route("/queries/v1/query-request", query, methods=["POST"]),
    Route("/queries/{query_id}/result", result, methods=["GET"]),
    Route("/queries/{query_id}/abort-request", abort, methods=["POST"]),
    Route("/monitoring/queries//{query_id}", status, methods=["GET"]),
    Route("/monitoring/queries/{query_id}", status, methods=["GET"]),
    Route("/chunks/{query_id}/{number:int}", chunk, methods=["GET"]),
    Route("/oauth/token", token, methods=["POST"]),
    Route("/outside", outside, methods=["POST"]),
    Route("/{path:path}", unknown, methods=["GET", "POST", "PUT"]),
]


def _list_views(database: str) -> None:
    """Let INFORMATION_SCHEMA.TABLES have views too, as Snowflake's has."""
    with fakesnow_server.shared_fs.duck_conn.cursor() as cursor:
        requested = "SELECT sql FROM duckdb_views() WHERE view_name = '_fs_tables' AND database_name = ?"
        (reply,) = cursor.execute(requested, [database]).fetchone()
        tables = reply.partition(" AS ")[2].rstrip().rstrip(";")
        cursor.execute(
            f"CREATE OR REPLACE VIEW {database}._FS_INFORMATION_SCHEMA._fs_tables AS ({tables}) UNION ALL BY NAME"
            ' SELECT database_name AS "TABLE_CATALOG", schema_name AS "TABLE_SCHEMA", view_name AS "TABLE_NAME",'
            f""" 'VIEW' AS "TABLE_TYPE" FROM duckdb_views() WHERE NOT internal AND database_name = '{database}'"""
        )


if __name__ == "__main__":
    for database in DATABASES:
        fakesnow_server.shared_fs.connect(database, "PUBLIC").close()
        _list_views(database)
    uvicorn.run(
        Starlette(routes=ROUTES),
        host="127.0.0.1",
        port=SETTINGS["port"],
        ssl_certfile=SETTINGS["certificate"],
        ssl_keyfile=SETTINGS["key"],
        log_level="warning",
    )
