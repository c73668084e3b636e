"""Loggers of libraries stay at WARNING, whatever the level of ours: below it they log secrets."""

from __future__ import annotations

import httpx
import pytest

from tests.processes.conftest import Replica
from tests.security.servers.redirecting import answering
from tests.terminal import Terminal

TOKEN = "organization-key-of-the-tests"
ACCESS_KEY, SECRET = "AKIACANARYCANARY0000", "s3ntinel-of-the-logs"
CHATTER = (
    *("Starting new HTTP", "Event before-", "Event request-created", "CanonicalRequest", "StringToSign", "Endpoint"),
    *("executing functools", "operation functools", "connection pool", "HTTP Request", "send_request_headers"),
    *("Using selector", "SELECT ", "INSERT INTO", "BEGIN"),
)
"""What botocore, urllib3, aiosqlite, SQLAlchemy, httpcore, httpx and asyncio log at DEBUG and INFO."""


@pytest.mark.parametrize("form", ["console", "json"])
def test_none_is_heard_below_a_warning(terminal: Terminal, form: str) -> None:
    settings = {"BOOTSTRAP_TOKEN": TOKEN, "SAMPLE": "false", "HEALTH_PROBE_SECONDS": "0"}
    with answering(403, b"refused") as server, terminal.serving(LOG_LEVEL="debug", LOG_FORMAT=form, **settings) as run:
        replica = Replica(run, TOKEN)
        with replica.client:
            body = {"dialect": "athena", "name": "n", "username": ACCESS_KEY, "passwordUnencrypted": SECRET}
            body |= {"region": "us-east-1", "hostOverride": f"http://127.0.0.1:{server.port}"}
            created = replica.request("POST", "/connections", json=body)
            assert created.status_code == 201, created.text
            report = replica.request("POST", f"/connections/{created.json()['data']}/test").json()
            assert report["success"] is False
        assert server.paths, "botocore and urllib3 were at work"
        assert httpx.get(f"{run.url}/health", trust_env=False).status_code == 200
        assert run.stop() == 0
        logged = run.err
    assert [words for words in (*CHATTER, ACCESS_KEY, SECRET, str(server.port)) if words in logged] == []
