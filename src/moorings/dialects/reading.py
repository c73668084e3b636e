"""What a statement's text says that it does, for engines whose sessions cannot be made read-only, or not for good.

A statement is let through by its first word, alone, and only if nothing in it writes. What it says in literals and
comments, and inside parentheses, does not count. This is a fence beside the engine's own means, which stay in force:
the best lock is a user who may only read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from moorings import errors

STANDARD = r"""'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z)"""
"""Literals and quoted names of standard SQL."""
BRACKETS = rf"{STANDARD}|\[[^\]]*(?:\]|\Z)"
"""The same, where names may also be in square brackets."""
BACKSLASHES = r"""'(?:[^'\\]|\\.|'')*(?:'|\Z)|"(?:[^"\\]|\\.|"")*(?:"|\Z)|`[^`]*(?:`|\Z)"""
"""The same, where a backslash escapes what follows it, and names are in backticks."""
COMMENTS = r"--[^\n]*|/\*(?!!).*?(?:\*/|\Z)"
UNCLEAR = re.compile(r"#|/\*!")
"""Comments to some servers of a kind, and none to others: what follows could be anything."""

READS = frozenset({"SELECT", "WITH", "VALUES", "EXPLAIN", "SHOW", "DESCRIBE", "DESC"})
INSIDE = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "UPSERT", "INTO", "OUTFILE"})
"""What writes although the first word only reads: a WITH before it, a SELECT INTO, a FOR UPDATE."""
WRITES = INSIDE | frozenset(
    {
        *("CREATE", "ALTER", "DROP", "TRUNCATE", "REPLACE", "RENAME", "COMMENT", "GRANT", "REVOKE", "LOAD", "IMPORT"),
        *("EXPORT", "CALL", "DO", "EXECUTE", "EXEC", "BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "SET", "XA"),
        *("LOCK", "UNLOCK", "USE", "OPEN", "CLOSE", "KILL", "ANALYZE", "REFRESH", "SUBMIT", "CANCEL", "IMPERSONATE"),
    }
)


def require_reading(sql: str, *, quoted: str = STANDARD) -> None:
    """See that a text is one statement that only reads; raises ReadOnly or StatementRefused."""
    words = list(_outer_words(_one_statement(sql, quoted)))
    if words[0] in READS and not INSIDE.intersection(words):
        return
    if WRITES.intersection(words):
        raise errors.ReadOnly
    raise errors.StatementRefused(message="A connection that only reads takes SELECT and the like. Check the spelling.")


def first_word(sql: str, *, quoted: str = STANDARD) -> str:
    """The word that a text begins with, in capitals; empty when it has none."""
    return next(_outer_words(_bare(sql, quoted)), "")


def _one_statement(sql: str, quoted: str) -> str:
    bare = _bare(sql, quoted)
    if UNCLEAR.search(bare):
        raise errors.StatementRefused(message="Write comments as `-- …` or `/* … */` on a connection that only reads.")
    first, _, rest = bare.partition(";")
    if rest.replace(";", "").strip():
        raise errors.StatementRefused(message="Send exactly one statement at a time.")
    if not re.search(r"\w", first):
        raise errors.StatementRefused(message="There is no statement. Send exactly one.")
    return first


def _bare(sql: str, quoted: str) -> str:
    """A text with a blank for each comment, and an empty literal for each literal or quoted name."""
    found = re.compile(rf"(?P<comment>{COMMENTS})|{quoted}", re.DOTALL)
    return found.sub(lambda match: " " if match["comment"] else "''", sql)


def _outer_words(bare: str) -> Iterator[str]:
    """The first word, and those outside of parentheses, in capitals."""
    depth, first = 0, True
    for match in re.finditer(r"[()]|(?P<word>\w+)", bare):
        if match["word"] is None:
            depth += 1 if match[0] == "(" else -1
        elif first or depth <= 0:
            first = False
            yield match["word"].upper()
