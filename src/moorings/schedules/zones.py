"""Converts wall times of a time zone to instants, also where clocks change.

A wall time that happens twice (clocks go back) runs once, the first time, as in EventBridge. One that never happens
(clocks go forward) runs at the end of the gap, once for all times in the gap.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from moorings.schedules.cron import Cron


def next_runs(cron: Cron, zone: str, after: int, number: int) -> list[int]:
    """The next instants (at most `number`) at which a schedule runs, all of them after an instant."""
    place, runs = ZoneInfo(zone), list[int]()
    wall = cron.next_after(_moment(after, place).replace(tzinfo=None))
    while wall is not None and len(runs) < number:
        run = _instant(wall, place)
        if run > (runs[-1] if runs else after):
            runs.append(run)
        wall = cron.next_after(wall)
    return runs


def abbreviation(zone: str, at: int) -> str:
    """The abbreviation of a zone at an instant, such as `EDT`; `UTC+05:30` for zones without one."""
    moment = _moment(at, ZoneInfo(zone))
    name = moment.tzname() or ""
    if re.search("[A-Za-z]", name):
        return name
    offset = moment.strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:5]}"


def _moment(instant: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(instant // 1000, zone)


def _instant(wall: datetime, zone: ZoneInfo) -> int:
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return int(first.timestamp()) * 1000
    return _end_of_gap(wall, zone) * 1000


def _end_of_gap(wall: datetime, zone: ZoneInfo) -> int:
    """The instant at which clocks jumped over a wall time.

    With the offset after the jump, a time in the gap is before that instant; with the offset before it, after.
    """
    before, after = (int(wall.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (1, 0))
    ahead = datetime.fromtimestamp(after, zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == ahead:
            after = middle
        else:
            before = middle
    return after
