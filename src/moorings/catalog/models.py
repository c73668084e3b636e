"""Tables of the stored catalogs, as of the last refresh, and of their changes."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from moorings.db import STRICT, Base, Bytewise, Long, Milliseconds

KINDS = (
    "TABLE_ADDED",
    "TABLE_REMOVED",
    "TABLE_RETURNED",
    "KIND_CHANGED",
    "COMMENT_CHANGED",
    "COLUMN_ADDED",
    "COLUMN_REMOVED",
    "TYPE_CHANGED",
    "NULLABILITY_CHANGED",
    "PRIMARY_KEY_CHANGED",
    "FOREIGN_KEY_ADDED",
    "FOREIGN_KEY_REMOVED",
)
"""The kinds of change of a table or of a column."""


class Catalog(Base):
    """The last refresh of a connection's catalog. `job_id` is its job, whose row is deleted earlier."""

    __tablename__ = "catalogs"
    __table_args__ = (STRICT,)

    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    job_id: Mapped[str] = mapped_column(Text)
    refreshed_at: Mapped[int] = mapped_column(Milliseconds)
    table_count: Mapped[int] = mapped_column(Integer)
    column_count: Mapped[int] = mapped_column(Integer)


class StoredTable(Base):
    """A table or view: one row, with its structure as a document, rewritten only when `digest` differs.

    Catalog and schema are empty where the engine has no such level. `missing_since`: a refresh found it gone.
    """

    __tablename__ = "catalog_tables"
    __table_args__ = (UniqueConstraint("connection_id", "catalog", "schema", "name"), STRICT)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    catalog: Mapped[str] = mapped_column(Bytewise)
    schema: Mapped[str] = mapped_column(Bytewise)
    name: Mapped[str] = mapped_column(Bytewise)
    folded_schema: Mapped[str] = mapped_column(Text)
    """Case-folded for patterns, like the name."""
    folded_name: Mapped[str] = mapped_column(Text)
    searched: Mapped[str] = mapped_column(Text)
    """Every name and comment, case-folded, a line each."""
    document: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(Text)
    row_count: Mapped[int | None] = mapped_column(Long)
    size_bytes: Mapped[int | None] = mapped_column(Long)
    added_at: Mapped[int] = mapped_column(Milliseconds)
    changed_at: Mapped[int] = mapped_column(Milliseconds)
    missing_since: Mapped[int | None] = mapped_column(Milliseconds)


class CatalogChange(Base):
    """A change that a refresh found; `position` orders the changes of one refresh."""

    __tablename__ = "catalog_changes"
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(map(repr, KINDS))})", name="kind"),
        Index("ix_catalog_changes_connection_id", "connection_id", "found_at"),
        Index("ix_catalog_changes_found_at", "found_at"),
        STRICT,
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id"))
    job_id: Mapped[str] = mapped_column(Text)
    found_at: Mapped[int] = mapped_column(Milliseconds)
    position: Mapped[int] = mapped_column(Long)
    kind: Mapped[str] = mapped_column(Text)
    catalog: Mapped[str] = mapped_column(Text)
    schema: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    column: Mapped[str | None] = mapped_column(Text)
    before: Mapped[str | None] = mapped_column(Text)
    after: Mapped[str | None] = mapped_column(Text)
