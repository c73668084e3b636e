"""Cron expressions as EventBridge has them: what is refused, which times are meant, and how they read in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from aws_croniter import AwsCroniter
from hypothesis import given
from hypothesis import strategies as st

from moorings.schedules.cron import MONTHS, WEEKDAYS, NotCron, parse
from moorings.schedules.words import describe

TIMES: list[tuple[str, str, list[str]]] = [
    ("00 09 * * ? *", "2026-05-01T09:00", ["2026-05-02T09:00", "2026-05-03T09:00"]),
    ("0 9 * * ? *", "2026-05-01T08:59:59", ["2026-05-01T09:00"]),
    ("0 9 * * ? *", "2026-05-01T09:00:30", ["2026-05-02T09:00"]),
    ("1/10 8 * * ? *", "2026-05-01T08:45", ["2026-05-01T08:51", "2026-05-02T08:01"]),
    ("*/25 * * * ? *", "2026-05-01T00:26", ["2026-05-01T00:50", "2026-05-01T01:00"]),
    ("5-20/10,7 0 * * ? *", "2026-05-01T00:00", ["2026-05-01T00:05", "2026-05-01T00:07", "2026-05-01T00:15"]),
    ("0 22-2/2 * * ? *", "2026-05-01T00:00", ["2026-05-01T02:00", "2026-05-01T22:00", "2026-05-02T00:00"]),
    ("0 0 31 * ? *", "2026-05-01T00:00", ["2026-05-31T00:00", "2026-07-31T00:00"]),
    ("0 0 29 feb ? *", "2026-01-01T00:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
    ("0 0 29 2 ? *", "2096-03-01T00:00", ["2104-02-29T00:00"]),
    ("0 0 L * ? *", "2026-01-31T00:00", ["2026-02-28T00:00", "2026-03-31T00:00"]),
    ("0 0 L 2 ? 2028", "2026-01-01T00:00", ["2028-02-29T00:00"]),
    ("0 0 LW * ? *", "2026-01-01T00:00", ["2026-01-30T00:00", "2026-02-27T00:00", "2026-03-31T00:00"]),
    ("0 0 lw 5 ? *", "2026-01-01T00:00", ["2026-05-29T00:00"]),
    ("0 0 15W * ? *", "2026-02-01T00:00", ["2026-02-16T00:00", "2026-03-16T00:00", "2026-04-15T00:00"]),
    ("0 0 15W 8 ? *", "2026-02-01T00:00", ["2026-08-14T00:00"]),
    ("0 0 1W 8 ? *", "2026-01-01T00:00", ["2026-08-03T00:00"]),
    ("0 0 31W 5 ? *", "2026-01-01T00:00", ["2026-05-29T00:00"]),
    ("0 0 31W 4,7 ? *", "2026-01-01T00:00", ["2026-07-31T00:00"]),
    ("0 0 ? * 1 *", "2026-05-01T00:00", ["2026-05-03T00:00", "2026-05-10T00:00"]),
    ("0 0 ? * sat *", "2026-05-01T00:00", ["2026-05-02T00:00"]),
    ("0 0 ? * MON-FRI *", "2026-05-01T00:00", ["2026-05-04T00:00"]),
    ("0 0 ? * FRI-MON *", "2026-05-01T00:00", ["2026-05-02T00:00", "2026-05-03T00:00", "2026-05-04T00:00"]),
    ("0 0 ? * L *", "2026-05-01T00:00", ["2026-05-02T00:00", "2026-05-09T00:00"]),
    ("0 0 ? * 6L *", "2026-05-01T00:00", ["2026-05-29T00:00", "2026-06-26T00:00"]),
    ("0 0 ? * friL *", "2026-05-01T00:00", ["2026-05-29T00:00"]),
    ("0 0 ? * 6#3 *", "2026-05-01T00:00", ["2026-05-15T00:00", "2026-06-19T00:00"]),
    ("0 0 ? * MON#5 *", "2026-05-01T00:00", ["2026-06-29T00:00", "2026-08-31T00:00"]),
    ("0 0 1 nov-FEB ? *", "2026-05-01T00:00", ["2026-11-01T00:00", "2026-12-01T00:00", "2027-01-01T00:00"]),
    ("0 0 1 1 ? 2026/4", "2026-05-01T00:00", ["2030-01-01T00:00", "2034-01-01T00:00"]),
    ("0 0 1 1 ? 2030,2028-2029", "2026-05-01T00:00", ["2028-01-01T00:00", "2029-01-01T00:00", "2030-01-01T00:00"]),
    ("  59\t23  31 12 ?  2199 ", "2026-05-01T00:00", ["2199-12-31T23:59"]),
    ("0 0 30 2 ? *", "2026-05-01T00:00", []),
    ("0 0 1 1 ? 2025", "2026-05-01T00:00", []),
]

REFUSED = [
    ("", "Expected six fields (minute hour day-of-month month day-of-week year), received 0"),
    ("0 9 * * *", "Expected six fields (minute hour day-of-month month day-of-week year), received 5"),
    ("cron(0 9 * * ? *)", "Write the six fields without cron( )"),
    ("0 9 * * * *", "Exactly one of day-of-month and day-of-week must be '?'"),
    ("0 9 ? * ? *", "Exactly one of day-of-month and day-of-week must be '?'"),
    ("60 9 * * ? *", "Minute takes 0-59, not '60'"),
    ("-1 9 * * ? *", "Minute takes 0-59, not '-1'"),
    ("0 24 * * ? *", "Hour takes 0-23, not '24'"),
    ("? 9 * * ? *", "Minute takes 0-59, not '?'"),
    ("0 9 0 * ? *", "Day-of-month takes 1-31, not '0'"),
    ("0 9 32W * ? *", "Day-of-month takes 1-31, not '32'"),
    ("0 9 W * ? *", "Day-of-month takes 1-31, not ''"),
    ("0 9 L-3 * ? *", "Day-of-month takes 1-31, not 'L'"),
    ("0 9 1,L * ? *", "Day-of-month takes 1-31, not 'L'"),
    ("0 9 1,,2 * ? *", "Day-of-month takes 1-31, not ''"),
    ("0 9 1 13 ? *", "Month takes 1-12 or JAN-DEC, not '13'"),
    ("0 9 1 MON ? *", "Month takes 1-12 or JAN-DEC, not 'MON'"),
    ("0 9 ? * 0 *", "Day-of-week takes 1-7 or SUN-SAT, not '0'"),
    ("0 9 ? * 8L *", "Day-of-week takes 1-7 or SUN-SAT, not '8'"),
    ("0 9 ? * 2/2 *", "Day-of-week takes 1-7 or SUN-SAT, not '2/2'"),
    ("0 9 ? * 2#6 *", "Day-of-week takes #1 to #5 after one day, received '2#6'"),
    ("0 9 ? * 3#1,6#3 *", "Day-of-week takes #1 to #5 after one day, received '3#1,6#3'"),
    ("0 9 * * ? 1969", "Year takes 1970-2199, not '1969'"),
    ("0 9 * * ? 2030-2028", "Year range '2030-2028' must ascend"),
    ("0/0 9 * * ? *", "Minute takes steps of 1-59, not '0'"),
    ("0/90 9 * * ? *", "Minute takes steps of 1-59, not '90'"),
    ("/5 9 * * ? *", "Minute takes 0-59, not '/5'"),
    ("*-5 9 * * ? *", "Minute takes 0-59, not '*-5'"),
    ("0 9 1,* * ? *", "Day-of-month takes 1-31, not '1,*'"),
    ("٣ 9 * * ? *", "Minute takes 0-59, not '٣'"),
]

WORDS = [
    ("00 09 * * ? *", "At 09:00 AM EDT"),
    ("00 18 ? * MON-FRI *", "At 06:00 PM, Monday through Friday EDT"),
    ("0/15 8-17 ? * 2-6 *", "Every 15 minutes, between 08:00 AM and 05:59 PM, Monday through Friday EDT"),
    ("0 9 LW * ? *", "At 09:00 AM, on the last weekday of the month EDT"),
    ("0 9 ? * L *", "At 09:00 AM, only on Saturday EDT"),
    ("0 9 ? * 01 *", "At 09:00 AM, only on Sunday EDT"),
    ("0 9 1-5/2,20 * ? *", "At 09:00 AM, on day 1, 3, 5, and 20 of the month EDT"),
    ("0 9 ? * 6#3 *", "At 09:00 AM, on the third Friday of the month EDT"),
    ("0 9 1 1 ? 2026/4", "At 09:00 AM, on day 1 of the month, only in January, every 4 years, 2026 through 2199 EDT"),
]
MAY = 1_777_593_600_000


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def next_times(expression: str, after: datetime, number: int) -> list[datetime]:
    cron, found = parse(expression), list[datetime]()
    while len(found) < number and (after := cron.next_after(after)):
        found.append(after)
    return found


# ---- any expression ---------------------------------------------------------------------------------------------


def numbers(least: int, most: int) -> st.SearchStrategy[str]:
    return st.integers(least, most).map(str)


def field(least: int, most: int, names: Sequence[str] = (), *, steps: bool = True) -> st.SearchStrategy[str]:
    """Comma lists of values, ranges and steps, upright ones only: a year's must be."""
    value = st.integers(least, most)

    def spelled(number: int) -> str:
        return names[number - least] if names and number % 2 else str(number)

    ranges = st.tuples(value, value).map(lambda ends: "-".join(map(spelled, sorted(ends))))
    items = st.one_of(value.map(spelled), ranges)
    if steps:
        items |= st.tuples(items | st.just("*"), numbers(max(least, 1), most)).map("/".join)
    return st.just("*") | st.lists(items, min_size=1, max_size=3).map(",".join)


