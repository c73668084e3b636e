"""A schedule in words, for people."""

from __future__ import annotations

import re

from moorings.schedules.cron import DAY, HOUR, MINUTE, MONTH, WEEKDAY, YEAR, Field, values
from moorings.schedules.zones import abbreviation


def describe(expression: str, zone: str, at: int) -> str:
    """A cron expression in words, with the name of its zone at a time: `At 09:00 AM EDT`."""
    from cron_descriptor import Options, get_description  # it loads its translations

    options = Options(locale_code="en_US", use_24hour_time_format=False, day_of_week_start_index_zero=False)
    return f"{get_description(_plain(expression), options)} {abbreviation(zone, at)}"


def _plain(expression: str) -> str:
    """The expression in the form that the library describes: seconds first, without parts that it cannot describe."""
    words = re.sub(r"\b0+(?=\d)", "", expression.upper()).split()
    fields = (MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR)
    simple = [_simple(word, field) for word, field in zip(words, fields, strict=True)]
    return " ".join(["0", *simple])


def _simple(text: str, field: Field) -> str:
    """A field without steps in lists, with an end for open ranges of years, and with the last day of the week."""
    if text == "L" and field is WEEKDAY:
        return str(field.most)
    if "," not in text:
        first, slash, step = text.partition("/")
        return f"{first}-{field.most}/{step}" if slash and first.isdigit() and field is YEAR else text
    return ",".join(map(str, values(text, field))) if "/" in text else text
