"""What an operator sees of a service: its log, its readiness at a stop, and the metrics of all its processes."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import time
from typing import Any

import httpx
import pytest

from tests.terminal import free_port

SQL = "SELECT 4711 AS needle"


def lines(text: str) -> list[dict[str, Any]]:
    """Every line of a log, each of which must be JSON."""
    return [json.loads(line) for line in text.splitlines()]


def until(happened: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


class TestLog:
    def test_json_is_every_line_and_each_request_has_one(self, start: Any) -> None:
        with start(LOG_FORMAT="json", TRUSTED_PROXIES="127.0.0.0/8", SAMPLE="true") as replica:
            [sample] = replica.request("GET", "/connections").json()["connections"]
            answers = {
                "list": replica.request("GET", "/connections", headers={"x-forwarded-for": "6.6.6.6, 203.0.113.9"}),
                "wrong key": replica.request("GET", "/connections", key="wrong"),
                "unknown path": replica.request("GET", "/nothing/moo_osk_abc"),
                "query": replica.request("POST", f"/connections/{sample['id']}/query", json={"sql": SQL}),
                "failed": replica.request("POST", f"/connections/{sample['id']}/query", json={"sql": "SELECT nope"}),
                "wrong body": replica.request("POST", "/connections", content=b"{"),
                "scim": replica.client.get(f"{replica.serving.url}/api/scim/v2/Users"),
                "page": replica.client.get(f"{replica.serving.url}/livez"),
            }
            ids = {name: answer.headers["moorings-request-id"] for name, answer in answers.items()}
            assert len(set(ids.values())) == len(ids)
            until(lambda: all(f'"{number}"' in replica.serving.err for number in ids.values()))
            assert replica.serving.stop() == 0
            logged = lines(replica.serving.err)
            lines(replica.serving.out)
        requests = {line["request_id"]: line for line in logged if line["event"] == "request"}
        for name, answer in answers.items():
            line = requests[ids[name]]
            assert (line["status"], line["client"] != "") == (answer.status_code, True), name
            assert line["milliseconds"] >= 0
        listed, queried = requests[ids["list"]], requests[ids["query"]]
        assert listed["client"] == "203.0.113.9"
        assert (listed["method"], listed["route"]) == ("GET", "/api/v1/connections")
        assert listed["key_id"]
        assert "key_id" not in requests[ids["wrong key"]]
        assert requests[ids["unknown path"]]["path"] == "/api/v1/nothing/***"
        assert queried["query_id"] == answers["query"].headers["moorings-query-id"]
        assert queried["id"] == sample["id"]
        assert requests[ids["scim"]]["route"] == "/api/scim/v2/Users"
        assert "needle" not in json.dumps(logged)
        events = [line["event"] for line in logged]
        assert {"starting", "started", "stopping", "stopped"} <= set(events)
        assert next(line for line in logged if line["event"] == "started")["database"].startswith("SQLite ")
        assert all({"event", "level", "timestamp"} <= set(line) for line in logged)

    def test_sql_is_logged_where_it_is_asked_for(self, start: Any) -> None:
        with start(LOG_SQL="true", SAMPLE="true") as replica:
            [sample] = replica.request("GET", "/connections").json()["connections"]
            replica.request("POST", f"/connections/{sample['id']}/query", json={"sql": SQL})
            until(lambda: "needle" in replica.serving.err)
            assert re.search(
                r"request request_id=req_\w+ method=POST .* sql='SELECT 4711 AS needle'", replica.serving.err
            )

    def test_a_refused_start_is_json_too(self, terminal: Any) -> None:
        refused = terminal.run("serve", LOG_FORMAT="json", BOOTSTRAP_TOKEN="short")
        [line] = lines(refused.stderr)
        assert (line["event"], line["level"]) == ("refused", "error")
        assert "MOORINGS_BOOTSTRAP_TOKEN" in line["reason"]


class TestStop:
    def test_readiness_fails_first_and_requests_are_served_meanwhile(self, start: Any) -> None:
        with start(DRAIN_SECONDS="1.5", LOG_FORMAT="json") as replica:
            url, client = replica.serving.url, replica.client
            assert client.get(f"{url}/readyz").status_code == 200
            replica.serving.process.send_signal(signal.SIGTERM)
            until(lambda: client.get(f"{url}/readyz").status_code == 503)
            assert client.get(f"{url}/readyz").json()["checks"]["draining"] == "draining"
            assert client.get(f"{url}/livez").status_code == 200
            assert replica.request("GET", "/connections").status_code == 200
            assert replica.serving.process.wait(10) == 0
            events = [line["event"] for line in lines(replica.serving.err)]
        assert [event for event in events if event in {"draining", "stopping", "stopped"}] == [
            "draining",
            "stopping",
            "stopped",
        ]

    @pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
    def test_ctrl_c_and_a_second_signal_do_not_wait(self, start: Any, first: signal.Signals) -> None:
        with start(DRAIN_SECONDS="3600") as replica:
            replica.serving.process.send_signal(first)
            if first == signal.SIGTERM:
                until(lambda: "draining" in replica.serving.err)
                replica.serving.process.send_signal(signal.SIGTERM)
            assert replica.serving.process.wait(10) == 0


def listens(port: int) -> bool:
    with socket.socket() as wire:
        return wire.connect_ex(("127.0.0.1", port)) == 0


class TestMetricsListener:
    def test_metrics_are_there_and_nowhere_else(self, start: Any) -> None:
        port = free_port()
        with start(METRICS_PORT=port) as replica:
            own, main = f"http://127.0.0.1:{port}", replica.serving.url
            found = {
                path: (
                    httpx.get(own + path, trust_env=False).status_code,
                    httpx.get(main + path, trust_env=False).status_code,
                )
                for path in ("/metrics", "/livez", "/readyz", "/health", "/api/v1/whoami", "/docs", "/")
            }
            assert "moorings_build_info" in httpx.get(f"{own}/metrics", trust_env=False).text
            assert replica.serving.stop(within=10) == 0
        assert found == {
            "/metrics": (200, 404),
            "/livez": (200, 200),
            "/readyz": (200, 200),
            "/health": (404, 200),
            "/api/v1/whoami": (404, 401),
            "/docs": (404, 200),
            "/": (404, 200),
        }

    def test_a_port_in_use_refuses_the_start(self, terminal: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            refused = terminal.run("serve", METRICS_PORT=taken.getsockname()[1])
        assert refused.returncode == 1
        assert "or set MOORINGS_METRICS_PORT" in refused.stderr

    def test_a_worker_has_its_own(self, terminal: Any) -> None:
        port = free_port()
        terminal.make_database()
        with terminal.working(METRICS_PORT=port):
            until(lambda: listens(port))
            text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
            assert "# TYPE moorings_job_attempts_total counter" in text
            assert httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False).status_code == 200
            assert httpx.get(f"http://127.0.0.1:{port}/api/v1/whoami", trust_env=False).status_code == 404


class TestSeveralWorkers:
    def test_metrics_are_those_of_all(self, start: Any) -> None:
        with start(WORKERS="2", RATE_LIMIT="0") as replica:
            url = replica.serving.url

            def metrics() -> str:
                return httpx.get(f"{url}/metrics", trust_env=False).text

            until(lambda: "moorings_worker_processes 2.0" in metrics())
            seen: set[str] = set()
            for _ in range(40):  # each on a connection of its own, which the system gives to either process
                with contextlib.closing(httpx.Client(trust_env=False)) as client:
                    answer = client.get(f"{url}/api/v1/whoami", headers={"authorization": "Bearer x"})
                    seen.add(answer.headers["moorings-request-id"][:16])
            assert len(seen) == 2
            for _ in range(4):
                [line] = [each for each in metrics().splitlines() if "_count{" in each and "/api/v1/whoami" in each]
                assert line.startswith("http_server_request_duration_seconds_count{")
                assert line.endswith(" 40.0")
            assert replica.serving.stop(within=10) == 0
