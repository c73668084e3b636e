"""How connections are: probed when due, shown in lists, kept as history, and told to a webhook when it changes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import func, select, update

from moorings import clock
from moorings.access.policy import Role
from moorings.engine.service import Engine, TestReport
from moorings.health import service as health
from moorings.health.models import Delivery, HealthProbe
from moorings.health.probing import Prober
from moorings.health.webhook import Webhook
from moorings.secrets import Keyset
from tests.conftest import TOKEN

UNKNOWN = {"status": "unknown", "since": None, "error": None}
SECRET = "a secret of the tests"


@pytest.fixture(scope="module")
def service(serve: Callable[..., Any], storage: Callable[[], dict[str, Any]]) -> Any:
    """A service without a worker: a connection is probed when a test says so."""
    return serve(**storage(), worker=False, health_probe_seconds=300)


def prober(service: Any, *, webhook: bool = False) -> Prober:
    """A prober as a worker has it, beside the one of the service."""

    async def making() -> Engine:
        return Engine(service.settings)

    keyset = Keyset.read(service.settings.keyset_path)
    return Prober(service.database, service.run(making()), keyset, 300.0, webhook)


def probe(service: Any, *, webhook: bool = False) -> None:
    service.run(prober(service, webhook=webhook).probe_due())


def make_due(service: Any) -> None:
    service.change(lambda session: session.execute(update(HealthProbe).values(next_at=0)))


def file(service: Any, name: str) -> Path:
    path = service.settings.duckdb_directory / name
    duckdb.connect(str(path)).close()
    return path


def well(service: Any, database: str, **body: Any) -> str:
    file(service, database)
    return service.create(dialect="duckdb", database=database, **body)


def ill(service: Any, port: int, **body: Any) -> str:
    return service.create(host="127.0.0.1", port=port, **body)


def shown(service: Any, connection: str, **how: Any) -> dict[str, Any]:
    return service.request("GET", f"/connections/{connection}", **how).json()["connection"]["health"]


def health_of(service: Any, connection: str, query: str = "") -> dict[str, Any]:
    answer = service.request("GET", f"/connections/{connection}/health{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as wire:
        wire.bind(("127.0.0.1", 0))
        return wire.getsockname()[1]


class TestProbing:
    def test_what_was_never_tested_is_unknown(self, service: Any):
        connection = service.create()
        assert shown(service, connection) == UNKNOWN
        assert health_of(service, connection) == {
            "health": UNKNOWN,
            "probed": True,
            "checkedAt": None,
            "nextProbeAt": None,
            "pageInfo": {"hasNextPage": False, "nextCursor": None, "pageSize": 20, "totalRecords": 0},
            "records": [],
        }

    def test_a_probe_tells_who_is_well_and_what_fails(self, service: Any, closed_port: int):
        fine, broken = well(service, "fine.duckdb"), ill(service, closed_port)
        probe(service)
        assert (shown(service, fine)["status"], shown(service, fine)["error"]) == ("healthy", None)
        failing = shown(service, broken)
        assert failing["status"] == "failing"
        assert (failing["error"]["step"], failing["error"]["code"]) == ("connect", "port_closed")
        listed = {each["id"]: each["health"] for each in service.request("GET", "/connections").json()["connections"]}
        assert (listed[fine], listed[broken]) == (shown(service, fine), failing)
        after = health_of(service, broken)
        assert (after["health"], after["records"][0]["error"], after["checkedAt"] is not None) == (
            failing,
            failing["error"],
            True,
        )
        metrics = service.run(service.client.get("/metrics")).text
        assert f'moorings_connection_healthy{{connection="{fine}",dialect="duckdb"}} 1.0' in metrics
        assert f'moorings_connection_healthy{{connection="{broken}",dialect="postgres"}} 0.0' in metrics

    def test_a_viewer_sees_the_code_and_not_the_words(self, service: Any, closed_port: int):
        broken = ill(service, closed_port, baseRole="NO_ACCESS")
        probe(service)
        for role, words in ((Role.VIEWER, False), (Role.RESTRICTED_QUERIER, True)):
            key = service.member(**{broken: role})
            listed = service.request("GET", "/connections", key=key).json()["connections"]
            (found,) = [each["health"]["error"] for each in listed if each["id"] == broken]
            assert (found["code"], found["message"] is not None) == ("port_closed", words)

    def test_since_and_history_tell_changes_only(self, service: Any):
        connection = well(service, "changing.duckdb")
        path = service.settings.duckdb_directory / "changing.duckdb"
        whole = path.read_bytes()
        since: list[str] = []
        for content in (whole, whole, b"no database", b"no database", whole):
            path.write_bytes(content)
            make_due(service)
            probe(service)
            since.append(shown(service, connection)["since"])
        assert since[0] == since[1] != since[2] == since[3] != since[4]
        pages = [health_of(service, connection, "?pageSize=2")]
        pages.append(health_of(service, connection, f"?pageSize=2&cursor={pages[0]['pageInfo']['nextCursor']}"))
        records = [record for page in pages for record in page["records"]]
        assert [(each["at"], each["status"]) for each in records] == [
            (since[4], "healthy"),
            (since[2], "failing"),
            (since[0], "healthy"),
        ]

    def test_a_probe_comes_when_it_is_due_and_at_once_after_a_change(self, service: Any, closed_port: int):
        connection = well(service, "moved.duckdb")
        probe(service)
        (service.settings.duckdb_directory / "moved.duckdb").write_bytes(b"no database")
        probe(service)
        assert shown(service, connection)["status"] == "healthy", "not due yet"
        file(service, "elsewhere.duckdb")
        service.request("PATCH", f"/connections/{connection}", json={"database": "missing.duckdb"})
        assert shown(service, connection) == UNKNOWN, "of what it is now nothing is known yet"
        probe(service)
        assert shown(service, connection)["status"] == "failing"
        service.request("PATCH", f"/connections/{connection}", json={"database": "elsewhere.duckdb"})
        probe(service)
        assert shown(service, connection)["status"] == "healthy"

    def test_engines_that_bill_for_it_are_probed_only_when_asked(self, service: Any, closed_port: int):
        body = {"dialect": "snowflake", "name": "n", "database": "d", "username": "u", "passwordUnencrypted": "p"}
        body |= {"hostOverride": "127.0.0.1", "warehouse": "w", "port": closed_port}
        bodies: tuple[dict[str, Any], ...] = ({}, {"probeHealth": True})
        made = [service.request("POST", "/connections", json=body | more).json()["data"] for more in bodies]
        assert [health_of(service, connection)["probed"] for connection in made] == [False, True]
        probe(service)
        assert [shown(service, connection)["status"] for connection in made] == ["unknown", "failing"]
        quiet = ill(service, closed_port, probeHealth=False)
        probe(service)
        assert shown(service, quiet) == UNKNOWN

    def test_the_etag_tells_of_changes_by_people_only(self, service: Any, closed_port: int):
        connection = ill(service, closed_port)
        before = service.request("GET", f"/connections/{connection}").headers["etag"]
        probe(service)
        assert service.request("GET", f"/connections/{connection}").headers["etag"] == before

    def test_a_test_by_hand_counts_as_a_probe(self, service: Any):
        connection = well(service, "by_hand.duckdb")
        service.request("POST", f"/connections/{connection}/test")
        assert shown(service, connection)["status"] == "healthy"
        assert health_of(service, connection)["checkedAt"] is not None

    def test_an_archived_connection_is_left_alone(self, service: Any, closed_port: int):
        connection = ill(service, closed_port)
        service.request("DELETE", f"/connections/{connection}")
        probe(service)
        assert health_of(service, connection)["records"] == []

    def test_a_probe_that_breaks_ends_no_other(self, service: Any, closed_port: int, monkeypatch: pytest.MonkeyPatch):
        probe(service)  # whatever is due before
        broken, fine = ill(service, closed_port), well(service, "beside.duckdb")
        probing = Engine.probe

        async def breaking(self: Engine, target: Any) -> TestReport:
            if target.config.dialect == "postgres":
                raise RuntimeError("a fault of ours")
            await asyncio.sleep(0.05)  # still under way as the other breaks
            return await probing(self, target)

        monkeypatch.setattr(Engine, "probe", breaking)
        probe(service)
        assert [shown(service, each)["status"] for each in (broken, fine)] == ["unknown", "healthy"]

    def test_what_is_not_probed_is_put_off_for_a_day_or_until_it_is_asked_for(self, service: Any, closed_port: int):
        quiet = ill(service, closed_port, probeHealth=False)
        probe(service)
        put_off = self.next_at(service, quiet)
        assert put_off > clock.now() + 23 * 3600 * 1000
        probe(service)
        assert self.next_at(service, quiet) == put_off, "written once"
        service.request("PATCH", f"/connections/{quiet}", json={"probeHealth": True})
        probe(service)
        assert shown(service, quiet)["status"] == "failing"

    def next_at(self, service: Any, connection: str) -> int:
        return service.change(lambda session: session.get_one(HealthProbe, connection)).next_at

    def test_one_that_became_another_is_unknown_and_its_history_stays(self, service: Any):
        connection = well(service, "became.duckdb")
        probe(service)
        records = health_of(service, connection)["records"]
        service.change(lambda session: health.forget(session, connection))
        assert shown(service, connection) == UNKNOWN
        assert health_of(service, connection)["records"] == records
        make_due(service)
        probe(service)
        assert shown(service, connection)["status"] == "healthy"

    def test_one_without_credentials_is_not_probed(self, service: Any, closed_port: int):
        connection = ill(service, closed_port)
        service.request("DELETE", f"/connections/{connection}")
        assert service.request("POST", f"/connections/{connection}/restore").status_code == 200
        probe(service)
        after = health_of(service, connection)
        assert (after["probed"], after["nextProbeAt"], after["checkedAt"]) == (False, None, None)

    def test_two_that_probe_at_once_share_the_work(self, service: Any):
        with listening() as (port, dials):
            probe(service)  # whatever is due before
            for _ in range(6):
                ill(service, port)
            probe(service)
            alone = dials()
            make_due(service)

            async def both() -> None:
                await asyncio.gather(first.probe_due(), second.probe_due())

            first, second = prober(service), prober(service)
            service.run(both())
            assert dials() - alone == alone

    def test_tests_by_hand_and_probes_at_once_do_not_get_in_each_others_way(self, service: Any):
        probing = prober(service)

        async def together(paths: list[str]) -> list[int]:
            headers = {"authorization": f"Bearer {TOKEN}"}
            requests = [service.client.post(f"/api/v1{path}", headers=headers) for path in paths]
            answers = await asyncio.gather(*requests, probing.probe_due())
            return [answer.status_code for answer in answers[:-1]]

        for number in range(4):
            made = [well(service, f"both_{number}_{each}.duckdb") for each in range(3)]
            assert service.run(together([f"/connections/{each}/test" for each in made])) == [200] * 3
            assert [shown(service, each)["status"] for each in made] == ["healthy"] * 3

    def test_what_was_found_of_an_older_revision_is_not_kept(self, service: Any, closed_port: int):
        connection = ill(service, closed_port)
        found = service.request("POST", f"/connections/{connection}/test")
        assert found.json()["success"] is False
        service.request("PATCH", f"/connections/{connection}", json={"host": "127.0.0.2", "passwordUnencrypted": "p"})
        before = health_of(service, connection)["records"]

        service.change(lambda session: health.record(session, connection, 1, TestReport(()), webhook=False))
        assert health_of(service, connection)["records"] == before


@contextlib.contextmanager
def listening() -> Iterator[tuple[int, Callable[[], int]]]:
    """A server that hangs up on whoever dials, and counts them."""
    counted = 0
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accepting() -> None:
            nonlocal counted
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()
                    counted += 1

        thread = threading.Thread(target=accepting)
        thread.start()
        try:
            yield server.getsockname()[1], lambda: counted
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextlib.contextmanager
def dripping() -> Iterator[int]:
    """A server that sends a byte of its headers every 0.1 seconds, for five seconds or until its client leaves."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answering() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as wire:
                wire.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
                for _ in range(50):
                    time.sleep(0.1)
                    wire.sendall(b"x")

        thread = threading.Thread(target=answering)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            thread.join()


