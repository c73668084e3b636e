"""The stored form of a table, and the differences between two states of one. Pure: no storage, no warehouse."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from moorings.db.folding import folded
from moorings.dialects.introspection import Column, ForeignKey, Table

Place = tuple[str, str, str]
"""Catalog, schema and name of a table; empty where the engine has no such level."""


@dataclass(frozen=True, slots=True)
class Content:
    """A table as it is stored: its structure in one document, with a digest that shows whether it differs."""

    place: Place
    document: str
    digest: str
    searched: str
    row_count: int | None
    size_bytes: int | None
    column_count: int


def contents(tables: Iterable[Table]) -> list[Content]:
    """The stored form of tables; run it in a thread, since there may be thousands."""
    return [_content(table) for table in tables]


def _content(table: Table) -> Content:
    document = json.dumps(_structure(table), separators=(",", ":"))  # ASCII, so that every comment can be stored
    return Content(
        (storable(table.catalog or ""), storable(table.schema or ""), storable(table.name)),
        document,
        hashlib.sha256(document.encode()).hexdigest(),
        storable(folded("\n".join(_searched(table)))),
        table.row_count,
        table.size_bytes,
        len(table.columns),
    )


def storable(text: str) -> str:
    """Text without characters that PostgreSQL or UTF-8 cannot store; some engines allow them in comments."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _structure(table: Table) -> list[object]:
    """The structure of a table, without its place and without the estimates, which change on their own."""
    columns = [
        (each.name, each.position, each.native_type, each.arrow_type, each.nullable, each.comment)
        for each in table.columns
    ]
    keys = sorted(
        (
            (each.name, each.columns, each.catalog, each.schema, each.table, each.referred_columns)
            for each in table.foreign_keys
        ),
        key=repr,
    )
    return [table.kind, table.comment, columns, table.primary_key, keys]


def _searched(table: Table) -> Iterator[str]:
    yield table.name
    yield table.comment or ""
    for column in table.columns:
        yield column.name
        if column.comment:
            yield column.comment


def restored(place: Place, document: str) -> Table:
    """The table that a document describes, without the estimates."""
    catalog, schema, name = place
    kind, comment, columns, primary_key, keys = json.loads(document)
    return Table(
        catalog or None,
        schema or None,
        name,
        kind,
        comment,
        columns=[Column(*each) for each in columns],
        primary_key=tuple(primary_key),
        foreign_keys=[
            ForeignKey(key, tuple(own), other_catalog, other_schema, other, tuple(referred))
            for key, own, other_catalog, other_schema, other, referred in keys
        ],
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """One change of a table, or of a column of it; `kind` is one of `models.KINDS`."""

    kind: str
    column: str | None = None
    before: str | None = None
    after: str | None = None


def differences(before: Table, after: Table) -> list[Difference]:
    """The changes of a table: first of the table itself, then of its columns by position, then of its keys."""
    return [
        *_changed("KIND_CHANGED", None, before.kind, after.kind),
        *_changed("COMMENT_CHANGED", None, before.comment, after.comment),
        *_columns(before.columns, after.columns),
        *_changed("PRIMARY_KEY_CHANGED", None, _listed(before.primary_key), _listed(after.primary_key)),
        *_keys(before.foreign_keys, after.foreign_keys),
    ]


def _changed(kind: str, column: str | None, before: str | None, after: str | None) -> Iterator[Difference]:
    if before != after:
        yield Difference(kind, column, before, after)


def _columns(before: Sequence[Column], after: Sequence[Column]) -> Iterator[Difference]:
    old, new = ({column.name: column for column in columns} for columns in (before, after))
    for name, column in old.items():
        if name not in new:
            yield Difference("COLUMN_REMOVED", name, before=column.native_type)
    for name, column in new.items():
        if name in old:
            yield from _column(old[name], column)
        else:
            yield Difference("COLUMN_ADDED", name, after=column.native_type)


def _column(before: Column, after: Column) -> Iterator[Difference]:
    yield from _changed("TYPE_CHANGED", after.name, before.native_type, after.native_type)
    yield from _changed("NULLABILITY_CHANGED", after.name, _nullability(before), _nullability(after))
    yield from _changed("COMMENT_CHANGED", after.name, before.comment, after.comment)


def _nullability(column: Column) -> str:
    return "NULL" if column.nullable else "NOT NULL"


def _keys(before: Sequence[ForeignKey], after: Sequence[ForeignKey]) -> Iterator[Difference]:
    """Foreign keys by the columns and tables they refer to: the engine invents names for keys without one."""
    old, new = ([_spelled(key) for key in keys] for keys in (before, after))
    for text in old:
        if text not in new:
            yield Difference("FOREIGN_KEY_REMOVED", before=text)
    for text in new:
        if text not in old:
            yield Difference("FOREIGN_KEY_ADDED", after=text)


def _spelled(key: ForeignKey) -> str:
    other = ".".join(part for part in (key.catalog, key.schema, key.table) if part)
    return f"({', '.join(key.columns)}) REFERENCES {other} ({', '.join(key.referred_columns)})"


def _listed(names: Sequence[str]) -> str | None:
    return ", ".join(names) or None
