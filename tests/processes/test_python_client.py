"""The Python client against a real process."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NotRequired, get_origin, get_type_hints

import pytest

import moorings.client.blocking
from moorings.client import (
    AmbiguousName,
    ApiError,
    AsyncClient,
    AuthenticationFailed,
    ChangedMeanwhile,
    Client,
    ClientError,
    Gone,
    InvalidRequest,
    JobFailed,
    NotConfigured,
    UnknownName,
    profiles,
    shapes,
)
from tests.processes.conftest import TOKEN, Replica


@pytest.fixture(scope="module")
def replica(start, tmp_path_factory) -> Iterator[Replica]:
    with start(tmp_path_factory.mktemp("client"), SAMPLE="true") as running:
        yield running


@pytest.fixture(scope="module")
def client(replica: Replica) -> Iterator[Client]:
    with Client(replica.serving.url, TOKEN) as made:
        yield made


@pytest.fixture
def without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moorings.client.blocking, "has_pyarrow", lambda: False)


def running_queries(replica: Replica) -> int:
    text = replica.client.get(f"{replica.serving.url}/metrics").text
    return int(float(re.search(r"^moorings_running_queries (\S+)", text, re.MULTILINE)[1]))


def wait_until_none_runs(replica: Replica) -> None:
    deadline = time.monotonic() + 10
    while running_queries(replica):
        assert time.monotonic() < deadline, "the query still runs"
        time.sleep(0.01)


def postgres(name: str, **fields: object) -> dict[str, object]:
    given = {"dialect": "postgres", "name": name, "host": "h", "database": "d", "username": "u"}
    return given | {"passwordUnencrypted": "p"} | fields


class TestNames:
    def test_work_wherever_ids_do(self, client):
        found = client.connections.get("sample")  # in another case, as nothing else has the name
        assert client.connections.get(found["id"])["name"] == "Sample"
        assert client.connections["Sample"].id() == found["id"]

    def test_one_that_two_have_lists_their_ids(self, client):
        ids = {client.connections.create(postgres("Twice"))["id"] for _ in range(2)}
        with pytest.raises(AmbiguousName) as refused:
            client.connections.get("Twice")
        assert set(refused.value.ids) == ids
        assert all(each in str(refused.value) for each in ids)

    def test_unknown_one(self, client):
        with pytest.raises(UnknownName, match="Nowhere"):
            client.query("SELECT 1", "Nowhere")

    def test_a_query_without_one_lists_what_there_is(self, client):
        client.connections.create(postgres("Another"))
        with pytest.raises(UnknownName) as refused:
            client.query("SELECT 1")
        assert '"Another"' in refused.value.next_step


class TestResources:
    def test_connection_from_creation_to_restoration(self, client):
        made = client.connections.create(postgres("Shop"))
        assert client.connections.update("Shop", {"baseRole": "QUERIER"}, if_match=made["etag"])["success"]
        with pytest.raises(ChangedMeanwhile) as stale:
            client.connections.update("Shop", {"baseRole": "VIEWER"}, if_match=made["etag"])
        assert (stale.value.status, stale.value.next_step is None) == (412, False)
        client.connections.archive("Shop")
        with pytest.raises(Gone):
            client.connections.archive(made["id"])
        assert client.connections.restore("Shop")["needsCredentials"]

    def test_faults_come_by_field(self, client):
        with pytest.raises(InvalidRequest) as refused:
            client.connections.create({"dialect": "postgres", "name": "x", "port": "y"})
        assert refused.value.fields["port"] == "Expected number, received string"
        assert refused.value.fields["host"] == "Required"
        assert refused.value.request_id.startswith("req_")

    def test_people_groups_and_roles(self, client):
        user = client.users.create("ada@example.org", name="Ada")
        client.groups.create("Analysts")
        client.groups.add("Analysts", "ada@example.org")
        client.groups.assign_role("Analysts", "Sample", "QUERIER")
        held = client.users.roles("ada@example.org", connection="Sample")["results"]
        assert any(role["roleName"] == "QUERIER" and role["resolved"] for role in held)
        assert [each["id"] for each in client.users.list()] == [user["id"]]

    def test_lists_go_over_all_pages(self, client):
        for number in range(103):
            client.webhooks.create(f"https://example.org/{number}")
        assert len({each["id"] for each in client.webhooks.list()}) == 103
        assert client.webhooks.get("https://example.org/102")["enabled"]

    def test_refresh_is_waited_for(self, client):
        client.connections.refresh("Sample", wait=True)
        assert {table["name"] for table in client.catalog.stored("Sample")} >= {"customers", "orders"}
        assert next(client.catalog.search("customers"))["connectionName"] == "Sample"

    def test_failed_job_is_an_error(self, client):
        client.connections.create({"dialect": "duckdb", "name": "Gone", "database": "nowhere.duckdb"})
        with pytest.raises(JobFailed) as failed:
            client.connections["Gone"].refresh(wait=True)
        assert failed.value.job["status"] == "FAILED"

    def test_unknown_key(self, replica):
        with pytest.raises(AuthenticationFailed), Client(replica.serving.url, "moo_osk_nobody-has-this") as stranger:
            stranger.whoami()

    def test_every_answer_has_the_keys_of_its_shape(self, client):
        """The shapes were made from the API's document; these are the answers."""
        connection = client.connections.get("Sample")
        answers = [
            (connection, shapes.ConnectionDetails),
            (client.whoami(), shapes.Whoami),
            (client.connections.test("Sample"), shapes.TestResult),
            (client.connections.health("Sample"), shapes.HealthPage),
            (client.connections.route("Sample"), shapes.Route),
            (client.dialects.get("postgres"), shapes.Dialect),
            (client.schedules.create("Sample", "0 9 * * ? *"), shapes.Schedule),
            (client.attributes.create("region"), shapes.UserAttribute),
        ]
        for answer, shape in answers:
            hints = get_type_hints(shape, include_extras=True)  # __required_keys__ does not read annotations as text
            required = {key for key, hint in hints.items() if get_origin(hint) is not NotRequired}
            assert required <= set(answer) <= set(hints), shape


