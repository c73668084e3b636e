"""CONTRACT section 3, /query/run and /query/wait."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import uuid
import zipfile
from typing import Any

import pyarrow.ipc
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.access.policy import Role
from moorings.api.http.query_jobs import QueryJobs, QueryResult
from moorings.errors import QueryNotFound
from tests.conftest import TOKEN

SOME = "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"
ROWS = "SELECT n, 'a' || n AS label FROM range(3) t(n) ORDER BY n"


@pytest.fixture(scope="module")
def model(service: Any) -> str:
    body = {"dialect": "duckdb", "database": ":memory:", "readOnly": False, "baseRole": "NO_ACCESS", "name": "memory"}
    answer = service.request("POST", "/connections", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


def run(service: Any, model: str, sql: str = ROWS, *, key: str = TOKEN, query: Any = None, **body: Any) -> Any:
    given = {"modelId": model, "userEditedSQL": sql} | (query or {})
    return service.request("POST", "/query/run", json={"query": given} | body, key=key)


def lines(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def rows(line: dict[str, Any]) -> list[dict[str, Any]]:
    return pyarrow.ipc.open_stream(base64.b64decode(line["result"])).read_all().to_pylist()


class TestRun:
    def test_a_line_for_the_job_and_a_last_one(self, service: Any, model: str) -> None:
        job, last = lines(run(service, model))
        assert rows(job) == [{"n": n, "label": f"a{n}"} for n in range(3)]
        assert (job["status"], set(job["summary"]["fields"])) == ("COMPLETE", {"n", "label"})
        assert job["client_result_id"]
        assert last == {"remaining_job_ids": [], "timed_out": "false"}

    @pytest.mark.parametrize(
        ("kind", "text"),
        [
            ("csv", '"n","label"\r\n0,"a0"\r\n1,"a1"\r\n2,"a2"\r\n'),
            ("json", '[{"n":0,"label":"a0"},{"n":1,"label":"a1"},{"n":2,"label":"a2"}]'),
        ],
    )
    def test_as_text(self, service: Any, model: str, kind: str, text: str) -> None:
        assert lines(run(service, model, resultType=kind))[0]["result"].replace(" ", "") == text

    def test_as_a_workbook_in_base64(self, service: Any, model: str) -> None:
        content = base64.b64decode(lines(run(service, model, resultType="xlsx"))[0]["result"])
        assert "xl/worksheets/sheet1.xml" in zipfile.ZipFile(io.BytesIO(content)).namelist()

    @pytest.mark.parametrize(("query", "count"), [({}, 1000), ({"limit": 5.0}, 5), ({"limit": None}, 1500)])
    def test_limits(self, service: Any, model: str, query: Any, count: int) -> None:
        job, _ = lines(run(service, model, "SELECT * FROM range(1500)", query=query))
        assert len(rows(job)) == count

    def test_only_a_plan(self, service: Any, model: str) -> None:
        answer = run(service, model, planOnly=True)
        assert (answer.status_code, "RANGE" in answer.json()["plan"].upper()) == (200, True)

    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            ({}, "query: Required"),
            ({"query": 5}, "query: Expected object, received number"),
            (
                {"query": {"modelId": SOME, "table": "orders", "fields": ["orders.id"]}},
                "query: There is no semantic model here: send SQL in query.userEditedSQL",
            ),
            ({"query": {"userEditedSQL": "SELECT 1"}}, "query.modelId: Required"),
            (
                {"query": {"modelId": "x", "userEditedSQL": "SELECT 1"}, "cache": "never"},
                (
                    "cache: Invalid enum value. Expected 'disabled' | 'normal' | 'refresh' | 'refresh_all', "
                    "received 'never'; query.modelId: Invalid uuid"
                ),
            ),
        ],
    )
    def test_faults(self, service: Any, body: Any, detail: str) -> None:
        answer = service.request("POST", "/query/run", json=body)
        assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {detail}", "status": 400})

    def test_a_refused_statement_is_told(self, service: Any, model: str) -> None:
        answer = run(service, model, "SELECT * FROM nothing_here")
        assert (answer.status_code, "nothing_here" in answer.json()["detail"]) == (400, True)

    def test_who_may(self, service: Any, model: str) -> None:
        assert run(service, model, key=service.member()).status_code == 404
        assert run(service, model, key=service.member(**{model: Role.VIEWER})).status_code == 403
        assert run(service, model, key=service.member(**{model: Role.QUERIER})).status_code == 200

    def test_an_organization_key_runs_it_for_a_user(self, service: Any, model: str) -> None:
        async def making(session: AsyncSession) -> tuple[str, str]:
            organization = await access.the_organization(session)
            users = [
                await access.create_user(session, organization, f"{uuid.uuid4()}@example.com", "U") for _ in range(2)
            ]
            await access.assign_role(session, users[0], model, Role.QUERIER)
            return users[0].id, users[1].id

        allowed, stranger = service.change(making)
        assert run(service, model, userId=allowed).status_code == 200
        assert run(service, model, userId=stranger).status_code == 404
        assert run(service, model, userId=SOME).status_code == 404
        member = service.member(**{model: Role.QUERIER})
        assert run(service, model, key=member, userId=allowed).status_code == 403


class TestWait:
    def test_in_both_published_spellings(self, service: Any, model: str) -> None:
        jobs = [lines(run(service, model, f"SELECT {n} AS n"))[0]["job_id"] for n in range(2)]
        for query in (f"jobIds={','.join(jobs)}", f"job_ids={json.dumps(jobs)}"):
            *found, last = lines(service.request("GET", f"/query/wait?{query}"))
            assert [rows(each) for each in found] == [[{"n": 0}], [{"n": 1}]]
            assert last == {"remaining_job_ids": [], "timed_out": "false"}

    def test_a_job_belongs_to_its_key(self, service: Any, model: str) -> None:
        job = lines(run(service, model))[0]["job_id"]
        for key, ids in ((service.member(**{model: Role.QUERIER}), job), (TOKEN, SOME)):
            answer = service.request("GET", f"/query/wait?jobIds={ids}", key=key)
            assert (answer.status_code, answer.json()["detail"]) == (404, "Query not found")

    @pytest.mark.parametrize(("query", "fault"), [("", "jobIds: Required"), ("?job_ids=[1", "job_ids: Required")])
    def test_faults(self, service: Any, query: str, fault: str) -> None:
        answer = service.request("GET", f"/query/wait{query}")
        assert (answer.status_code, answer.json()["detail"]) == (400, f"Bad Request: {fault}")


class TestJobs:
    def test_results_go_when_there_are_too_many_bytes_and_the_oldest_first(self) -> None:
        async def going() -> tuple[list[bool], int]:
            jobs = QueryJobs(10)

            async def result() -> QueryResult:
                return QueryResult(b"123456", {})

            made = []
            for _ in range(3):
                made.append(jobs.add("key", None, result()))
                await jobs.wait(made[-1:])
                await asyncio.sleep(0)
            kept = [each.task is not None for each in jobs.find("key", [each.id for each in made])]
            jobs.restart(made[0], result())
            await jobs.wait(made[:1])
            return kept, made[0].size

        assert asyncio.run(going()) == ([False, False, True], 6)

    def test_what_is_not_done_in_time_remains(self) -> None:
        async def going() -> None:
            jobs = QueryJobs(10)

            async def endless() -> QueryResult:
                await asyncio.Event().wait()
                raise AssertionError

            job = jobs.add("key", None, endless())
            assert await jobs.wait([job], 0.01) == [job]
            with pytest.raises(QueryNotFound):
                jobs.find("other", [job.id])
            await jobs.close()
            assert job.task is not None
            assert job.task.cancelled()

        asyncio.run(going())
