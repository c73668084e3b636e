"""Queries with the published ADBC driver against the served process, real PostgreSQL and DuckDB behind it."""

from __future__ import annotations

import datetime
import decimal
import subprocess
import threading
import time
import uuid
from typing import Any

import adbc_driver_manager
import pyarrow as pa
import pytest
from pyarrow import flight
from sqlalchemy import update

from moorings.access.models import ApiKey
from moorings.access.policy import Role
from moorings.access.service import token_hash
from moorings.flight import messages
from tests.certificates import authority, issued
from tests.processes.conftest import TOKEN
from tests.processes.flight.conftest import HEADER, read_all
from tests.processes.test_streams import Elsewhere, endless, silent
from tests.terminal import MOORINGS
from tests.warehouses.servers.process import free_port


@pytest.fixture(scope="module")
def elsewhere(postgres_server: Any) -> Elsewhere:
    return Elsewhere(postgres_server)


@pytest.fixture
def mark() -> str:
    return uuid.uuid4().hex


class TestLogin:
    def test_by_bearer_token_and_by_the_name_of_the_connection(self, door: Any):
        assert door.rows("Shop", "SELECT name FROM customer ORDER BY id") == [("Ada",), ("Grace",)]

    def test_names_may_differ_in_case_and_ids_work_too(self, door: Any):
        assert door.rows("shop", "SELECT 1") == door.rows(door.postgres, "SELECT 1") == [(1,)]

    def test_by_the_key_as_the_password(self, door: Any):
        login = {"username": "anybody", "password": TOKEN}
        assert door.rows("Things", "SELECT label FROM thing ORDER BY id", key=None, **login) == [("one",), ("two",)]

    def test_a_wrong_password_is_refused_by_the_handshake(self, door: Any):
        with pytest.raises(adbc_driver_manager.ProgrammingError, match="Invalid bearer token"):
            door.connect(key=None, username="x", password="wrong").close()

    def test_a_wrong_token_is_refused(self, door: Any):
        with pytest.raises(adbc_driver_manager.ProgrammingError, match="Invalid bearer token") as refused:
            door.rows("Shop", "SELECT 1", key="wrong-key-of-nobody")
        assert refused.value.status_code == adbc_driver_manager.AdbcStatusCode.UNAUTHENTICATED

    def test_without_a_key_nothing_is_answered(self, door: Any):
        with flight.connect(door.uri) as client, pytest.raises(flight.FlightUnauthenticatedError):
            client.get_flight_info(flight.FlightDescriptor.for_command(b"x"))

    @pytest.mark.parametrize("header", ["Bearer", "Basic !!!", "Basic eA", "Negotiate abc", "Bearer a b"])
    def test_malformed_credentials_are_refused(self, door: Any, header: str):
        options = flight.FlightCallOptions(headers=[(b"authorization", header.encode())])
        with flight.connect(door.uri) as client, pytest.raises(flight.FlightUnauthenticatedError):
            client.get_flight_info(flight.FlightDescriptor.for_command(b"x"), options)


