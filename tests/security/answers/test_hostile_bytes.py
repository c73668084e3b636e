"""A server that sends far too much ends as an error of that one query; the service answers others meanwhile."""

from __future__ import annotations

import io
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import httpx
import pyarrow as pa
import pytest
import requests
from botocore.awsrequest import AWSHTTPConnectionPool, AWSHTTPSConnectionPool
from urllib3 import PoolManager
from urllib3.response import HTTPResponse

from moorings import errors
from moorings.dialects.clickhouse.body import Body
from moorings.dialects.network import https
from moorings.dialects.network.dialing import Network
from moorings.dialects.network.pools import CheckedPools, pool_classes
from moorings.dialects.network.requests import install
from tests.processes.conftest import Replica
from tests.processes.conftest import replica as replica  # the fixture
from tests.processes.conftest import start as start  # the fixture
from tests.security.memory import MEGABYTE, Memory
from tests.security.servers.endless_http import Answer, EndlessHttp, Request, as_json, zeros
from tests.security.servers.flooding import MYSQL_COLUMNS, POSTGRESQL_ROW, Flooding, mysql_columns

ALLOWED = 350 * MEGABYTE
"""What the query may need over what the idle service needs."""
BOMB = zeros()
BIG = "SELECT 'big' AS v"
SENT = 400 * MEGABYTE
"""More than anybody should have taken of a server that would send for ever."""


def create(replica: Replica, dialect: str, port: int, **further: object) -> str:
    given = {"dialect": dialect, "host": "127.0.0.1", "port": port, "sslMode": "disable", "database": "app"}
    return replica.create(**{**given, "queryTimeoutSeconds": 30, **further})


@contextmanager
def watched(replica: Replica, seconds: float = 1) -> Iterator[None]:
    """A block in which memory stays in bounds, and the service answers others within so many seconds."""
    memory = Memory(replica.serving.process.pid)
    memory.forget()
    over, slowest = threading.Event(), [0.0]

    def ask() -> None:
        with httpx.Client(trust_env=False, timeout=20) as client:
            while not over.wait(0 if len(slowest) == 1 else 0.05) or len(slowest) == 1:
                began = time.monotonic()
                assert client.get(f"{replica.serving.url}/health").status_code == 200
                slowest.append(time.monotonic() - began)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join()
    assert len(slowest) > 1
    assert max(slowest) < seconds
    assert memory.grown() < ALLOWED


def refused(replica: Replica, connection: str, sql: str = BIG) -> str:
    """The error of a query, in words."""
    answer = replica.request("POST", f"/connections/{connection}/query", json={"sql": sql})
    assert 400 <= answer.status_code < 600, answer.text[:200]
    return answer.json()["detail"]


def runs(replica: Replica, connection: str) -> None:
    answer = replica.request("POST", f"/connections/{connection}/query", json={"sql": "SELECT 1 AS a"})
    assert answer.status_code == 200, answer.text


def login(server: Any) -> dict[str, Any]:
    return {"username": server.username, "passwordUnencrypted": server.password, "database": server.database}


class TestWires:
    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_a_row_of_postgresql(self, replica: Replica, postgres_server: Any, times: int) -> None:
        """In place of whatever the driver waits for: the first look at the statement, or its rows."""
        behind = postgres_server.host, postgres_server.port
        with Flooding(behind, POSTGRESQL_ROW, times=times).running() as server:
            connection = create(replica, "postgres", server.port, **login(postgres_server))
            with watched(replica):
                error = refused(replica, connection)
            assert "MOORINGS_MAX_BUFFER_BYTES" in error
            assert server.sent < SENT
            runs(replica, connection)

    def test_columns_of_mysql(self, replica: Replica, mariadb_server: Any) -> None:
        behind = mariadb_server.host, mariadb_server.port
        with Flooding(behind, MYSQL_COLUMNS, piece=mysql_columns()).running() as server:
            connection = create(replica, "mysql", server.port, **login(mariadb_server))
            with watched(replica):
                error = refused(replica, connection)
            assert "columns" in error
            runs(replica, connection)


def trino(answer: Answer) -> Callable[[Request], Answer]:
    """Trino, whose answer to a statement that has `big` in it is another one."""
    column = {"name": "a", "type": "bigint", "typeSignature": {"rawType": "bigint", "arguments": []}}
    one = {"id": "1", "infoUri": "", "columns": [column], "data": [[1]], "stats": {"state": "FINISHED"}}
    harmless = Answer(as_json(one), {"X-Trino-Started-Transaction-Id": "1"})
    return lambda request: answer if b"big" in request.body else harmless


