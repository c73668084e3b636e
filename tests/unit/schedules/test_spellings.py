"""Unix cron and words as six fields."""

from __future__ import annotations

import pytest

from moorings.schedules.cron import NotCron, parse
from moorings.schedules.spellings import six_fields


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("0 9 * * *", "0 9 * * ? *"),
        ("*/15 * * * *", "*/15 * * * ? *"),
        ("30 6 * * 1-5", "30 6 ? * MON-FRI *"),
        ("30 6 * * mon-fri", "30 6 ? * MON-FRI *"),
        ("0 0 * * 0", "0 0 ? * SUN *"),
        ("0 0 * * 7", "0 0 ? * SUN *"),
        ("0 0 * * 6,0", "0 0 ? * SUN,SAT *"),
        ("0 0 * * 5-7", "0 0 ? * SUN,FRI,SAT *"),
        ("0 0 * * */2", "0 0 ? * SUN,TUE,THU,SAT *"),
        ("0 0 * * 0-7", "0 0 ? * SUN-SAT *"),
        ("0 0 1,15 * *", "0 0 1,15 * ? *"),
        ("0 0 1 JAN ?", "0 0 1 JAN ? *"),
        ("  5\t4  ? * SUN ", "5 4 ? * SUN *"),
        ("@daily", "0 0 * * ? *"),
        (" @Weekly ", "0 0 ? * SUN *"),
        ("@hourly", "0 * * * ? *"),
        ("@monthly", "0 0 1 * ? *"),
        ("@annually", "0 0 1 1 ? *"),
        ("0 9 ? * MON 2030", "0 9 ? * MON 2030"),
    ],
)
def test_is_shown_as_six_fields_that_can_be_read(sent: str, shown: str) -> None:
    assert six_fields(sent) == shown
    assert parse(shown)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("0 0 13 * 5", "Day-of-month and day-of-week are both set"),
        ("0 0 * * 8", "Day-of-week takes 0-7 or SUN-SAT, not '8'"),
        ("@every 5m", "'@every 5m' is not supported: use one of @yearly"),
        ("@", "'@' is not supported"),
    ],
)
def test_what_six_fields_cannot_say_is_refused(sent: str, said: str) -> None:
    with pytest.raises(NotCron, match=said):
        six_fields(sent)
