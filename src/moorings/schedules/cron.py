"""Parses EventBridge's cron expressions, and computes the next wall time of one. Pure; without time zones.

Six fields: minute, hour, day of month, month, day of week (1 is Sunday), year; one of the two day fields is `?`. `L`,
`W` and `#` must be alone in their field. Ranges may wrap around (`FRI-MON`), except for years. Source:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import product

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

ITEM = re.compile(r"(?:\*|(?P<first>[0-9A-Z]+)(?:-(?P<last>[0-9A-Z]+))?)(?:/(?P<step>[0-9]{1,4}))?")
"""One element of a comma list."""

Days = Callable[[int, int], Sequence[int]]
"""Year and month → the matching days, in order."""


class NotCron(ValueError):
    """The text is no cron expression; the message names the field and the reason."""


@dataclass(frozen=True, slots=True)
class Field:
    """One of the six fields: its name, its bounds, and the names of its values, in ascending order."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    wraps: bool = True
    """A range may end below its start: it wraps around."""
    steps: bool = True

    def number(self, text: str) -> int:
        """The value of a number or a name."""
        if text in self.names:
            return self.least + self.names.index(text)
        if re.fullmatch("[0-9]{1,4}", text) and self.least <= int(text) <= self.most:
            return int(text)
        raise self.refused(text)

    def refused(self, text: str) -> NotCron:
        """The error for a value that this field does not allow."""
        named = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return NotCron(f"{self.name} takes {self.least}-{self.most}{named}, not '{text}'")


MINUTE = Field("Minute", 0, 59)
HOUR = Field("Hour", 0, 23)
DAY = Field("Day-of-month", 1, 31)
MONTH = Field("Month", 1, 12, MONTHS)
WEEKDAY = Field("Day-of-week", 1, 7, WEEKDAYS, steps=False)
YEAR = Field("Year", 1970, 2199, wraps=False)


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression: the values of each field, in order."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: tuple[int, ...]
    years: tuple[int, ...]

    def next_after(self, wall: datetime) -> datetime | None:
        """The first matching wall time after another one; None if there is none."""
        earliest = wall.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for day in self._dates(earliest.date()):
            for hour, minute in product(self.hours, self.minutes):
                found = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001  # a wall time has no zone
                if found >= earliest:
                    return found
        return None

    def _dates(self, earliest: date) -> Iterator[date]:
        for year, month in product(self.years, self.months):
            if (year, month) >= (earliest.year, earliest.month):
                for day in self.days(year, month):
                    if date(year, month, day) >= earliest:
                        yield date(year, month, day)


def parse(text: str) -> Cron:
    """Parse an expression; raises NotCron."""
    if "(" in text:
        raise NotCron("Write the six fields without cron( )")
    fields = text.upper().split()
    if len(fields) != 6:
        raise NotCron(f"Expected six fields (minute hour day-of-month month day-of-week year), received {len(fields)}")
    minute, hour, day, month, weekday, year = fields
    if (day == "?") == (weekday == "?"):
        raise NotCron("Exactly one of day-of-month and day-of-week must be '?'")
    return Cron(
        minutes=values(minute, MINUTE),
        hours=values(hour, HOUR),
        days=_by_weekday(weekday) if day == "?" else _by_date(day),
        months=values(month, MONTH),
        years=values(year, YEAR),
    )


def values(text: str, field: Field) -> tuple[int, ...]:
    """The values of a comma list in a field, in order; raises NotCron."""
    items = text.split(",")
    if "*" in items and len(items) > 1:
        raise field.refused(text)
    return tuple(sorted({value for item in items for value in _item(item, field)}))


def _item(text: str, field: Field) -> Sequence[int]:
    """The values of one number, name, range, or `*`, each with or without a step."""
    found = ITEM.fullmatch(text)
    if found is None or (found["step"] and not field.steps):
        raise field.refused(text)
    first = field.number(found["first"]) if found["first"] else field.least
    if found["last"]:
        last = field.number(found["last"])
    else:
        last = field.most if found["step"] or not found["first"] else first
    if last < first and not field.wraps:
        raise NotCron(f"{field.name} range '{text}' must ascend")
    values = range(first, last + 1) if first <= last else (*range(first, field.most + 1), *range(field.least, last + 1))
    return values[:: _step(found["step"] or "1", field)]


def _step(text: str, field: Field) -> int:
    step = int(text)
    if not 1 <= step <= field.most:
        raise NotCron(f"{field.name} takes steps of 1-{field.most}, not '{text}'")
    return step


# ---- days -------------------------------------------------------------------------------------------------------


def _by_date(text: str) -> Days:
    """The days of the field day-of-month."""
    if text == "L":
        return lambda year, month: [_last(year, month)]
    if text == "LW":
        return lambda year, month: [_nearest_weekday(year, month, _last(year, month))]
    if text.endswith("W"):
        day = DAY.number(text[:-1])
        return lambda year, month: [_nearest_weekday(year, month, day)] if day <= _last(year, month) else []
    days = values(text, DAY)
    return lambda year, month: [day for day in days if day <= _last(year, month)]


def _by_weekday(text: str) -> Days:
    """The days of the field day-of-week."""
    if text == "L":
        text = "SAT"
    if text.endswith("L"):
        day = WEEKDAY.number(text[:-1])
        return lambda year, month: _on(year, month, {day})[-1:]
    if "#" in text:
        name, _, which = text.partition("#")
        if not re.fullmatch("[1-5]", which):
            raise NotCron(f"Day-of-week takes #1 to #5 after one day, received '{text}'")
        day, place = WEEKDAY.number(name), int(which)
        return lambda year, month: _on(year, month, {day})[place - 1 : place]
    days = frozenset(values(text, WEEKDAY))
    return lambda year, month: _on(year, month, days)


def _last(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _on(year: int, month: int, weekdays: frozenset[int] | set[int]) -> list[int]:
    """The days of a month that are one of these days of the week."""
    return [day for day in range(1, _last(year, month) + 1) if _weekday(year, month, day) in weekdays]


def _weekday(year: int, month: int, day: int) -> int:
    return date(year, month, day).isoweekday() % 7 + 1


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """The weekday (Monday to Friday) that is nearest to a day, within its month."""
    if _weekday(year, month, day) == 7:
        return day - 1 if day > 1 else day + 2
    if _weekday(year, month, day) == 1:
        return day + 1 if day < _last(year, month) else day - 2
    return day
