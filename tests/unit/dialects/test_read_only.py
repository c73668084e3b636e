"""Statements that only read are told by their text, whatever it hides."""

from __future__ import annotations

import pytest

from moorings import errors
from moorings.dialects.read_only import BACKSLASHES, BRACKETS, STANDARD, first_word, require_reading


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        " /* INSERT */ select 'DELETE', \"UPDATE\" FROM t -- COMMIT; DROP\n;\n",
        "(SELECT 1) UNION (SELECT 2)",
        "WITH w AS (SELECT 1), v AS (SELECT 2) SELECT * FROM w, v",
        "SELECT 'it''s; fine'",
        "SELECT REPLACE(a, 'x', 'y') FROM t",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
    ],
)
def test_what_reads_passes(sql: str) -> None:
    require_reading(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1)",
        "/* SELECT */ DELETE FROM t",
        "-- SELECT\nUPDATE t SET a = 1",
        "WITH w AS (SELECT 1) DELETE FROM t",
        "EXPLAIN ANALYZE INSERT INTO t VALUES (1)",
        "SELECT * INTO made FROM t",
        "SELECT * FROM t FOR UPDATE",
        "COMMIT",
        "DO BEGIN COMMIT; END",
        "CALL p()",
        "(WITH w AS (SELECT 1)) INSERT INTO t VALUES (1)",
    ],
)
def test_what_writes_is_told_as_a_write(sql: str) -> None:
    with pytest.raises((errors.ReadOnly, errors.StatementRefused)):
        require_reading(sql)


def test_a_write_alone_is_read_only() -> None:
    with pytest.raises(errors.ReadOnly):
        require_reading("INSERT INTO t VALUES (1)")


@pytest.mark.parametrize(
    ("sql", "quoted"),
    [
        ("SELECT 1; SELECT 2", STANDARD),
        ("SELECT 1 AS [it's] ; COMMIT -- '", BRACKETS),
        ("SELECT '\\'' ; DELETE FROM t -- '", BACKSLASHES),
        ("SELECT 1 # '\n; DELETE FROM t # '", BACKSLASHES),
        ("/*! DELETE FROM t */", BACKSLASHES),
        ("SELEC 1", STANDARD),
        ("", STANDARD),
        (" ; ", STANDARD),
        ("-- nothing", STANDARD),
    ],
)
def test_what_cannot_be_one_statement_is_refused(sql: str, quoted: str) -> None:
    with pytest.raises(errors.StatementRefused):
        require_reading(sql, quoted=quoted)


def test_a_long_text_takes_no_longer_than_its_length() -> None:
    with pytest.raises(errors.StatementRefused):
        require_reading("(" * 200_000)
    require_reading("SELECT " + "(" * 100_000 + "1" + ")" * 100_000)
    require_reading("SELECT '" + "''" * 200_000)


@pytest.mark.parametrize(
    ("sql", "word"), [("/* a */ Insert into t", "INSERT"), ("(select 1)", "SELECT"), ("--", ""), ("'a'", "")]
)
def test_the_first_word(sql: str, word: str) -> None:
    assert first_word(sql) == word
