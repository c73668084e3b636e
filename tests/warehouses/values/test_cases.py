"""Inputs that once came back wrong."""

from __future__ import annotations

import datetime
from typing import Any

import pyarrow as pa
import pytest

from tests.warehouses.values.cases import CASES, Case
from tests.warehouses.values.conftest import FOREIGN_MESSAGES, Api


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.dialect}: {case.name}") for case in CASES])
def test_each_comes_as_it_is(api: Api, case: Case) -> None:
    api.setup(case.dialect, case.setup)
    answer = api.ask(case.dialect, case.sql, case.parameters, case.format, case.over)
    assert answer.status_code == case.right.get("status", 200), answer.text
    if "rows" in case.right:
        assert answer.json()["rows"] == case.right["rows"]
        assert answer.json()["rowCount"] == len(case.right["rows"])
    elif "text" in case.right:
        assert answer.text == case.right["text"]
    elif "arrow" in case.right:
        table = pa.ipc.open_stream(answer.content).read_all()
        table.validate(full=True)
        assert [[_plain(value) for value in row.values()] for row in table.to_pylist()] == case.right["arrow"]
    else:
        detail = answer.json()["detail"]
        assert all(word in detail for word in case.right["detail"]), detail
        assert not any(word in detail for word in FOREIGN_MESSAGES), detail


def _plain(value: Any) -> Any:
    """A value with dates as text."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime.date) else value
