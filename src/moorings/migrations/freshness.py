"""Triggers that count changes of the tables whose rows processes cache.

On PostgreSQL, the migration that creates a table also creates its trigger. SQLite drops a table's triggers when a
migration recreates the table, so they are created after the last migration.
"""

from __future__ import annotations

from sqlalchemy import Connection

TABLE = "freshness"

WATCHED = (
    "organizations",
    "users",
    "api_keys",
    "user_groups",
    "user_group_members",
    "user_attributes",
    "user_attribute_values",
    "connections",
    "connection_secrets",
    "connection_roles",
    "group_roles",
    "connection_environments",
    "environment_values",
)
"""The tables that decide on rights, on routes, and on the settings of connections."""

SHOWN = ("connection_health", "catalogs")
"""The tables of health and catalogs, with their own counter, which no right depends on.

Every refresh writes the row of its catalog.
"""

COUNTERS = {"changed_by": WATCHED, "health_changed_by": SHOWN}


def watch(connection: Connection) -> None:
    """Create the triggers that an SQLite database lacks."""
    for counter, tables in COUNTERS.items():
        for table in tables:
            for act in ("INSERT", "UPDATE", "DELETE"):
                name = f"touch_freshness_{table}_{act.lower()}"
                count = f"UPDATE freshness SET {counter} = {counter} + 1"  # noqa: S608  # our own names
                connection.exec_driver_sql(
                    f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {act} ON {table} BEGIN {count}; END"
                )
