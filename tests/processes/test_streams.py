"""Results from the shipped server: broken off, abandoned, cancelled. What became of the statement says the database."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access.models import ApiKey
from moorings.api.http.negotiation import ARROW, CSV, FORMATS, JSON, NDJSON
from moorings.queries import owners
from moorings.queries.models import RunningQuery
from moorings.settings import Settings
from tests.processes.conftest import TOKEN, Replica, Replicas
from tests.warehouses.postgres.server import login

MEMORY = {"dialect": "duckdb", "name": "memory", "database": ":memory:", "readOnly": False}
ID = "moorings-query-id"
BREAKS = "SELECT CASE WHEN range < 2000000 THEN range ELSE ('a' || range::VARCHAR)::BIGINT END AS a FROM range(4000000)"
WIDE = "SELECT range AS a, range / 7.0 AS b, 'name ' || range::VARCHAR AS c, now() AS d FROM range({rows})"


@pytest.fixture(scope="module")
def in_memory(replica: Replica) -> str:
    return replica.create(**MEMORY)


def on(server: Any) -> dict[str, Any]:
    """What connects to a real PostgreSQL."""
    return {
        "host": server.host,
        "port": server.port,
        "database": server.database,
        "username": server.username,
        "passwordUnencrypted": server.password,
        "sslMode": "disable",
    }


class Elsewhere:
    """A PostgreSQL, seen from its own process list."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def running(self, mark: str) -> int:
        """How many sessions run a statement with this mark."""
        sql = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%' || %s || '%'"
        )
        with login(self._server) as connection:
            return connection.execute(sql.replace("'%'", "'%%'"), [mark]).fetchone()[0]

    def wait_for(self, mark: str, number: int, within: float = 5) -> float:
        """Wait until so many run; returns the seconds it took."""
        started = time.monotonic()
        while self.running(mark) != number:
            assert time.monotonic() - started < within, f"{self.running(mark)} still run"
            time.sleep(0.02)
        return time.monotonic() - started


@pytest.fixture(scope="module")
def elsewhere(postgres_server: Any) -> Elsewhere:
    return Elsewhere(postgres_server)


@pytest.fixture
def mark() -> str:
    """What a test's statement carries as a comment, to be found by."""
    return uuid.uuid4().hex


def endless(mark: str) -> str:
    """A statement whose rows never end. In FROM, PostgreSQL would gather all of them before the first."""
    return f"SELECT generate_series(1, 1000000000000) AS a, repeat('x', 50) AS b /* {mark} */"


def silent(mark: str) -> str:
    """A statement that runs for long without a row."""
    return f"SELECT pg_sleep(120) /* {mark} */"


@contextlib.contextmanager
def streaming(replica: Replica, connection_id: str, sql: str, accept: str = ARROW) -> Iterator[httpx.Response]:
    """The response of a query, its rows not read yet."""
    headers = {"authorization": f"Bearer {TOKEN}", "accept": accept}
    body = {"sql": sql, "rowLimit": 10**9}
    with replica.client.stream("POST", f"/connections/{connection_id}/query", json=body, headers=headers) as answer:
        yield answer


class Asking(threading.Thread):
    """A query in the background; `outcome` is the response, or what the client raised."""

    def __init__(self, replica: Replica, connection_id: str, sql: str, query_id: str) -> None:
        super().__init__(daemon=True)
        self._request = (replica, f"/connections/{connection_id}/query", {"sql": sql}, {ID: query_id, "accept": JSON})
        self.outcome: Any = None
        self.start()

    def run(self) -> None:
        replica, path, body, headers = self._request
        with httpx.Client(base_url=replica.client.base_url, timeout=60, trust_env=False) as client:
            headers = headers | {"authorization": f"Bearer {TOKEN}"}
            self.outcome = client.post(path, json=body, headers=headers)


