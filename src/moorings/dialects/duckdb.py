"""DuckDB: a local file, or memory. Ours: the published API does not have it.

Driver: duckdb (base install). Login: none. Limits: files only below the directory that the operator allows;
`:memory:` cannot be read-only and is empty at first. Source:
https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.base import Abilities
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.required import Login, Need, always


class Config(ConnectionConfig, frozen=True):
    """What a DuckDB connection needs: `database` is a file below the operator's directory, or `:memory:`."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("database")

    LOGINS: ClassVar[tuple[Login, ...]] = (Login(None, ()),)

    dialect: Literal["duckdb"] = "duckdb"


class DuckDB(BaseDialect):
    """DuckDB."""

    name = "duckdb"
    title = "DuckDB"
    abilities = Abilities(connects=True, own=True)
    PARAMETERS = "$1, $2 or ?, ?"
    Config = Config
