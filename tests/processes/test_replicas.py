"""What is changed through one replica is true on every other one with the very next request."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.access.models import ApiKey, Installation, Organization
from moorings.access.policy import Role
from moorings.connections.models import Connection
from moorings.secrets import Keyset
from moorings.settings import Settings
from tests.processes.conftest import TOKEN, Replicas
from tests.terminal import Terminal
from tests.warehouses.postgres.server import login

ROUNDS = 60


def test_a_job_of_a_query_is_waited_for_at_another_replica(replicas: Replicas) -> None:
    body = {"dialect": "duckdb", "name": "m", "database": ":memory:", "readOnly": False, "baseRole": "NO_ACCESS"}
    model = replicas.first.request("POST", "/connections", json=body).json()["data"]
    query = {"modelId": model, "userEditedSQL": "SELECT 42 AS n"}
    ran = replicas.first.request("POST", "/query/run", json={"query": query, "resultType": "json"})
    assert ran.status_code == 200, ran.text
    job = json.loads(ran.text.splitlines()[0])
    waited = replicas.second.request("GET", f"/query/wait?jobIds={job['job_id']}")
    assert waited.status_code == 200, waited.text
    assert json.loads(waited.text.splitlines()[0]) == job
    assert json.loads(job["result"]) == [{"n": 42}]


def doors(replicas: Replicas, number: int) -> tuple[Any, Any]:
    """The replica to change through and the one to look at, in turns."""
    return (replicas.first, replicas.second) if number % 2 else (replicas.second, replicas.first)


@contextlib.contextmanager
def load(replicas: Replicas, key: str = TOKEN) -> Iterator[None]:
    """Keep both replicas busy with lists, so that they always hold something that could be stale."""
    stop = threading.Event()

    def asking(replica: Any) -> None:
        while not stop.is_set():
            replica.request("GET", "/connections", key=key)
            time.sleep(0.005)

    threads = [threading.Thread(target=asking, args=[each]) for each in (replicas.first, replicas.second)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class TestNothingIsStale:
    def test_a_revoked_key_is_refused_at_once(self, replicas: Replicas):
        async def making(session: AsyncSession) -> list[tuple[str, str, str]]:
            organization = await access.the_organization(session)
            tokens = [await access.create_key(session, organization, "k") for _ in range(ROUNDS)]
            ids = {key.token_hash: key.id for key in await access.list_keys(session, organization)}
            return [(organization, ids[access.token_hash(token)], token) for token in tokens]

        made = replicas.change(making)
        with load(replicas):
            for organization, key_id, token in made:
                for replica in (replicas.first, replicas.second):
                    assert replica.request("GET", "/connections", key=token).status_code == 200
                replicas.change(lambda session, ids=(organization, key_id): access.revoke_key(session, *ids))
                for replica in (replicas.first, replicas.second):
                    assert replica.request("GET", "/connections", key=token).status_code == 403

    def test_a_changed_role_counts_at_once(self, replicas: Replicas):
        connection_id = replicas.first.create(baseRole="NO_ACCESS")

        async def making(session: AsyncSession) -> tuple[Any, str]:
            organization = await access.the_organization(session)
            user = await access.create_user(session, organization, f"{uuid.uuid4()}@example.com", "U")
            return user, await access.create_key(session, organization, "k", user.id)

        user, key = replicas.change(making)
        with load(replicas, key):
            for number in range(ROUNDS):
                role, status = (Role.QUERIER, 200) if number % 2 else (Role.NO_ACCESS, 404)
                replicas.change(lambda session, role=role: access.assign_role(session, user, connection_id, role))
                for replica in (replicas.first, replicas.second):
                    assert replica.request("GET", f"/connections/{connection_id}", key=key).status_code == status
                    listed = replica.request("GET", "/connections", key=key).json()["connections"]
                    assert [each["id"] for each in listed] == ([connection_id] if status == 200 else [])

    def test_a_changed_connection_is_shown_at_once(self, replicas: Replicas):
        connection_id = replicas.first.create(name=f"{uuid.uuid4()}")
        with load(replicas):
            for number in range(3 * ROUNDS):
                here, there = doors(replicas, number)
                name = f"attribute {number}"
                attribute = {"attributeName": name, "defaultValues": [str(number)]}
                role = ("VIEWER", "MODELER")[number % 2]
                changed = here.request(
                    "PATCH",
                    f"/connections/{connection_id}",
                    json={"environmentUserAttribute": attribute, "baseRole": role},
                )
                assert changed.status_code == 200
                seen = there.request("GET", f"/connections/{connection_id}").json()["connection"]
                listed = there.request("GET", "/connections").json()["connections"]
                shown = next(each for each in listed if each["id"] == connection_id)
                assert {key: seen[key] for key in shown} == shown
                assert (seen["userAttributeNameForConnectionEnvironments"], seen["baseRole"]) == (name, role)

    def test_a_new_connection_is_listed_at_once(self, replicas: Replicas):
        mark = str(uuid.uuid4())
        made: set[str] = set()
        with load(replicas):
            for number in range(ROUNDS):
                here, there = doors(replicas, number)
                made.add(here.create(name=mark))
                listed = there.request("GET", "/connections", params={"name": mark}).json()["connections"]
                assert {each["id"] for each in listed} == made


class TestQueries:
    def test_one_that_runs_on_another_replica_is_cancelled(self, replicas: Replicas, postgres_server):
        connection_id = replicas.first.create(
            name="warehouse",
            host=postgres_server.host,
            port=postgres_server.port,
            username=postgres_server.username,
            passwordUnencrypted=postgres_server.password,
            database=postgres_server.database,
        )
        query_id, sql = str(uuid.uuid4()), "SELECT pg_sleep(50), 'cancel me'"
        with ThreadPoolExecutor(1) as background:
            running = background.submit(
                replicas.first.request,
                "POST",
                f"/connections/{connection_id}/query",
                json={"sql": sql},
                headers={"moorings-query-id": query_id},
            )
            _wait(lambda: _running(postgres_server, sql) == 1)
            assert replicas.second.request("DELETE", f"/queries/{query_id}").status_code == 200
            answer = running.result(10)
        assert (answer.status_code, answer.json()["status"]) == (409, 409)
        _wait(lambda: _running(postgres_server, sql) == 0)
        assert replicas.second.request("DELETE", f"/queries/{query_id}").status_code == 404


class TestCredentials:
    def test_idle_sessions_with_old_ones_are_closed_everywhere(self, replicas: Replicas, postgres_server: Any):
        role, both = f"role_{uuid.uuid4().hex}", (replicas.first, replicas.second)
        with login(postgres_server) as connection:
            connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'old'")
        try:
            connection_id = replicas.first.create(**_as(role, postgres_server))
            old = {_backend(replica, connection_id) for replica in both}
            assert _backends(postgres_server, role) == old
            with login(postgres_server) as connection:
                connection.execute(f"ALTER ROLE {role} PASSWORD 'new'")
            changed = replicas.first.request(
                "PATCH", f"/connections/{connection_id}", json={"passwordUnencrypted": "new"}
            )
            assert changed.json()["message"] == "Updated connection credentials."
            assert f'moorings_sessions{{connection="{connection_id}",dialect="postgres",state="idle"}}' not in _metrics(
                replicas.first
            )
            _wait(lambda: not _backends(postgres_server, role))
            assert not {_backend(replica, connection_id) for replica in both} & old
        finally:
            with login(postgres_server) as connection:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role])
                connection.execute(f"DROP ROLE {role}")


def _as(role: str, server: Any) -> dict[str, Any]:
    """What connects as a role with the password `old`."""
    where = {"host": server.host, "port": server.port, "database": server.database}
    return {"name": role, "username": role, "passwordUnencrypted": "old", **where}


def _backend(replica: Any, connection_id: str) -> int:
    """The server's process that answers a replica's queries."""
    answer = replica.request(
        "POST",
        f"/connections/{connection_id}/query",
        json={"sql": "SELECT pg_backend_pid()"},
        headers={"accept": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"][0][0]


def _backends(server: Any, role: str) -> set[int]:
    """The server's own list of a role's sessions."""
    with login(server) as connection:
        rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE usename = %s", [role]).fetchall()
    return {pid for (pid,) in rows}


def _metrics(replica: Any) -> str:
    return replica.client.get(f"{replica.serving.url}/metrics").text


def _running(server: Any, sql: str) -> int:
    with login(server) as connection:
        counting = (
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s AND pid <> pg_backend_pid()"
        )
        return connection.execute(counting, [f"%{sql}%"]).fetchone()[0]


def _wait(happened: Any, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


class TestLimits:
    def test_are_shared(self, start: Any, new_database: Any, valkey_url: str, tmp_path: Path):
        shared = {
            "DATABASE_URL": new_database(),
            "KEYSET": str(tmp_path / "keyset.json"),
            "RATE_LIMIT": "6/hour",
            "FAILED_KEY_LIMIT": "2/hour",
            "RATE_LIMIT_URL": valkey_url,
        }
        with start(**shared) as first, start(**shared) as second:
            left = [
                int(replica.request("GET", "/connections").headers["ratelimit-remaining"])
                for replica in (first, second, first, second, first, second)
            ]
            assert left == [5, 4, 3, 2, 1, 0]
            assert {replica.request("GET", "/connections").status_code for replica in (first, second)} == {429}
            failed = [replica.request("GET", "/connections", key="wrong") for replica in (first, second, first, second)]
            assert [answer.status_code for answer in failed] == [403, 403, 429, 429]

    def test_a_lost_counter_stops_nobody(self, start: Any, tmp_path: Path):
        with start(RATE_LIMIT="5/hour", RATE_LIMIT_URL="valkey://:s3cret-word@127.0.0.1:1") as replica:
            assert replica.request("GET", "/connections").status_code == 200
            assert "rate_limit_storage_failed" in replica.serving.err
            assert "s3cret-word" not in replica.serving.err + replica.serving.out


class TestStarting:
    @pytest.mark.parametrize("token", [TOKEN, ""])
    def test_two_at_once_make_everything_once(self, start: Any, new_database: Any, tmp_path: Path, token: str):
        shared = {
            "DATABASE_URL": new_database(),
            "KEYSET": str(tmp_path / "keyset.json"),
            "BOOTSTRAP_TOKEN": token,
            "SAMPLE": "true",
        }

        def starting(folder: Path) -> list[Path]:
            folder.mkdir()
            with start(folder, **shared) as replica:
                assert "moo_osk_" not in replica.serving.out
                return list(folder.rglob("first-key"))

        with ThreadPoolExecutor(3) as together:
            folders = [tmp_path / str(number) for number in range(3)]
            keys = [file for found in together.map(starting, folders) for file in found]
        assert len(keys) == (0 if token else 1)
        assert _counts(shared["DATABASE_URL"]) == {
            Organization: 1,
            ApiKey: 1,
            Connection: 1,
            Installation: 3,
        }

    def test_another_keyset_is_refused_in_one_line(self, start: Any, new_database: Any, tmp_path: Path):
        database = new_database()
        with start(DATABASE_URL=database):
            pass
        terminal = Terminal(tmp_path)
        refused = terminal.run("serve", DATABASE_URL=database, SAMPLE="false")
        assert "MOORINGS_KEYSET" in _one_line(refused)
        assert not list(tmp_path.rglob("keyset*")), "a keyset of its own would open nothing"
        Keyset.make(terminal.data / "keyset.json")
        refused = terminal.run("serve", DATABASE_URL=database, SAMPLE="false")
        assert "use the same keyset file on every replica" in _one_line(refused)

    def test_a_database_that_is_newer_is_refused_in_one_line(self, new_database: Any, tmp_path: Path):
        database, terminal = new_database(), Terminal(tmp_path)
        assert terminal.run("migrate", DATABASE_URL=database).returncode == 0
        _act(database, lambda session: session.execute(text("UPDATE alembic_version SET version_num = '9999'")))
        refused = terminal.run("serve", DATABASE_URL=database, SAMPLE="false")
        assert "schema (9999) is newer" in _one_line(refused)


def _one_line(refused: subprocess.CompletedProcess[str]) -> str:
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1, refused.stderr
    return refused.stderr


def _act(database_url: str, act: Any) -> Any:
    return Replicas(None, None, Settings(_env_file=None, database_url=database_url)).change(act)


def _counts(database_url: str) -> dict[Any, int]:
    async def counting(session: AsyncSession) -> dict[Any, int]:
        tables = (Organization, ApiKey, Connection, Installation)
        return {table: (await session.execute(select(func.count()).select_from(table))).scalar() for table in tables}

    return _act(database_url, counting)
