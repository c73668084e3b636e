"""The groups of operations that the API pages show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Tag(NamedTuple):
    """A group of operations."""

    name: str
    description: str


CONNECTIONS = Tag("Connections", "Create, test, change, archive and restore connections to databases.")
DIALECTS = Tag("Dialects", "The kinds of database, and the fields that a connection to each one has.")
QUERIES = Tag("Queries", "Run SQL and cancel it.")
CATALOGS = Tag("Catalogs", "The tables and columns of a connection, and what changed in them.")
REFRESHES = Tag("Refreshes and schedules", "Jobs that read a catalog again, once or on a schedule.")
HEALTH = Tag("Health", "Whether a connection works, now and in the past.")
ENVIRONMENTS = Tag("Environments", "The connections behind a base connection, and which one a user gets.")
ATTRIBUTES = Tag("User attributes", "The attributes of users and keys, which choose environments.")
ROLES = Tag("Roles", "The roles of users and groups on connections.")
KEYS = Tag("API keys", "List, disable and revoke keys, and see which user a key acts as.")
DBT = Tag("dbt", "The dbt project of a connection, its environments, and profiles for dbt.")
SCIM = Tag("Users and groups (SCIM)", "Users and groups, by SCIM 2.0, as identity providers manage them.")

TAGS: Mapping[str, Tag] = {
    "connections": CONNECTIONS,
    "dialects": DIALECTS,
    "queries": QUERIES,
    "catalog": CATALOGS,
    "jobs": REFRESHES,
    "schedules": REFRESHES,
    "health": HEALTH,
    "environments": ENVIRONMENTS,
    "route": ENVIRONMENTS,
    "attributes": ATTRIBUTES,
    "roles": ROLES,
    "keys": KEYS,
    "dbt": DBT,
    "dbt_profiles": DBT,
    "scim": SCIM,
}
"""The file or folder with an operation's handler → its group, in the order that the pages show."""
