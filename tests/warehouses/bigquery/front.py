"""What stands before bqemulator, so that it is met as BigQuery is: who comes is asked, and jobs take their time.

bqemulator takes whoever comes, answers a job's submission when it is done, and knows neither cancel nor time limits nor
bills. This front hands out tokens for keys and federated identities as Google's servers do, refuses who has none or may
not, runs jobs beside their submission, and passes everything else on. What it says of grants, cancels, limits and bills
is what Google documents: it proves that Moorings asks and understands, not that BigQuery answers so.

`SLEEP(seconds)` is its own: BigQuery has no statement that takes its time and nothing else.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PROJECT = "moorings-test"
RESULTS, PAGE = "_results", 1000
"""The dataset of results with more rows than this: bqemulator's Storage API reads real tables alone."""
BYTES = 10_485_760
"""What every statement that reads a table is estimated to read."""
SLEEP = re.compile(r"SLEEP\((\d+)\)")
SUBJECT_TOKEN, AUDIENCE = "a-subject-token", "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p"
TOKEN_AUDIENCE = "https://oauth2.googleapis.com/token"
"""Whom Google's libraries write assertions for, whatever server they bring them to."""
KNOWN = ("Query", "DML", "Create", "Drop", "Alter", "TruncateTable")
"""What bqemulator may be asked about in a dry run: anything else, it runs."""

Answer = tuple[int, Any]


@dataclass
class Job:
    """A job under way, or done; `fault` is reason and message once it failed."""

    resource: dict[str, Any]
    done: threading.Event = field(default_factory=threading.Event)
    fault: tuple[str, str] | None = None
    place: dict[str, str] | None = None
    """The table that holds the result, where it is a large one."""

    @property
    def query(self) -> str:
        return self.resource["configuration"]["query"]["query"]

    def fail(self, reason: str, message: str) -> None:
        if not self.done.is_set():
            self.fault = (reason, message)
            self.done.set()

    def reply(self) -> dict[str, Any]:
        status: dict[str, Any] = {"state": "DONE" if self.done.is_set() else "RUNNING"}
        if self.fault:
            status["errorResult"] = {"reason": self.fault[0], "message": self.fault[1]}
            status["errors"] = [status["errorResult"]]
        return self.resource | {"status": status, "statistics": {"query": {}}}


