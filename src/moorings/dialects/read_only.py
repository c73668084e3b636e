"""Refuses statements that write, judged by their text, for engines whose sessions cannot be permanently read-only.

A statement passes if it is the only one, its first word reads, and no word in it writes. Words in literals and
comments, and inside parentheses, are ignored. This check adds to the engine's own protection, which stays in force:
the best lock is a user who may only read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from moorings import errors

STANDARD = r"""'(?:[^']|'')*+(?:'|\Z)|"(?:[^"]|"")*+(?:"|\Z)"""
"""Literals and quoted names of standard SQL."""
BRACKETS = rf"{STANDARD}|\[[^\]]*(?:\]|\Z)"
"""The same, where names may also be in square brackets."""
BACKSLASHES = r"""'(?:[^'\\]|\\.|'')*+(?:'|\\?\Z)|"(?:[^"\\]|\\.|"")*+(?:"|\\?\Z)|`[^`]*(?:`|\Z)"""
"""The same, where a backslash escapes what follows it, and names are in backticks."""
COMMENTS = r"--[^\n]*|/\*(?!M?!).*?(?:\*/|\Z)"
UNCLEAR = re.compile(r"#|/\*M?!")
"""Marks that start a comment only for some servers: for others the text after them can be code."""
DISPUTED = re.compile(r"--.*(?:\r(?!\Z)|\\\r?\Z)|/\*.*/\*", re.DOTALL)
"""Comments whose end differs between servers.

A lone carriage return, a backslash before the end of the line, and one comment inside of another. Text after them that
looks like a literal to us could be code to the server.
"""

MISSPELLED = "A connection that only reads takes SELECT and the like. Check the spelling."
READS = frozenset({"SELECT", "WITH", "VALUES", "EXPLAIN", "SHOW", "DESCRIBE", "DESC"})
INSIDE = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "UPSERT", "INTO", "OUTFILE"})
"""Words that write after a first word that reads: a WITH before it, a SELECT INTO, a FOR UPDATE."""
WRITES = INSIDE | frozenset(
    {
        *("CREATE", "ALTER", "DROP", "TRUNCATE", "REPLACE", "RENAME", "COMMENT", "GRANT", "REVOKE", "LOAD", "IMPORT"),
        *("EXPORT", "CALL", "DO", "EXECUTE", "EXEC", "BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "SET", "XA"),
        *("LOCK", "UNLOCK", "USE", "OPEN", "CLOSE", "KILL", "ANALYZE", "REFRESH", "SUBMIT", "CANCEL", "IMPERSONATE"),
    }
)

ACTS = WRITES | frozenset(
    {
        *(
            "ATTACH",
            "BACKUP",
            "BINLOG",
            "CACHE",
            "CHANGE",
            "CHECK",
            "CHECKPOINT",
            "CLONE",
            "CLUSTER",
            "COPY",
            "DEALLOCATE",
        ),
        *("DECLARE", "DENY", "DETACH", "DISCARD", "EXCHANGE", "FETCH", "FLUSH", "GET", "HANDLER", "INSTALL", "LISTEN"),
        *(
            "MOVE",
            "NOTIFY",
            "OPTIMIZE",
            "PREPARE",
            "PURGE",
            "REASSIGN",
            "REINDEX",
            "RELEASE",
            "REPAIR",
            "RESET",
            "RESIGNAL",
        ),
        *("RESTART", "RESTORE", "SECURITY", "SHUTDOWN", "SIGNAL", "STOP", "SYSTEM", "UNDROP", "UNINSTALL", "UNLISTEN"),
        *("UNLOAD", "VACUUM", "WATCH", "ABORT", "APPEND", "END"),
    }
)
"""First words of statements that act, in any engine. A first word that neither reads nor acts is a misspelling."""


def refusal(word: str) -> errors.WarehouseError:
    """The error for a statement whose first word (in capitals) is not allowed."""
    if word in ACTS:
        return errors.ReadOnly()
    return errors.StatementRefused(message=MISSPELLED)


def require_reading(sql: str, *, quoted: str = STANDARD) -> None:
    """Check that a text is one statement that only reads; raises ReadOnly or StatementRefused."""
    words = list(_outer_words(_one_statement(sql, quoted)))
    if words[0] in READS and not INSIDE.intersection(words):
        return
    if WRITES.intersection(words):
        raise errors.ReadOnly
    raise errors.StatementRefused(message=MISSPELLED)


def first_word(sql: str, *, quoted: str = STANDARD) -> str:
    """The word that a text begins with, in capitals; empty when it has none."""
    return next(_outer_words(_bare(sql, quoted)), "")


COMMENT_REFUSED = "Write comments as `-- …` or `/* … */`, not one in another, on a read-only connection."


def _one_statement(sql: str, quoted: str) -> str:
    bare = _bare(sql, quoted, strict=True)
    if UNCLEAR.search(bare):
        raise errors.StatementRefused(message=COMMENT_REFUSED)
    first, _, rest = bare.partition(";")
    if rest.replace(";", "").strip():
        raise errors.StatementRefused(message="Send exactly one statement at a time.")
    if not re.search(r"\w", first):
        raise errors.StatementRefused(message="The text has no statement. Send exactly one.")
    return first


def _bare(sql: str, quoted: str, *, strict: bool = False) -> str:
    """A text with a blank for each comment, and an empty literal for each literal or quoted name.

    Where it is `strict`, raises StatementRefused for a comment whose end is disputed.
    """

    def replaced(match: re.Match[str]) -> str:
        if strict and match["comment"] and DISPUTED.match(match["comment"]):
            raise errors.StatementRefused(message=COMMENT_REFUSED)
        return " " if match["comment"] else "''"

    return re.compile(rf"(?P<comment>{COMMENTS})|{quoted}", re.DOTALL).sub(replaced, sql)


# ---- engines with read-only transactions: refuse only statements that act outside of a transaction -----------------

QUERIES = frozenset({"SELECT", "VALUES", "TABLE", "WITH"})
TELLS = frozenset({"EXPLAIN", "SHOW", "DESCRIBE", "DESC"})
"""First words of statements that only return rows."""
LEADING = re.compile(r"[ \t\n\r\f\v(;]+|--[^\n\r]*")
EDGES = re.compile(r"/\*|\*/")


def leading_word(sql: str, *, nested: bool = False) -> str:
    """The first word after comments and opening parentheses, in capitals; empty when there is none.

    `nested` says that the server's comments nest. Raises StatementRefused for nested ones where it does not.
    """
    place = 0
    while True:
        if blank := LEADING.match(sql, place):
            place = blank.end()
        elif sql.startswith("/*", place):
            place = _behind_comment(sql, place, nested=nested)
        else:
            word = re.compile(r"[A-Za-z_]+").match(sql, place)
            return word[0].upper() if word else ""


def _behind_comment(sql: str, place: int, *, nested: bool) -> int:
    depth = 0
    for edge in EDGES.finditer(sql, place):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
        if depth > 1 and not nested:
            raise errors.StatementRefused(message=COMMENT_REFUSED)
    return len(sql)


def require_query(sql: str, *, nested: bool = False) -> None:
    """Check that a text begins like a query or its explanation; raises ReadOnly or StatementRefused."""
    word = leading_word(sql, nested=nested)
    if not word:
        raise errors.StatementRefused(message="The text has no statement. Send exactly one.")
    if word not in QUERIES | TELLS:
        raise refusal(word)


def _outer_words(bare: str) -> Iterator[str]:
    """The first word, and those outside of parentheses, in capitals."""
    depth, first = 0, True
    for match in re.finditer(r"[()]|(?P<word>\w+)", bare):
        if match["word"] is None:
            depth += 1 if match[0] == "(" else -1
        elif first or depth <= 0:
            first = False
            yield match["word"].upper()
