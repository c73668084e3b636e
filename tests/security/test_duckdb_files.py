"""DuckDB writes no file for a statement, not even in its temporary directory, where its lock lets it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from moorings import dialects, errors
from moorings.dialects.base import DuckLimits, Session, SessionContext, Statement

SPILLS = "SELECT hash(i) AS h, repeat('x', 100) || i AS v FROM range(2000000) AS t(i) ORDER BY h"
NAMED = dialects.named("duckdb")


@pytest.fixture
def context(tmp_path: Path) -> SessionContext:
    (tmp_path / "files").mkdir()
    (tmp_path / "spill").mkdir()
    duckdb.connect(str(tmp_path / "files" / "a.duckdb")).execute("CREATE TABLE t AS SELECT 42 AS a").close()
    limits = DuckLimits(memory="100MB", spill_directory=str(tmp_path / "spill"))
    return SessionContext(duckdb_directory=str(tmp_path / "files"), duckdb=limits)


@pytest.fixture(params=[True, False])
def session(request: pytest.FixtureRequest, context: SessionContext) -> Iterator[Session]:
    body = {"dialect": "duckdb", "name": "n", "database": "a.duckdb", "readOnly": request.param}
    session = NAMED.connect(NAMED.Config.read(body), context)
    yield session
    session.close()


@pytest.fixture
def spilled(session: Session, context: SessionContext) -> Path:
    """The folder where DuckDB has put aside what its memory does not hold."""
    session.query(Statement(SPILLS, read_only=False)).read_next_batch()
    (folder,) = Path(str(context.duckdb.spill_directory)).iterdir()
    assert list(folder.glob("*.tmp"))
    session.reset()
    return folder


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{folder}/made.csv'",
        "/* a */ copy t to '{folder}/made.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/made.csv'",
        "EXPLAIN (ANALYZE, FORMAT json) /* a */ COPY t TO '{folder}/made.csv'",
        "EXPORT DATABASE '{folder}/made'",
        "ATTACH '{folder}/made.duckdb' AS made",
        "ATTACH OR REPLACE DATABASE $${folder}/made.duckdb$$ AS \"':memory:'\"",
        "ATTACH \"{folder}/made.duckdb\" AS made (TYPE ':memory:')",
        "PREPARE p AS COPY (SELECT 1) TO '{folder}/made.csv'",
    ],
)
def test_no_file_is_written(session: Session, spilled: Path, sql: str, read_only: bool) -> None:
    with pytest.raises((errors.StatementForbidden, duckdb.Error)):
        session.query(Statement(sql.format(folder=spilled), read_only=read_only)).read_all()
    assert not list(spilled.glob("made*"))


def test_no_plan_writes_one(session: Session, spilled: Path) -> None:
    with pytest.raises((errors.StatementForbidden, duckdb.Error)):
        session.plan(Statement(f"(ANALYZE) COPY (SELECT 1) TO '{spilled}/made.csv'"))
    assert not list(spilled.glob("made*"))


@pytest.mark.parametrize(
    "sql", ["SELECT 'COPY' AS a", "EXPLAIN SELECT (SELECT 1) AS copy", "WITH copy AS (SELECT 1) SELECT * FROM copy"]
)
def test_the_word_alone_is_no_reason(session: Session, sql: str) -> None:
    session.query(Statement(sql)).read_all()


def test_databases_in_memory_may_be_attached(context: SessionContext) -> None:
    body = {"dialect": "duckdb", "name": "n", "database": "a.duckdb", "readOnly": False}
    session = NAMED.connect(NAMED.Config.read(body), context)
    session.query(Statement("ATTACH ':memory:' AS lake", read_only=False)).read_all()
    session.close()
