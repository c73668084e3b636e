"""One sentinel password runs through every flow of the shipped service, and is seen nowhere."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from tests.processes.conftest import TOKEN, Replica
from tests.terminal import Terminal

SENTINEL = "S3ntinel/p@ss w+rd&é'\"x"
"""What a client sends; a spelling of it that is found anywhere is a leak."""

FOUND_BY = "S3ntinel"
"""The part that every spelling has in common."""


def bodies(server: Any) -> dict[str, dict[str, Any]]:
    login = {"name": "n", "host": server.host, "port": server.port, "username": server.username}
    return {
        "wrong password": {"dialect": "postgres", **login, "database": "app", "passwordUnencrypted": SENTINEL},
        "closed port": {
            "dialect": "postgres", **login, "port": 1, "database": "app", "passwordUnencrypted": SENTINEL
        },
        "no such host": {
            "dialect": "postgres", **login, "host": "no.invalid", "database": "app", "passwordUnencrypted": SENTINEL
        },
        "mysql to a server that speaks something else": {
            "dialect": "mysql", **login, "passwordUnencrypted": SENTINEL, "sslMode": "disable"
        },
        "motherduck": {"dialect": "motherduck", "name": "n", "database": "d", "passwordUnencrypted": SENTINEL},
        "not connectable yet": {
            "dialect": "snowflake", "name": "n", "host": "xy1", "warehouse": "w", "database": "d", "username": "u",
            "passwordUnencrypted": SENTINEL,
        },
        "every secret": {
            "dialect": "mssql", **login, "database": "d", "defaultSchema": "s", "passwordUnencrypted": SENTINEL,
            "oauthClientSecretUnencrypted": SENTINEL,
        },
    }  # fmt: skip


FAULTY: list[dict[str, Any]] = [
    {"dialect": "postgres", "passwordUnencrypted": SENTINEL},
    {"dialect": "nothing", "passwordUnencrypted": SENTINEL},
    {"passwordUnencrypted": SENTINEL},
    {"dialect": "postgres", "passwordUnencrypted": [SENTINEL]},
    {"dialect": "postgres", "passwordUnencrypted": {"a": SENTINEL}},
    {"dialect": "postgres", "passwordUnencrypted": SENTINEL + "\0"},
    {"dialect": "postgres", "passwordUnencrypted": SENTINEL * 50_000},
    {"dialect": "bigquery", "name": "n", "passwordUnencrypted": SENTINEL},
    {"dialect": "bigquery", "name": "n", "passwordUnencrypted": json.dumps({"private_key": SENTINEL})},
    {"dialect": "snowflake", "name": "n", "privateKey": SENTINEL},
    {"dialect": "snowflake", "name": "n", "oauthClientSecretUnencrypted": [SENTINEL]},
]


class Seen:
    """Everything that came back."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.answers: list[str] = []

    def request(self, method: str, path: str, **sent: Any) -> Any:
        answer = self.replica.request(method, path, **sent)
        assert answer.status_code != 500, answer.text
        self.answers.append(f"{method} {path} {answer.headers} {answer.text}")
        return answer


def run_through_everything(seen: Seen, server: Any) -> None:
    for body in bodies(server).values():
        made = seen.request("POST", "/connections", json=body)
        assert made.status_code == 201, made.text
        seen.request("POST", "/connections", params={"test": "true"}, json=body)
        seen.request("POST", "/connections/test", json=body)
        path = f"/connections/{made.json()['data']}"
        seen.request("GET", path)
        seen.request("POST", f"{path}/test")
        seen.request("POST", f"{path}/query", json={"sql": "SELECT 1"})
        _refresh(seen, path)
        seen.request("PATCH", path, json={"passwordUnencrypted": SENTINEL + "2"})
        seen.request("PATCH", path, json={"privateKey": SENTINEL, "baseRole": "X"})
        seen.request("PATCH", path, json={"passwordUnencrypted": [SENTINEL]})
    for body in FAULTY:
        assert seen.request("POST", "/connections", json=body).status_code in {400, 413}
        assert seen.request("POST", "/connections/test", json=body).status_code in {400, 413}
    twice = json.dumps(FAULTY[0])[:-1] + f', "passwordUnencrypted": {json.dumps(SENTINEL)}}}'
    assert seen.request("POST", "/connections", content=twice).status_code == 400
    assert seen.request("POST", "/connections", content=twice[:-3]).status_code == 400
    seen.request("GET", "/connections")
    seen.request("GET", "/connections", key=SENTINEL.encode().hex())
    _a_login_that_works(seen, server)


