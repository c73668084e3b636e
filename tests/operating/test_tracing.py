"""Traces, as a collector of OpenTelemetry receives them from a real service."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from moorings.telemetry import tracing
from tests.terminal import Terminal

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        super().__init__(("127.0.0.1", 0), Taking)

    def of_trace(self, trace: str) -> dict[str, Any]:
        return {span.name: span for span in self.spans if span.trace_id.hex() == trace}


class Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.server.spans.extend(scope.spans)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_a_callers_trace_goes_through_to_the_warehouse(
    collector: Collector, postgres_server: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    token = "organization-key-of-the-tests"
    server = postgres_server
    with (
        Terminal(tmp_path).serving(SAMPLE="false", BOOTSTRAP_TOKEN=token, HEALTH_PROBE_SECONDS="0") as serving,
        httpx.Client(
            base_url=f"{serving.url}/api/v1", headers={"authorization": f"Bearer {token}"}, trust_env=False
        ) as client,
    ):
        where = {"host": server.host, "port": server.port, "database": server.database}
        login = {"username": server.username, "passwordUnencrypted": server.password}
        body = {"dialect": "postgres", "name": "w", **where, **login}
        made = client.post("/connections", json=body).json()["data"]
        queried = client.post(
            f"/connections/{made}/query",
            json={"sql": "SELECT current_setting('application_name')"},
            headers={"traceparent": f"00-{TRACE}-{CALLER}-01", "accept": "application/json"},
        )
        assert queried.status_code == 200, queried.text
        failed = client.post(f"/connections/{made}/query", json={"sql": "SELECT s3cret"})
        assert failed.status_code == 400
        assert client.get("/whoami", headers={"traceparent": "nonsense"}).status_code == 200
        assert client.post(f"/connections/{made}/refresh").status_code in (200, 202)
        until = time.monotonic() + 10
        while (
            len({span.trace_id for span in collector.spans}) < 5
            or "warehouse" not in collector.of_trace(TRACE)
            or "job refresh" not in {span.name for span in collector.spans}
        ):
            assert time.monotonic() < until, [span.name for span in collector.spans]
            time.sleep(0.02)
        assert serving.stop() == 0
        spans = collector.of_trace(TRACE)
        request = spans["POST /api/v1/connections/{id}/query"]
        assert request.parent_span_id.hex() == CALLER
        assert set(spans) == {request.name, "route", "pool wait", "session open", "warehouse"}
        assert {span.parent_span_id for name, span in spans.items() if name != request.name} == {request.span_id}
        assert [[f"moorings {TRACE}-{spans['warehouse'].span_id.hex()}"]] == queried.json()["rows"]
        found = attributes(request)
        assert found["http.response.status_code"] == 200
        assert found["moorings.request_id"] == queried.headers["moorings-request-id"]
        assert attributes(spans["warehouse"])["moorings.query_id"] == queried.headers["moorings-query-id"]
        (job,) = [span for span in collector.spans if span.name == "job refresh"]
        below = {span.name for span in collector.spans if span.parent_span_id == job.span_id}
        assert (job.parent_span_id, job.status.code, "pool wait" in below) == (b"", 0, True)
        wrong = [span for span in collector.spans if span.name == "warehouse" and span.status.code]
        assert len(wrong) == 1
        assert "s3cret" not in str(collector.spans)
        assert f"trace_id={TRACE}" in serving.err


class TestWanted:
    @pytest.mark.parametrize(
        ("variables", "wanted"),
        [
            ({}, False),
            ({"OTEL_SERVICE_NAME": "x"}, False),
            ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
            ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
            ({"OTEL_TRACES_EXPORTER": "console"}, True),
            ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
            ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ],
    )
    def test_by_opentelemetrys_own_variables(self, variables: dict[str, str], wanted: bool) -> None:
        assert tracing.wanted(variables) is wanted

    @pytest.mark.parametrize(
        ("variables", "said"),
        [
            ({"OTEL_TRACES_EXPORTER": "zipkin"}, "zipkin is not supported"),
            ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc is not supported"),
        ],
    )
    def test_what_is_not_supported_is_named(self, variables: dict[str, str], said: str) -> None:
        with pytest.raises(tracing.Unusable, match=said):
            tracing.start(variables, "0")
        assert not tracing.is_on()

    @pytest.mark.parametrize(
        "header", ["", "x", f"00-{'0' * 32}-{CALLER}-01", f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}-{CALLER}-01"]
    )
    def test_a_malformed_traceparent_is_none(self, header: str) -> None:
        assert not tracing.TRACEPARENT.fullmatch(header)
