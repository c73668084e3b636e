"""MotherDuck, which is DuckDB with databases in the cloud.

Driver: duckdb (base install), whose motherduck extension is fetched when MotherDuck itself is reached. Login: an
access token, given as the password. Limits: the token is always required, and used only to reach MotherDuck itself.
Source: https://motherduck.com/docs/key-tasks/authenticating-and-connecting-to-motherduck/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from moorings.dialects import duckdb, duckdb_files
from moorings.dialects.base import Abilities, Session, Surroundings
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.destinations import DESTINATIONS, Destinations, another_value
from moorings.dialects.fields import said
from moorings.dialects.places import Place
from moorings.dialects.required import Need, always


def _database(value: str) -> str:
    is_file = value.endswith(duckdb_files.ENDINGS) and not FORBIDDEN_IN_FILES.search(value)
    if not is_file and not re.fullmatch(r"md:|(?:md:)?(?:_share/[\w.-]+/[0-9a-fA-F-]{36}|[\w.][\w. -]*)", value):
        raise said("Only the name of a database, or md: and its name. Settings after ? are not allowed")
    return value


FORBIDDEN_IN_FILES = re.compile(r"[\x00-\x1f\x7f-\x9f?&#;=%:\\'\"]")
MotherDuckDatabase = Annotated[str, Place(_database)]
"""A database's name, with or without `md:`, a share, or the path of a local file."""


class Config(ConnectionConfig, frozen=True):
    """What a MotherDuck connection needs."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("database")
    DESTINATIONS: ClassVar[Destinations] = {**DESTINATIONS, "database": another_value}

    dialect: Literal["motherduck"] = "motherduck"
    database: MotherDuckDatabase | None = None
    always_scope_view_names: bool = True


class MotherDuck(BaseDialect):
    """MotherDuck."""

    name = "motherduck"
    title = "MotherDuck"
    abilities = Abilities(connects=True, probed=False, several_catalogs=True)
    PARAMETERS = "$1, $2 or ?, ?"
    Config = Config
    FAULTS = duckdb.FAULTS

    def address(self, config: Any) -> None:
        """None: the extension finds MotherDuck by itself."""

    def fault_key(self, error: BaseException) -> str | None:
        """As DuckDB's."""
        return duckdb.DuckDB().fault_key(error)

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
        if database.endswith(duckdb_files.ENDINGS):
            return duckdb.file_session(config, surroundings)
        options = {
            "motherduck_token": config.secrets().get("password", ""),
            "motherduck_saas_mode": "true",
            "autoinstall_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "custom_user_agent": surroundings.application_name,
            **duckdb.limited(database, surroundings),
        }
        return duckdb.DuckSession(f"md:{database.removeprefix('md:')}", options, config, harden=False)