def _refresh(seen: Seen, path: str) -> Any:
    """Until the first attempt has ended, however it did."""
    job_id = seen.request("POST", f"{path}/refresh").json()["job_id"]
    deadline = time.monotonic() + 20
    while True:
        job = seen.request("GET", f"/jobs/{job_id}/status").json()
        if job["error"] or job["status"] != "IN_PROGRESS":
            return job
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _a_login_that_works(seen: Seen, server: Any) -> None:
    """A role of the warehouse whose password is the sentinel: tests pass, statements fail in the driver."""
    from tests.warehouses.postgres.server import login

    with login(server) as connection:
        quoted = SENTINEL.replace("'", "''")
        connection.execute("DROP ROLE IF EXISTS secretive")
        connection.execute(f"CREATE ROLE secretive LOGIN PASSWORD '{quoted}'")
    body = bodies(server)["wrong password"] | {"username": "secretive"}
    made = seen.request("POST", "/connections", params={"test": "true"}, json=body)
    assert made.status_code == 201, made.text
    path = f"/connections/{made.json()['data']}"
    assert seen.request("POST", f"{path}/test").json()["success"] is True
    for sql in ("SELECT 1", "SELEC 1", "SELECT * FROM nothing", "CREATE TABLE t (a int)", "SELECT 1/0"):
        seen.request("POST", f"{path}/query", json={"sql": sql}, headers={"accept": "application/json"})
    assert _refresh(seen, path)["status"] == "COMPLETED"
    with login(server) as connection:
        connection.execute("ALTER ROLE secretive NOLOGIN")
    seen.request("POST", f"{path}/test")


def spellings() -> set[str]:
    return {
        SENTINEL,
        quote(SENTINEL, safe=""),
        quote_plus(SENTINEL),
        json.dumps(SENTINEL)[1:-1],
        repr(SENTINEL)[1:-1],
        FOUND_BY,
    }


def assert_unseen(text: str, where: str) -> None:
    for spelling in spellings():
        position = text.find(spelling)
        assert position < 0, f"{where}: {text[max(0, position - 300) : position + 60]}"


class TestTheSentinel:
    @pytest.mark.parametrize("log_format", ["console", "json"])
    def test_is_seen_nowhere(self, start, postgres_server, tmp_path, log_format):
        with start(tmp_path, LOG_LEVEL="debug", LOG_FORMAT=log_format, CONNECT_TIMEOUT_SECONDS=0.5) as replica:
            seen = Seen(replica)
            run_through_everything(seen, postgres_server)
            for page in ("/metrics", "/openapi.json", "/docs", "/", "/health"):
                seen.answers.append(replica.client.get(replica.serving.url + page).text)
            running = self.on_disk(tmp_path / "data")
            doctor = _beside(replica, tmp_path).run("doctor")
        assert len(replica.serving.err.splitlines()) > 50, "the log tells something"
        assert_unseen(replica.serving.err + replica.serving.out, "log")
        assert_unseen(doctor.stdout + doctor.stderr, "doctor")
        assert_unseen("\n".join(seen.answers), "answers")
        for when in (running, self.on_disk(tmp_path / "data")):
            assert len(when) >= 3
            for name, content in when.items():
                assert FOUND_BY.encode() not in content, name
                assert FOUND_BY.encode("utf-16-le") not in content, name
                assert TOKEN.encode() not in content, name

    def on_disk(self, directory: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in directory.rglob("*") if path.is_file()}

    def test_of_the_metadata_database_is_in_no_log_or_message(self, new_database, tmp_path, start):
        url = new_database()
        password = url.split(":")[2].split("@")[0]
        with start(DATABASE_URL=url, LOG_LEVEL="debug") as replica:
            replica.create()
            replica.request("GET", "/connections")
        refused = Terminal(tmp_path).run("serve", DATABASE_URL=url.replace("/metadata_", "/missing_"))
        assert refused.returncode == 1
        for text in (replica.serving.err, replica.serving.out, refused.stderr, refused.stdout):
            assert password not in text
            assert "s3nt!nel" not in text


def _beside(replica: Replica, folder: Path) -> Terminal:
    terminal = Terminal(folder)
    terminal.settings["PORT"] = replica.serving.url.rpartition(":")[2]
    return terminal


class TestMovedCiphertexts:
    def test_swapped_by_hand_they_open_nothing(self, start, postgres_server, tmp_path):
        import sqlite3

        right = {
            "host": postgres_server.host,
            "port": postgres_server.port,
            "username": postgres_server.username,
            "database": "app",
        }
        with start(tmp_path) as replica:
            stolen = replica.create(**right, passwordUnencrypted=postgres_server.password)
            thief = replica.create(**right, passwordUnencrypted="unknown")
            assert replica.request("POST", f"/connections/{stolen}/test").json()["success"] is True
            with sqlite3.connect(tmp_path / "data" / "moorings.db") as database:
                swapped = database.execute(
                    "UPDATE connection_secrets SET sealed = (SELECT other.sealed FROM connection_secrets other"
                    " WHERE other.connection_id = ?) WHERE connection_id = ?",
                    [stolen, thief],
                )
                assert swapped.rowcount == 1
            database.close()
            for operation, body in (("test", None), ("query", {"sql": "SELECT 1"})):
                answer = replica.request("POST", f"/connections/{thief}/{operation}", json=body)
                assert answer.json() == {"detail": "Internal server error", "status": 500}
            assert replica.request("POST", f"/connections/{stolen}/test").json()["success"] is True
        assert "cannot decrypt a value" in replica.serving.err
        assert "Traceback" not in replica.serving.err
        assert_unseen(replica.serving.err.replace("s3nt!nel", "S3ntinel"), "log")


def test_strings_would_find_it(tmp_path):
    """The search itself works: the same file with the sentinel in it is found."""
    (tmp_path / "f").write_bytes(b"\0\1" + SENTINEL.encode() + b"\0")
    found = subprocess.run(["grep", "-c", FOUND_BY, tmp_path / "f"], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "1"
    with pytest.raises(AssertionError):
        assert_unseen(quote(SENTINEL), "here")
