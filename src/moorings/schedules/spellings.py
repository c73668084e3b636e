"""Other spellings of schedules, as EventBridge's six fields: the five fields of Unix, and words such as `@daily`."""

from __future__ import annotations

from itertools import groupby

from moorings.schedules.cron import WEEKDAYS, Field, NotCron, values

WORDS = {
    "@YEARLY": "0 0 1 1 ? *",
    "@ANNUALLY": "0 0 1 1 ? *",
    "@MONTHLY": "0 0 1 * ? *",
    "@WEEKLY": "0 0 ? * SUN *",
    "@DAILY": "0 0 * * ? *",
    "@MIDNIGHT": "0 0 * * ? *",
    "@HOURLY": "0 * * * ? *",
}

UNIX_WEEKDAY = Field("Day-of-week", 0, 7, WEEKDAYS)
"""Unix counts days from Sunday as 0, and takes 7 for Sunday too."""

ANY = ("*", "?")


def six_fields(text: str) -> str:
    """A schedule as six fields; a text in no other spelling is returned unchanged. Raises NotCron."""
    word = text.strip().upper()
    if word.startswith("@"):
        if word not in WORDS:
            raise NotCron(f"'{text.strip()}' is not supported: use one of {', '.join(WORDS).lower()}")
        return WORDS[word]
    fields = text.split()
    return _from_unix(*fields) if len(fields) == 5 else text


def _from_unix(minute: str, hour: str, day: str, month: str, weekday: str) -> str:
    if weekday in ANY:
        return f"{minute} {hour} {'*' if day in ANY else day} {month} ? *"
    if day not in ANY:
        raise NotCron(
            "Day-of-month and day-of-week are both set: five fields then mean either of them, which six fields cannot "
            "say. Set one of them to '*', and make a second schedule for the other"
        )
    return f"{minute} {hour} ? {month} {_weekdays(weekday)} *"


def _weekdays(text: str) -> str:
    """Days of the week by their names, runs of three or more as ranges."""
    days = sorted({day % 7 for day in values(text.upper(), UNIX_WEEKDAY)})
    if len(days) == len(WEEKDAYS):
        return "SUN-SAT"
    runs = [[day for _, day in run] for _, run in groupby(enumerate(days), lambda place: place[1] - place[0])]
    return ",".join(_run([WEEKDAYS[day] for day in run]) for run in runs)


def _run(names: list[str]) -> str:
    return f"{names[0]}-{names[-1]}" if len(names) > 2 else ",".join(names)
