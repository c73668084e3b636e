"""The text of a statement, as far as we must read it: where it ends."""

from __future__ import annotations

import re


def trimmed(sql: str, token: re.Pattern[str]) -> str:
    """A statement without the blanks, comments and semicolons at its end; empty when it is nothing else.

    `token` finds the next token of the dialect, whatever it is; its group `blank` says that it may be left out.
    """
    ends = [found.end() for found in token.finditer(sql) if found["blank"] is None]
    return sql[: ends[-1]] if ends else ""
