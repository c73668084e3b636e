"""Trims a statement's text at both ends."""

from __future__ import annotations

import re


def without_end(sql: str) -> str:
    """A statement without the blanks and semicolons at its end.

    A regular expression anchored at the end would restart at every blank: 20,000 blanks took 20 seconds.
    """
    end = len(sql)
    while end and (sql[end - 1].isspace() or sql[end - 1] == ";"):
        end -= 1
    return sql[:end]


def without_comments_before(sql: str, *marks: str) -> str:
    """A statement without the blanks and comments before it: `/* … */`, and lines that begin with one of the marks."""
    place = 0
    while place < len(sql):
        if sql[place].isspace():
            place += 1
        elif sql.startswith(marks, place):
            end = sql.find("\n", place)
            place = len(sql) if end < 0 else end + 1
        elif sql.startswith("/*", place) and (end := sql.find("*/", place + 2)) >= 0:
            place = end + 2
        else:
            break
    return sql[place:]


def trimmed(sql: str, token: re.Pattern[str]) -> str:
    """A statement without the blanks, comments and semicolons at its end; empty when it is nothing else.

    `token` matches any next token of the dialect; its group `blank` says that it may be left out.
    """
    ends = [found.end() for found in token.finditer(sql) if found["blank"] is None]
    return sql[: ends[-1]] if ends else ""
