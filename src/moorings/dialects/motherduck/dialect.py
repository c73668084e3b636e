"""MotherDuck: the facts, and how to connect."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from moorings import errors
from moorings.dialects.base import Abilities, Session, Surroundings
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.duckdb import dialect as duckdb_dialect
from moorings.dialects.duckdb import faults as duckdb_faults
from moorings.dialects.duckdb import files
from moorings.dialects.duckdb import session as duckdb_session
from moorings.dialects.motherduck.config import Config

SERVICE = ("api.motherduck.com", 443)
"""What the extension dials first; where it goes from there, only it knows."""


class MotherDuck(BaseDialect):
    """MotherDuck."""

    name = "motherduck"
    title = "MotherDuck"
    abilities = Abilities(connects=True, probed=False, several_catalogs=True)
    PARAMETERS = "$1, $2 or ?, ?"
    Config = Config
    FAULTS = duckdb_faults.FAULTS

    def address(self, config: Any) -> None:
        """None: the extension finds MotherDuck by itself."""

    def fault_key(self, error: BaseException) -> str | None:
        """As DuckDB's."""
        return duckdb_dialect.DuckDB().fault_key(error)

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-duckdb, whose extension takes the token."""
        database = (place.database or config.database or "").removeprefix("md:")
        return {
            "type": "duckdb",
            "path": f"md:{database}",
            "schema": place.schema,
            "settings": {"motherduck_token": DbtSecret("password")},
        }

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Open a local file, or a database of MotherDuck with the token.

        MotherDuck's own "SaaS mode" takes the place of DuckDB's locks, which would lock its extension out.
        """
        database = config.database or ""
        if database.endswith(files.ENDINGS):
            return duckdb_session.file_session(config, surroundings)
        with contextlib.suppress(errors.HostNotFound):  # the extension says what it cannot reach
            surroundings.network.addresses(*SERVICE, "database")
        options = {
            "motherduck_token": config.secrets().get("password", ""),
            "motherduck_saas_mode": "true",
            "autoinstall_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "custom_user_agent": surroundings.application_name,
            **duckdb_session.limited(database, surroundings),
        }
        return duckdb_session.DuckSession(f"md:{database.removeprefix('md:')}", options, config, harden=False)
