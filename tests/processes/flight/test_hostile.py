"""What no honest client sends: it is refused, and the server lives on."""

from __future__ import annotations

import contextlib
import os
import random
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from moorings import clock
from moorings.access.policy import Role
from moorings.flight import messages, tickets
from moorings.flight.tickets import Prepared, Route, Tickets
from moorings.secrets import Keyset

ANY_REFUSAL = (flight.FlightError, pa.ArrowException)


def survives(act: Any) -> None:
    """Do something that may be refused, but not with an internal error."""
    with contextlib.suppress(StopIteration):
        try:
            act()
        except ANY_REFUSAL as failed:
            if "Internal server error" in str(failed):
                pytest.fail(str(failed))


def refused(act: Any) -> str:
    with pytest.raises(ANY_REFUSAL) as found:
        act()
    text = str(found.value)
    assert "Internal server error" not in text
    return text


@pytest.fixture(scope="module")
def garbage() -> list[bytes]:
    """Bytes of many kinds: random ones, and valid messages with bytes changed or cut off."""
    choose = random.Random(4711)
    valid = messages.packed("CommandGetTables", catalog="a", table_types=["TABLE"], include_schema=True)
    changed = [bytes(choose.choice((byte, choose.randrange(256))) for byte in valid) for _ in range(60)]
    cut = [valid[: choose.randrange(len(valid))] for _ in range(20)]
    return [b"", b"\0", b"\xff" * 100, os.urandom(64), *(choose.randbytes(40) for _ in range(20)), *changed, *cut]


class TestGarbage:
    def test_as_a_command(self, door: Any, garbage: list[bytes]):
        with door.raw("Things") as client:
            for content in garbage:
                survives(lambda content=content: client.info(content))

    def test_as_a_ticket(self, door: Any, garbage: list[bytes]):
        with door.raw("Things") as client:
            for content in garbage:
                refused(lambda content=content: client.get(flight.Ticket(content)).read_all())
                packed = messages.packed("TicketStatementQuery", statement_handle=content)
                refused(lambda packed=packed: client.get(flight.Ticket(packed)).read_all())

    @pytest.mark.parametrize(
        "kind",
        [
            "CreatePreparedStatement",
            "ClosePreparedStatement",
            "CancelFlightInfo",
            "CancelQuery",
            "SetSessionOptions",
            "CloseSession",
            "BeginTransaction",
            "x" * 5000,
        ],
    )
    def test_as_the_body_of_an_action(self, door: Any, garbage: list[bytes], kind: str):
        with door.raw("Things") as client:
            for content in garbage[:40]:
                survives(lambda content=content: client.act(kind, content))

    def test_as_parameters(self, door: Any):
        with door.raw("Things") as client:
            (answer,) = client.act(
                "CreatePreparedStatement", messages.packed("ActionCreatePreparedStatementRequest", query="SELECT ?")
            )
            handle = messages.parsed("ActionCreatePreparedStatementResult", messages.parsed("Any", answer).value)
            command = messages.packed(
                "CommandPreparedStatementQuery", prepared_statement_handle=handle.prepared_statement_handle
            )
            for batch in (
                pa.record_batch({"a": [b"bytes"]}),
                pa.record_batch({"a": [[1, 2]]}),
                pa.record_batch({"a": ["x" * 2_000_000]}),
                pa.record_batch({"a": [1, 2]}),
            ):
                refused(lambda batch=batch: _put(client, command, batch))

    def test_the_server_lives_on(self, door: Any):
        assert door.rows("Things", "SELECT 1") == [(1,)]
        assert "Traceback" not in door.replica.serving.err


def _put(client: Any, command: bytes, batch: pa.RecordBatch) -> None:
    descriptor = flight.FlightDescriptor.for_command(command)
    writer, reader = client.client.do_put(descriptor, batch.schema, client.options)
    with writer:
        writer.write_batch(batch)
        writer.done_writing()
        reader.read()