def arrow(body_bytes: int) -> bytes:
    """The beginning of an Arrow stream, whose only batch has a body of so many bytes."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, pa.schema([("v", pa.string())])) as writer:
        writer.write_batch(pa.record_batch({"v": ["x" * body_bytes]}))
    return sink.getvalue()


@pytest.fixture(scope="module")
def clickhouse(clickhouse_server: Any) -> Callable[[Answer], Callable[[Request], Answer]]:
    """The real one, whose answer to a statement that has `big` in it is another one."""
    port = (clickhouse_server.folder / "plain_port").read_text()

    def behind(answer: Answer) -> Callable[[Request], Answer]:
        def handle(request: Request) -> Answer:
            if b"big" in request.body:
                return answer
            url = f"http://127.0.0.1:{port}{request.path}"
            left_out = "host", "content-length", "transfer-encoding", "connection"
            headers = {name: value for name, value in request.headers.items() if name not in left_out}
            forwarded = urllib.request.Request(url, request.body or None, headers)
            with urllib.request.urlopen(forwarded) as response:
                answered = {name: value for name, value in response.headers.items() if name.lower().startswith("x-")}
                return Answer(response.read(), answered)

        return handle

    return behind


AS_ARROW = {"X-ClickHouse-Format": "ArrowStream"}
LARGE = arrow(100 * MEGABYTE)[:1000]
"""The head of a batch that has more than may be in memory."""


class TestHttp:
    @pytest.mark.parametrize("answer", [Answer(b'{"id": "', ends=False), Answer(bomb=BOMB)], ids=["endless", "bomb"])
    def test_trino(self, replica: Replica, answer: Answer) -> None:
        with EndlessHttp(trino(answer)).running() as server:
            connection = create(replica, "trino", server.port)
            with watched(replica):
                error = refused(replica, connection)
            assert "MOORINGS_MAX_BUFFER_BYTES" in error
            assert server.sent < SENT
            runs(replica, connection)

    @pytest.mark.parametrize(
        "answer",
        [Answer(LARGE, AS_ARROW, ends=False), Answer(b"", AS_ARROW, bomb=zeros(begin=LARGE))],
        ids=["endless", "bomb"],
    )
    def test_clickhouse(self, replica: Replica, clickhouse: Any, clickhouse_server: Any, answer: Answer) -> None:
        with EndlessHttp(clickhouse(answer)).running() as server:
            connection = create(replica, "clickhouse", server.port, **login(clickhouse_server))
            runs(replica, connection)
            with watched(replica):
                error = refused(replica, connection)
            assert "MOORINGS_MAX_BUFFER_BYTES" in error
            assert server.sent < SENT
            runs(replica, connection)

    @pytest.mark.parametrize("dialect", ["clickhouse", "trino"])
    @pytest.mark.parametrize("answer", [Answer(ends=False), Answer(bomb=BOMB)], ids=["endless", "bomb"])
    def test_login(self, replica: Replica, dialect: str, answer: Answer) -> None:
        with EndlessHttp(lambda _: answer).running() as server:
            connection = create(replica, dialect, server.port)
            with watched(replica):
                assert "MOORINGS_MAX_BUFFER_BYTES" in refused(replica, connection)
            assert server.sent < SENT


def by_requests(url: str) -> bytes:
    """As Trino, BigQuery and their tokens are asked."""
    with requests.Session() as session:
        install(session, Network(), None, "host")
        return session.get(url).content


def by_pools(url: str) -> bytes:
    return CheckedPools(Network(), "host").request("GET", url).data


def by_aws(url: str) -> bytes:
    manager = PoolManager()
    bases = (AWSHTTPConnectionPool, AWSHTTPSConnectionPool)
    manager.pool_classes_by_scheme = pool_classes(Network(), "host", bases=bases, streamed=True)
    answer = manager.request("GET", url, preload_content=False)
    return b"".join(answer.stream(decode_content=True))


def in_pieces(url: str) -> bytes:
    """As Thrift reads: Databricks."""
    manager = PoolManager()
    manager.pool_classes_by_scheme = pool_classes(Network(), "host")
    answer = manager.request("GET", url, preload_content=False)
    while answer.read(4096):
        pass
    return b""


class TestAnswers:
    @pytest.mark.parametrize("read", [by_requests, by_pools, by_aws, in_pieces])
    @pytest.mark.parametrize("answer", [Answer(ends=False), Answer(bomb=BOMB)], ids=["endless", "bomb"])
    def test_each_driver_way(self, read: Callable[[str], bytes], answer: Answer) -> None:
        with EndlessHttp(lambda _: answer).running() as server:
            with pytest.raises(errors.ResultTooLarge):
                read(f"http://127.0.0.1:{server.port}/")
            assert server.sent < SENT

    @pytest.mark.parametrize("answer", [Answer(ends=False), Answer(bomb=BOMB)], ids=["endless", "bomb"])
    def test_tokens(self, answer: Answer) -> None:
        """What OAuth servers and metadata services send is never decompressed."""
        with EndlessHttp(lambda _: answer).running() as server, pytest.raises(errors.AnotherService):
            https.fetch(Network(), f"http://127.0.0.1:{server.port}/", headers={}, timeout_seconds=5)

    def test_an_encoding_that_the_driver_would_read_itself(self) -> None:
        answer = Answer(b"x", {"Content-Encoding": "lz4"})
        with EndlessHttp(lambda _: answer).running() as server, pytest.raises(errors.AnotherService):
            by_pools(f"http://127.0.0.1:{server.port}/")

    @pytest.mark.parametrize("read", [by_requests, by_pools, by_aws])
    def test_ordinary_ones_arrive(self, read: Callable[[str], bytes]) -> None:
        for answer in Answer(b"words" * 100_000), Answer(bomb=zeros(16 << 20)):
            with EndlessHttp(lambda _, answer=answer: answer).running() as server:
                assert read(f"http://127.0.0.1:{server.port}/") == (answer.body or bytes(16 << 20))

    @pytest.mark.parametrize("compression", ["lz4", "zstd"])
    def test_arrow_that_grows(self, compression: str) -> None:
        sink = io.BytesIO()
        batch = pa.record_batch({"v": pa.nulls(1 << 22, pa.int64()).fill_null(0)})
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
            writer.write_batch(batch)
        assert len(sink.getvalue()) < 1 << 20
        for most, fits in ((33 << 20, True), (31 << 20, False)):
            body = Body(HTTPResponse(io.BytesIO(sink.getvalue()), preload_content=False), most)
            assert not body.empty()
            with ExitStack() as stack:
                raised: AbstractContextManager[Any] = pytest.raises(errors.ResultTooLarge)
                if not fits:
                    stack.enter_context(raised)
                assert [found.num_rows for found in body.batches(body.arrow())] == [1 << 22]
