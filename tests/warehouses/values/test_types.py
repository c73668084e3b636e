"""Every type in every format: against the page that shows it, and against what the engine itself writes.

`MOORINGS_TEST_WRITE_DOCS=1` writes the page anew.
"""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from moorings import dialects
from moorings.api.http.negotiation import PARQUET, XLSX
from tests.warehouses.values.conftest import Api
from tests.warehouses.values.types import ENGINES, EVERY_BIT, Engine

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "values.md"
HEAD = """\
# Values by engine

The form of each type in Arrow, JSON and CSV. The tests make this page from real answers: run
`MOORINGS_TEST_WRITE_DOCS=1 make test` to write it again. NDJSON has JSON's values. Parquet has Arrow's, with text for
intervals and unions.
"""
MARK = "\n<!-- {dialect} -->\n"


def quoted(label: str, dialect: str) -> str:
    return f"`{label}`" if dialect in ("mariadb", "clickhouse") else '"' + label.replace('"', '""') + '"'


def columns(engine: Engine, dialect: str, form: str = "{expression}") -> str:
    written = (
        f"{form.format(expression=expression)} AS {quoted(label, dialect)}"
        for label, expression in engine.types.items()
    )
    return f"SELECT {', '.join(written)}"


@pytest.fixture(scope="module", params=list(ENGINES))
def dialect(request: pytest.FixtureRequest, api: Api) -> str:
    if request.param == "mariadb":
        api.setup("mariadb", EVERY_BIT)
    return request.param


def section(api: Api, dialect: str) -> str:
    """The part of the page about an engine, from its answers."""
    sql = columns(ENGINES[dialect], dialect)
    table = api.arrow(dialect, sql)
    (row,) = api.rows(dialect, sql)
    fields = csv_row(api, dialect, sql)
    lines = [f"\n## {dialects.named(dialect).title}\n", "| Type | Arrow | JSON | CSV |", "| --- | --- | --- | --- |"]
    for label, field, value, text in zip(ENGINES[dialect].types, table.schema, row, fields, strict=True):
        lossy = table[field.name][0].as_py() is None and value is not None
        arrow = f"`{field.type}`" + (", null (`moorings.lossy`)" if lossy else "")
        shown = (f"`{cell}`".replace("|", "\\|") for cell in (json.dumps(value, ensure_ascii=False), text))
        lines.append(f"| {' | '.join((f'`{label}`', arrow, *shown))} |")
    return "\n".join(["", *lines, ""])


def csv_row(api: Api, dialect: str, sql: str) -> list[str]:
    answer = api.ask(dialect, sql, form="csv")
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.text, newline="")))[1]


def test_the_page_shows_what_comes(api: Api, dialect: str) -> None:
    text = PAGE.read_text() if PAGE.exists() else HEAD
    mark = MARK.format(dialect=dialect)
    found = section(api, dialect)
    before, _, rest = text.partition(mark)
    shown, end, after = rest.partition("<!-- end -->\n")
    if os.environ.get("MOORINGS_TEST_WRITE_DOCS"):
        PAGE.write_text(f"{before}{mark}{found}{end or '<!-- end -->'}\n".rstrip("\n") + "\n" + after)
        return
    assert shown == found


def test_formats_agree(api: Api, dialect: str) -> None:
    sql = columns(ENGINES[dialect], dialect)
    (row,) = api.rows(dialect, sql)
    (line,) = api.ask(dialect, sql, form="ndjson").text.splitlines()
    assert list(json.loads(line).values()) == row
    parquet = pq.read_table(io.BytesIO(api.ask(dialect, sql, form=PARQUET).content))
    parquet.validate(full=True)
    assert parquet.num_columns == len(row)
    assert api.ask(dialect, sql, form=XLSX).status_code == 200


def test_nulls_are_nulls(api: Api, dialect: str) -> None:
    if dialect == "clickhouse":
        pytest.skip("never: types of ClickHouse are not nullable unless they say so")
    sql = f"{columns(ENGINES[dialect], dialect)} UNION ALL SELECT {', '.join(['NULL'] * len(ENGINES[dialect].types))}"
    if dialect == "postgres":  # json, xml and point have no order, so that only a join can add the row
        sql = f"SELECT r.* FROM (SELECT 1 AS one) o LEFT JOIN ({columns(ENGINES[dialect], dialect)}) r ON false"
        assert api.rows(dialect, sql) == [[None] * len(ENGINES[dialect].types)]
    else:
        assert api.rows(dialect, sql)[1] == [None] * len(ENGINES[dialect].types)
    assert set(api.arrow(dialect, sql).to_pylist()[-1].values()) == {None}


def test_lists_hold_what_columns_hold(api: Api, dialect: str) -> None:
    engine = ENGINES[dialect]
    if engine.nested is None:
        pytest.skip("never: the engine has no lists")
    labels = [label for label in engine.types if label not in engine.flat]
    sql = "SELECT " + ", ".join(f"{engine.nested(engine.types[label])} AS {quoted(label, dialect)}" for label in labels)
    (flat,) = api.rows(dialect, columns(engine, dialect))
    alone = dict(zip(engine.types, flat, strict=True))
    (row,) = api.rows(dialect, sql)
    for label, value in zip(labels, row, strict=True):
        assert value[0] == alone[label], label
        assert value[1:] in ([None], []), label
    api.arrow(dialect, sql)


def test_text_is_the_engines_own(api: Api, dialect: str) -> None:
    engine = ENGINES[dialect]
    compared = {label: each for label, each in engine.types.items() if label not in engine.written_otherwise}
    compared_engine = replace(engine, types=compared)
    (ours,) = api.rows(dialect, columns(compared_engine, dialect))
    (theirs,) = api.rows(dialect, columns(compared_engine, dialect, engine.as_text))
    for label, value, text in zip(compared, ours, theirs, strict=True):
        assert _word(value) == text, label


def _word(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value
