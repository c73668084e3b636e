"""Statements of a size that drivers can bear pass, whatever else they are; others are refused, in linear time."""

from __future__ import annotations

import contextlib
import time

import pytest

from moorings import errors
from moorings.dialects.bounds import check_size

MANY = 20_000
REFUSED = {
    "parts": "SELECT " + ".".join("a" * MANY),
    "parts with blanks": "SELECT " + " . ".join("a" * MANY),
    "parts with comments": "SELECT " + "/* , ( */./* /* nested */ ' */".join("a" * MANY),
    "quoted parts": "SELECT " + ".".join(['"a b"'] * MANY),
    "parts after a literal": "SELECT '/*', E'\\'', $$ ' $$, $a$ /* $a$, " + ".".join("a" * MANY),
    "parts after a comment in a comment": "SELECT /* /* */ ' */ " + ".".join("a" * MANY) + " /* ' */",
    "parts after an alias": "SELECT 1a, b" + ".a" * MANY,
    "parentheses": "SELECT " + "(" * MANY + "1" + ")" * MANY,
    "lists": "SELECT " + "[" * MANY,
    "tables": "SELECT 1 FROM " + ", ".join(["t"] * 400),
    "joins": "SELECT 1 FROM t" + " join t USING (x)" * 400,
    "a join inside": "SELECT * FROM (SELECT 1 FROM " + ", ".join(["t"] * 400) + ") AS x",
    "a WITH that doubles": 'WITH "A0" AS NOT MATERIALIZED (SELECT 1 AS x)'
    + "".join(f", a{n} AS NOT MATERIALIZED (SELECT 1 FROM a{n - 1} p, a{n - 1} q)" for n in range(1, 31))
    + " SELECT * FROM a30",
    "length": "SELECT 1 -- " + "x" * 1_000_000,
}
TAKEN = {
    "values": "SELECT 1 WHERE 1 IN (" + ", ".join(map(str, range(100_000))) + ")",
    "values after a join": "SELECT 1 FROM a JOIN b USING (x) WHERE x IN (" + ", ".join(["1.5"] * MANY) + ")",
    "a wide row": "SELECT " + ", ".join(f"t.c{number}" for number in range(2_000)) + " FROM t ORDER BY 1, 2",
    "a literal": "SELECT '" + "a." * MANY + "([{" * MANY + "'",
    "a list": "SELECT [" + ", ".join(["[1, 2]"] * MANY) + "]",
    "unions": " UNION ALL ".join(["SELECT t.a FROM t JOIN u USING (b)"] * 1_000),
    "conditions": "SELECT 1 FROM t WHERE " + " AND ".join(["t.a = 1.5"] * 5_000),
    "cases": "SELECT CASE " + "WHEN a.b = 1 THEN (2) " * 5_000 + "END FROM a",
    "a WITH that doubles, each part computed once": "WITH a0 AS (SELECT 1 AS x)"
    + "".join(f", a{n} AS (SELECT p.x FROM a{n - 1} AS p, a{n - 1} AS q)" for n in range(1, 31))
    + " SELECT * FROM a30",
    "a long WITH": "WITH a0 AS NOT MATERIALIZED (SELECT 1 AS x)"
    + "".join(f", a{n} AS NOT MATERIALIZED (SELECT x FROM a{n - 1})" for n in range(1, 200))
    + " SELECT * FROM a199",
    "a WITH whose columns name its parts": "WITH a AS NOT MATERIALIZED (SELECT 1 AS a), b AS NOT MATERIALIZED (SELECT "
    + ", ".join(["a.a"] * 2_000)
    + " FROM a) SELECT * FROM b",
    "a recursive WITH": "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 9) SELECT * FROM t",
    "levels": "SELECT " + "(" * 400 + "1" + ")" * 400,
    "tables": "SELECT 1 FROM t0" + "".join(f" JOIN t{number} USING (x)" for number in range(150)),
    "a field of a field": "SELECT a.b.c.d.e.f.g.h.i.j FROM t",
}


@pytest.mark.parametrize("sql", REFUSED.values(), ids=REFUSED.keys())
def test_what_wedges_is_refused(sql: str) -> None:
    with pytest.raises(errors.StatementRefused) as refused:
        check_size(sql)
    assert refused.value.code == "statement_refused"
    assert "Split it" in refused.value.message


@pytest.mark.parametrize("sql", TAKEN.values(), ids=TAKEN.keys())
def test_what_people_and_tools_write_passes(sql: str) -> None:
    check_size(sql)


WORST = ["'", "''", "\\'", "E'\\", '"', "/*", "/* ", "--", "$", "$$", "$a", "$a$ ", " ", ".", "a.", "1.", "(", ",", "a"]


@pytest.mark.parametrize("unit", WORST)
def test_it_is_linear(unit: str) -> None:
    sql = "FROM " + ", . (" * 600 + unit * (490_000 // len(unit))
    began = time.process_time()
    with contextlib.suppress(errors.StatementRefused):
        check_size(sql)
    assert time.process_time() - began < 3