class TestFailureAfterTheFirstRow:
    @pytest.mark.parametrize("accept", FORMATS)
    def test_raises_in_an_ordinary_client(self, replica: Replica, in_memory: str, accept: str):
        with streaming(replica, in_memory, BREAKS, accept) as answer:
            assert answer.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError):
                answer.read()
        assert answer.num_bytes_downloaded > 100_000

    @pytest.mark.parametrize("accept", FORMATS)
    @pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed: apt-get install curl")
    def test_curl_calls_it_partial(self, replica: Replica, in_memory: str, accept: str):
        url = f"{replica.client.base_url}connections/{in_memory}/query"
        headers = [f"Authorization: Bearer {TOKEN}", "Content-Type: application/json", f"Accept: {accept}"]
        named = [part for header in headers for part in ("-H", header)]
        sent = f'{{"sql": "{BREAKS}", "rowLimit": 100000000}}'
        command = ["curl", "-s", "-o", "/dev/null", *named, "-d", sent, url]
        assert subprocess.run(command, check=False, timeout=60).returncode == 18

    def test_the_log_has_one_line_of_it_and_no_traceback(self, start: Any):
        with start() as replica:
            connection_id = replica.create(**MEMORY)
            with pytest.raises(httpx.RemoteProtocolError), streaming(replica, connection_id, BREAKS) as answer:
                answer.read()
            assert replica.serving.stop() == 0
            assert replica.serving.err.count("query_broken_off") == 1
            assert "Traceback" not in replica.serving.err

    def test_the_next_query_is_none_the_worse(self, replica: Replica, in_memory: str):
        with pytest.raises(httpx.RemoteProtocolError), streaming(replica, in_memory, BREAKS) as answer:
            answer.read()
        answer = replica.request("POST", f"/connections/{in_memory}/query", json={"sql": "SELECT 1"})
        assert answer.status_code == 200


