"""Parameters: text and JSON's other values, compared with and inserted into columns of every type, without a cast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.warehouses.values.conftest import Api
from tests.warehouses.values.test_types import columns, quoted
from tests.warehouses.values.types import ENGINES, EVERY_BIT

NO_COLUMN = {"postgres": {"record"}, "duckdb": set[str](), "mariadb": set[str]()}
NO_EQUALITY = {
    "postgres": {"json", "xml", "point", "polygon", "jsonpath", "regclass", "regproc", "regtype"},
    "duckdb": {"variant"},
    "mariadb": {"geometry", "json", "float"},
}
AS_TEXT = {
    "mariadb": {
        "bit(64)": 2**63 + 1,
        "bit, aggregated": 2**63 + 1,
        "binary": None,
        "geometry": None,
        "float": 1.5,
        "double": 1.7976931348623157e308,
    },
}
"""Values in place of the engine's own text, where that is none or no text is that value."""
MARKS = {"postgres": "${place}", "duckdb": "${place}", "mariadb": "%s"}
WRITES = {"readOnly": False}


def table(api: Api, dialect: str) -> tuple[list[str], list[Any], dict[str, Any]]:
    """A table of every type with one row; the labels, the row as the engine's own text, and how to ask for it."""
    engine = ENGINES[dialect]
    labels = [label for label in engine.types if label not in NO_COLUMN[dialect]]
    others = AS_TEXT.get(dialect, {})
    texts = [
        f"NULL AS {quoted(label, dialect)}"
        if label in others
        else f"{engine.as_text.format(expression=engine.types[label])} AS {quoted(label, dialect)}"
        for label in labels
    ]
    (row,) = api.rows(dialect, f"SELECT {', '.join(texts)}")
    values = [others.get(label, value) for label, value in zip(labels, row, strict=True)]
    return labels, values, WRITES


def marks(dialect: str, labels: Sequence[str]) -> list[str]:
    return [MARKS[dialect].format(place=place) for place in range(1, len(labels) + 1)]


@pytest.fixture(scope="module", params=list(NO_COLUMN))
def filled(request: pytest.FixtureRequest, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Any:
    dialect = request.param
    if dialect == "mariadb":
        api.setup(dialect, EVERY_BIT)
    labels, values, over = table(api, dialect)
    source = columns(ENGINES[dialect], dialect)
    names = ", ".join(quoted(label, dialect) for label in labels)
    if dialect == "duckdb":
        over = over | {"database": "parameters.duckdb"}
    else:
        api.setup(dialect, ("drop table if exists every_type",))
    made = api.ask(
        dialect,
        f"create table every_type as select {names} from (select 1 as one) o left join ({source}) q on 1 = 1",
        over=over,
    )
    assert made.status_code == 200, made.text
    return dialect, labels, values, over


def test_text_goes_into_every_column(api: Api, filled: Any) -> None:
    dialect, labels, values, over = filled
    sql = f"insert into every_type values ({', '.join(marks(dialect, labels))})"
    assert api.ask(dialect, sql, values, over=over).status_code == 200, api.ask(dialect, sql, values, over=over).text
    first, second = api.rows(dialect, "select * from every_type", over=over)[:2]
    for label, stored, expected, value in zip(labels, second, first, values, strict=True):
        if value is not None:
            assert stored == expected, label


def test_null_goes_into_every_column_and_equals_none(api: Api, filled: Any) -> None:
    dialect, labels, _, over = filled
    nulls = [None] * len(labels)
    sql = f"insert into every_type values ({', '.join(marks(dialect, labels))})"
    assert api.ask(dialect, sql, nulls, over=over).status_code == 200
    places = [label for label in labels if label not in NO_EQUALITY[dialect]]
    counts = (
        f"(select count(*) from every_type where {quoted(label, dialect)} = {mark})"
        for label, mark in zip(places, marks(dialect, places), strict=True)
    )
    assert set(api.rows(dialect, f"select {', '.join(counts)}", nulls[: len(places)], over=over)[0]) == {0}


def test_text_is_compared_with_every_column(api: Api, filled: Any) -> None:
    dialect, labels, values, over = filled
    given = [
        (label, value)
        for label, value in zip(labels, values, strict=True)
        if label not in NO_EQUALITY[dialect] and value is not None
    ]
    counts = (
        f"(select count(*) > 0 from every_type where {quoted(label, dialect)} = {mark})"
        for (label, _), mark in zip(given, marks(dialect, [label for label, _ in given]), strict=True)
    )
    (row,) = api.rows(dialect, f"select {', '.join(counts)}", [value for _, value in given], over=over)
    assert {label: bool(found) for (label, _), found in zip(given, row, strict=True)} == dict.fromkeys(
        dict(given), True
    )


@pytest.mark.parametrize("value", [True, 1, 1.0, 1.5, "x", None])
def test_each_value_is_taken_or_refused_in_words(api: Api, filled: Any, value: Any) -> None:
    dialect, labels, _, over = filled
    for label in labels:
        sql = f"select count(*) from every_type where {quoted(label, dialect)} = {MARKS[dialect].format(place=1)}"
        answer = api.ask(dialect, sql, [value], over=over)
        assert answer.status_code in (200, 400), (label, answer.text)
        if answer.status_code == 400:
            assert "does not know by name" not in answer.json()["detail"], label


def test_the_commonest_filter_there_is(api: Api) -> None:
    api.setup("postgres", ("drop table if exists made", "create table made (created_at timestamptz)"))
    api.ask("postgres", "insert into made values ($1)", ["2026-01-31T12:00:00Z"], over=WRITES)
    sql = "select count(*) from made where created_at > $1 and created_at < $2"
    assert api.rows("postgres", sql, ["2026-01-31", "2026-02-01T00:00:00+02:00"]) == [[1]]


def test_clickhouse_reads_its_own_text(api: Api) -> None:
    engine = ENGINES["clickhouse"]
    left_out = {"JSON", "Dynamic", "Variant", "AggregateFunction", "IntervalDay", "BFloat16", "Time64(3)"}
    labels = [label for label in engine.types if label not in left_out]
    asked = ", ".join(f"toTypeName({engine.types[label]}), toString({engine.types[label]})" for label in labels)
    (told,) = api.rows("clickhouse", f"select {asked.replace('toTypeName(', 'toTypeName(', 1)}")
    kinds, texts = told[::2], told[1::2]
    given = ", ".join(
        f"{{p{place}:{kind}}} = {engine.types[label]}"
        for place, (label, kind) in enumerate(zip(labels, kinds, strict=True), 1)
    )
    (row,) = api.rows("clickhouse", f"select {given}", texts)
    assert dict(zip(labels, map(bool, row), strict=True)) == dict.fromkeys(labels, True)
