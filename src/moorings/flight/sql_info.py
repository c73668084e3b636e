"""The facts that GetSqlInfo answers, by the numbers of format/FlightSql.proto. Imports pyarrow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from moorings import __version__
from moorings.flight import schemas

FACTS: Mapping[int, str | bool | int | list[str] | dict[int, list[int]]] = {
    0: "Moorings",  # FLIGHT_SQL_SERVER_NAME
    1: __version__,  # FLIGHT_SQL_SERVER_VERSION
    2: pa.__version__,  # FLIGHT_SQL_SERVER_ARROW_VERSION
    3: False,  # FLIGHT_SQL_SERVER_READ_ONLY: a connection's own setting decides
    4: True,  # FLIGHT_SQL_SERVER_SQL
    5: False,  # FLIGHT_SQL_SERVER_SUBSTRAIT
    8: 0,  # FLIGHT_SQL_SERVER_TRANSACTION: none
    9: True,  # FLIGHT_SQL_SERVER_CANCEL
    10: False,  # FLIGHT_SQL_SERVER_BULK_INGESTION
    100: 0,  # FLIGHT_SQL_SERVER_STATEMENT_TIMEOUT: a connection's own setting decides
    101: 0,  # FLIGHT_SQL_SERVER_TRANSACTION_TIMEOUT
    500: False,  # SQL_DDL_CATALOG
    501: False,  # SQL_DDL_SCHEMA
    502: False,  # SQL_DDL_TABLE
    503: 1,  # SQL_IDENTIFIER_CASE: unknown, since warehouses differ
    504: '"',  # SQL_IDENTIFIER_QUOTE_CHAR
    505: 1,  # SQL_QUOTED_IDENTIFIER_CASE
    506: True,  # SQL_ALL_TABLES_ARE_SELECTABLE
    529: "schema",  # SQL_SCHEMA_TERM
    530: "procedure",  # SQL_PROCEDURE_TERM
    531: "catalog",  # SQL_CATALOG_TERM
    565: False,  # SQL_TRANSACTIONS_SUPPORTED
}
CODES = {str: 0, bool: 1, int: 2, list: 4, dict: 5}
"""The member of the union that holds a Python type."""


def batch(wanted: frozenset[int]) -> pa.RecordBatch:
    """The facts with these numbers, or all of them; numbers without a fact are left out."""
    chosen = [(number, value) for number, value in FACTS.items() if not wanted or number in wanted]
    members: list[list[Any]] = [[] for _ in range(6)]
    codes, offsets = list[int](), list[int]()
    for _, value in chosen:
        code = CODES[type(value)]
        codes.append(code)
        offsets.append(len(members[code]))
        members[code].append(value)
    union = schemas.SQL_INFO.field("value").type
    children = [pa.array(values, union.field(place).type) for place, values in enumerate(members)]
    names = [union.field(place).name for place in range(6)]
    where = pa.array(codes, pa.int8()), pa.array(offsets, pa.int32())
    values = pa.UnionArray.from_dense(*where, children, names, list(union.type_codes))
    numbers = pa.array([number for number, _ in chosen], pa.uint32())
    return pa.RecordBatch.from_arrays([numbers, values], schema=schemas.SQL_INFO)
