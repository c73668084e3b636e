"""Answers without the shape of the dialect's own errors: their status is told, and nothing of their body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from moorings.engine.service import TestReport
from tests.security.addresses.test_egress import plain, probe
from tests.security.servers.redirecting import answering
from tests.warehouses.bigquery.server import account
from tests.warehouses.servers.process import issued_certificate

SECRET = b"root:x:0:0:the-body-of-another-service"


@pytest.mark.parametrize("dialect", ["clickhouse", "trino", "athena"])
class TestAnotherService:
    @pytest.mark.parametrize("status", [200, 400, 403, 404, 500])
    def test_no_body_is_quoted(self, dialect: str, status: int) -> None:
        with answering(status, SECRET, {"Content-Type": "text/plain"}) as server:
            report = probe(plain(dialect, server.port))
        assert not report.success
        assert "another-service" not in repr(report)

    def test_nor_as_json(self, dialect: str) -> None:
        with answering(400, b'{"message": "' + SECRET + b'"}', {"Content-Type": "application/json"}) as server:
            report = probe(plain(dialect, server.port))
        assert not report.success
        assert "another-service" not in repr(report)


def test_clickhouses_own_words_are() -> None:
    words = b"Code: 81. DB::Exception: Database nowhere does not exist. (UNKNOWN_DATABASE)"
    with answering(404, words, {"X-ClickHouse-Exception-Code": "81"}) as server:
        report = probe(plain("clickhouse", server.port))
    assert report.failure is not None
    assert report.failure.code == "database_not_found"
    assert "Database nowhere does not exist" in report.failure.message


# Body → its type. None has the shape of the errors of the dialects below, or of OAuth's.
BODIES: Mapping[str, tuple[bytes, str]] = {
    "text": (SECRET, "text/plain"),
    "a page": (b"<html><title>" + SECRET + b"</title><body>" + SECRET + b"</body></html>", "text/html"),
    "JSON": (json.dumps({"message": SECRET.decode()}).encode(), "application/json"),
    "a JSON text": (json.dumps(SECRET.decode()).encode(), "application/json"),
    "a JSON list": (json.dumps([{"error": SECRET.decode()}]).encode(), "application/json"),
    "an error as text": (json.dumps({"error": SECRET.decode()}).encode(), "application/json"),
    "an error of another service": (
        json.dumps({"error": {"code": 400, "message": SECRET.decode()}, "detail": SECRET.decode()}).encode(),
        "application/json",
    ),
    "a token of nothing": (json.dumps({"token": SECRET.decode(), "success": SECRET.decode()}).encode(), "text/json"),
}
STATUSES = (200, 403, 500)
TOKEN = b'{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}'


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A certificate for localhost, its key, and its authority."""
    return issued_certificate(tmp_path_factory.mktemp("certificate"))


def quotes_nothing(report: TestReport) -> None:
    assert report.failure is not None
    assert report.failure.message
    assert "another-service" not in repr(report)
    assert "root:x" not in repr(report)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("body", BODIES)
class TestAnswersOverHttps:
    def test_of_snowflakes_login(self, status: int, body: str, issued: tuple[Path, Path, Path]) -> None:
        text, kind = BODIES[body]
        with answering(status, text, {"Content-Type": kind}, issued[:2]) as server:
            report = probe(
                {
                    "dialect": "snowflake", "hostOverride": "localhost", "port": server.port, "warehouse": "w",
                    "database": "d", "sslRootCert": issued[2].read_text(),
                }
            )  # fmt: skip
        assert server.paths
        quotes_nothing(report)

    def test_of_databricks(self, status: int, body: str, issued: tuple[Path, Path, Path]) -> None:
        text, kind = BODIES[body]
        with answering(status, text, {"Content-Type": kind}, issued[:2]) as server:
            report = probe(_databricks(server.port, issued, username=None))
        assert server.paths
        quotes_nothing(report)

    def test_of_an_oauth_server(self, status: int, body: str, issued: tuple[Path, Path, Path]) -> None:
        text, kind = BODIES[body]
        with answering(status, text, {"Content-Type": kind}, issued[:2]) as server:
            report = probe(_databricks(server.port, issued, username="u", useMachineAuth=True))
        assert server.paths == ["/oidc/v1/token"]
        quotes_nothing(report)

    def test_of_bigquery(self, status: int, body: str) -> None:
        text, kind = BODIES[body]
        with (
            answering(200, TOKEN, {"Content-Type": "application/json"}) as tokens,
            answering(status, text, {"Content-Type": kind}) as server,
        ):
            report = _bigquery(tokens.port, server.port)
        assert tokens.paths
        assert server.paths
        quotes_nothing(report)

    def test_of_googles_token_service(self, status: int, body: str) -> None:
        text, kind = BODIES[body]
        with answering(status, text, {"Content-Type": kind}) as tokens:
            report = _bigquery(tokens.port, tokens.port)
        assert tokens.paths
        quotes_nothing(report)

    def test_of_googles_token_service_for_federation(self, status: int, body: str, tmp_path: Path) -> None:
        text, kind = BODIES[body]
        (tmp_path / "token").write_text("t")
        federation = {"type": "external_account", "credential_source": {"file": str(tmp_path / "token")}}
        with answering(status, text, {"Content-Type": kind}) as tokens:
            sts = f"http://127.0.0.1:{tokens.port}/sts"
            report = probe(
                {
                    "dialect": "bigquery", "database": "p", "hostOverride": f"http://127.0.0.1:{tokens.port}",
                    "wifAudience": "//iam.googleapis.com/p", "passwordUnencrypted": json.dumps(federation),
                },
                google_sts_url=sts, credential_dirs=str(tmp_path),
            )  # fmt: skip
        assert tokens.paths[0] == "/sts"
        quotes_nothing(report)


def _databricks(port: int, issued: tuple[Path, Path, Path], **changes: Any) -> dict[str, Any]:
    body = {"dialect": "databricks", "host": "localhost", "port": port, "warehouse": "/sql/1.0/warehouses/w"}
    return body | {"sslRootCert": issued[2].read_text(), "database": "d"} | changes


def _bigquery(tokens: int, port: int) -> TestReport:
    body = {"dialect": "bigquery", "database": "p", "hostOverride": f"http://127.0.0.1:{port}"}
    return probe(body | {"passwordUnencrypted": account()}, google_sts_url=f"http://127.0.0.1:{tokens}/sts")