class TestTickets:
    def test_a_ticket_works_once(self, door: Any):
        with door.raw("Things") as client:
            ticket = client.query("SELECT 1 AS a").endpoints[0].ticket
            assert client.get(ticket).read_all().to_pydict() == {"a": [1]}
            assert "used before" in refused(lambda: client.get(ticket).read_all())

    def test_a_ticket_of_another_key_is_refused(self, door: Any):
        with door.raw("Things") as client, door.raw("Things", key=door.member()) as thief:
            ticket = client.query("SELECT 1").endpoints[0].ticket
            assert "belongs to another key" in refused(lambda: thief.get(ticket).read_all())
            assert client.get(ticket).read_all().num_rows == 1

    def test_a_prepared_statement_of_another_key_is_refused(self, door: Any):
        key = door.member(**{door.postgres: Role.QUERIER})
        with door.raw("Shop") as client, door.raw("Shop", key=key) as thief:
            (answer,) = client.act(
                "CreatePreparedStatement", messages.packed("ActionCreatePreparedStatementRequest", query="SELECT 1")
            )
            found = messages.parsed("ActionCreatePreparedStatementResult", messages.parsed("Any", answer).value)
            command = messages.packed(
                "CommandPreparedStatementQuery", prepared_statement_handle=found.prepared_statement_handle
            )
            assert "belongs to another key" in refused(lambda: thief.info(command))

    def test_a_ticket_does_not_show_its_statement(self, door: Any):
        with door.raw("Things") as client:
            assert b"secret words" not in client.query("SELECT 'secret words'").endpoints[0].ticket.ticket

    def test_a_ticket_expires_after_a_minute(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
        sealing = Tickets(Keyset.make(tmp_path / "keyset.json"))
        ticket = sealing.issue("key", Route("c", None), Prepared("SELECT 1", (1, None), Route("c", None)))
        opened = sealing.open("key", ticket)
        assert opened.statement == Prepared("SELECT 1", [1, None], Route("c", None))
        monkeypatch.setattr(clock, "now", lambda: opened.issued_at + tickets.LIFETIME_MILLISECONDS + 1)
        with pytest.raises(tickets.TicketExpired):
            sealing.open("key", ticket)

    def test_a_handle_is_no_ticket(self, tmp_path: Any):
        sealing = Tickets(Keyset.make(tmp_path / "keyset.json"))
        handle = sealing.handle("key", Prepared("SELECT 1", (), Route("c", None)))
        with pytest.raises(tickets.InvalidTicket):
            sealing.open("key", handle)

    def test_used_tickets_are_forgotten_once_they_have_expired(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
        sealing = Tickets(Keyset.make(tmp_path / "keyset.json"))
        for _ in range(10):
            sealing.use(sealing.open("key", sealing.issue("key", Route(None, None), None)))
        later = clock.now() + tickets.LIFETIME_MILLISECONDS + 1
        monkeypatch.setattr(clock, "now", lambda: later)
        sealing.use(sealing.open("key", sealing.issue("key", Route(None, None), None)))
        assert len(sealing._used) == 1


class TestStatements:
    @pytest.mark.parametrize("sql", ["", "   ", "SELECT '\0'", "S" * 500_001])
    def test_at_fault_are_refused(self, door: Any, sql: str):
        with door.raw("Things") as client:
            refused(lambda: client.query(sql))

    def test_several_at_once_are_refused(self, door: Any):
        with door.raw("Things") as client:
            ticket = client.query("SELECT 1; SELECT 2").endpoints[0].ticket
            assert "one statement" in refused(lambda: client.get(ticket).read_all())

    def test_transactions_are_not_supported(self, door: Any):
        with door.raw("Things") as client:
            command = messages.packed("CommandStatementQuery", query="SELECT 1", transaction_id=b"1")
            assert "transactions" in refused(lambda: client.info(command))

    @pytest.mark.parametrize(
        "headers",
        [
            [(b"database", b"x" * 300)],
            [(b"environment", b"no uuid"), (b"database", b"Things")],
            [(b"cookie", b"moorings_connection=%00; ;;=; a")],
            [(b"traceparent", b"nonsense"), (b"x-forwarded-for", b"999.1.1.1")],
        ],
    )
    def test_odd_headers_are_refused_or_ignored(self, door: Any, headers: list[tuple[bytes, bytes]]):
        with door.raw() as client:
            key = (b"authorization", b"Bearer organization-key-of-the-tests")
            client.options = flight.FlightCallOptions(headers=[key, *headers], timeout=30)
            survives(lambda: client.query("SELECT 1"))