class TestOldProtocol:
    def test_http_1_0_is_refused(self, replica: Replica, in_memory: str):
        body = b'{"sql": "SELECT 1"}'
        request = (
            f"POST /api/v1/connections/{in_memory}/query HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        address = (replica.client.base_url.host, replica.client.base_url.port)
        with socket.create_connection(address, timeout=10) as client:
            client.sendall(request + body)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert b" 400 " in answer.partition(b"\r\n")[0]
        assert answer.endswith(b'{"detail":"Results need HTTP/1.1 or later","status":400}')


class TestClientLeaves:
    @pytest.mark.parametrize("accept", FORMATS)
    def test_among_rows(self, replica: Replica, postgres_server: Any, elsewhere: Elsewhere, mark: str, accept: str):
        connection_id = replica.create(**on(postgres_server))
        with streaming(replica, connection_id, endless(mark), accept) as answer:
            rows = answer.iter_raw()  # held: without it the client would leave at once
            next(rows)
            elsewhere.wait_for(mark, 1)
        elsewhere.wait_for(mark, 0)

    def test_before_the_first_row(self, replica: Replica, postgres_server: Any, elsewhere: Elsewhere, mark: str):
        connection_id = replica.create(**on(postgres_server))
        with pytest.raises(httpx.ReadTimeout):
            replica.request(
                "POST",
                f"/connections/{connection_id}/query",
                json={"sql": silent(mark)},
                timeout=httpx.Timeout(5, read=1),
            )
        elsewhere.wait_for(mark, 0)

    def test_while_it_reads_nothing(self, replica: Replica, postgres_server: Any, elsewhere: Elsewhere, mark: str):
        connection_id = replica.create(**on(postgres_server))
        with streaming(replica, connection_id, endless(mark)):
            time.sleep(1)  # the sockets' buffers are full, and the server waits in send()
            assert elsewhere.running(mark) == 1
        elsewhere.wait_for(mark, 0)

    def test_the_pool_has_its_place_back(self, replica: Replica, postgres_server: Any, elsewhere: Elsewhere, mark: str):
        connection_id = replica.create(**on(postgres_server))
        for _ in range(12):  # more than twice the pool's size
            with streaming(replica, connection_id, endless(mark)) as answer:
                next(answer.iter_raw())
        elsewhere.wait_for(mark, 0)


class TestCancel:
    def test_before_the_first_row(self, replicas: Replicas, postgres_server: Any, elsewhere: Elsewhere, mark: str):
        connection_id = replicas.first.create(**on(postgres_server))
        chosen = str(uuid.uuid4())
        asking = Asking(replicas.first, connection_id, silent(mark), chosen)
        elsewhere.wait_for(mark, 1)
        answer = replicas.second.request("DELETE", f"/queries/{chosen}")
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        elsewhere.wait_for(mark, 0, within=2)
        asking.join(5)
        assert asking.outcome.status_code == 409
        assert asking.outcome.json()["detail"] == "The query was cancelled."
        assert replicas.second.request("DELETE", f"/queries/{chosen}").status_code == 404

    @pytest.mark.parametrize("accept", [ARROW, JSON, NDJSON, CSV])
    def test_among_rows(self, replicas: Replicas, postgres_server: Any, elsewhere: Elsewhere, mark: str, accept: str):
        connection_id = replicas.first.create(**on(postgres_server))
        with streaming(replicas.first, connection_id, endless(mark), accept) as answer:
            elsewhere.wait_for(mark, 1)
            assert replicas.second.request("DELETE", f"/queries/{answer.headers[ID]}").status_code == 200
            elsewhere.wait_for(mark, 0, within=2)
            with pytest.raises(httpx.RemoteProtocolError):
                answer.read()

    def test_of_a_query_whose_client_reads_nothing(
        self, replicas: Replicas, postgres_server: Any, elsewhere: Elsewhere, mark: str
    ):
        connection_id = replicas.first.create(**on(postgres_server))
        with streaming(replicas.first, connection_id, endless(mark)) as answer:
            time.sleep(0.5)
            assert replicas.second.request("DELETE", f"/queries/{answer.headers[ID]}").status_code == 200
            elsewhere.wait_for(mark, 0, within=2)


class TestStop:
    @pytest.mark.parametrize("reads", [True, False])
    @pytest.mark.parametrize("shutdown_seconds", [0, 0.2])
    def test_during_a_stream_leaves_no_statement_and_no_traceback(
        self,
        start: Any,
        postgres_server: Any,
        elsewhere: Elsewhere,
        mark: str,
        shutdown_seconds: float,
        reads: bool,
    ):
        with start(SHUTDOWN_SECONDS=shutdown_seconds) as replica:
            connection_id = replica.create(**on(postgres_server))
            with streaming(replica, connection_id, endless(mark)) as answer:
                reading = threading.Thread(target=read_until_it_breaks, args=[answer])
                if reads:
                    reading.start()
                elsewhere.wait_for(mark, 1)
                assert replica.serving.stop(signal.SIGINT, within=10) == 0, replica.serving.err
                if reads:
                    reading.join(10)
                    assert not reading.is_alive()
            elsewhere.wait_for(mark, 0)
            assert "Traceback" not in replica.serving.err
            assert "exception" not in replica.serving.err


def read_until_it_breaks(answer: httpx.Response) -> None:
    with pytest.raises(httpx.TransportError):
        for _ in answer.iter_raw():
            pass


class TestMemory:
    @pytest.mark.parametrize("accept", [f"{ARROW}; codecs=lz4", ARROW, JSON, NDJSON, CSV])
    @pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's peak in /proc")
    def test_is_flat(self, replica: Replica, in_memory: str, accept: str):
        self._read(replica, in_memory, 300_000, accept)
        before = peak_megabytes(replica)
        assert self._read(replica, in_memory, 3_000_000, accept) > 20_000_000
        assert peak_megabytes(replica) - before < 60

    def _read(self, replica: Replica, connection_id: str, rows: int, accept: str) -> int:
        with streaming(replica, connection_id, WIDE.format(rows=rows), accept) as answer:
            return sum(len(chunk) for chunk in answer.iter_raw())


def peak_megabytes(replica: Replica) -> float:
    """The most memory the server has had so far."""
    status = Path(f"/proc/{replica.serving.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


class TestDeadOwners:
    @pytest.fixture
    def sweep(self, start: Any, tmp_path: Path) -> Callable[[dict[str, int]], list[str]]:
        """Store running queries, by owner and age, start a server; returns the owners that are left."""

        def sweeping(ages: dict[str, int]) -> list[str]:
            async def storing(session: AsyncSession) -> None:
                key = (await session.scalars(select(ApiKey))).one()
                for owner, seconds in ages.items():
                    session.add(
                        RunningQuery(
                            id=str(uuid.uuid4()),
                            organization_id=key.organization_id,
                            connection_id=connection_id,
                            key_id=key.id,
                            owner=owner,
                            session_id="",
                            started_at=round((time.time() - seconds) * 1000),
                        )
                    )

            async def left(session: AsyncSession) -> list[str]:
                return list(await session.scalars(select(RunningQuery.owner)))

            with start(tmp_path) as replica:
                connection_id = replica.create(**MEMORY)
            settings = Replicas(replica, replica, Settings(_env_file=None, data_dir=tmp_path / "data"))
            settings.change(storing)
            with start(tmp_path):
                return settings.change(left)

        return sweeping

    def test_are_forgotten_at_the_next_start(self, sweep: Callable[[dict[str, int]], list[str]]):
        with subprocess.Popen(["true"]) as ended:
            pass
        here = owners.this_process()
        place = here.partition("/")[0]
        remaining = [here, "other-host/1/a"]
        gone = [f"{place}/{ended.pid}/b", "other-host/1/old"]
        assert sorted(sweep({here: 0, remaining[1]: 60, gone[0]: 0, gone[1]: 2 * 60 * 60})) == sorted(remaining)
