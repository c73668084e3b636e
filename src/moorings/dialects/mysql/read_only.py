"""Refuses statements with effects that a read-only transaction of MySQL or MariaDB allows to logins with privileges.

INTO OUTFILE writes a file of the server. SET GLOBAL, SHUTDOWN, KILL, FLUSH, RESET, CHANGE MASTER and INSTALL act on the
server itself. The transaction refuses none of them. So a statement is allowed by its first word, and if it has no words
that access files. This does not cover functions that were added to the server (UDF): use a login without privileges.
Comments that some servers execute are refused, and quotes are parsed by the session's sql_mode.
"""

from __future__ import annotations

import itertools
import re

from moorings import errors
from moorings.dialects.read_only import refusal

READS = frozenset(
    {"SELECT", "WITH", "VALUES", "TABLE", "EXPLAIN", "DESCRIBE", "DESC", "SHOW", "HELP", "CHECKSUM", "USE"}
)
"""USE lasts until the session is reset."""
ANALYZED = frozenset({"SELECT", "WITH", "FORMAT"})
"""First words of statements that MariaDB's ANALYZE runs and explains; ANALYZE TABLE writes."""
WRITES_FILES = frozenset({"OUTFILE", "DUMPFILE"})
READS_FILES = "LOAD_FILE"

BLANK = r"--(?=[\x00-\x20]|\Z)[^\n]*|\#[^\n]*|/\*(?!M?!).*?(?:\*/|\Z)"
ESCAPING = r"""(?P<{name}>{quote}(?:[^{quote}\\]|\\.|{quote}{quote})*+(?:{quote}|\\?\Z))"""
PLAIN = r"""(?P<{name}>{quote}(?:[^{quote}]|{quote}{quote})*+(?:{quote}|\Z))"""
COMMENT_REFUSED = "Executable comments (`/*! … */`) are refused on a read-only connection. Remove them."


def depends_on_mode(sql: str) -> bool:
    """Whether the session's sql_mode decides where a literal or a quoted name ends."""
    return "\\" in sql or "[" in sql


def require_reading(sql: str, sql_mode: str = "") -> None:
    """Check that a statement only reads, and no file; raises ReadOnly or StatementRefused."""
    words = _words(sql, frozenset(sql_mode.upper().split(",")))
    if not words:
        raise errors.StatementRefused(message="The text has no statement. Send exactly one.")
    allowed = words[0] in READS or (words[0] == "ANALYZE" and words[1:2] and words[1] in ANALYZED)
    into = any(left == "INTO" and right in WRITES_FILES for left, right in itertools.pairwise(words))
    if not allowed:
        raise refusal(words[0])
    if into or READS_FILES in words:
        raise errors.ReadOnly


def _words(sql: str, modes: frozenset[str]) -> list[str]:
    """The words of a statement outside of literals and comments, in capitals; quoted names are words too."""
    words: list[str] = []
    for token in _tokens(modes).finditer(sql):
        if token["executed"]:
            raise errors.StatementRefused(message=COMMENT_REFUSED)
        if token["word"]:
            words.append(token["word"].upper())
        elif token["named"] or (token["double"] and "ANSI_QUOTES" in modes):
            # With a blank, so that a quoted name is not taken for a keyword; it can still be a function's name.
            name = (token["named"] or token["double"])[1:-1].upper()
            words.append(name if name == READS_FILES else f" {name}")
    return words


def _tokens(modes: frozenset[str]) -> re.Pattern[str]:
    single = PLAIN if "NO_BACKSLASH_ESCAPES" in modes else ESCAPING
    double = PLAIN if modes & {"NO_BACKSLASH_ESCAPES", "ANSI_QUOTES"} else ESCAPING
    parts = [
        f"(?P<blank>{BLANK})",
        r"(?P<executed>/\*M?!)",
        single.format(name="single", quote="'"),
        double.format(name="double", quote='"'),
        "(?P<named>`[^`]*(?:`|\\Z)" + (r"|\[[^\]]*(?:\]|\Z)" if "MSSQL" in modes else "") + ")",
        r"(?P<word>[\w$]+)",
    ]
    return re.compile("|".join(parts), re.DOTALL)
