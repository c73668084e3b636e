"""Endpoints: what hostOverride may say, and the way there."""

from __future__ import annotations

import pytest

from moorings.dialects.config.endpoints import fault_in, host_and_port, overridden

SERVICES = ("api", "storage")


class TestOverridden:
    @pytest.mark.parametrize(
        ("override", "found"),
        [
            (None, {}),
            ("", {}),
            ("host.example", {"api": "https://host.example"}),
            ("http://127.0.0.1:9050/", {"api": "http://127.0.0.1:9050"}),
            ("api=a.example, storage=http://b:1", {"api": "https://a.example", "storage": "http://b:1"}),
            ("storage=b.example:8443", {"storage": "https://b.example:8443"}),
        ],
    )
    def test_one_url_or_each_service(self, override: str | None, found: dict[str, str]) -> None:
        assert overridden(override, SERVICES, ("api",)) == found

    def test_one_url_stands_for_whom_it_should(self) -> None:
        assert overridden("x.example", SERVICES, SERVICES) == dict.fromkeys(SERVICES, "https://x.example")

    @pytest.mark.parametrize(
        "override",
        ["ftp://x", "https://x/path", "https://", "a.example,b.example", "other=x", "http://x:99999", "http://["],
    )
    def test_what_is_neither_has_a_reason(self, override: str) -> None:
        assert fault_in(override, SERVICES) is not None

    def test_what_is_no_text_is_left_to_the_types(self) -> None:
        assert fault_in(7, SERVICES) is None


class TestHostAndPort:
    def test_of_an_endpoint(self) -> None:
        assert host_and_port("https://x.example") == ("x.example", 443)
        assert host_and_port("http://x.example:8080") == ("x.example", 8080)
