"""What dialects say of themselves to dbt: the parts of one output of its profiles.yml."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DbtPlace:
    """Where dbt builds: a schema, a database (None: the connection's), and in which role (None: the login's own)."""

    schema: str
    database: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class DbtSecret:
    """Stands for a secret of the connection: one of its fields, or a member of the JSON object that the field holds."""

    field: str
    member: str | None = None
