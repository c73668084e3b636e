"""The parts of one output of dbt's profiles.yml, for dialects that have a dbt adapter."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DbtPlace:
    """The target of a dbt build: a schema, a database (None: the connection's) and a role (None: the login's own)."""

    schema: str
    database: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class DbtSecret:
    """A placeholder of a connection's secret: one of its fields, or a member of the JSON object in the field."""

    field: str
    member: str | None = None
