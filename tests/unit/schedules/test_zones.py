"""Wall times where clocks jump."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorings.dialects.config.fields import zones
from moorings.schedules.cron import parse
from moorings.schedules.zones import next_runs

RUNS = [
    # New York goes from 02:00 EST to 03:00 EDT on 2026-03-08, and back from 02:00 EDT to 01:00 EST on 2026-11-01.
    ("30 2 * * ? *", "America/New_York", "2026-03-07T12:00", ["03-08T07:00", "03-09T06:30", "03-10T06:30"]),
    ("0,30 2 8 3 ? 2026", "America/New_York", "2026-03-07T12:00", ["03-08T07:00"]),
    ("0 2,3 * * ? *", "America/New_York", "2026-03-08T00:00", ["03-08T07:00", "03-09T06:00", "03-09T07:00"]),
    ("0/30 * * * ? *", "America/New_York", "2026-03-08T06:00", ["03-08T06:30", "03-08T07:00", "03-08T07:30"]),
    ("30 1 * * ? *", "America/New_York", "2026-11-01T00:00", ["11-01T05:30", "11-02T06:30"]),
    ("30 1 * * ? *", "America/New_York", "2026-11-01T05:30", ["11-02T06:30"]),
    ("0/30 * * * ? *", "America/New_York", "2026-11-01T05:00", ["11-01T05:30", "11-01T07:00", "11-01T07:30"]),
    ("0/30 * * * ? *", "America/New_York", "2026-11-01T06:10", ["11-01T07:00"]),
    # Half an hour, on an island south of Australia.
    ("15 2 * * ? *", "Australia/Lord_Howe", "2026-10-03T12:00", ["10-03T15:30", "10-04T15:15"]),
    ("45 1 * * ? *", "Australia/Lord_Howe", "2026-04-04T12:00", ["04-04T14:45", "04-05T15:15"]),
    # At midnight, so that a day has no beginning.
    ("0 0 ? * SUN *", "Africa/Cairo", "2023-04-25T00:00", ["04-29T21:00", "05-06T21:00"]),
    ("15 0 28 4 ? *", "Africa/Cairo", "2023-04-25T00:00", ["04-27T22:00"]),
    ("0 9 * * ? *", "Asia/Kolkata", "2026-01-01T00:00", ["01-01T03:30"]),
    ("0 9 * * ? 2026", "UTC", "2026-12-31T09:00", []),
]


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


class TestRuns:
    @pytest.mark.parametrize(("expression", "zone", "after", "expected"), RUNS)
    def test_where_clocks_jump(self, expression, zone, after, expected):
        found = next_runs(parse(expression), zone, instant(after), max(1, len(expected)))
        assert found == [instant(f"{after[:4]}-{text}") for text in expected]

    @given(
        st.sampled_from(["*/15 * * * ? *", "30 2 * * ? *", "0,30 0-3 * * ? *"]),
        st.sampled_from(["America/New_York", "Europe/London", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Tokyo"]),
        st.integers(instant("2024-01-01T00:00"), instant("2028-01-01T00:00")),
    )
    def test_asked_one_by_one_are_those_asked_at_once(self, expression, zone, after):
        cron = parse(expression)
        runs, last = next_runs(cron, zone, after, 5), after
        for run in runs:
            assert run > last
            assert next_runs(cron, zone, last, 1) == [run]
            last = run


def test_what_a_machine_calls_its_own_zone_is_no_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"Asia/Kolkata", "Factory", "localtime", "posixrules"}
    monkeypatch.setattr(zoneinfo, "available_timezones", lambda: found)
    assert zones.__wrapped__() == {"Asia/Kolkata"}
