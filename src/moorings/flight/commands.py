"""The commands of clients, parsed into types: nothing else of what a client sent gets further than this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moorings.errors import CommandNotSupported, InvalidCommand
from moorings.flight import messages

SQL_LIMIT = 500_000
"""The most characters of a statement, as over HTTP."""
NAME_LIMIT = 1000
"""The most characters of a name or a pattern."""
MOST_CODES = 1000


@dataclass(frozen=True, slots=True)
class Query:
    """A statement that returns rows."""

    sql: str


@dataclass(frozen=True, slots=True)
class Update:
    """A statement that changes something."""

    sql: str


@dataclass(frozen=True, slots=True)
class PreparedQuery:
    """A prepared statement that returns rows."""

    handle: bytes


@dataclass(frozen=True, slots=True)
class PreparedUpdate:
    """A prepared statement that changes something."""

    handle: bytes


@dataclass(frozen=True, slots=True)
class SqlInfo:
    """Facts about the server; no code means all of them."""

    codes: frozenset[int]


@dataclass(frozen=True, slots=True)
class XdbcTypes:
    """The data types of the warehouse."""


@dataclass(frozen=True, slots=True)
class Catalogs:
    """The catalogs of a connection."""


@dataclass(frozen=True, slots=True)
class Schemas:
    """The schemas of a connection."""

    catalog: str | None
    pattern: str | None


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a connection; `kinds` is empty for all of them."""

    catalog: str | None
    schema_pattern: str | None
    table_pattern: str | None
    kinds: frozenset[str]
    with_schema: bool


@dataclass(frozen=True, slots=True)
class TableTypes:
    """The kinds of tables."""


@dataclass(frozen=True, slots=True)
class Place:
    """A table; a catalog or schema of None is any."""

    catalog: str | None
    schema: str | None
    table: str


@dataclass(frozen=True, slots=True)
class PrimaryKeys:
    """The primary key of a table."""

    table: Place


@dataclass(frozen=True, slots=True)
class ForeignKeys:
    """The foreign keys from a table, to a table, or both."""

    referred: Place | None
    referring: Place | None


Statement = Query | PreparedQuery
Metadata = SqlInfo | XdbcTypes | Catalogs | Schemas | Tables | TableTypes | PrimaryKeys | ForeignKeys
Command = Statement | Update | PreparedUpdate | Metadata


def parse(content: bytes) -> Command:
    """The command in a descriptor or a ticket; raises InvalidCommand or CommandNotSupported."""
    name, message = messages.unpacked(content)
    make = PARSERS.get(name)
    if make is None or message is None:
        raise CommandNotSupported.of(name[:NAME_LIMIT])
    return make(message)


def sql_of(message: Any) -> str:
    """The statement of a message that brings one; raises InvalidCommand, or CommandNotSupported in a transaction."""
    if message.transaction_id:
        raise CommandNotSupported.of("transactions")
    if not message.query.strip():
        raise InvalidCommand("The statement is empty.")
    return _bounded("query", message.query, SQL_LIMIT)


def _bounded(field: str, text: str, longest: int = NAME_LIMIT) -> str:
    if "\0" in text:
        raise InvalidCommand(f"{field} contains a NUL character.")
    if len(text) > longest:
        raise InvalidCommand(f"{field} has {len(text)} characters; at most {longest} are allowed.")
    return text


def _optional(message: Any, field: str) -> str | None:
    return _bounded(field, getattr(message, field)) if message.HasField(field) else None


def _place(message: Any, prefix: str = "") -> Place:
    table = f"{prefix}table"
    return Place(
        _optional(message, f"{prefix}catalog"),
        _optional(message, f"{prefix}db_schema"),
        _bounded(table, getattr(message, table)),
    )


def _sql_info(message: Any) -> SqlInfo:
    if len(message.info) > MOST_CODES:
        raise InvalidCommand(f"info has {len(message.info)} codes; at most {MOST_CODES} are allowed.")
    return SqlInfo(frozenset(message.info))


def _tables(message: Any) -> Tables:
    kinds = message.table_types
    if len(kinds) > MOST_CODES:
        raise InvalidCommand(f"table_types has {len(kinds)} entries; at most {MOST_CODES} are allowed.")
    return Tables(
        _optional(message, "catalog"),
        _optional(message, "db_schema_filter_pattern"),
        _optional(message, "table_name_filter_pattern"),
        frozenset(_bounded("table_types", kind) for kind in kinds),
        message.include_schema,
    )


PARSERS: Mapping[str, Callable[[Any], Command]] = {
    "CommandStatementQuery": lambda message: Query(sql_of(message)),
    "CommandStatementUpdate": lambda message: Update(sql_of(message)),
    "CommandPreparedStatementQuery": lambda message: PreparedQuery(message.prepared_statement_handle),
    "CommandPreparedStatementUpdate": lambda message: PreparedUpdate(message.prepared_statement_handle),
    "CommandGetSqlInfo": _sql_info,
    "CommandGetXdbcTypeInfo": lambda _: XdbcTypes(),
    "CommandGetCatalogs": lambda _: Catalogs(),
    "CommandGetDbSchemas": lambda message: Schemas(
        _optional(message, "catalog"), _optional(message, "db_schema_filter_pattern")
    ),
    "CommandGetTables": _tables,
    "CommandGetTableTypes": lambda _: TableTypes(),
    "CommandGetPrimaryKeys": lambda message: PrimaryKeys(_place(message)),
    "CommandGetExportedKeys": lambda message: ForeignKeys(_place(message), None),
    "CommandGetImportedKeys": lambda message: ForeignKeys(None, _place(message)),
    "CommandGetCrossReference": lambda message: ForeignKeys(_place(message, "pk_"), _place(message, "fk_")),
}
