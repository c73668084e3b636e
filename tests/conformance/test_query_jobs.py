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
from moorings.api.http.query_jobs import JobKey, QueryJobs, QueryResult
from moorings.errors import QueryNotFound, QueryTimeout
from moorings.queries.models import StoredQueryJob
from moorings.queries.stored_jobs import MOST_BYTES, JobStore
from moorings.secrets import Keyset
from tests.conftest import TOKEN

KEY = JobKey("key", "organization")
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
    def test_what_takes_longer_is_a_408_with_its_id_and_is_waited_for(
        self, service: Any, model: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slow = "SELECT count(*) AS n FROM range(120000) a, range(20000) b WHERE a.range * b.range % 7 = 3"
        with monkeypatch.context() as patched:
            patched.setattr("moorings.api.http.query_jobs.WAIT_SECONDS", 0.01)
            answer = run(service, model, slow)
        assert answer.status_code == 408, answer.text
        (last,) = [json.loads(line) for line in answer.text.splitlines()]
        (job_id,) = last["remaining_job_ids"]
        assert (last["timed_out"], last["status"], last["detail"]) == (
            "true",
            408,
            "The query is not done yet. Ask for it with GET /query/wait",
        )
        job, last = lines(service.request("GET", f"/query/wait?job_ids={json.dumps([job_id])}"))
        assert (job["job_id"], job["status"], last["remaining_job_ids"]) == (job_id, "COMPLETE", [])

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
                made.append(await jobs.add(KEY, None, result()))
                await jobs.wait(made[-1:])
                await asyncio.sleep(0)
            kept = [each.task is not None for each in await jobs.find(KEY, [each.id for each in made], str)]
            await jobs.restart(made[0], result())
            await jobs.wait(made[:1])
            return kept, made[0].size

        assert asyncio.run(going()) == ([False, False, True], 6)

    def test_what_is_not_done_in_time_remains(self) -> None:
        async def going() -> None:
            jobs = QueryJobs(10)

            async def endless() -> QueryResult:
                await asyncio.Event().wait()
                raise AssertionError

            job = await jobs.add(KEY, None, endless())
            assert await jobs.wait([job], 0.01) == [job]
            with pytest.raises(QueryNotFound):
                await jobs.find(JobKey("other", "o"), [job.id], str)
            await jobs.close()
            assert job.task is not None
            assert job.task.cancelled()

        asyncio.run(going())


class TestReplicas:
    """Two processes, each with its own jobs, over one database."""

    @pytest.fixture
    def made(self, service: Any) -> tuple[Any, JobKey]:
        async def making() -> JobKey:
            async with service.database.reading() as session:
                return JobKey(str(uuid.uuid4()), await access.the_organization(session))

        keyset = Keyset.read(service.settings.keyset_path)
        return lambda: QueryJobs(10_000, JobStore(service.database, keyset, "one owner")), service.run(making())

    def test_one_waits_for_a_job_that_another_runs(self, service: Any, made: Any) -> None:
        process, key = made

        async def going() -> tuple[list[Any], QueryResult]:
            first, second, ready = process(), process(), asyncio.Event()

            async def result() -> QueryResult:
                await ready.wait()
                return QueryResult(b"\0the result", {"n": "int64"})

            job = await first.add(key, "the request", result())
            (there,) = await second.find(key, [job.id], str)
            remaining = await second.wait([there], 0.01)
            ready.set()
            assert await second.wait([there], 20) == []
            return [remaining == [there], there.request], there.task.result()

        told, result = service.run(going())
        assert told == [True, "the request"]
        assert result == QueryResult(b"\0the result", {"n": "int64"})

    def test_an_error_is_told_and_a_result_that_is_not_stored_runs_again(self, service: Any, made: Any) -> None:
        process, key = made

        async def going() -> None:
            first, second = process(), process()

            async def refused() -> QueryResult:
                raise QueryTimeout(message="Too slow", detail="really")

            async def large() -> QueryResult:
                return QueryResult(b"x" * MOST_BYTES, {})

            failed = await first.add(key, "one", refused())
            big = await first.add(key, "two", large())
            assert await first.wait([failed, big], 20) == []
            one, two = await second.find(key, [failed.id, big.id], str)
            await second.wait([one], 20)
            with pytest.raises(QueryTimeout, match="Too slow"):
                one.task.result()
            assert (two.task, two.request) == (None, "two")
            with pytest.raises(QueryNotFound):
                await second.find(JobKey("another", key.organization_id), [big.id], str)

        service.run(going())

    def test_what_is_stored_is_sealed(self, service: Any, made: Any) -> None:
        process, key = made

        async def going() -> Any:
            async def result() -> QueryResult:
                return QueryResult(b"a secret value", {})

            jobs = process()
            job = await jobs.add(key, "SELECT a_secret", result())
            await jobs.wait([job], 20)
            async with service.database.reading() as session:
                return await session.get_one(StoredQueryJob, job.id)

        row = service.run(going())
        assert row.ended_at is not None
        assert b"secret" not in row.request.ciphertext + row.outcome.ciphertext
