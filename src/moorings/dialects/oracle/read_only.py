"""Decides by a statement's text whether it only reads: a procedure in a read-only transaction can still write."""

from __future__ import annotations

import re

from moorings import errors

DECLARES = re.compile(
    r"(?:\s|\(|--[^\n]*+\n?|(?>/\*.*?\*/))*+WITH(?:\s|--[^\n]*+\n?|(?>/\*.*?\*/))++(?:FUNCTION|PROCEDURE)\b",
    re.DOTALL | re.IGNORECASE,
)
"""A query with its own procedure, whose transaction may be autonomous and write, even if ours is read-only."""
FIRST_WORD = re.compile(r"(?:\s|\(|--[^\n]*\n?|/\*.*?\*/)*(\w*)", re.DOTALL)


def first_word(sql: str) -> str:
    """The first word of a statement outside of comments, in upper case; empty where there is none."""
    found = FIRST_WORD.match(sql)
    return found[1].upper() if found else ""


def check_reads(sql: str) -> None:
    """Raise ReadOnly unless a statement is a query.

    The server accepts only one statement, so no other can hide in it.
    """
    word = first_word(sql)
    if not word:
        raise errors.StatementRefused(message="The text has no statement. Send one.")
    if word not in ("SELECT", "WITH") or DECLARES.match(sql):
        raise errors.ReadOnly
