"""Finds the words of a T-SQL batch outside quotes and comments, and decides whether the batch only reads.

SQL Server has no read-only sessions. A transaction that is always rolled back undoes the writes of a statement, unless
the batch ends that transaction first. COMMIT, ROLLBACK and EXECUTE are reserved words: without quotes they have no
other meaning. A procedure can be called without EXECUTE only as a batch's first word. So these words show whether a
batch can write. Source: https://learn.microsoft.com/en-us/sql/t-sql/language-elements/reserved-keywords-transact-sql.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from moorings import errors

QUOTED = r"'(?:[^']|'')*'?|\"(?:[^\"]|\"\")*\"?|\[(?:[^\]]|\]\])*\]?"
LINE_COMMENT = r"--[^\r\n\v\f\x85\u2028\u2029]*"
ESCAPE = r"\{\s*(?:d|t|ts|fn|oj|guid)\b"
"""ODBC's escapes for literals, functions and joins. Any other brace may begin an ODBC procedure call."""
TOKENS = re.compile(
    rf"(?P<skipped>{QUOTED}|{LINE_COMMENT}|{ESCAPE})|(?P<comment>/\*|\*/)|(?P<word>[\w@#$.]+|\{{|\?)", re.IGNORECASE
)

BOUNDS = re.compile(r"(?P<comment>/\*|\*/)")
FIRST_WORDS = frozenset({"SELECT", "WITH", "DECLARE", "SET", "IF", "WHILE", "PRINT", "WAITFOR"})
"""First words of batches that read; any other first word writes, or may be the name of a procedure."""
NO_READ = errors.StatementRefused(
    message=f"Begin with one of {', '.join(sorted(FIRST_WORDS))}: a read-only connection calls no procedure."
)

LEAVES = ("COMMIT", "ROLLBACK", "SAVE", "EXEC", "EXECUTE", "USE", "REVERT", "SETUSER", "{")
WRITES = (
    *("INSERT", "UPDATE", "DELETE", "TRUNCATE", "CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "DENY", "INTO"),
    *("BULK", "BACKUP", "RESTORE", "DBCC", "KILL", "SHUTDOWN", "RECONFIGURE", "WRITETEXT", "UPDATETEXT"),
)
ELSEWHERE = ("OPENROWSET", "OPENQUERY", "OPENDATASOURCE")
"""Functions that run statements on other servers, outside our transaction."""
FORBIDDEN = frozenset((*LEAVES, *WRITES, *ELSEWHERE))
SEQUENCE = "NEXT VALUE FOR"
"""Takes a number permanently, even if the transaction is rolled back."""
NUMERIC = "0123456789.$"

NO_STATEMENT = errors.StatementRefused(message="The text has no statement. Send one.")


def words(batch: str) -> Iterator[str]:
    """The words, marks and braces that may begin a call, outside of quotes and comments (which nest); in upper case."""
    depth, place = 0, 0
    while found := (BOUNDS if depth else TOKENS).search(batch, place):  # quotes in comments have no meaning
        place = found.end()
        if found["comment"]:
            depth = depth + 1 if found["comment"] == "/*" else max(0, depth - 1)
        elif not found["skipped"]:
            yield found[0].upper()


def check_reads(batch: str) -> None:
    """Raise ReadOnly or StatementRefused unless the batch only reads and stays in its transaction."""
    found = list(words(batch))
    if not found:
        raise NO_STATEMENT
    if any(map(_forbidden, found)) or SEQUENCE in " ".join(found):
        raise errors.ReadOnly
    if found[0] not in FIRST_WORDS:
        raise NO_READ


def check_some(batch: str) -> None:
    """Raise StatementRefused for a text without a statement."""
    if next(words(batch), None) is None:
        raise NO_STATEMENT


def check_marks(batch: str, given: int) -> None:
    """Raise ParametersRefused unless a batch has as many question marks as values were given."""
    expected = sum(word == "?" for word in words(batch))
    if expected != given:
        raise errors.ParametersRefused(message=f"The statement takes {expected} parameters, and {given} were given.")


def _forbidden(word: str) -> bool:
    """A word can follow a number without a blank: `SELECT 1COMMIT` is two statements."""
    return word in FORBIDDEN or (word[0] in NUMERIC and any(each in word for each in FORBIDDEN))
