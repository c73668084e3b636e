"""The settings of a DuckDB connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.needs import Login, Need, always


class Config(ConnectionConfig, frozen=True):
    """The settings of a DuckDB connection: `database` is a file below the operator's directory, or `:memory:`."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("database")

    LOGINS: ClassVar[tuple[Login, ...]] = (Login(None, ()),)

    EXAMPLE: ClassVar[Mapping[str, object]] = {"database": "sample.duckdb"}
    USUAL_SCHEMA: ClassVar[str] = "main"

    dialect: Literal["duckdb"] = "duckdb"
