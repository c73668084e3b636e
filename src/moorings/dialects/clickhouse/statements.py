"""Parses a ClickHouse statement's text: its end, and the parameters that it names."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

from moorings import errors
from moorings.dialects.arrow.nested import parse_nested
from moorings.dialects.read_only import refusal

TOKEN = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`(?:[^`\\]|\\.)*`"
    r"|(?P<blank>\s+|;|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)|(?:['\"`]|/\*).*"
    r"|\{\s*(?P<parameter>[A-Za-z_]\w*)\s*:(?P<type>[^{}]*)\}?|\w+|.",
    re.DOTALL,
)


def named(sql: str, values: Sequence[Any]) -> dict[str, Any]:
    """Values by the statement's names for them:

    `{p1:String}`, `{p2:Int64}`, in this order. Raises ParametersRefused for other or missing names: the server would
    treat a missing one as null.
    """
    given = {f"p{place}": value for place, value in enumerate(values, 1)}
    placeholders = _placeholders(sql)
    if set(placeholders) != set(given):
        listed = ", ".join(f"{{{name}}}" for name in sorted(placeholders)) or "none"
        raise errors.ParametersRefused(
            message=f"The statement names {listed}, and {len(given)} were given. Write {{p1:String}}, {{p2:Int64}}."
        )
    return given


def bound(sql: str, values: Sequence[Any]) -> dict[str, str]:
    """The same as parameters of a request, each written as the server reads its declared type."""
    types = _placeholders(sql)
    return {f"param_{name}": _text(value, types[name]) for name, value in named(sql, values).items()}


def _placeholders(sql: str) -> dict[str, str]:
    return {name: found["type"].strip() for found in TOKEN.finditer(sql) if (name := found["parameter"])}


NESTED = ("Array", "Map", "Tuple", "Nested")
INTEGER = re.compile(r"U?Int\d+")
ESCAPED = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0", "\b": "\\b", "\f": "\\f"}


def _text(value: Any, native: str) -> str:
    """A value as the server reads it in the declared type: arrays and maps as SQL writes them, others escaped."""
    kind, arguments = parse_nested(native)
    while kind in ("Nullable", "LowCardinality") and arguments:
        kind, arguments = parse_nested(arguments[0])
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return str(value).lower() if kind in ("Bool", "String", "FixedString") else str(int(value))
    if isinstance(value, float) and value.is_integer() and INTEGER.fullmatch(kind):
        return str(int(value))
    text = str(value)
    return text if kind in NESTED else "".join(ESCAPED.get(character, character) for character in text)


READS = frozenset({"SELECT", "WITH", "FROM", "VALUES", "EXPLAIN", "SHOW", "DESCRIBE", "DESC", "EXISTS", "CHECK"})


def require_query(sql: str) -> None:
    """Check that a statement is a query without INTO OUTFILE: `readonly` allows KILL and, in an embedded engine, files.

    Raises ReadOnly, or StatementRefused for a misspelling.
    """
    words = [found[0].upper() for found in TOKEN.finditer(sql) if found["blank"] is None and found[0][0] not in "(\"'`"]
    if words and words[0] not in READS:
        raise refusal(words[0])
    if not words or ("INTO", "OUTFILE") in itertools.pairwise(words):
        raise errors.ReadOnly


def literal(value: str) -> str:
    """A string as ClickHouse's SQL writes it."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
