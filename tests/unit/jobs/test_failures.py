"""Which errors end a refresh, and which ones let it be tried again."""

from __future__ import annotations

import pytest

from moorings.errors import (
    Archived,
    ConnectionChanged,
    HostUnreachable,
    LoginRefused,
    NeedsCredentials,
    Saturated,
)
from moorings.jobs.refresh import failure_of


@pytest.mark.parametrize(
    ("error", "code", "temporary"),
    [
        (HostUnreachable("host"), "host_unreachable", True),
        (LoginRefused("password"), "login_refused", False),
        (Saturated("All sessions are", "MOORINGS_POOL_SIZE", 1), "saturated", True),
        (ConnectionChanged(), "connection_changed", True),
        (Archived(), "archived", False),
        (NeedsCredentials(), "needs_credentials", False),
        (RuntimeError("a fault of ours"), "internal", True),
    ],
)
def test_failure(error: Exception, code: str, temporary: bool):
    failure = failure_of(error)
    assert (failure.code, failure.temporary) == (code, temporary)
    assert "a fault of ours" not in failure.message