WEEKDAY = st.one_of(
    field(1, 7, WEEKDAYS, steps=False),
    numbers(1, 7).map("{}L".format),
    st.tuples(numbers(1, 7), numbers(1, 5)).map("#".join),
)
DAY = st.one_of(field(1, 31), st.just("L"), numbers(1, 28).map("{}W".format))
YEARS = st.one_of(st.just("*"), st.lists(numbers(2020, 2040), min_size=1, max_size=3).map(",".join))


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Expressions on which the oracle can be trusted: no `LW`, no `L` for the week, no steps of years."""
    days = draw(st.one_of(DAY.map(lambda day: (day, "?")), WEEKDAY.map(lambda day: ("?", day))))
    minute, hour, month = draw(field(0, 59)), draw(field(0, 23)), draw(field(1, 12, MONTHS))
    return " ".join([minute, hour, days[0], month, days[1], draw(YEARS)])


class TestTimes:
    @pytest.mark.parametrize(("expression", "after", "expected"), TIMES)
    def test_are_the_ones_meant(self, expression, after, expected):
        number = max(1, len(expected))
        assert next_times(expression, wall(after), number) == [wall(text) for text in expected]

    @given(expressions(), st.datetimes(wall("2024-01-01T00:00"), wall("2030-01-01T00:00")))
    def test_are_those_of_another_reader(self, expression, after):
        theirs = AwsCroniter(expression).get_next(after.replace(microsecond=0, tzinfo=UTC), 3)
        assert next_times(expression, after, 3) == [found.replace(tzinfo=None) for found in theirs if found]


class TestRefusal:
    @pytest.mark.parametrize(("expression", "reason"), REFUSED)
    def test_says_which_field_and_why(self, expression, reason):
        with pytest.raises(NotCron) as refused:
            parse(expression)
        assert str(refused.value) == reason

    @given(st.text(alphabet="0159*?LW#-/, MONFRI", max_size=30))
    def test_is_the_only_way_to_fail(self, text):
        try:
            cron = parse(text)
        except NotCron:
            return
        cron.next_after(wall("2026-01-01T00:00"))


class TestWords:
    @pytest.mark.parametrize(("expression", "words"), WORDS)
    def test_say_what_is_meant_and_where(self, expression, words):
        assert describe(expression, "America/New_York", MAY) == words

    @pytest.mark.parametrize(
        ("zone", "name"),
        [
            ("America/New_York", "EDT"),
            ("Europe/London", "BST"),
            ("Asia/Kolkata", "IST"),
            ("America/Sao_Paulo", "UTC-03:00"),
            ("Asia/Kathmandu", "UTC+05:45"),
            ("Etc/GMT+3", "UTC-03:00"),
            ("UTC", "UTC"),
        ],
    )
    def test_call_the_zone_as_people_do(self, zone, name):
        assert describe("0 9 * * ? *", zone, MAY) == f"At 09:00 AM {name}"

    @given(expressions())
    def test_can_be_said_of_every_expression(self, expression):
        assert describe(expression, "UTC", MAY).endswith(" UTC")
