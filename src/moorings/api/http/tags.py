"""The groups of operations that the API pages show. Published operations have their published groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Tag(NamedTuple):
    """A group of operations."""

    name: str
    description: str


CONNECTIONS = Tag("Connections", "Connections to databases, their environments, refresh schedules and dbt projects.")
DIALECTS = Tag("Dialects", "The kinds of database, and the fields that a connection to each one has.")
QUERY = Tag("Query", "Run SQL and cancel it.")
CATALOGS = Tag("Catalogs", "The tables and columns of a connection, and what changed in them.")
REFRESHES = Tag("Refreshes", "Jobs that read a catalog again.")
HEALTH = Tag("Health", "Whether a connection works, now and in the past.")
WEBHOOKS = Tag("Webhooks", "URLs that get a message about incidents, failed refreshes and expiring keys.")
ATTRIBUTES = Tag("User Attributes", "The attributes of users and keys, which choose environments.")
USERS = Tag("Users", "The roles of users and groups on connections.")
TOKENS = Tag("API Tokens", "Create, limit, rotate, disable and revoke API keys.")
WHO = Tag("Who Am I", "The user of a key, and the user's roles.")
MODELS = Tag("Models", "The status of a job.")
SCIM = Tag("SCIM", "Users and groups by SCIM 2.0, for identity providers.")

TAGS: Mapping[str, Tag] = {
    "connections": CONNECTIONS,
    "dialects": DIALECTS,
    "queries": QUERY,
    "query_jobs": QUERY,
    "catalog": CATALOGS,
    "jobs": REFRESHES,
    "schedules": CONNECTIONS,
    "health": HEALTH,
    "webhooks": WEBHOOKS,
    "environments": CONNECTIONS,
    "route": CONNECTIONS,
    "attributes": ATTRIBUTES,
    "roles": USERS,
    "email_only": USERS,
    "keys": TOKENS,
    "whoami": WHO,
    "dbt": CONNECTIONS,
    "dbt_profiles": CONNECTIONS,
    "scim": SCIM,
}
"""The file or folder with an operation's handler → its group, in the order that the pages show."""

BY_OPERATION: Mapping[str, Tag] = {"jobsGetStatus": MODELS}
"""Operations whose published group differs from their file's."""

ORDER = tuple(dict.fromkeys((*TAGS.values(), *BY_OPERATION.values())))
"""Every group, in the order that the pages show."""