class Front:
    """The server; `public_key` verifies whoever signs in."""

    def __init__(self, emulator_port: int, public_key: bytes, tls: tuple[Path, Path] | None = None) -> None:
        self.emulator_port = emulator_port
        self.public_key = public_key
        self.tokens: dict[str, str] = {}
        self.jobs: dict[str, Job] = {}
        self.submitted: list[dict[str, Any]] = []
        """The bodies of jobs, dry runs included, as they came."""
        self.requested: list[str] = []
        """The paths of requests, as they came."""
        self._threads: list[threading.Thread] = []
        front = self

        class Handler(_Handler):
            served = front

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        for job in self.jobs.values():
            job.fail("stopped", "The server ends.")
        for thread in self._threads:
            thread.join(10)
        self._server.shutdown()
        self._server.server_close()

    def running(self, marker: str) -> int:
        return sum(marker in job.query and not job.done.is_set() for job in self.jobs.values())

    def tagged(self, query_id: str) -> int:
        under_way = [job for job in self.jobs.values() if not job.done.is_set()]
        return sum(query_id in job.resource["configuration"].get("labels", {}).values() for job in under_way)

    # ---- who comes ------------------------------------------------------------------------------------------------

    def token(self, form: dict[str, str]) -> Answer:
        """A token for a signed assertion."""
        from google.auth import jwt

        try:
            claims = jwt.decode(form["assertion"], certs=self.public_key.decode(), audience=TOKEN_AUDIENCE)
        except ValueError:
            return 400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
        return 200, {"access_token": self._issue(claims["iss"]), "expires_in": 3600, "token_type": "Bearer"}

    def federate(self, form: dict[str, str]) -> Answer:
        """A token for a subject token of another identity provider."""
        if form["subject_token"] != SUBJECT_TOKEN or form["audience"] != AUDIENCE:
            return 400, {"error": "invalid_grant", "error_description": "The subject token is not one of the pool's."}
        token = self._issue("principal")
        issued = {"issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer"}
        return 200, issued | {"access_token": token, "expires_in": 3600}

    def impersonate(self, email: str) -> Answer:
        return 200, {"accessToken": self._issue(email), "expireTime": "2100-01-01T00:00:00Z"}

    def _issue(self, email: str) -> str:
        token = uuid.uuid4().hex
        self.tokens[token] = email
        return token

    # ---- what they ask --------------------------------------------------------------------------------------------

    def serve(self, method: str, path: str, body: bytes, email: str) -> Answer:
        """Answer a request of the API, or pass it on."""
        project, _, rest = urlsplit(path).path.removeprefix("/bigquery/v2/projects/").partition("/")
        if project != PROJECT:
            return _refusal(404, "notFound", f"Not found: Project {project}")
        if method == "POST" and rest == "jobs":
            return self._submit(json.loads(body), email)
        if found := re.fullmatch(r"(jobs|queries)/([^/]+)(/cancel)?", rest):
            job = self.jobs.get(found[2])
            if found[3]:
                return self._cancel(job)
            if job is not None and (job.fault or not job.done.is_set()):
                return self._progress(job, found[1])
            if job is not None and job.place and found[1] == "jobs":
                status, answer = self.forward(method, path, body)
                answer["configuration"]["query"]["destinationTable"] = job.place
                return status, answer
        if rest == "datasets/closed" and email.startswith("guest"):
            return _refusal(403, "accessDenied", "Access Denied: Permission bigquery.datasets.get denied on dataset")
        return self.forward(method, path, body)

    def forward(self, method: str, path: str, body: bytes = b"") -> Answer:
        wire = http.client.HTTPConnection("127.0.0.1", self.emulator_port, timeout=60)
        try:
            wire.request(method, path, body, {"Content-Type": "application/json"})
            answer = wire.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            wire.close()

    def _submit(self, body: dict[str, Any], email: str) -> Answer:
        self.submitted.append(body)
        query = body["configuration"]["query"]
        if not (sql := query.get("query")):
            return _refusal(400, "required", "Required parameter is missing: query")
        if email.startswith("stranger"):
            message = f"Access Denied: Project {PROJECT}: User does not have bigquery.jobs.create permission"
            return _refusal(403, "accessDenied", f"{message} in project {PROJECT}.")
        if email.startswith("reader") and "written" in sql:
            return _refusal(403, "accessDenied", "Access Denied: User does not have permission to query table written.")
        if body["configuration"].get("dryRun"):
            return self._dry_run(body)
        job = Job(body)
        self.jobs[body["jobReference"]["jobId"]] = job
        if _estimate(sql) > int(query.get("maximumBytesBilled") or BYTES):
            job.fail("bytesBilledLimitExceeded", f"Query exceeded limit for bytes billed. {BYTES} or higher required.")
        else:
            thread = threading.Thread(target=self._run, args=(job,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return 200, job.reply()

    def _run(self, job: Job) -> None:
        configuration = job.resource["configuration"]
        if sleeping := SLEEP.search(job.query):
            limit = int(configuration.get("jobTimeoutMs", 3_600_000)) / 1000
            job.done.wait(min(int(sleeping[1]), limit))
            job.fail("stopped", f"Job execution was cancelled: Job timed out after {limit} sec")
            return
        status, answer = self._pass_on(job.resource)
        if status != 200:
            job.fail(answer["error"]["errors"][0]["reason"], answer["error"]["message"])
        elif int(answer["statistics"].get("query", {}).get("totalRows") or 0) > PAGE:
            job.place = self._kept(job)
        job.done.set()

    def _kept(self, job: Job) -> dict[str, str]:
        """The table that a large result is in, as in BigQuery all are."""
        job_id = job.resource["jobReference"]["jobId"]
        query = job.resource["configuration"]["query"]
        sql = f"CREATE TABLE `{PROJECT}`.`{RESULTS}`.`{job_id}` AS {job.query}"
        reference = job.resource["jobReference"] | {"jobId": f"{job_id}_kept"}
        self._pass_on({"jobReference": reference, "configuration": {"query": query | {"query": sql}}})
        return {"projectId": PROJECT, "datasetId": RESULTS, "tableId": job_id}

    def _pass_on(self, job: dict[str, Any]) -> Answer:
        return self.forward("POST", f"/bigquery/v2/projects/{PROJECT}/jobs", json.dumps(job).encode())

    def _dry_run(self, body: dict[str, Any]) -> Answer:
        sql = body["configuration"]["query"]["query"]
        parsed = _parsed(sql)
        kind = None
        if SLEEP.search(sql):
            kind = "SELECT"
        elif parsed is not None and not _is(parsed, *KNOWN):
            kind = "SCRIPT"
        if kind is not None:
            reply = {"statementType": kind, "totalBytesProcessed": "0"}
            return 200, body | {"status": {"state": "DONE"}, "statistics": {"query": reply}}
        status, answer = self._pass_on(body)
        if status == 200:
            answer["statistics"]["query"]["totalBytesProcessed"] = str(_estimate(sql))
        return status, answer

    def _cancel(self, job: Job | None) -> Answer:
        if job is None:
            return _refusal(404, "notFound", "Not found: Job")
        job.fail("stopped", "Job execution was cancelled: User requested cancellation")
        return 200, {"kind": "bigquery#jobCancelResponse", "job": job.reply()}

    def _progress(self, job: Job, what: str) -> Answer:
        if what == "jobs":
            return 200, job.reply()
        job.done.wait(1)
        return 200, {"jobComplete": False, "jobReference": job.resource["jobReference"]}


def _refusal(status: int, reason: str, message: str) -> Answer:
    reply = {"reason": reason, "message": message, "domain": "global"}
    return status, {"error": {"code": status, "message": message, "errors": [reply]}}


def _parsed(sql: str) -> Any:
    """The statement, as sqlglot has it; a block where there are several; None for what cannot be read."""
    import sqlglot

    try:
        statements = [each for each in sqlglot.parse(sql, read="bigquery") if each is not None]
    except sqlglot.errors.SqlglotError:
        return None
    return statements[0] if len(statements) == 1 else sqlglot.exp.Block() if statements else None


def _is(statement: Any, *kinds: str) -> bool:
    return any(kind.__name__ in kinds for kind in type(statement).__mro__)


def _estimate(sql: str) -> int:
    import sqlglot

    parsed = _parsed(sql)
    return BYTES if parsed is not None and parsed.find(sqlglot.exp.Table) else 0


class _Handler(BaseHTTPRequestHandler):
    """Who asks what, and the answer as JSON."""

    protocol_version = "HTTP/1.1"
    served: Front

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer(*self._served(b""))

    def do_POST(self) -> None:
        self._answer(*self._served(self.rfile.read(int(self.headers.get("Content-Length") or 0))))

    def _served(self, body: bytes) -> Answer:
        self.served.requested.append(self.path)
        if self.path == "/subject":
            return 200, {"token": SUBJECT_TOKEN} if self.headers.get("x-for") == "moorings" else {}
        if self.path in ("/token", "/sts"):
            form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
            return self.served.token(form) if self.path == "/token" else self.served.federate(form)
        email = self.served.tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
        if email is None:
            return _refusal(401, "authError", "Request had invalid authentication credentials.")
        if found := re.fullmatch(r"/v1/projects/-/serviceAccounts/(.*):generateAccessToken", self.path):
            return self.served.impersonate(found[1])
        return self.served.serve(self.command, self.path, body, email)

    def _answer(self, status: int, message: Any) -> None:
        body = json.dumps(message).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
