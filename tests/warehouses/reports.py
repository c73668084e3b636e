"""What the report of a connection test says, in short."""

from __future__ import annotations

from moorings.engine.service import TestReport
from moorings.testing.engines import SENTINEL


def found(report: TestReport) -> tuple[str, str | None, tuple[str, ...]]:
    """The step that failed, its code and the fields to blame; no password is in the report."""
    assert report.failure is not None
    assert SENTINEL not in repr(report)
    return report.failure.name, report.failure.code, report.failure.fields