class Receiver:
    """An HTTP server that keeps what it is told; it answers with the statuses that it was given, then with 204."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.received: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.received.append(({key.lower(): value for key, value in self.headers.items()}, body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


class TestWebhook:
    def deliver(self, service: Any, url: str) -> None:
        service.run(Webhook(service.database, url, SECRET).deliver_due())

    def waiting(self, service: Any) -> int:
        async def counting(session: Any) -> int:
            return (await session.execute(select(func.count()).select_from(Delivery))).scalar_one()

        return service.change(counting)

    def test_a_change_is_told_once_and_signed(self, service: Any, receiver: Receiver):
        connection = well(service, "told.duckdb", name="Told")
        path = service.settings.duckdb_directory / "told.duckdb"
        whole = path.read_bytes()
        probe(service, webhook=True)
        self.deliver(service, receiver.url)
        receiver.received.clear()  # of connections of other tests, if any
        for content in (b"no database", b"no database", whole):
            path.write_bytes(content)
            make_due(service)
            probe(service, webhook=True)
            self.deliver(service, receiver.url)
        mine = [(headers, body) for headers, body in receiver.received if connection in body.decode()]
        statuses = [(json.loads(body)["data"]["previous"], json.loads(body)["data"]["status"]) for _, body in mine]
        assert statuses == [("healthy", "failing"), ("failing", "healthy")]
        headers, body = mine[0]
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(SECRET.encode(), signed, "sha256")).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        message = json.loads(body)
        assert message["type"] == "connection.health"
        assert (message["data"]["name"], message["data"]["dialect"]) == ("Told", "duckdb")
        assert message["data"]["error"]["code"]

    def test_what_does_not_arrive_is_sent_again_under_the_same_id(
        self, service: Any, receiver: Receiver, closed_port: int
    ):
        probe(service, webhook=True)
        self.deliver(service, receiver.url)
        receiver.received.clear()
        ill(service, closed_port)
        probe(service, webhook=True)
        receiver.statuses = [500, 302]
        for attempt in range(3):
            self.deliver(service, receiver.url)
            assert self.waiting(service) == (1 if attempt < 2 else 0)
            self.deliver(service, receiver.url)
            assert len(receiver.received) == attempt + 1, "not before its pause is over"
            service.change(lambda session: session.execute(update(Delivery).values(next_at=0)))
        assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1

    def test_who_does_not_answer_loses_nothing(self, service: Any, receiver: Receiver, closed_port: int):
        probe(service, webhook=True)
        self.deliver(service, receiver.url)
        ill(service, closed_port)
        probe(service, webhook=True)
        self.deliver(service, f"http://127.0.0.1:{closed_port}/")
        assert self.waiting(service) == 1

    def test_who_answers_byte_by_byte_is_not_waited_for(self, service: Any, closed_port: int):
        ill(service, closed_port)
        probe(service, webhook=True)
        service.change(lambda session: session.execute(update(Delivery).values(next_at=clock.now() + 3_600_000)))
        newest = select(Delivery.id).order_by(Delivery.created_at.desc()).limit(1).scalar_subquery()
        one = update(Delivery).where(Delivery.id == newest).values(next_at=0)
        service.change(lambda session: session.execute(one))
        before = self.waiting(service)
        with dripping() as port:
            began = time.monotonic()
            webhook = Webhook(service.database, f"http://127.0.0.1:{port}/", SECRET, answer_seconds=0.3)
            service.run(webhook.deliver_due())
            assert time.monotonic() - began < 2
        assert self.waiting(service) == before

    def test_only_what_is_being_sent_is_claimed(self, service: Any, receiver: Receiver, closed_port: int):
        for _ in range(2):
            ill(service, closed_port)
        probe(service, webhook=True)
        service.change(lambda session: session.execute(update(Delivery).values(next_at=0)))
        left: list[int] = []

        class Counting(Webhook):
            async def send(self, delivery: Delivery) -> str | None:
                async with self.db.reading() as session:
                    due = select(func.count()).select_from(Delivery).where(Delivery.next_at == 0)
                    left.append((await session.execute(due)).scalar_one())
                return await super().send(delivery)

        service.run(Counting(service.database, receiver.url, SECRET).deliver_due())
        assert left == list(range(len(left)))[::-1]
        assert len(left) >= 2

    def test_what_is_well_from_the_start_is_no_news(self, service: Any):
        well(service, "quiet.duckdb")
        before = self.waiting(service)
        probe(service, webhook=True)
        assert self.waiting(service) == before
