"""DuckDB's files: only below the operator's directory, and nothing else of the machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from moorings import dialects, errors
from moorings.dialects.duckdb import introspection
from moorings.dialects.introspection import Scope, Table
from moorings.engine.service import TestReport
from moorings.testing.engines import Warehouse
from moorings.testing.room import Room, run_inside
from tests.warehouses.engines import under


@pytest.fixture(params=["duckdb", "motherduck"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """A directory with one file in it, and another file beside the directory."""
    home = tmp_path / "allowed"
    home.mkdir()
    for path in (home / "tested.duckdb", tmp_path / "outside.duckdb"):
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE TABLE written (number INT)")
    return Warehouse(under(request.param), None, home)


def probe(files: Warehouse, database: str, **changes: Any) -> TestReport:
    config = files.config(database=database, **changes)
    return run_inside(files, lambda room: room.engine.test(files.dialect, config))


def everything(files: Warehouse) -> list[Path]:
    return sorted(files.directory.rglob("*"))


class TestDirectory:
    @pytest.mark.parametrize("database", ["../outside.duckdb", "{outside}", "link.duckdb", "folder/outside.duckdb"])
    def test_no_way_leads_out(self, files: Warehouse, database: str) -> None:
        outside = files.directory.parent / "outside.duckdb"
        (files.directory / "link.duckdb").symlink_to(outside)
        (files.directory / "folder").symlink_to(files.directory.parent)
        failure = probe(files, database.format(outside=outside)).failure
        assert failure is not None
        assert (failure.name, failure.code, failure.fields) == ("connect", "not_allowed", ("database",))

    def test_a_loop_of_links_is_refused(self, files: Warehouse) -> None:
        (files.directory / "loop.duckdb").symlink_to(files.directory / "loop.duckdb")
        failure = probe(files, "loop.duckdb").failure
        assert failure is not None

    def test_a_missing_file_is_not_made_to_read_from(self, files: Warehouse) -> None:
        failure = probe(files, "missing.duckdb").failure
        assert failure is not None
        assert (failure.name, failure.code, failure.fields) == ("database", "database_not_found", ("database",))
        assert not (files.directory / "missing.duckdb").exists()

    @pytest.mark.parametrize("read_only", [True, False])
    @pytest.mark.parametrize(
        "database",
        [
            "x" * 300 + ".duckdb",
            "nowhere/new.duckdb",
            "tested.duckdb/new.duckdb",
            "folder.duckdb",
        ],
    )
    def test_what_can_be_no_file(self, files: Warehouse, database: str, read_only: bool) -> None:
        (files.directory / "folder.duckdb").mkdir()
        failure = probe(files, database, readOnly=read_only).failure
        assert failure is not None
        assert (failure.name, failure.code, failure.fields) == ("database", "database_not_found", ("database",))

    @pytest.mark.parametrize("database", ["new.duckdb", "new.db", "folder/new.duckdb"])
    def test_a_test_makes_no_file(self, files: Warehouse, database: str) -> None:
        (files.directory / "folder").mkdir()
        before = everything(files)
        assert probe(files, database, readOnly=False).success
        assert everything(files) == before

    def test_a_query_makes_it(self, files: Warehouse) -> None:
        async def work(room: Room) -> None:
            target = room.target(database="new.duckdb", readOnly=False)
            await room.rows("CREATE TABLE made (number INT)", target=target, read_only=False)

        run_inside(files, work)
        assert (files.directory / "new.duckdb").exists()

    @pytest.mark.parametrize("read_only", [True, False])
    @pytest.mark.parametrize("name", ["a\nb.duckdb", "a\x7f.db", "a\x85.db", "link.duckdb", "data.csv", "tested"])
    def test_a_name_that_is_not_a_databases(self, tmp_path: Path, name: str, read_only: bool) -> None:
        (tmp_path / "tested.duckdb.wal").write_text("left behind")
        (tmp_path / "link.duckdb").symlink_to(tmp_path / "tested.duckdb.wal")
        before = sorted(tmp_path.rglob("*"))
        failure = probe(Warehouse(under("duckdb"), None, tmp_path), name, readOnly=read_only).failure
        assert failure is not None
        assert (failure.name, failure.code, failure.fields) == ("connect", "not_allowed", ("database",))
        assert sorted(tmp_path.rglob("*")) == before

    def test_a_file_that_is_no_database(self, files: Warehouse) -> None:
        (files.directory / "text.duckdb").write_text("no database at all" * 1000)
        failure = probe(files, "text.duckdb").failure
        assert failure is not None
        assert (failure.code, failure.fields) == ("database_not_found", ("database",))

    def test_a_missing_schema(self, files: Warehouse) -> None:
        failure = probe(files, "tested.duckdb", defaultSchema="nowhere").failure
        assert failure is not None
        assert (failure.name, failure.code, failure.fields) == ("schemas", "schema_not_found", ("defaultSchema",))


class TestReach:
    @pytest.mark.parametrize("read_only", [True, False])
    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT * FROM read_text('/etc/passwd')",
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM '/etc/passwd'",
            "SELECT * FROM glob('/*')",
            "COPY written TO '{home}/stolen.csv'",
            "EXPORT DATABASE '{home}/stolen'",
            "ATTACH '{home}/../outside.duckdb' AS outside",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET enable_external_access = true",
            "SET lock_configuration = false",
            "RESET enable_external_access",
            "SELECT * FROM files",
            "SELECT * FROM HARDENED",
        ],
    )
    def test_nothing_but_the_file_is_in_reach(self, files: Warehouse, sql: str, read_only: bool) -> None:
        async def work(room: Room) -> None:
            with pytest.raises(errors.WarehouseError) as refused:
                await room.rows(
                    sql.format(home=files.directory), target=room.target(readOnly=read_only), read_only=read_only
                )
            assert not isinstance(refused.value, errors.UnknownFault)

        run_inside(files, work)
        assert sorted(path.name for path in files.directory.iterdir()) == ["tested.duckdb"]

    def test_a_file_is_shared_by_its_sessions_and_freed_after_them(self, files: Warehouse) -> None:
        async def work(room: Room) -> None:
            target = room.target(readOnly=False)
            await asyncio.gather(
                *(room.rows(f"INSERT INTO written VALUES ({n})", target=target, read_only=False) for n in range(4))
            )

        run_inside(files, work)
        assert files.ask("SELECT count(*) FROM written") == [(4,)]

    def test_one_file_cannot_be_read_only_and_not(self, files: Warehouse) -> None:
        async def work(room: Room) -> None:
            async with room.engine.lease(room.target("reads")):
                with pytest.raises(errors.DatabaseForbidden, match="other readOnly"):
                    await room.rows("SELECT 1", target=room.target("writes", readOnly=False))

        run_inside(files, work)


class TestMemory:
    def test_memory_is_empty_each_time_and_read_only_when_said(self, files: Warehouse) -> None:
        if files.under.dialect != "duckdb":
            pytest.skip("never: MotherDuck has no :memory:")

        async def work(room: Room) -> None:
            target = room.target(database=":memory:", readOnly=False)
            await room.rows("CREATE TABLE mine (a INT)", target=target, read_only=False)
            with pytest.raises(errors.StatementRefused):
                await room.rows("SELECT * FROM mine", target=target, read_only=False)
            with pytest.raises(errors.ReadOnly):
                await room.rows("CREATE TABLE mine (a INT)", target=target)

        run_inside(files, work)


class TestStructure:
    """Statements that open another file are out of reach, so other catalogs are seen past the session alone."""

    @pytest.fixture
    def requested(self) -> list[str]:
        return []

    @pytest.fixture
    def found(self, requested: list[str]) -> Iterator[Callable[..., list[Table]]]:
        with duckdb.connect() as connection:
            connection.execute("ATTACH ':memory:' AS lake")
            for number in range(50):
                connection.execute(f"CREATE TABLE mine{number} (a INT); CREATE TABLE lake.theirs{number} (a INT)")

            def ask(sql: str) -> list[tuple[Any, ...]]:
                requested.append(sql)
                return connection.execute(sql).fetchall()

            yield lambda *catalogs: introspection.tables(ask, Scope((), catalogs), "memory")

    def test_three_statements_whatever_the_number_of_tables(
        self, found: Callable[..., list[Table]], requested: list[str]
    ) -> None:
        assert len(found()) == 50
        assert len(requested) == 3

    def test_other_catalogs_are_read_where_they_are_included(self, found: Callable[..., list[Table]]) -> None:
        assert {table.catalog for table in found()} == {"memory"}
        assert {table.catalog for table in found("LA*")} == {"memory", "lake"}


class TestMotherDuck:
    def test_without_its_extension_it_says_what_to_install_and_no_token(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        cloud = Warehouse(under("motherduck"), None, tmp_path)
        report = probe(cloud, "md:sales")
        assert report.failure is not None
        assert report.failure.code == "driver_missing"
        assert "INSTALL motherduck" in report.failure.message
        assert "s3nt" not in repr(report)

    def test_it_is_a_dialect_of_the_published_api(self) -> None:
        assert not dialects.named("motherduck").abilities.own


class TestParameters:
    @pytest.mark.parametrize(
        ("sql", "parameters"),
        [
            ("SELECT 1", (1,)),
            ("SELECT $1::VARCHAR", ()),
            ("SELECT $1::VARCHAR", (1, 2)),
            ("SELECT ?", (10**60,)),
            ("SELECT ?", (-(10**60),)),
        ],
    )
    def test_that_do_not_fit_are_refused_as_such(self, files: Warehouse, sql: str, parameters: tuple[int, ...]) -> None:
        async def work(room: Room) -> None:
            with pytest.raises(errors.ParametersRefused):
                await room.rows(sql, *parameters)

        run_inside(files, work)
