"""Answers without the shape of the dialect's own errors: their status is told, and nothing of their body."""

from __future__ import annotations

import pytest

from tests.security.servers.redirecting import answering
from tests.security.test_egress import plain, probe

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