class TestRights:
    def test_an_unknown_connection_is_not_found(self, door: Any):
        with pytest.raises(adbc_driver_manager.Error, match="Connection not found"):
            door.rows("Nowhere", "SELECT 1")

    def test_a_connection_must_be_named(self, door: Any):
        with door.cursor() as cursor, pytest.raises(adbc_driver_manager.Error, match="Name a connection"):
            cursor.execute("SELECT 1")

    def test_a_connection_that_a_user_may_not_see_does_not_exist(self, door: Any):
        with pytest.raises(adbc_driver_manager.Error, match="Connection not found"):
            door.rows("Shop", "SELECT 1", key=door.member())

    def test_a_viewer_may_not_query(self, door: Any):
        with pytest.raises(adbc_driver_manager.Error, match="Permission denied"):
            door.rows("Shop", "SELECT 1", key=door.member(**{door.postgres: Role.VIEWER}))

    def test_a_querier_may(self, door: Any):
        key = door.member(**{door.postgres: Role.QUERIER})
        assert door.rows("Shop", "SELECT 1", key=key) == [(1,)]

    def test_two_connections_of_one_name_are_told_apart_by_id(self, door: Any):
        ids = [door.replica.create(dialect="duckdb", name="Twin", database="things.duckdb") for _ in range(2)]
        with pytest.raises(adbc_driver_manager.Error, match="Several connections are named") as refused:
            door.rows("Twin", "SELECT 1")
        assert all(each in str(refused.value) for each in ids)
        assert door.rows(ids[0], "SELECT 1") == [(1,)]

    def test_the_environment_follows_the_user_attribute_or_the_header(self, door: Any):
        base, other = (
            door.replica.create(dialect="duckdb", name=f"Routed {n}", database="things.duckdb") for n in range(2)
        )
        sent = {"baseConnectionId": base, "environmentConnectionIds": [other]}
        made = door.replica.request("POST", "/connection-environments", json=sent).json()["data"][0]["id"]
        door.rows(base, "SELECT 1 AS base")
        door.logged(command="Statement", connection_id=base)
        door.rows(base, "SELECT 1 AS other", **{f"{HEADER}environment": made})
        door.logged(command="Statement", connection_id=other)

    def test_a_revoked_key_ends_its_running_stream(self, door: Any, elsewhere: Elsewhere, mark: str):
        key = door.member(**{door.postgres: Role.QUERIER})
        with door.raw("Shop", key=key) as client:
            reader = client.get(client.query(endless(mark)).endpoints[0].ticket)
            reader.read_chunk()
            revoked = update(ApiKey).where(ApiKey.token_hash == token_hash(key)).values(revoked_at=1)
            door.change(lambda session: session.execute(revoked))
            with pytest.raises(flight.FlightUnauthorizedError, match="no longer permitted"):
                read_all(reader)
        elsewhere.wait_for(mark, 0)


class TestScopes:
    @pytest.fixture
    def key(self, door: Any) -> Any:
        """Make a key with scopes."""

        def making(*scopes: str, **more: Any) -> str:
            sent = {"name": "limited", "scopes": list(scopes)} | more
            return door.replica.request("POST", "/api-keys", json=sent).json()["token"]

        return making

    def test_query_runs_statements_and_reads_no_catalog(self, door: Any, key: Any):
        limited = key("query")
        assert door.rows("Shop", "SELECT 1", key=limited) == [(1,)]
        with door.raw("Shop", key=limited) as client:
            ticket = client.info(messages.packed("CommandGetDbSchemas")).endpoints[0].ticket
            with pytest.raises(flight.FlightUnauthorizedError, match="read"):
                client.get(ticket).read_all()

    def test_read_reads_catalogs_and_runs_no_statement(self, door: Any, key: Any):
        with door.raw("Shop", key=key("read")) as client:
            ticket = client.info(messages.packed("CommandGetDbSchemas")).endpoints[0].ticket
            assert client.get(ticket).read_all().num_rows
            with pytest.raises(flight.FlightUnauthorizedError, match="query"):
                client.query("SELECT 1")

    def test_another_scope_opens_nothing(self, door: Any, key: Any):
        with door.raw("Shop", key=key("scim")) as client, pytest.raises(flight.FlightUnauthorizedError):
            client.info(messages.packed("CommandGetSqlInfo"))

    def test_a_key_for_other_connections_does_not_see_this_one(self, door: Any, key: Any):
        limited = key("query", connectionIds=[door.duck])
        assert door.rows("Things", "SELECT 1", key=limited) == [(1,)]
        with pytest.raises(adbc_driver_manager.Error, match="Connection not found"):
            door.rows("Shop", "SELECT 1", key=limited)


