"""Statements of DuckDB that write files, which its own lock on files lets through in one place.

Without external access DuckDB still opens what is below its temporary directory. There COPY could fill the disk, or
overwrite what other queries have put aside. Nothing else is there for a statement to write to.
"""

from __future__ import annotations

import itertools

from moorings.dialects.bounds import tokens
from moorings.dialects.duckdb.faults import OUT_OF_REACH

WRITES_FILES = frozenset({"COPY", "EXPORT"})
OTHERS = frozenset({"SELECT", "WITH", "FROM", "VALUES", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "EXECUTE"})
"""What else is explained; words behind these are not the statement's own."""


def check_files(kind: str, sql: str) -> None:
    """See that a statement writes no file; `kind` is DuckDB's name of its type. Raises StatementForbidden."""
    if kind in WRITES_FILES or (kind in ("EXPLAIN", "PREPARE") and _names(sql, WRITES_FILES)):
        raise OUT_OF_REACH


def check_attached(kind: str, sql: str) -> None:
    """See that a statement attaches no file: only `ATTACH ':memory:' AS other`. Raises StatementForbidden."""
    if kind == "ATTACH":
        behind_words = itertools.dropwhile(lambda found: found[0] == "word", tokens(sql))
        if next(behind_words, None) != ("text", "':memory:'"):
            raise OUT_OF_REACH


def _names(sql: str, words: frozenset[str]) -> bool:
    """Whether one of these words begins what is explained or prepared, as in `EXPLAIN (ANALYZE) COPY …`."""
    if not any(word in sql.upper() for word in words):
        return False
    depth = 0
    for kind, token in tokens(sql):
        depth += (kind == "open") - (kind == "close")
        word = token.upper() if kind == "word" and not depth else ""
        if word in words or word in OTHERS:
            return word in words
    return False
