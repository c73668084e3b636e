"""Builds SQL for Trino: names, literals, and statements with parameters."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from moorings.dialects.base import Statement
from moorings.dialects.statements import trimmed

TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(?P<blank>\s+|;|--[^\n]*|/\*.*?\*/)|(?:['\"]|/\*).*|\w+|.",
    re.DOTALL,
)

WIDEST = 2**63
"""The limit of BIGINT."""


def identifier(name: str) -> str:
    """A name, quoted."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def text(value: str) -> str:
    """A quoted string; backslashes have no special meaning."""
    escaped = value.replace("'", "''")
    return f"'{escaped}'"


def executed(statement: Statement) -> str:
    """The text to send: a statement without semicolons at its end, which the server does not accept.

    A statement with parameters is sent as a string, with the values as literals after it.
    """
    sql = trimmed(statement.sql, TOKEN)
    if not statement.parameters:
        return sql
    values = ", ".join(map(_literal, statement.parameters))
    return f"EXECUTE IMMEDIATE {text(sql)} USING {values}"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if -WIDEST <= value < WIDEST else f"DECIMAL '{value}'"
    if isinstance(value, float):
        return f"DOUBLE '{value!r}'"
    if isinstance(value, list):
        elements = map(_literal, cast("list[Any]", value))
        return f"ARRAY[{', '.join(elements)}]"
    return text(value if isinstance(value, str) else json.dumps(value))