class TestResults:
    def test_types_survive(self, door: Any):
        sql = "SELECT 1::bigint AS a, 1.50::numeric(6, 2) AS b, 'x' AS c, date '2024-02-29' AS d, NULL::int AS e"
        assert door.rows("Shop", sql) == [(1, decimal.Decimal("1.50"), "x", datetime.date(2024, 2, 29), None)]

    def test_a_large_result_arrives_whole(self, door: Any):
        with door.cursor("Things") as cursor:
            cursor.execute("SELECT range AS a, 'row ' || range AS b FROM range(500000)")
            table = cursor.fetch_arrow_table()
        assert table.num_rows == 500_000
        assert table.column("a")[499_999].as_py() == 499_999

    def test_an_empty_result_has_its_columns(self, door: Any):
        with door.cursor("Shop") as cursor:
            cursor.execute("SELECT id, name FROM customer WHERE false")
            assert cursor.fetch_arrow_table().schema.names == ["id", "name"]

    def test_dictionaries_arrive(self, door: Any):
        sql = "SELECT CASE WHEN range % 2 = 0 THEN 'a' ELSE 'b' END::ENUM('a', 'b') AS e FROM range(5)"
        assert [row[0] for row in door.rows("Things", sql)] == ["a", "b", "a", "b", "a"]

    def test_a_failure_after_the_first_rows_raises(self, door: Any):
        sql = "SELECT CASE WHEN range < 900000 THEN range ELSE ('a' || range)::BIGINT END AS a FROM range(1000000)"
        with pytest.raises(Exception, match="Could not convert"):  # the driver reads ahead, so execute may raise it
            door.rows("Things", sql)

    def test_a_statement_at_fault_says_what_the_database_said(self, door: Any):
        with pytest.raises(adbc_driver_manager.Error, match="nowhere") as refused:
            door.rows("Shop", "SELECT * FROM nowhere")
        assert "Traceback" not in str(refused.value)

    def test_values_of_parameters_are_bound(self, door: Any):
        sql = "SELECT name FROM customer WHERE id = $1 AND since > $2"
        assert door.rows("Shop", sql, (1, datetime.date(2019, 1, 1))) == [("Ada",)]
        assert door.rows("Things", "SELECT label FROM thing WHERE id = ?", (2,)) == [("two",)]
        assert door.rows("Shop", "SELECT $1::text", ("'; DROP TABLE customer; --",)) == [
            ("'; DROP TABLE customer; --",)
        ]

    def test_one_statement_takes_one_row_of_parameters(self, door: Any):
        with door.cursor("Shop") as cursor, pytest.raises(adbc_driver_manager.Error, match="exactly one row"):
            cursor.executemany("SELECT $1::int", [(1,), (2,)])

    def test_a_prepared_statement_runs_again_with_other_values(self, door: Any):
        with door.cursor("Shop") as cursor:
            for number, name in ((1, "Ada"), (2, "Grace")):
                cursor.execute("SELECT name FROM customer WHERE id = $1", (number,))
                assert cursor.fetchone() == (name,)


class TestPrepare:
    @pytest.mark.parametrize("name", ["Shop", "Things"])
    def test_describes_and_does_not_run(self, door: Any, name: str):
        table, kind = ("customer", pa.int32()) if name == "Shop" else ("thing", pa.int32())
        with door.cursor(name) as cursor:
            schema = cursor.adbc_execute_schema(f"SELECT id FROM {table} WHERE id = $1")
        assert schema.names == ["id"]
        assert schema.field("id").type == kind

    def test_a_write_is_described_and_does_not_write(self, door: Any):
        sql = "INSERT INTO customer VALUES (99, 'Nobody') RETURNING id"
        with door.cursor("Writable shop") as cursor:
            assert cursor.adbc_execute_schema(sql).names == ["id"]
        assert door.rows("Shop", "SELECT count(*) FROM customer WHERE id = 99") == [(0,)]

    def test_parameters_have_the_types_of_the_database(self, door: Any):
        with door.cursor("Shop") as cursor:
            found = cursor.adbc_prepare("SELECT name FROM customer WHERE id = $1 AND since > $2")
        assert [field.type for field in found] == [pa.int32(), pa.date32()]

    def test_nothing_starts_before_the_result_is_fetched(self, door: Any, elsewhere: Elsewhere, mark: str):
        with door.raw("Shop") as client:
            client.query(silent(mark))
            assert elsewhere.running(mark) == 0


