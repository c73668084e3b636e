"""What must be known of a ClickHouse statement's text: where it ends, and which parameters it names."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

from moorings import errors
from moorings.dialects.read_only import refusal

TOKEN = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`(?:[^`\\]|\\.)*`"
    r"|(?P<blank>\s+|;|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)|(?:['\"`]|/\*).*|\{\s*(?P<parameter>[A-Za-z_]\w*)\s*:|\w+|.",
    re.DOTALL,
)


def named(sql: str, values: Sequence[Any]) -> dict[str, Any]:
    """Values by the names that the statement has for them: `{p1:String}`, `{p2:Int64}`, in this order.

    Raises ParametersRefused when it names others, or fewer: the server takes a missing one for null.
    """
    given = {f"p{place}": value for place, value in enumerate(values, 1)}
    placeholders = {name for found in TOKEN.finditer(sql) if (name := found["parameter"])}
    if placeholders != set(given):
        listed = ", ".join(f"{{{name}}}" for name in sorted(placeholders)) or "none"
        raise errors.ParametersRefused(
            message=f"The statement names {listed}, and {len(given)} were given. Write {{p1:String}}, {{p2:Int64}}."
        )
    return given


READS = frozenset({"SELECT", "WITH", "FROM", "VALUES", "EXPLAIN", "SHOW", "DESCRIBE", "DESC", "EXISTS", "CHECK"})


def require_query(sql: str) -> None:
    """See that a statement is a query without INTO OUTFILE: `readonly` lets KILL pass, and an engine at home files too.

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
