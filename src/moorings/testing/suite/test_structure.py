"""The structure of a warehouse: tables, columns, keys and comments, in a handful of statements.

Each engine's `structure` makes, where its default schema is: `parents` with the columns id (key), name (not null),
amount (10, 2) and made; `children`, whose parent_id refers to it and is half of its key; the view `named`; and in a
schema `other` the table `elsewhere`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from moorings.dialects.base import Statement
from moorings.dialects.introspection import Scope, Table
from moorings.testing.engines import Warehouse
from moorings.testing.room import Room

pytestmark = pytest.mark.needs("sql", "structure")

NAMES = ("parents", "children", "named", "elsewhere")


@pytest.fixture(scope="module", autouse=True)
def made(warehouse: Warehouse) -> Iterator[None]:
    """The tables, for the tests of this module."""
    warehouse.ask(*warehouse.sql.structure)
    yield
    warehouse.ask(*warehouse.sql.structure_gone)


@pytest.fixture
def found(inside: Callable[..., Any]) -> Callable[..., dict[str, Table]]:
    """Introspect with changes to the Config; returns the tables of ours by their names in lower case."""

    def finding(**changes: Any) -> dict[str, Table]:
        async def work(room: Room) -> Sequence[Table]:
            target = room.target(**changes)
            async with room.engine.lease(target) as lease:
                return await lease.ask(lambda session: session.tables(Scope.of(target.config)), 60)

        return {table.name.lower(): table for table in inside(work) if table.name.lower() in NAMES}

    return finding


Found = Callable[..., dict[str, Table]]


def without_default(warehouse: Warehouse) -> dict[str, str]:
    """Changes to the Config of an engine that needs a default schema, which is always read: it gets an empty one."""
    return {"defaultSchema": "unused"} if warehouse.config().default_schema else {}


class TestTables:
    def test_tables_and_views_have_their_kinds(self, found: Found) -> None:
        kinds = {name: table.kind for name, table in found().items()}
        assert kinds == {"parents": "table", "children": "table", "named": "view", "elsewhere": "table"}

    def test_columns_have_places_types_and_nullability(self, found: Found) -> None:
        columns = found()["parents"].columns
        assert [column.name.lower() for column in columns] == ["id", "name", "amount", "made"]
        assert [column.position for column in columns] == [1, 2, 3, 4]
        assert all(column.native_type for column in columns)
        assert columns[2].nullable

    @pytest.mark.needs("not null")
    def test_a_column_that_may_not_be_null(self, found: Found) -> None:
        assert not found()["parents"].columns[1].nullable

    def test_arrow_types_are_those_of_results(
        self, found: Found, inside: Callable[..., Any], warehouse: Warehouse
    ) -> None:
        for name in ("parents", "named"):
            table = found()[name]

            async def work(room: Room, sql: str) -> list[str]:
                async with room.engine.lease(room.target()) as lease:
                    return [str(field.type) for field in await lease.open(Statement(sql))]

            types = inside(lambda room, sql=f"SELECT * FROM {name}": work(room, sql))
            foretold = [column.arrow_type for column in table.columns]
            assert [reply for reply, came in zip(foretold, types, strict=True) if reply not in (None, came)] == []
            assert foretold.count(None) < len(foretold)

    @pytest.mark.needs("comments")
    def test_comments(self, found: Found) -> None:
        parents = found()["parents"]
        assert (parents.comment, parents.columns[1].comment) == ("Who has children", "What they are called")
        assert (found()["children"].comment, parents.columns[0].comment) == (None, None)

    @pytest.mark.needs("keys")
    def test_keys(self, found: Found) -> None:
        tables = found()
        assert [name.lower() for name in tables["parents"].primary_key] == ["id"]
        assert [name.lower() for name in tables["children"].primary_key] == ["parent_id", "place"]

    @pytest.mark.needs("keys", "foreign keys")
    def test_foreign_keys(self, found: Found) -> None:
        (key,) = found()["children"].foreign_keys
        assert [name.lower() for name in (*key.columns, key.table, *key.referred_columns)] == [
            "parent_id",
            "parents",
            "id",
        ]
        assert (key.catalog, key.schema) == (found()["parents"].catalog, found()["parents"].schema)


@pytest.mark.needs("schemas")
class TestScope:
    def test_only_included_schemas_are_read(self, found: Found, warehouse: Warehouse) -> None:
        assert set(found(includeSchemas="other", **without_default(warehouse))) == {"elsewhere"}

    def test_patterns_know_a_wildcard_and_no_case(self, found: Found, warehouse: Warehouse) -> None:
        changes = without_default(warehouse)
        assert set(found(includeSchemas="nothing, OTH*", **changes)) == {"elsewhere"}
        assert found(includeSchemas="o_her, oth%", **changes) == {}

    def test_the_default_schema_is_always_read(self, found: Found) -> None:
        default = found()["parents"].schema
        assert set(found(includeSchemas="other", defaultSchema=default)) == set(NAMES)


@pytest.mark.needs("plan")
class TestPlan:
    def test_it_says_something_and_runs_nothing(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        async def work(room: Room) -> Any:
            async with room.engine.lease(room.target()) as lease:
                statement = Statement("SELECT count(*) AS found FROM parents")
                return await lease.ask(lambda session: session.plan(statement), 60)

        plan = inside(work)
        assert len(plan.text) > 10
        assert plan.estimated_bytes is None or plan.estimated_bytes >= 0


@pytest.mark.needs("many tables")
class TestMany:
    TABLES, COLUMNS = 2000, 30

    @pytest.fixture
    def many(self, warehouse: Warehouse) -> Iterator[None]:
        """As many tables as a large warehouse has, in a schema of their own."""
        columns = ", ".join(f"c{number} INTEGER" for number in range(self.COLUMNS))
        create = f"CREATE {warehouse.sql.schema_word} many"
        warehouse.ask(create, *(f"CREATE TABLE many.t{number} ({columns})" for number in range(self.TABLES)))
        yield
        warehouse.ask(warehouse.sql.drop_many)

    @pytest.mark.usefixtures("many")
    def test_all_come_in_a_handful_of_statements(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        async def work(room: Room) -> Sequence[Table]:
            target = room.target(includeSchemas="many", **without_default(warehouse))
            async with room.engine.lease(target) as lease:
                return await lease.ask(lambda session: session.tables(Scope.of(target.config)), 120)

        statements = warehouse.statements
        before = statements() if statements else 0
        tables = inside(work)
        if statements:  # a file has nobody who counts: test_files.py does
            assert 0 < statements() - before < 20
        assert len(tables) == self.TABLES
        assert {len(table.columns) for table in tables} == {self.COLUMNS}
