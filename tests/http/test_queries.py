"""The query endpoint: what it takes, what it answers, what it refuses."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pyarrow as pa
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.api.http.negotiation import ARROW, CSV, FORMATS, JSON, NDJSON
from moorings.queries.models import RunningQuery

MEMORY = {"dialect": "duckdb", "name": "memory", "database": ":memory:", "readOnly": False}
ID = "moorings-query-id"

Run = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def connection_id(service: Any) -> str:
    return service.create(**MEMORY, queryTimeoutSeconds=60)


@pytest.fixture(scope="module")
def run(service: Any, connection_id: str) -> Run:
    """Run SQL on DuckDB; JSON unless said."""

    def running(sql: object = "SELECT 1 AS a", accept: str = JSON, headers: Any = None, **body: Any) -> httpx.Response:
        sent = {"accept": accept} | (headers or {})
        path = f"/connections/{connection_id}/query"
        return service.request("POST", path, json={"sql": sql} | body, headers=sent)

    return running


def running_rows(service: Any) -> int:
    async def counting(session: AsyncSession) -> int:
        return (await session.execute(select(func.count()).select_from(RunningQuery))).scalar_one()

    return service.change(counting)


class TestFormats:
    def test_json(self, run: Run):
        answer = run("SELECT 1 AS a, 'x' AS b")
        assert answer.headers["content-type"] == JSON
        columns = [{"name": "a", "type": "int32"}, {"name": "b", "type": "string"}]
        assert answer.json() == {"columns": columns, "rows": [[1, "x"]], "rowCount": 1, "truncated": False}

    def test_ndjson(self, run: Run):
        answer = run("SELECT 1 AS a, 2 AS a UNION ALL SELECT 3, 4 ORDER BY 1", NDJSON)
        assert answer.headers["content-type"] == NDJSON
        assert answer.text == '{"a":1,"a_2":2}\n{"a":3,"a_2":4}\n'

    def test_csv(self, run: Run):
        answer = run("SELECT 1 AS a, 'x,\"y' AS b", CSV)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
        assert answer.text == '"a","b"\r\n1,"x,""y"\r\n'

    @pytest.mark.parametrize("accept", ["*/*", ARROW])
    def test_arrow(self, run: Run, accept: str):
        answer = run("SELECT range AS a FROM range(5)", accept)
        assert answer.headers["content-type"] == ARROW
        assert pa.ipc.open_stream(answer.content).read_all().to_pydict() == {"a": [0, 1, 2, 3, 4]}

    @pytest.mark.parametrize("codec", ["lz4", "zstd"])
    def test_compressed_arrow(self, run: Run, codec: str):
        answer = run("SELECT range % 2 AS a FROM range(50000)", f"{ARROW}; codecs={codec}")
        assert answer.headers["content-type"] == f"{ARROW}; codecs={codec}"
        assert len(answer.content) < 200_000
        assert pa.ipc.open_stream(answer.content).read_all().num_rows == 50_000

    def test_none_of_ours(self, run: Run):
        answer = run(accept="image/png")
        assert answer.status_code == 406
        assert answer.json()["detail"].startswith("None of the media types in Accept can be produced")

    def test_no_rows(self, run: Run):
        assert run("SELECT 1 AS a WHERE false").json()["rows"] == []

    @pytest.mark.parametrize("accept", FORMATS)
    def test_many_batches(self, run: Run, accept: str):
        answer = run("SELECT range AS a FROM range(100000)", accept)
        readers = {
            ARROW: lambda body: pa.ipc.open_stream(body).read_all()["a"].to_pylist(),
            JSON: lambda body: [row[0] for row in json.loads(body)["rows"]],
            NDJSON: lambda body: [json.loads(line)["a"] for line in body.splitlines()],
            CSV: lambda body: [int(line) for line in body.splitlines()[1:]],
        }
        assert readers[accept](answer.content) == list(range(100_000))


class TestRowLimit:
    @pytest.mark.parametrize(
        ("limit", "rows", "truncated"), [(1, 1, True), (9, 9, True), (10, 10, False), (11, 10, False)]
    )
    def test_json_tells_a_cut(self, run: Run, limit: int, rows: int, truncated: bool):
        answer = run("SELECT * FROM range(10)", rowLimit=limit).json()
        assert (answer["rowCount"], len(answer["rows"]), answer["truncated"]) == (rows, rows, truncated)

    @pytest.mark.parametrize(("limit", "truncated"), [(40_000, b"true"), (50_000, b"false")])
    def test_the_last_arrow_batch_tells_a_cut(self, run: Run, limit: int, truncated: bytes):
        answer = run("SELECT * FROM range(50000)", ARROW, rowLimit=limit)
        reader = pa.ipc.open_stream(answer.content)
        batches = list(reader.iter_batches_with_custom_metadata())
        rows, metadata = sum(found.batch.num_rows for found in batches), batches[-1].custom_metadata
        assert rows == limit
        assert dict(metadata) == {b"moorings.rowCount": b"%d" % limit, b"moorings.truncated": truncated}

    @pytest.mark.parametrize("accept", [NDJSON, CSV])
    def test_the_number_of_rows_tells_it_elsewhere(self, run: Run, accept: str):
        lines = run("SELECT * FROM range(10)", accept, rowLimit=4).text.splitlines()
        assert len(lines) == 4 + (accept == CSV)

    def test_the_operator_sets_default_and_cap(self, serve: Any):
        service = serve(row_limit=5, row_limit_max=20)
        path = f"/connections/{service.create(**MEMORY)}/query"
        for requested, rows in [({}, 5), ({"rowLimit": 10}, 10), ({"rowLimit": 10**30}, 20)]:
            body = {"sql": "SELECT * FROM range(100)"} | requested
            answer = service.request("POST", path, json=body, headers={"accept": JSON}).json()
            assert (answer["rowCount"], answer["truncated"]) == (rows, True)


class TestTimeout:
    @pytest.mark.parametrize(
        ("requested", "effective"), [({}, "60"), ({"timeoutSeconds": 5}, "5"), ({"timeoutSeconds": 10**9}, "60")]
    )
    def test_the_connection_is_the_ceiling(self, run: Run, requested: Any, effective: str):
        assert run(**requested).headers["moorings-timeout-seconds"] == effective

    def test_a_statement_that_takes_longer_is_504(self, run: Run, service: Any):
        answer = run("SELECT count(*) FROM range(100000000000) a, range(100000) b", timeoutSeconds=1)
        assert answer.status_code == 504
        assert answer.json()["detail"].startswith("The statement ran into its time limit")
        assert running_rows(service) == 0


class TestBody:
    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            ({}, "sql: Required"),
            ({"sql": ""}, "sql: String must contain at least 1 character(s)"),
            ({"sql": 1}, "sql: Expected string, received number"),
            ({"sql": "SELECT 1\0"}, "sql: Invalid input"),
            ({"sql": "x" * 500_001}, "sql: String must contain at most 500000 character(s)"),
            ({"sql": "x", "parameters": {}}, "parameters: Expected array, received object"),
            ({"sql": "x", "parameters": [1, [2], {}]}, "parameters.1: Invalid input; parameters.2: Invalid input"),
            ({"sql": "x", "rowLimit": 0}, "rowLimit: Number must be greater than or equal to 1"),
            ({"sql": "x", "rowLimit": 1.5}, "rowLimit: Expected integer, received float"),
            ({"sql": "x", "rowLimit": True}, "rowLimit: Expected number, received boolean"),
            ({"sql": "x", "timeoutSeconds": 0}, "timeoutSeconds: Number must be greater than or equal to 1"),
            ({"sql": "x", "timeoutSeconds": "9"}, "timeoutSeconds: Expected number, received string"),
            ({"rowLimit": "1"}, "sql: Required; rowLimit: Expected number, received string"),
            ({"sql": "x", "limit": 1}, "formErrors: Unrecognized key(s) in object: 'limit'"),
        ],
    )
    def test_its_faults(self, service: Any, connection_id: str, body: Any, detail: str):
        answer = service.request("POST", f"/connections/{connection_id}/query", json=body)
        assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {detail}", "status": 400})

    def test_the_longest_sql(self, run: Run):
        comment = "--" + "x" * (500_000 - len("SELECT 1 AS a") - 2)
        assert run("SELECT 1 AS a" + comment).json()["rows"] == [[1]]

    def test_parameters(self, run: Run):
        sql = "SELECT $1::BIGINT, $2::VARCHAR, $3::BOOLEAN, $4::VARCHAR, $5::DOUBLE"
        values = [2**40, "it's", True, None, 0.5]
        assert run(sql, parameters=values).json()["rows"] == [values]

    @pytest.mark.parametrize("parameters", [[], [1, 2]])
    def test_a_wrong_number_of_parameters(self, run: Run, parameters: list[int]):
        answer = run("SELECT ?", parameters=parameters)
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("The parameters do not fit the statement")


class TestErrorsBeforeTheFirstRow:
    @pytest.mark.parametrize("accept", FORMATS)
    def test_are_json_in_every_format(self, run: Run, service: Any, accept: str):
        answer = run("SELEC 1", accept)
        assert answer.status_code == 400
        assert answer.headers["content-type"] == JSON
        assert set(answer.json()) == {"detail", "status"}
        assert running_rows(service) == 0

    def test_a_first_row_that_fails_is_one(self, run: Run):
        assert run("SELECT ('a' || range::VARCHAR)::INT FROM range(10)").status_code == 400


class TestQueryId:
    def test_each_query_has_its_own(self, run: Run):
        first, second = run().headers[ID], run().headers[ID]
        assert uuid.UUID(first) != uuid.UUID(second)

    def test_a_caller_may_choose_it(self, run: Run):
        chosen = str(uuid.uuid4())
        assert run(headers={ID: chosen.upper()}).headers[ID] == chosen

    def test_it_is_a_uuid(self, run: Run):
        answer = run(headers={ID: "mine"})
        assert (answer.status_code, answer.json()["detail"]) == (400, "Bad Request: Moorings-Query-Id: Invalid uuid")

    def test_one_that_runs_cannot_be_taken(self, service: Any, connection_id: str):
        chosen = str(uuid.uuid4())
        endless = {"sql": "SELECT count(*) FROM range(100000000000) a, range(100000) b", "timeoutSeconds": 2}
        headers = {ID: chosen, "authorization": f"Bearer {service.settings.bootstrap_token.get_secret_value()}"}
        path = f"/api/v1/connections/{connection_id}/query"

        async def twice() -> set[int]:
            answers = await asyncio.gather(
                *(service.client.post(path, json=endless, headers=headers) for _ in range(2))
            )
            return {answer.status_code for answer in answers}

        assert service.run(twice()) == {400, 504}


class TestCancel:
    def test_an_unknown_query(self, service: Any):
        answer = service.request("DELETE", f"/queries/{uuid.uuid4()}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Query not found", "status": 404})

    def test_a_malformed_id(self, service: Any):
        assert service.request("DELETE", "/queries/1").json()["detail"] == "Bad Request: id: Invalid uuid"

    def test_one_that_has_ended(self, service: Any, run: Run):
        assert service.request("DELETE", f"/queries/{run().headers[ID]}").status_code == 404


class TestRunningRows:
    def test_none_is_left_behind(self, service: Any, run: Run):
        run()
        run("SELEC")
        run("SELECT * FROM range(1000000)", rowLimit=1)
        assert running_rows(service) == 0
