"""Databricks without Databricks: faults by error class and status, types from the catalog."""

from __future__ import annotations

from typing import Any

import pytest

from moorings import errors
from moorings.dialects.databricks.faults import FAULTS, fault_key
from moorings.dialects.databricks.introspection import arrow_type


class RequestError(Exception):
    def __init__(self, text: str, context: dict[str, Any] | None = None, inner: Exception | None = None) -> None:
        super().__init__(text, *([inner] if inner else []))
        self.context = context


class ServerOperationError(Exception):
    pass


class TestFaults:
    @pytest.mark.parametrize(
        ("error", "key"),
        [
            (ServerOperationError("[SCHEMA_NOT_FOUND] The schema `x` cannot be found."), "SCHEMA_NOT_FOUND"),
            (ServerOperationError("[CAST_INVALID_INPUT] 'timed out' is no INT. SQLSTATE: 22018"), "statement"),
            (ServerOperationError("[UNRESOLVED_COLUMN.WITHOUT_SUGGESTION] `unreachable`"), "statement"),
            (ServerOperationError("something without a class"), "statement"),
            (RequestError("Error: Invalid access token.", {"http-code": 403}), "HTTP 403"),
            (RequestError("Error: PERMISSION_DENIED: no CAN USE", {"http-code": 403}), "PERMISSION_DENIED"),
            (RequestError("Error during request", {"http-code": None}), None),
            (RequestError("gave up", {}, OSError("[SSL: CERTIFICATE_VERIFY_FAILED] unknown")), "certificate"),
            (RequestError("gave up", {}, errors.LoginRefused("username")), "HTTP 401"),
        ],
    )
    def test_the_class_decides_then_the_cause_then_the_status(self, error: Exception, key: str | None) -> None:
        assert fault_key(error) == key
        assert key is None or key in FAULTS


class TestTypes:
    @pytest.mark.parametrize(
        ("native", "arrow"),
        [
            ("int", "int32"),
            ("decimal(10,2)", "decimal128(10, 2)"),
            ("decimal(38, 0)", "decimal128(38, 0)"),
            ("varchar(20)", "string"),
            ("timestamp", "timestamp[us, tz=UTC]"),
            ("array<int>", None),
            ("struct<a:string>", None),
        ],
    )
    def test_of_a_column(self, native: str, arrow: str | None) -> None:
        assert arrow_type(native) == arrow