SQL = "SELECT range AS n, 1.50::decimal(5, 2) AS price, 'a<b' AS text FROM range(3)"


class TestResults:
    def test_rows(self, client):
        with client.query(SQL, "Sample") as result:
            assert result.columns == ["n", "price", "text"]
            assert list(result.rows()) == [(n, Decimal("1.50"), "a<b") for n in range(3)]
        assert (result.row_count, result.truncated) == (3, False)

    @pytest.mark.usefixtures("without_pyarrow")
    def test_rows_without_pyarrow(self, client):
        rows = client.query(SQL, "Sample").rows(named=True)
        assert list(rows) == [{"n": n, "price": Decimal("1.50"), "text": "a<b"} for n in range(3)]
        with pytest.raises(ClientError, match="pyarrow"):
            client.query(SQL, "Sample").to_arrow()

    @pytest.mark.usefixtures("without_pyarrow")
    def test_without_pyarrow_there_is_no_limit_of_rows_either(self, client):
        assert sum(1 for _ in client.query("SELECT 1 FROM range(100001)", "Sample").rows()) == 100_001

    def test_tables(self, client):
        result = client.connections["Sample"].query(SQL)
        assert result.to_arrow().num_rows == 3
        assert list(result.to_pandas()["n"]) == [0, 1, 2]  # the table is kept
        assert sum(batch.num_rows for batch in result.batches()) == 3

    def test_parameters_and_limits(self, client):
        query = client.query("SELECT $1::decimal(4,1) + range FROM range(9)", "Sample", [Decimal("0.5")], row_limit=2)
        assert [value for (value,) in query.rows()] == [Decimal("0.5"), Decimal("1.5")]
        assert query.truncated

    def test_rows_are_read_once(self, client):
        result = client.query(SQL, "Sample")
        list(result.rows())
        with pytest.raises(ClientError, match="already"):
            list(result.rows())

    def test_leaving_the_block_cancels_in_the_database(self, replica, client):
        with client.query("SELECT * FROM range(100000000000)", "Sample") as result:
            assert next(result.rows()) == (0,)
            assert running_queries(replica) == 1
        wait_until_none_runs(replica)

    def test_refused_statement(self, client):
        with pytest.raises(ApiError, match="nothing_here") as refused:
            client.query("SELECT * FROM nothing_here", "Sample")
        assert refused.value.code == "statement_refused"

    def test_other_formats_and_plan(self, client):
        with client.download("SELECT 1 AS a", "Sample", format="csv") as download:
            assert b"".join(download) == b'"a"\r\n1\r\n'
        assert client.plan("SELECT 1", "Sample")["plan"]


