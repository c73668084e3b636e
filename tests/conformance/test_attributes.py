"""User attributes: what answers show can be sent back, in the spelling in which they show it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

SHOWN = ("name", "label", "description", "type", "multiple_values", "default_value")


class TestRoundTrip:
    @pytest.mark.parametrize(
        ("kind", "several", "default", "shown"),
        [
            ("String", False, "a", "a"),
            ("String", True, ["a", "b"], "a,b"),
            ("Number", False, 5, "5"),
            ("Number", False, -2.5, "-2.5"),
            ("Number", True, [1, 2], "1,2"),
            ("Number", False, None, None),
        ],
    )
    def test_changes_nothing(self, service: Any, kind: str, several: bool, default: Any, shown: Any) -> None:
        body = {"name": f"a_{uuid.uuid4().hex}", "type": kind, "multiple_values": several, "default_value": default}
        made = service.request("POST", "/user-attributes", json=body).json()
        assert made["default_value"] == shown
        again = {key: made[key] for key in SHOWN}
        assert service.request("PUT", f"/user-attributes/{made['id']}", json=again).json() == made

    @pytest.mark.parametrize("value", ["x", "", "1e5", "0x1", "1,2", True, [1, 2]])
    def test_what_is_no_number_is_refused(self, service: Any, value: Any) -> None:
        body = {"name": f"a_{uuid.uuid4().hex}", "type": "Number", "default_value": value}
        assert service.request("POST", "/user-attributes", json=body).status_code == 400

    def test_numbers_are_no_longer_than_texts(self, service: Any) -> None:
        body = {"name": f"a_{uuid.uuid4().hex}", "type": "Number", "default_value": int("9" * 300)}
        answer = service.request("POST", "/user-attributes", json=body)
        assert answer.json()["detail"] == "Bad Request: default_value: String must contain at most 255 character(s)"
