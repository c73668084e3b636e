"""What a result looks like to those who ask for it: files, limits of rows, and types of numbers."""

from __future__ import annotations

import csv
import datetime
import io
import json
import uuid
import zipfile
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from moorings.api.http.negotiation import ARROW, CSV, FILES, FORMATS, JSON, NDJSON, PARQUET, XLSX

MEMORY = {"dialect": "duckdb", "name": "memory", "database": ":memory:", "readOnly": False}
LIMIT, CAP = 100, 5_000
"""Rows of JSON and XLSX, and the most of anything, in the service that has limits."""
SHEET = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}

Run = Callable[..., httpx.Response]


def running(service: Any, **over: Any) -> Run:
    connection_id = service.create(**MEMORY, **over)

    def run(sql: str, accept: str = JSON, query: Any = None, agent: str = "tests", **body: Any) -> httpx.Response:
        headers = {"accept": accept, "user-agent": agent}
        path = f"/connections/{connection_id}/query"
        return service.request("POST", path, json={"sql": sql} | body, headers=headers, params=query or {})

    return run


@pytest.fixture(scope="module", params=[None])
def storage() -> Callable[[], dict[str, Any]]:
    return dict


@pytest.fixture(scope="module")
def run(service: Any) -> Run:
    return running(service)


@pytest.fixture(scope="module")
def limited(serve: Any) -> Run:
    return running(serve(row_limit=LIMIT, row_limit_max=CAP))


