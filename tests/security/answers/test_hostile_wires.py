"""Hostile bytes through the other drivers: an answer without an end is an error of that one query, memory is bounded.

As `test_hostile_bytes.py`, for the wires that are not PostgreSQL's, MySQL's, Trino's or ClickHouse's.
"""

from __future__ import annotations

import io
import json
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
import lz4.frame
import pyarrow as pa
import pytest
from databricks.sql import utils

from moorings import dialects, errors
from moorings.dialects.bigquery.wire import storage_channel
from moorings.dialects.databricks import results
from moorings.dialects.databricks import transport as transport  # which puts ours in the driver's place
from moorings.dialects.network import answers
from moorings.dialects.network.dialing import Network
from moorings.dialects.network.pools import CheckedPools
from moorings.dialects.network.values import check_values
from moorings.testing.engines import Server
from tests.processes.conftest import Replica
from tests.processes.conftest import start as start  # the fixture
from tests.security.answers.test_hostile_bytes import SENT, by_aws, by_pools, by_requests, login, refused, runs, watched
from tests.security.servers import flooding
from tests.security.servers.endless_http import Answer, EndlessHttp, zeros
from tests.security.servers.flooding import Flooding
from tests.security.servers.hostile import Certificate, Hostile
from tests.warehouses.oracle.test_oracle import accepted
from tests.warehouses.servers.process import certificate, issued_certificate

TOO_LARGE = "MOORINGS_MAX_BUFFER_BYTES"
PATIENCE = 10.0
"""Seconds in which others are answered on a busy machine; a service that stands still answers after 20."""
BUFFER = 64 * 1024 * 1024
"""Less than this is no fault: drivers refuse some answers by their first bytes."""


