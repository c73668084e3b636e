"""Limits on the size of statements, in every dialect: far above statements that people and tools write.

Some parsers and planners need hours for statements of thousands of parts, and ignore a cancel meanwhile. Measured
with DuckDB on one core: a name of 500 parts 0.3 s, of 1,000 0.9 s, of 4,000 minutes; a FROM of 200 tables 3 s, of 400
minutes. `interrupt` does not end these. Long lists of values and long chains of AND, UNION or CASE end, or are
interrupted; deep parentheses and long sums DuckDB refuses itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from moorings import errors

MAX_CHARACTERS = 1_000_000
MAX_PARTS = 100
"""Parts of one name, as in `catalog.schema.table.column.field`."""
MAX_DEPTH = 500
"""Nested parentheses, brackets and braces."""
MAX_TABLES = 200
"""Tables of one FROM, with its joins."""
MAX_UNFOLDED = 500
"""The most parts of a WITH after each NOT MATERIALIZED part replaces its name:

DuckDB plans 1,024 for seconds and 4,096 for minutes. It computes other parts once.
"""

TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\r\n]*)
    |(?P<comment>/\*)
    |(?P<text>[eE]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*(?:'|\\?\Z)|'[^']*(?:''[^']*)*(?:'|\Z))
    |(?P<dollar>\$(?:[^\W\d]\w*)?\$)
    |(?P<name>"[^"]*(?:""[^"]*)*(?:"|\Z))
    |(?P<word>[^\W\d]\w*)
    |(?P<number>\d+(?:\.\d*)?)
    |(?P<dot>\.)
    |(?P<open>[(\[{])
    |(?P<close>[)\]}])
    |(?P<comma>,)
    |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
"""The next token of PostgreSQL's and DuckDB's SQL. Each alternative takes time in proportion to what it matches."""
UNFOLDS = re.compile(r"\bmaterialized\b", re.IGNORECASE)
COMMENT = re.compile(r"/\*|\*/")
ENDS_FROM = frozenset({"WHERE", "SELECT", "GROUP", "ORDER", "HAVING", "UNION", "EXCEPT", "INTERSECT", "SET", "VALUES"})


def check_size(sql: str) -> None:
    """Check that a statement is within the limits; raises StatementRefused. Linear in the statement's length."""
    if len(sql) > MAX_CHARACTERS:
        raise _refused(f"The statement is longer than {MAX_CHARACTERS:,} characters")
    if sql.count(".") > MAX_PARTS:
        _check_parts(sql)
    if sum(map(sql.count, "([{")) > MAX_DEPTH:
        _check_depth(sql)
    if sql.count(",") + len(re.findall("join", sql, re.IGNORECASE)) >= MAX_TABLES:
        _check_tables(sql)
    if len(UNFOLDS.findall(sql)) > 1:
        _check_unfolded(sql)


def _refused(what: str) -> errors.StatementRefused:
    return errors.StatementRefused(message=f"{what}. Split it, or load long lists into a table.")


def _check_parts(sql: str) -> None:
    parts, dotted = 0, False
    for kind, _ in tokens(sql):
        if kind == "dot":
            dotted = True
            continue
        parts, dotted = (parts + 1 if dotted else 1), False
        if parts > MAX_PARTS:
            raise _refused(f"A name in the statement has more than {MAX_PARTS} parts")


def _check_depth(sql: str) -> None:
    depth = 0
    for kind, _ in tokens(sql):
        depth += (kind == "open") - (kind == "close" and depth > 0)
        if depth > MAX_DEPTH:
            raise _refused(f"Parentheses in the statement are more than {MAX_DEPTH} levels deep")


def _check_tables(sql: str) -> None:
    """Count, in each FROM, the commas and the JOINs at its own level."""
    tables = [0]  # of the FROM at each level; 0 outside of one
    for kind, token in tokens(sql):
        word = token.upper() if kind == "word" else ""
        if kind == "open":
            tables.append(0)
        elif kind == "close" and len(tables) > 1:
            tables.pop()
        elif word == "FROM":
            tables[-1] = 1
        elif word in ENDS_FROM:
            tables[-1] = 0
        elif tables[-1] and (kind == "comma" or word == "JOIN"):
            tables[-1] += 1
            if tables[-1] > MAX_TABLES:
                raise _refused(f"A FROM in the statement has more than {MAX_TABLES} tables")


def _check_unfolded(sql: str) -> None:
    """Weigh the parts of a WITH that are NOT MATERIALIZED: one, and the weights of those that a part names itself."""
    weights: dict[str, int] = {}
    open_parts: list[tuple[str, int]] = []  # each with the level of its parentheses
    level, named, before = 0, "", ["", "", "", ""]
    for kind, token in tokens(sql):
        if named and kind != "dot":  # otherwise it only qualifies a column
            part = open_parts[-1][0]
            weights[part] += weights[named]
            if weights[part] > MAX_UNFOLDED:
                raise _refused(f"The parts of a WITH in the statement expand to more than {MAX_UNFOLDED}")
        word = token.strip('"').casefold()
        named = word if open_parts and word in weights and before[-1] != "." else ""
        if kind == "open":
            level += 1
            if before[1:] == ["as", "not", "materialized"]:
                open_parts.append((before[0], level))
                weights[before[0]] = 1
        elif kind == "close":
            if open_parts and open_parts[-1][1] == level:
                open_parts.pop()
            level -= 1
        before = [*before[1:], word]


def tokens(sql: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each token, except blanks and comments, which nest; an unclosed token extends to the end."""
    place = 0
    while (found := TOKEN.match(sql, place)) is not None:
        kind, place = str(found.lastgroup), found.end()
        if kind == "comment":
            place = _comment_end(sql, place)
        elif kind == "dollar":
            end = sql.find(found[0], place)
            place = len(sql) if end < 0 else end + len(found[0])
        if kind not in ("blank", "comment"):
            yield kind, found[0]


def _comment_end(sql: str, place: int) -> int:
    depth = 1
    for found in COMMENT.finditer(sql, place):
        depth += 1 if found[0] == "/*" else -1
        if not depth:
            return found.end()
    return len(sql)
