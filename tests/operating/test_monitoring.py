"""What orchestrators and Prometheus ask, and the id in every answer."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import text

from moorings.migrations import HEAD
from moorings.telemetry.metrics import DEFINED


def page(service: Any, path: str, method: str = "GET") -> Any:
    return service.run(service.client.request(method, path))


class TestReadiness:
    def test_all_is_well(self, service: Any) -> None:
        assert page(service, "/livez").json()["status"] == "ok"
        ready = page(service, "/readyz")
        checks = {"draining": "ok", "database": "ok", "migrations": "ok"}
        assert (ready.status_code, ready.json()) == (200, {"status": "ready", "checks": checks})

    def test_another_schema_is_not_ready_and_alive(self, service: Any) -> None:
        def stored(revision: str) -> None:
            service.change(
                lambda session: session.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
            )

        stored("0001")
        try:
            unready = page(service, "/readyz")
            assert unready.status_code == 503
            assert unready.json()["checks"]["migrations"] == f"the schema is 0001, this version needs {HEAD}"
            assert (page(service, "/livez").status_code, page(service, "/health").status_code) == (200, 200)
        finally:
            stored(HEAD)


class TestRequestId:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/api/v1/connections"),
            ("POST", "/api/v1/connections"),
            ("PATCH", "/api/v1/connections"),
            ("GET", "/api/v1/unknown"),
            ("OPTIONS", "/"),
            ("GET", "/api/scim/v2/Users"),
            ("GET", "/metrics"),
            ("HEAD", "/docs"),
            ("GET", "/livez"),
        ],
    )
    def test_every_answer_has_one_of_its_own(self, service: Any, method: str, path: str) -> None:
        first, second = (page(service, path, method).headers["moorings-request-id"] for _ in range(2))
        assert re.fullmatch(r"req_[0-9a-f]{18,}", first)
        assert first != second


class TestMetrics:
    def test_every_one_is_documented_with_its_labels(self, service: Any) -> None:
        service.create()
        families: dict[str, str] = {}
        for line in page(service, "/metrics").text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                families[name] = kind
        assert families == {name: found.kind for name, found in DEFINED.items()}

    def test_a_route_is_a_template_and_an_unknown_method_is_one_label(self, service: Any) -> None:
        made = service.create()
        service.request("GET", f"/connections/{made}")
        service.request("BREW", f"/connections/{made}")
        page(service, "/nothing/here")
        told = page(service, "/metrics").text
        labels = [
            dict(re.findall(r'(\w+)="([^"]*)"', line))
            for line in told.splitlines()
            if line.startswith("http_server_request_duration_seconds_count")
        ]
        seen = {(each["http_request_method"], each["http_route"], each["http_response_status_code"]) for each in labels}
        route = "/api/v1/connections/{id}"
        assert {("GET", route, "200"), ("_OTHER", route, "400"), ("GET", "", "404")} <= seen
        assert made not in told.replace(f'connection="{made}"', "")
        assert 'moorings_build_info{python="' in told
        assert float(re.search(r"^process_resident_memory_bytes (\S+)", told, re.MULTILINE)[1]) > 0  # type: ignore[index]


class TestRefusals:
    def test_a_wrong_method_lists_those_that_exist(self, service: Any) -> None:
        made = service.create()
        refused = service.request("PUT", f"/connections/{made}")
        assert (refused.status_code, refused.json()["detail"]) == (400, "Invalid method")
        assert set(refused.headers["allow"].split(", ")) == {"GET", "HEAD", "PATCH", "DELETE"}
        other = page(service, "/metrics", "POST")
        assert (other.status_code, other.headers["allow"]) == (400, "GET, HEAD")
        assert other.json()["detail"] == "Invalid method. This page takes GET and HEAD."

    def test_a_429_names_the_limit_and_the_setting(self, serve: Any) -> None:
        limited = serve(rate_limit="2/minute", failed_key_limit="1/hour")
        refused = [limited.request("GET", "/whoami") for _ in range(3)][-1]
        assert refused.status_code == 429
        assert refused.headers["ratelimit-policy"] == '2;w=60;comment="MOORINGS_RATE_LIMIT"'
        failed = [limited.request("GET", "/whoami", key="wrong") for _ in range(2)][-1]
        assert failed.headers["ratelimit-policy"] == '1;w=3600;comment="MOORINGS_FAILED_KEY_LIMIT"'
