"""MotherDuck: the facts, and how to connect."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from moorings import errors
from moorings.dialects.base import Abilities, Session, SessionContext
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.duckdb.dialect import DuckDB
from moorings.dialects.duckdb.files import ENDINGS
from moorings.dialects.motherduck.config import Config

SERVICE = ("api.motherduck.com", 443)
"""The host that the extension dials first; only the extension knows the later ones."""


class MotherDuck(DuckDB):
    """MotherDuck; its extension finds the servers by itself, so there is no address."""

    name = "motherduck"
    title = "MotherDuck"
    abilities = Abilities(connects=True, probed=False, several_catalogs=True)
    Config = Config

    def dbt_output(self, config: ConnectionConfig, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-duckdb, whose extension takes the token."""
        database = (place.database or config.database or "").removeprefix("md:")
        return {
            "type": "duckdb",
            "path": f"md:{database}",
            "schema": place.schema,
            "settings": {"motherduck_token": DbtSecret("password")},
        }

    def connect(self, config: ConnectionConfig, context: SessionContext) -> Session:
        """Open a local file, or a database of MotherDuck with the token.

        MotherDuck's own "SaaS mode" replaces DuckDB's locks, which would block its extension.
        """
        from moorings.dialects.duckdb import session as duckdb

        database = config.database or ""
        if database.endswith(ENDINGS):
            return duckdb.file_session(config, context)
        with contextlib.suppress(errors.HostNotFound):  # the extension reports hosts that it cannot reach
            context.network.addresses(*SERVICE, "database")
        options = {
            "motherduck_token": config.secrets().get("password", ""),
            "motherduck_saas_mode": "true",
            "autoinstall_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "custom_user_agent": context.application_name,
            **duckdb.limited(database, context),
        }
        return duckdb.DuckSession(f"md:{database.removeprefix('md:')}", options, config, harden=False)
