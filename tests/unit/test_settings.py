"""Settings that are refused, each by its name."""

from __future__ import annotations

import pytest

from moorings import settings
from moorings.errors import OperatorError


@pytest.mark.parametrize("pause", ["0.01", "0.999", "-1"])
def test_probes_without_a_pause_are_refused(pause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORINGS_HEALTH_PROBE_SECONDS", pause)
    with pytest.raises(OperatorError, match="MOORINGS_HEALTH_PROBE_SECONDS: "):
        settings.load()


@pytest.mark.parametrize("pause", ["0", "1", "300"])
def test_no_probes_and_a_pause_of_seconds_are_taken(pause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORINGS_HEALTH_PROBE_SECONDS", pause)
    assert settings.load().health_probe_seconds == float(pause)