class TestWrites:
    def test_a_connection_that_only_reads_refuses(self, door: Any):
        with pytest.raises(adbc_driver_manager.Error, match="only reads"):
            door.rows("Shop", "DELETE FROM purchase")
        assert door.rows("Shop", "SELECT count(*) FROM purchase") == [(3,)]

    def test_a_writable_connection_writes_once(self, door: Any):
        with door.cursor("Writable shop") as cursor:
            cursor.execute("INSERT INTO customer VALUES (50, 'New')")
            cursor.adbc_statement.set_sql_query("INSERT INTO customer VALUES (51, 'Newer')")
            assert cursor.adbc_statement.execute_update() == -1
        assert door.rows("Shop", "SELECT id FROM customer WHERE id >= 50 ORDER BY id") == [(50,), (51,)]
        door.rows("Writable shop", "DELETE FROM customer WHERE id >= 50 RETURNING id")


class TestCancel:
    def test_ends_the_statement_in_the_database(self, door: Any, elsewhere: Elsewhere, mark: str):
        with door.cursor("Shop") as cursor:
            failures: list[BaseException] = []

            def run() -> None:
                try:
                    cursor.execute(silent(mark))
                    cursor.fetchall()
                except BaseException as failed:  # noqa: BLE001  # the test looks at it
                    failures.append(failed)

            thread = threading.Thread(target=run)
            thread.start()
            elsewhere.wait_for(mark, 1)
            cursor.adbc_cancel()
            thread.join(10)
            assert failures
        elsewhere.wait_for(mark, 0)

    def test_leaving_a_stream_ends_the_statement(self, door: Any, elsewhere: Elsewhere, mark: str):
        with door.cursor("Shop") as cursor:
            cursor.execute(endless(mark))
            cursor.fetch_record_batch().read_next_batch()
            elsewhere.wait_for(mark, 1)
        elsewhere.wait_for(mark, 0)

    def test_by_its_flight_info_from_another_client(self, door: Any, elsewhere: Elsewhere, mark: str):
        with door.raw("Shop") as client, door.raw("Shop") as other:
            info = client.query(silent(mark))
            failures: list[BaseException] = []

            def run() -> None:
                try:
                    client.get(info.endpoints[0].ticket).read_all()
                except flight.FlightError as failed:
                    failures.append(failed)

            thread = threading.Thread(target=run)
            thread.start()
            elsewhere.wait_for(mark, 1)
            body = messages.written("CancelFlightInfoRequest", info=info.serialize())
            (answer,) = other.act("CancelFlightInfo", body)
            assert messages.parsed("CancelFlightInfoResult", answer).status == 1
            thread.join(10)
            assert isinstance(failures[0], flight.FlightCancelledError)
        elsewhere.wait_for(mark, 0)

    def test_before_it_starts(self, door: Any):
        with door.raw("Shop") as client:
            info = client.query("SELECT 1")
            client.act("CancelFlightInfo", messages.written("CancelFlightInfoRequest", info=info.serialize()))
            with pytest.raises(flight.FlightUnauthorizedError, match="used before"):
                client.get(info.endpoints[0].ticket).read_all()

    def test_over_http_by_the_id_in_the_log(self, door: Any, elsewhere: Elsewhere, mark: str):
        with door.raw("Shop") as client:
            info = client.query(silent(mark))
            outcome: list[BaseException] = []

            def run() -> None:
                try:
                    client.get(info.endpoints[0].ticket).read_all()
                except flight.FlightError as failed:
                    outcome.append(failed)

            thread = threading.Thread(target=run)
            thread.start()
            elsewhere.wait_for(mark, 1)
            deadline = time.monotonic() + 10
            while not (running := _running(door)):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert door.replica.request("DELETE", f"/queries/{running}").status_code == 200
            thread.join(10)
            assert isinstance(outcome[0], flight.FlightCancelledError)
        elsewhere.wait_for(mark, 0)


