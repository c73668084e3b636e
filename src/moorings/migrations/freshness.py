"""The triggers that count changes of the tables that processes keep rows of in memory.

PostgreSQL has one for each table since the migration that made the table. SQLite drops a table's triggers when a
migration makes the table anew: so they are made after the last migration, whichever it was.
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
"""The tables from which follows who may query a connection, which connection they get, and how it is reached."""

SHOWN = ("connection_health", "catalogs")
"""The tables that say how connections are and what they hold: a counter of their own, which no right depends on.

A refresh writes the row of its catalog, whatever else it changes.
"""

COUNTERS = {"changed_by": WATCHED, "health_changed_by": SHOWN}


def watch(connection: Connection) -> None:
    """Make the triggers that an SQLite database lacks."""
    for counter, tables in COUNTERS.items():
        for table in tables:
            for act in ("INSERT", "UPDATE", "DELETE"):
                name = f"touch_freshness_{table}_{act.lower()}"
                count = f"UPDATE freshness SET {counter} = {counter} + 1"  # noqa: S608  # our own names
                connection.exec_driver_sql(
                    f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {act} ON {table} BEGIN {count}; END"
                )