@pytest.fixture(scope="module")
def replica(start: Any) -> Iterator[Replica]:
    with start(CONNECT_TIMEOUT_SECONDS="10") as running:
        yield running


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate of the hostile server."""
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Certificate, str]:
    """The same, issued by an authority, and the authority."""
    crt, key, authority = issued_certificate(tmp_path_factory.mktemp("issued"))
    return (crt, key), authority.read_text()


class TestQueries:
    """The server behaves until a session is in the pool; then it floods whatever the driver asks first, or next."""

    @pytest.mark.parametrize("times", [1, 2])
    def test_sql_server(self, replica: Replica, plain_mssql_server: Server, times: int) -> None:
        behind = plain_mssql_server.host, plain_mssql_server.port
        server = Flooding(behind, flooding.TDS_BEGIN, piece=flooding.TDS_PIECE, mark=b"", times=times)
        self.floods(replica, server, "mssql", **login(plain_mssql_server), defaultSchema="dbo", sslMode="disable")

    @pytest.mark.parametrize("times", [1, 2])
    def test_sap_hana(self, replica: Replica, plain_sap_hana_server: Server, times: int) -> None:
        behind = plain_sap_hana_server.host, plain_sap_hana_server.port
        server = Flooding(behind, flooding.HANA_REPLY, mark=b"", times=times)
        self.floods(replica, server, "sap_hana", **login(plain_sap_hana_server), sslMode="disable")

    def test_exasol(self, replica: Replica, plain_exasol_server: Server, own: Certificate) -> None:
        behind = plain_exasol_server.host, plain_exasol_server.port
        server = Flooding(behind, flooding.WEBSOCKET_FRAME, mark=b"", certificate=own)
        self.floods(replica, server, "exasol", **login(plain_exasol_server), sslMode="require")

    def floods(self, replica: Replica, server: Flooding, dialect: str, **body: object) -> None:
        with server.running():
            connection = created(replica, dialect, host="127.0.0.1", port=server.port, **body)
            runs(replica, connection)
            server.armed.set()
            with watched(replica, PATIENCE):
                error = refused(replica, connection)
            assert TOO_LARGE in error or server.dials > 1 or server.sent < BUFFER
            assert server.sent < SENT
            server.armed.clear()
            runs(replica, connection)


def databricks(port: int, authority: str) -> dict[str, Any]:
    return {"host": "localhost", "port": port, "warehouse": "/sql/1.0/warehouses/0", "sslRootCert": authority}


def snowflake(port: int, authority: str) -> dict[str, Any]:
    return {"hostOverride": "localhost", "port": port, "warehouse": "w", "username": "u", "sslRootCert": authority}


def athena(port: int, authority: str) -> dict[str, Any]:
    del authority
    place = {"region": "us-east-1", "resultsLocation": "s3://bucket/results", "username": "AKIAMOORINGSTEST0000"}
    return place | {"hostOverride": f"http://127.0.0.1:{port}", "database": None}


def created(replica: Replica, dialect: str, **body: Any) -> str:
    """The id of a connection with these fields and no others."""
    given = {"dialect": dialect, "name": "n", "database": "app", "passwordUnencrypted": "p", "queryTimeoutSeconds": 30}
    given |= body
    answer = replica.request("POST", "/connections", json={name: value for name, value in given.items() if value})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


Body = Callable[[int, str], dict[str, Any]]
PLAIN = (athena,)


class TestFirstAnswers:
    """The server floods whoever connects."""

    @pytest.mark.parametrize("answer", [Answer(b'{"a": "', ends=False), Answer(bomb=zeros())], ids=["endless", "bomb"])
    @pytest.mark.parametrize("body", [databricks, snowflake, athena])
    def test_http(self, replica: Replica, issued: tuple[Certificate, str], body: Body, answer: Answer) -> None:
        of_server, authority = issued
        with EndlessHttp(lambda _: answer, None if body in PLAIN else of_server).running() as server:
            connection = created(replica, body.__name__, **body(server.port, authority))
            with watched(replica, PATIENCE):
                error = refused(replica, connection)
            assert TOO_LARGE in error or "in time" in error or server.sent < BUFFER
            assert server.sent < SENT

    @pytest.mark.parametrize("dialect", ["mssql", "sap_hana", "oracle", "exasol"])
    def test_wires(self, replica: Replica, own: Certificate, dialect: str) -> None:
        begin, piece = FIRST[dialect]
        certified = own if dialect == "exasol" else None
        further = {"oracle": {"acceptsLicense": True}, "mssql": {"defaultSchema": "dbo"}}.get(dialect, {})
        mode = "require" if dialect == "exasol" else "disable"
        with Endless(begin, piece, certified).running() as server:
            place = {"host": "127.0.0.1", "port": server.port, "username": "u", "sslMode": mode}
            connection = created(replica, dialect, **place, **further)
            with watched(replica, PATIENCE):
                error = refused(replica, connection)
            assert TOO_LARGE in error or "in time" in error or server.sent < BUFFER
            assert server.sent < SENT


FIRST = {
    "mssql": (b"", flooding.TDS_PIECE),
    "sap_hana": (b"\x04\x14\x00\x04\x01\x00\x00\x01" + flooding.HANA_REPLY, flooding.PIECE),
    "oracle": (accepted(), struct.pack(">IBBH", flooding.ANNOUNCED, 6, 0, 0) + flooding.PIECE),
    "exasol": (b"HTTP/1.1 101 Switching Protocols\r\n", b"X-Filling: " + b"x" * 65_536 + b"\r\n"),
}


class Endless(Hostile):
    """Answers the first message of every client with `begin`, and with `piece` again and again."""

    def __init__(self, begin: bytes, piece: bytes, certified: Certificate | None) -> None:
        super().__init__(certified)
        self._begin, self._piece = begin, piece
        self.sent = 0

    def serve(self, wire: socket.socket) -> None:
        if self.certificate is not None:
            wire = self.encrypted(wire)
        wire.recv(65_536)
        wire.sendall(self._begin)
        while True:
            wire.sendall(self._piece)
            self.sent += len(self._piece)


class TestWhatGrows:
    """Answers that are short on the wire, and long in memory."""

    def test_values_of_json(self) -> None:
        many = b"[" + b"[]," * (20 * 1024 * 1024) + b"[]]"
        with EndlessHttp(lambda _: Answer(many)).running() as server:
            for read in (by_requests, by_pools, by_aws):
                with pytest.raises(errors.ResultTooLarge):
                    read(f"http://127.0.0.1:{server.port}/")

    def test_values_of_json_over_websockets(self) -> None:
        with pytest.raises(errors.ResultTooLarge):
            check_values("[" + "{}," * 10_000_000, BUFFER)
        check_values(json.dumps([["text"] * 10] * 10_000), 2 << 20)

    def test_fields_of_thrift(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(answers, "MAX_READS", 1000)
        with EndlessHttp(lambda _: Answer(bytes(4000))).running() as server:
            pools = CheckedPools(Network(), "host")
            answer = pools.request("GET", f"http://127.0.0.1:{server.port}/", preload_content=False)
            assert answer.read(500) == bytes(500)
            with pytest.raises(errors.ResultTooLarge):
                list(iter(lambda: answer.read(1), b""))

    def test_lz4_of_databricks(self) -> None:
        zeros_of_lz4 = lz4.frame.compress(bytes(BUFFER + 1))
        assert len(zeros_of_lz4) < 1 << 20
        with pytest.raises(errors.ResultTooLarge):
            results.decompressed(zeros_of_lz4)
        whole = lz4.frame.compress(b"a" * 3_000_000) + lz4.frame.compress(b"") + lz4.frame.compress(b"b")
        assert results.decompressed(whole) == b"a" * 3_000_000 + b"b"

    @pytest.mark.parametrize(("rows", "fits"), [(1 << 22, True), (3 << 22, False)])
    def test_arrow_of_databricks(self, rows: int, fits: bool) -> None:
        """Both compressions, one inside of the other."""
        sink = io.BytesIO()
        batch = pa.record_batch({"v": pa.nulls(rows, pa.int64()).fill_null(0)})
        with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
            writer.write_batch(batch)
        schema = batch.schema.serialize().to_pybytes()
        message = SimpleNamespace(batch=lz4.frame.compress(sink.getvalue()[len(schema) :]), rowCount=rows)
        if fits:
            table, _ = utils.convert_arrow_based_set_to_arrow_table([message], True, schema)
            assert table.num_rows == rows
        else:
            with pytest.raises(errors.ResultTooLarge):
                utils.convert_arrow_based_set_to_arrow_table([message], True, schema)

    def test_messages_of_bigquery(self) -> None:
        """gRPC counts a message before it is decompressed; so compressed ones are refused."""
        config = dialects.named("bigquery").Config.model_construct()
        reply = bytes(1 << 20)
        handler = grpc.method_handlers_generic_handler(
            "google.cloud.bigquery.storage.v1.BigQueryRead",
            {"CreateReadSession": grpc.unary_unary_rpc_method_handler(lambda _, __: reply)},
        )
        server = grpc.server(ThreadPoolExecutor(1), [handler], compression=grpc.Compression.Gzip)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            channel = storage_channel(Network(), f"http://127.0.0.1:{port}", config, Any, Any)
            with channel, pytest.raises(grpc.RpcError) as raised:
                channel.unary_unary("/google.cloud.bigquery.storage.v1.BigQueryRead/CreateReadSession")(b"")
            assert "ompress" in str(raised.value.details())
        finally:
            server.stop(None)