class TestInANotebook:
    def test_shows_rows_count_time_and_connection_escaped(self, client):
        result = client.query("SELECT '<script>alert(1)</script>' AS \"<b>\", NULL AS n", "Sample")
        html = result._repr_html_()
        assert "&lt;script&gt;" in html
        assert "<script>" not in html
        assert "<b>" not in html
        assert "1 row · " in html
        assert "· Sample" in html
        assert list(result.rows()) == [("<script>alert(1)</script>", None)]  # what was shown can still be read

    def test_a_long_result_is_not_read_to_its_end(self, client):
        with client.query("SELECT * FROM range(100000000000)", "Sample") as result:
            assert "more than " in result._repr_html_()


class TestAsync:
    def test_does_the_same(self, replica):
        async def go() -> None:
            async with AsyncClient(replica.serving.url, TOKEN) as client:
                assert (await client.connections.get("sample"))["name"] == "Sample"
                assert [each["name"] async for each in client.catalog.tables("Sample")]
                async with client.query(SQL, "Sample") as result:
                    assert (await anext(result.rows(named=True)))["price"] == Decimal("1.50")
                table = await (await client.connections["Sample"].query(SQL)).to_arrow()
                assert table.num_rows == 3
                with pytest.raises(UnknownName):
                    await client.connections.get("Nowhere")

        asyncio.run(go())

    def test_leaving_the_block_cancels_in_the_database(self, replica):
        async def go() -> None:
            async with AsyncClient(replica.serving.url, TOKEN) as client:
                async with client.query("SELECT * FROM range(100000000000)", "Sample") as result:
                    assert await anext(aiter(result.rows())) == (0,)
                    assert running_queries(replica) == 1
                wait_until_none_runs(replica)

        asyncio.run(go())


class TestSettings:
    @pytest.fixture(autouse=True)
    def home(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        for name in ("MOORINGS_URL", "MOORINGS_KEY", "MOORINGS_PROFILE"):
            monkeypatch.delenv(name, raising=False)

    def test_come_from_the_environment(self, replica, monkeypatch):
        monkeypatch.setenv("MOORINGS_URL", replica.serving.url)
        monkeypatch.setenv("MOORINGS_KEY", TOKEN)
        with Client() as client:
            assert client.whoami()["orgRole"] == "ORG_ADMIN"

    def test_come_from_a_profile_that_others_cannot_read(self, replica):
        found = profiles.Profiles("here", {"here": profiles.Profile(replica.serving.url, TOKEN, connection="Sample")})
        profiles.save(found)
        assert profiles.path().stat().st_mode & 0o077 == 0
        with Client() as client:
            assert list(client.query("SELECT 1 AS a").rows()) == [(1,)]
        with Client(profile="here") as client:
            assert client.url == replica.serving.url
        with pytest.raises(NotConfigured, match='no profile "there"'):
            Client(profile="there")

    def test_the_key_of_a_profile_goes_to_no_other_address(self):
        profiles.save(profiles.Profiles("here", {"here": profiles.Profile("https://here.example", TOKEN)}))
        with pytest.raises(NotConfigured, match=r"No key for https://elsewhere\.example"):
            Client("https://elsewhere.example")

    def test_absent_ones_say_what_to_do(self):
        with pytest.raises(NotConfigured) as refused:
            Client()
        assert "moorings login" in refused.value.next_step

    def test_a_key_is_in_no_repr(self, replica):
        with Client(replica.serving.url, TOKEN) as client:
            assert TOKEN not in repr(client) + repr(vars(client)["_core"])
        assert TOKEN not in json.dumps(repr(profiles.Profile("https://x.example", TOKEN)))
