"""The triggers that count changes of the tables from which rights follow.

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
    "connection_roles",
    "group_roles",
    "connection_environments",
    "environment_values",
)
"""The tables from which follows whether somebody may query a connection, and which connection they get."""


def watch(connection: Connection) -> None:
    """Make the triggers that an SQLite database lacks."""
    for table in WATCHED:
        for act in ("INSERT", "UPDATE", "DELETE"):
            name = f"touch_freshness_{table}_{act.lower()}"
            count = "UPDATE freshness SET changed_by = changed_by + 1"
            connection.exec_driver_sql(f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {act} ON {table} BEGIN {count}; END")
