"""What a batch of T-SQL may do, told by its words."""

from __future__ import annotations

import pytest

from moorings import errors
from moorings.dialects.mssql.statements import check_marks, check_reads


@pytest.mark.parametrize(
    "batch",
    [
        "SELECT 1",
        "(SELECT 1) UNION (SELECT 2)",
        ";WITH a AS (SELECT 1 AS b) SELECT * FROM a",
        "SELECT 'COMMIT', [COMMIT], \"COMMIT\" -- COMMIT",
        "/* COMMIT /* nested */ COMMIT */ SELECT committed FROM q1commit",
        "SELECT * FROM a INNER MERGE JOIN b ON a.c = b.c",
        "SELECT {d '2020-01-01'}, {fn NOW()}",
        "DECLARE @day date = '2020-01-01'; SELECT @day",
    ],
)
def test_what_reads(batch: str) -> None:
    check_reads(batch)


@pytest.mark.parametrize(
    "batch",
    [
        "COMMIT",
        "SELECT 1COMMIT",
        "SELECT 1e5COMMIT",
        "SELECT 'a'COMMIT",
        "SELECT 'it''s' COMMIT",
        "SELECT [a]]b] COMMIT",
        "/* /* */ */ COMMIT",
        "/* ' */ COMMIT -- '",
        "SELECT 1 -- \rCOMMIT",
        "SELECT 1 -- \u2028COMMIT",
        "SELECT 1; exec ('x')",
        "SELECT 1; {call p}",
        "SELECT * INTO a FROM b",
        "SELECT next\nvalue for s",
        "WITH a AS (SELECT 1 AS b) DELETE FROM c",
    ],
)
def test_what_does_not(batch: str) -> None:
    with pytest.raises(errors.ReadOnly):
        check_reads(batch)


@pytest.mark.parametrize("batch", ["sp_who", ";;sp_executesql N'COMMIT'", "MERGE a USING b ON 1 = 1"])
def test_a_first_word_that_may_be_a_procedure(batch: str) -> None:
    with pytest.raises(errors.StatementRefused, match="calls no procedure"):
        check_reads(batch)


def test_marks_are_counted_outside_of_quotes() -> None:
    check_marks("SELECT ?, '?', [?] -- ?", 1)
    with pytest.raises(errors.ParametersRefused, match="takes 1 parameters, and 2"):
        check_marks("SELECT ?", 2)