def _running(door: Any) -> str:
    """The id of the query that runs, as any replica sees it once it has run for a moment."""
    from sqlalchemy import select

    from moorings.queries.models import RunningQuery

    async def asking(session: Any) -> str:
        return (await session.execute(select(RunningQuery.id))).scalar() or ""

    return door.change(asking)


class TestLog:
    def test_has_a_line_for_each_call_without_secrets(self, door: Any):
        door.rows("Things", "SELECT 4711 AS number")
        (line,) = door.logged(command="Statement", connection_id=door.duck, status="OK")
        assert line["query_id"]
        assert line["client"] == "127.0.0.1"
        assert "4711" not in door.replica.serving.err
        assert TOKEN not in door.replica.serving.err

    def test_calls_are_counted(self, door: Any):
        door.rows("Things", "SELECT 1")
        metrics = door.replica.client.get(f"{door.replica.serving.url}/metrics").text
        assert 'rpc_server_call_duration_seconds_count{rpc_method="DoGet",rpc_response_status_code="OK"}' in metrics


class TestLimits:
    def test_the_rate_of_a_key_is_limited(self, served: Any):
        with served(RATE_LIMIT="3/hour") as door, door.raw() as client:
            info = client.info(messages.packed("CommandGetTableTypes"))
            client.get(info.endpoints[0].ticket).read_all()
            for _ in range(2):
                ticket = client.info(messages.packed("CommandGetTableTypes")).endpoints[0].ticket
                client.get(ticket).read_all()
            ticket = client.info(messages.packed("CommandGetTableTypes")).endpoints[0].ticket
            with pytest.raises(flight.FlightUnavailableError, match="Too many requests"):
                client.get(ticket).read_all()


class TestTls:
    def test_the_served_certificate_is_checked(self, served: Any, tmp_path: Any):
        ours = authority()
        pair = issued(ours)
        certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
        certificate.write_text(pair.pem)
        key.write_text(pair.key)
        with served(TLS_CERT=certificate, TLS_KEY=key) as door:
            door.duck = door.replica.create(dialect="duckdb", name="Memory", database=":memory:", readOnly=False)
            uri = f"grpc+tls://localhost:{door.port}"
            trusting = {"adbc.flight.sql.client_option.tls_root_certs": ours.pem}
            assert door.rows("Memory", "SELECT 1", uri=uri, **trusting) == [(1,)]
            distrusting = door.cursor("Memory", uri=uri)
            with distrusting as cursor, pytest.raises(adbc_driver_manager.Error, match="certificate"):
                cursor.execute("SELECT 1")

    @pytest.mark.parametrize("setting", ["TLS_CERT", "TLS_KEY"])
    def test_one_file_without_the_other_is_refused(self, terminal: Any, tmp_path: Any, setting: str):
        file = tmp_path / "file.pem"
        file.write_text("PEM")
        refused = terminal.run("serve", **{setting: file, "FLIGHT_PORT": free_port()})
        assert refused.returncode == 1
        assert "set both MOORINGS_TLS_CERT and MOORINGS_TLS_KEY" in refused.stderr

    def test_files_that_are_no_certificates_are_refused(self, terminal: Any, tmp_path: Any):
        certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
        certificate.write_text(issued(authority()).pem)
        key.write_text(issued(authority()).key)
        refused = terminal.run("serve", TLS_CERT=certificate, TLS_KEY=key, FLIGHT_PORT=free_port())
        assert refused.returncode == 1
        assert "must be a certificate and its private key" in refused.stderr


class TestOwnProcess:
    def test_serves_until_it_is_stopped(self, terminal: Any):
        port = free_port()
        environment = terminal.make_database().environment()
        command = [*MOORINGS, "flight", "--port", str(port)]
        with subprocess.Popen(command, env=environment, cwd=terminal.folder, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert f"127.0.0.1:{port}" in process.stdout.readline().decode()
            with flight.connect(f"grpc://127.0.0.1:{port}") as client:
                client.wait_for_available(30)
                with pytest.raises(flight.FlightUnauthenticatedError):
                    client.get_flight_info(flight.FlightDescriptor.for_command(b"x"))
            process.terminate()
            assert process.wait(15) == 0