def sheet(body: bytes, number: int = 1) -> list[list[Any]]:
    """The cells of a workbook's sheet, as text, with the attributes that say what each is."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        tree = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))
    return [["".join(cell.itertext()) for cell in row.findall("m:c", SHEET)] for row in tree.findall(".//m:row", SHEET)]


class TestRowLimit:
    ROWS = 300_000

    @pytest.mark.parametrize(
        ("accept", "count"),
        [
            (ARROW, lambda body: pa.ipc.open_stream(body).read_all().num_rows),
            (NDJSON, lambda body: body.count(b"\n")),
            (CSV, lambda body: body.count(b"\n") - 1),
            (PARQUET, lambda body: pq.read_table(io.BytesIO(body)).num_rows),
        ],
    )
    def test_streamed_formats_have_none(self, run: Run, accept: str, count: Callable[[bytes], int]):
        answer = run(f"SELECT range AS a FROM range({self.ROWS})", accept)
        assert answer.headers["moorings-row-limit"] == "none"
        assert count(answer.content) == self.ROWS

    def test_json_and_xlsx_have_the_operators_and_say_so(self, run: Run, limited: Run):
        answer = run(f"SELECT range AS a FROM range({self.ROWS})")
        assert answer.headers["moorings-row-limit"] == "100000"
        assert (answer.json()["rowCount"], answer.json()["truncated"]) == (100_000, True)
        workbook = limited("SELECT range AS a FROM range(1000)", XLSX)
        assert workbook.headers["moorings-row-limit"] == str(LIMIT)
        assert len(sheet(workbook.content)) == LIMIT + 1
        assert sheet(workbook.content, 2) == [["rows", str(LIMIT)], ["truncated", "1"]]

    @pytest.mark.parametrize("accept", FORMATS + FILES)
    def test_the_callers_own_is_said_from_the_start(self, run: Run, accept: str):
        assert run("SELECT range AS a FROM range(10)", accept, rowLimit=4).headers["moorings-row-limit"] == "4"

    def test_a_cap_that_cuts_what_nobody_limited_is_a_failure(self, limited: Run):
        answer = limited(f"SELECT range AS a FROM range({CAP})", ARROW)
        assert answer.headers["moorings-row-limit"] == str(CAP)
        assert pa.ipc.open_stream(answer.content).read_all().num_rows == CAP
        small = limited(f"SELECT range AS a FROM range({CAP + 1})", ARROW)
        assert small.status_code == 400
        assert "MOORINGS_ROW_LIMIT_MAX" in small.json()["detail"]

    def test_a_cap_breaks_a_stream_off(self, serve: Any):
        capped = running(serve(row_limit_max=200_000))
        with pytest.raises(Exception) as broken:  # noqa: PT011  # what the server's end of the transfer raises
            capped(f"SELECT range AS a FROM range({self.ROWS})", CSV)
        assert type(broken.value).__name__ == "StreamInterrupted"

    def test_a_cap_below_what_the_caller_asks_for_cuts(self, limited: Run):
        answer = limited("SELECT range AS a FROM range(9999)", rowLimit=9_000)
        assert answer.headers["moorings-row-limit"] == str(CAP)
        assert (answer.json()["rowCount"], answer.json()["truncated"]) == (CAP, True)


class TestCsv:
    def test_it_is_a_file_with_a_charset(self, run: Run):
        answer = run("SELECT 'ä' AS a", CSV)
        assert answer.headers["content-type"].startswith("text/csv; charset=utf-8")
        named = f'attachment; filename="query-{answer.headers["moorings-query-id"][:8]}.csv"'
        assert answer.headers["content-disposition"] == named
        assert answer.content == '"a"\r\n"ä"\r\n'.encode()

    def test_a_byte_order_mark_on_request(self, run: Run):
        assert run("SELECT 1 AS a", CSV, {"bom": "true"}).content == b'\xef\xbb\xbf"a"\r\n1\r\n'

    def test_formulas_are_escaped_on_request_only(self, run: Run):
        sql = "SELECT * FROM (VALUES ('=1+1', -5), ('+x', 1), ('-x', 1), ('@x', 1), (chr(9) || 'x', 1), ('a=1', 1))"
        plain = [row[0] for row in csv.reader(io.StringIO(run(sql, CSV).text, newline=""))][1:]
        escaped = list(csv.reader(io.StringIO(run(sql, CSV, {"escapeFormulas": "true"}).text, newline="")))[1:]
        assert plain == ["=1+1", "+x", "-x", "@x", "\tx", "a=1"]
        assert [row[0] for row in escaped] == ["'=1+1", "'+x", "'-x", "'@x", "'\tx", "a=1"]
        assert escaped[0][1] == "-5"


class TestParquet:
    SQL = (
        "SELECT 1 AS a, 'x' AS a, DATE '2020-02-29' AS d, TIMESTAMP '2020-01-01 12:00:00' AS t,"
        " 1.50::DECIMAL(10,2) AS n,"
        " [1, NULL] AS l, {'k': 'v'} AS s, INTERVAL 3 DAY AS i, NULL AS z, 'x'::BLOB AS b, true AS y, 2::HUGEINT AS h"
    )

    def test_it_holds_every_type(self, run: Run):
        answer = run(self.SQL, PARQUET)
        assert answer.headers["content-disposition"].endswith('.parquet"')
        table = pq.read_table(io.BytesIO(answer.content))
        table.validate(full=True)
        (row,) = table.to_pylist()
        assert list(row) == ["a", "a_2", "d", "t", "n", "l", "s", "i", "z", "b", "y", "h"]
        assert (row["d"], row["l"], row["s"], row["i"]) == (datetime.date(2020, 2, 29), [1, None], {"k": "v"}, "P3D")

    def test_the_footer_says_whether_it_was_cut(self, run: Run):
        body = run("SELECT range AS a FROM range(10)", PARQUET, rowLimit=4).content
        metadata = pq.read_metadata(io.BytesIO(body)).metadata
        assert (metadata[b"moorings.rowCount"], metadata[b"moorings.truncated"]) == (b"4", b"true")

    def test_no_rows(self, run: Run):
        assert pq.read_table(io.BytesIO(run("SELECT 1 AS a WHERE false", PARQUET).content)).num_rows == 0


class TestXlsx:
    def test_cells_are_numbers_dates_and_text(self, run: Run):
        sql = (
            "SELECT 1 AS a, '<&>=1' AS b, 1.5::DOUBLE AS c, DATE '2020-02-29' AS d, NULL AS e, true AS f,"
            " 9007199254740993 AS g, DATE '1850-01-01' AS h, TIMESTAMP '2020-01-01 12:00:00' AS i, [1] AS j"
        )
        answer = run(sql, XLSX)
        assert answer.headers["content-disposition"].endswith('.xlsx"')
        head, row = sheet(answer.content)
        assert head == list("abcdefghij")
        assert row == ["1", "<&>=1", "1.5", "43890", "", "1", "9007199254740993", "1850-01-01", "43831.5", "[1]"]
        assert sheet(answer.content, 2) == [["rows", "1"], ["truncated", "0"]]

    def test_a_large_one_comes_in_pieces(self, run: Run):
        answer = run("SELECT md5(range::text) AS a, md5((range * 7)::text) AS b FROM range(60000)", XLSX)
        assert len(answer.content) > 1024 * 1024
        assert len(sheet(answer.content)) == 60_001


class TestNegotiation:
    def test_a_406_lists_what_can_be_had(self, run: Run):
        answer = run("SELECT 1", "image/png")
        assert answer.status_code == 406
        assert all(media_type in answer.json()["detail"] for media_type in FORMATS + FILES)

    @pytest.mark.parametrize(
        ("accept", "agent", "media_type"),
        [
            ("*/*", "curl/8.5.0", JSON),
            ("*/*", "Mozilla/5.0 (X11; Linux x86_64)", JSON),
            ("text/html,application/xhtml+xml,*/*;q=0.8", "Mozilla/5.0", JSON),
            ("*/*", "python-httpx/0.28", ARROW),
            (ARROW, "curl/8.5.0", ARROW),
            ("text/csv", "curl/8.5.0", CSV),
        ],
    )
    def test_clients_that_show_what_comes_get_text(self, run: Run, accept: str, agent: str, media_type: str):
        answer = run("SELECT 1 AS a", accept, agent=agent)
        assert answer.headers["content-type"].partition(";")[0] == media_type
        assert answer.headers["vary"] == "Accept, User-Agent"


class TestNumericAs:
    SQL = f"SELECT {'1234567890' * 4}.5::VARCHAR AS other, 12::UHUGEINT AS n, [3::BIGNUM] AS l"

    def test_text_says_that_it_is_of_numbers(self, run: Run):
        table = pa.ipc.open_stream(run(self.SQL, ARROW).content).read_all()
        assert [field.metadata for field in table.schema][:2] == [None, {b"moorings.type": b"numeric"}]
        assert table["n"].to_pylist() == ["12"]

    def test_a_query_chooses(self, run: Run):
        table = pa.ipc.open_stream(run(self.SQL, ARROW, numericAs="double").content).read_all()
        assert (table["n"].to_pylist(), str(table.schema.field("n").type)) == ([12.0], "double")
        assert run(self.SQL, numericAs="decimal(20,3)").json()["rows"][0][1] == "12.000"

    def test_a_connection_chooses_and_a_query_overrides(self, service: Any):
        run = running(service, numericAs="double")
        assert run(self.SQL).json()["rows"][0][1] == 12.0
        assert run(self.SQL, numericAs="text").json()["rows"][0][1] == "12"

    def test_what_does_not_fit_is_an_error(self, run: Run):
        answer = run("SELECT 12345::UHUGEINT AS n", numericAs="decimal(4,0)")
        assert answer.status_code == 400
        assert "does not fit numericAs decimal(4,0)" in answer.json()["detail"]

    @pytest.mark.parametrize("wrong", ["float", "decimal", "decimal(77,0)", "decimal(0,0)", "decimal(3,4)"])
    def test_other_words_are_refused(self, run: Run, service: Any, wrong: str):
        answer = run("SELECT 1", numericAs=wrong)
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("Bad Request: numericAs: ")
        created = service.request(
            "POST", "/connections", json=MEMORY | {"passwordUnencrypted": "p", "numericAs": wrong}
        )
        assert created.json()["detail"].startswith("Bad Request: numericAs: ")


class TestCancelWaiting:
    def test_queries_that_wait_for_a_session_end_when_they_are_cancelled(self, service: Any, postgres_server: Any):
        server = postgres_server
        connection_id = service.create(
            host=server.host, port=server.port, username=server.username, passwordUnencrypted=server.password,
            database=server.database, sslMode="disable",
        )  # fmt: skip
        ids = [str(uuid.uuid4()) for _ in range(16)]
        token = service.settings.bootstrap_token.get_secret_value()
        headers = {"authorization": f"Bearer {token}", "accept": JSON}

        async def together() -> list[httpx.Response]:
            import asyncio

            path = f"/api/v1/connections/{connection_id}/query"
            body = {"sql": "select pg_sleep(20)"}
            asked = [
                asyncio.create_task(
                    service.client.post(path, json=body, headers=headers | {"moorings-query-id": query_id}, timeout=60)
                )
                for query_id in ids
            ]
            waiting = set(ids)
            while waiting:  # until each is known
                for query_id in list(waiting):
                    found = await service.client.delete(f"/api/v1/queries/{query_id}", headers=headers)
                    if found.status_code == 200:
                        waiting.discard(query_id)
            return await asyncio.gather(*asked)

        answers = service.run(together())
        assert {json.dumps(answer.json()) for answer in answers} == {json.dumps(answers[0].json())}
        assert "cancelled" in answers[0].json()["detail"]
