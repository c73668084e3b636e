"""The facts that GetSqlInfo answers, by the numbers of format/FlightSql.proto. Imports pyarrow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from moorings import __version__
from moorings.flight import schemas
from moorings.flight.commands import SQL_LIMIT


class Int32(int):
    """A number that clients read from the union's member of 32 bits: an ordinal, or a mask with a bit for each one."""


Fact = str | bool | int | list[str] | dict[int, list[int]]

NO_LIMIT = 0
SERVER: Mapping[int, Fact] = {
    0: "Moorings",  # FLIGHT_SQL_SERVER_NAME
    1: __version__,  # FLIGHT_SQL_SERVER_VERSION
    2: pa.__version__,  # FLIGHT_SQL_SERVER_ARROW_VERSION
    3: False,  # FLIGHT_SQL_SERVER_READ_ONLY: the setting of each connection decides
    4: True,  # FLIGHT_SQL_SERVER_SQL
    5: False,  # FLIGHT_SQL_SERVER_SUBSTRAIT
    8: Int32(0),  # FLIGHT_SQL_SERVER_TRANSACTION: none
    9: True,  # FLIGHT_SQL_SERVER_CANCEL
    10: False,  # FLIGHT_SQL_SERVER_BULK_INGESTION
    11: False,  # FLIGHT_SQL_SERVER_INGEST_TRANSACTIONS_SUPPORTED
    100: Int32(NO_LIMIT),  # FLIGHT_SQL_SERVER_STATEMENT_TIMEOUT: the setting of each connection decides
    101: Int32(NO_LIMIT),  # FLIGHT_SQL_SERVER_TRANSACTION_TIMEOUT
}
LANGUAGE: Mapping[int, Fact] = {
    500: False,  # SQL_DDL_CATALOG
    501: False,  # SQL_DDL_SCHEMA
    502: False,  # SQL_DDL_TABLE
    503: 0,  # SQL_IDENTIFIER_CASE: unknown, since warehouses differ
    504: '"',  # SQL_IDENTIFIER_QUOTE_CHAR
    505: 0,  # SQL_QUOTED_IDENTIFIER_CASE
    506: True,  # SQL_ALL_TABLES_ARE_SELECTABLE
    507: 0,  # SQL_NULL_ORDERING
    **{number: list[str]() for number in range(508, 513)},  # SQL_KEYWORDS, and the names of functions
    513: "\\",  # SQL_SEARCH_STRING_ESCAPE: that of patterns for names
    514: "",  # SQL_EXTRA_NAME_CHARACTERS
    515: True,  # SQL_SUPPORTS_COLUMN_ALIASING
    516: True,  # SQL_NULL_PLUS_NULL_IS_NULL
    517: dict[int, list[int]](),  # SQL_SUPPORTS_CONVERT
    518: True,  # SQL_SUPPORTS_TABLE_CORRELATION_NAMES
    519: False,  # SQL_SUPPORTS_DIFFERENT_TABLE_CORRELATION_NAMES
    520: True,  # SQL_SUPPORTS_EXPRESSIONS_IN_ORDER_BY
    521: True,  # SQL_SUPPORTS_ORDER_BY_UNRELATED
    522: Int32(0b11),  # SQL_SUPPORTED_GROUP_BY
    523: True,  # SQL_SUPPORTS_LIKE_ESCAPE_CLAUSE
    524: True,  # SQL_SUPPORTS_NON_NULLABLE_COLUMNS
    525: Int32(0b11),  # SQL_SUPPORTED_GRAMMAR: minimum and core
    526: Int32(0b1),  # SQL_ANSI92_SUPPORTED_LEVEL: entry
    527: False,  # SQL_SUPPORTS_INTEGRITY_ENHANCEMENT_FACILITY
    528: Int32(0b110),  # SQL_OUTER_JOINS_SUPPORT_LEVEL
    529: "schema",  # SQL_SCHEMA_TERM
    530: "procedure",  # SQL_PROCEDURE_TERM
    531: "catalog",  # SQL_CATALOG_TERM
    532: True,  # SQL_CATALOG_AT_START
    533: Int32(0),  # SQL_SCHEMAS_SUPPORTED_ACTIONS
    534: Int32(0),  # SQL_CATALOGS_SUPPORTED_ACTIONS
    535: Int32(0),  # SQL_SUPPORTED_POSITIONED_COMMANDS
    536: False,  # SQL_SELECT_FOR_UPDATE_SUPPORTED
    537: False,  # SQL_STORED_PROCEDURES_SUPPORTED
    538: Int32(0b1111),  # SQL_SUPPORTED_SUBQUERIES
    539: True,  # SQL_CORRELATED_SUBQUERIES_SUPPORTED
    540: Int32(0b11),  # SQL_SUPPORTED_UNIONS
}
LIMITS: Mapping[int, Fact] = {
    **dict.fromkeys(range(541, 562), NO_LIMIT),  # from SQL_MAX_BINARY_LITERAL_LENGTH to SQL_MAX_USERNAME_LENGTH
    556: False,  # SQL_MAX_ROW_SIZE_INCLUDES_BLOBS
    557: SQL_LIMIT,  # SQL_MAX_STATEMENT_LENGTH
    562: 0,  # SQL_DEFAULT_TRANSACTION_ISOLATION: none
    563: False,  # SQL_TRANSACTIONS_SUPPORTED
    564: Int32(0b1),  # SQL_SUPPORTED_TRANSACTIONS_ISOLATION_LEVELS: none
    565: False,  # SQL_DATA_DEFINITION_CAUSES_TRANSACTION_COMMIT
    566: False,  # SQL_DATA_DEFINITIONS_IN_TRANSACTIONS_IGNORED
    567: Int32(0b10),  # SQL_SUPPORTED_RESULT_SET_TYPES: forward only
    568: Int32(0),  # SQL_SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_UNSPECIFIED
    569: Int32(0b10),  # SQL_SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_FORWARD_ONLY: read only
    570: Int32(0),  # SQL_SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_SCROLL_SENSITIVE
    571: Int32(0),  # SQL_SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_SCROLL_INSENSITIVE
    **dict.fromkeys(range(572, 577), False),  # batches, savepoints, named parameters, locators, calls of functions
}
FACTS: Mapping[int, Fact] = {**SERVER, **LANGUAGE, **LIMITS}
CODES: Mapping[type[Any], int] = {str: 0, bool: 1, int: 2, Int32: 3, list: 4, dict: 5}
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
        members[code].append(list(value.items()) if isinstance(value, dict) else value)
    union = schemas.SQL_INFO.field("value").type
    children = [pa.array(values, union.field(place).type) for place, values in enumerate(members)]
    names = [union.field(place).name for place in range(6)]
    where = pa.array(codes, pa.int8()), pa.array(offsets, pa.int32())
    values = pa.UnionArray.from_dense(*where, children, names, list(union.type_codes))
    numbers = pa.array([number for number, _ in chosen], pa.uint32())
    return pa.RecordBatch.from_arrays([numbers, values], schema=schemas.SQL_INFO)
