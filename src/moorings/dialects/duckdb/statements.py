"""Refuses DuckDB statements that write files.

Without external access, DuckDB still opens files below its temporary directory. There COPY could fill the disk, or
overwrite the temporary files of other queries. Statements cannot write to any other place.
"""

from __future__ import annotations

import itertools

from moorings.dialects.bounds import tokens
from moorings.dialects.duckdb.faults import OUT_OF_REACH

WRITES_FILES = frozenset({"COPY", "EXPORT"})
OTHERS = frozenset({"SELECT", "WITH", "FROM", "VALUES", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "EXECUTE"})
"""Other explained objects; the words after these do not begin the statement."""


def check_files(kind: str, sql: str) -> None:
    """Check that a statement writes no file; `kind` is DuckDB's name of its type. Raises StatementForbidden."""
    if kind in WRITES_FILES or (kind in ("EXPLAIN", "PREPARE") and _names(sql, WRITES_FILES)):
        raise OUT_OF_REACH


def check_attached(kind: str, sql: str) -> None:
    """Check that a statement attaches no file: only `ATTACH ':memory:' AS other`. Raises StatementForbidden."""
    if kind == "ATTACH":
        behind_words = itertools.dropwhile(lambda found: found[0] == "word", tokens(sql))
        if next(behind_words, None) != ("text", "':memory:'"):
            raise OUT_OF_REACH


def _names(sql: str, words: frozenset[str]) -> bool:
    """Whether one of these words begins the explained or prepared statement, as in `EXPLAIN (ANALYZE) COPY …`."""
    if not any(word in sql.upper() for word in words):
        return False
    depth = 0
    for kind, token in tokens(sql):
        depth += (kind == "open") - (kind == "close")
        word = token.upper() if kind == "word" and not depth else ""
        if word in words or word in OTHERS:
            return word in words
    return False
