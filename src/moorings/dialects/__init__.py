"""The dialects by name, loaded when first asked for: importing this loads no driver and builds no model."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moorings.errors import Fault, InvalidInput, UnknownDialect

if TYPE_CHECKING:
    from moorings.dialects.base import Dialect
    from moorings.dialects.config import ConnectionConfig

MODULES = {
    "postgres": "Postgres",
    "redshift": "Redshift",
    "databricks_lakebase": "DatabricksLakebase",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "starrocks": "StarRocks",
    "snowflake": "Snowflake",
    "bigquery": "BigQuery",
    "databricks": "Databricks",
    "motherduck": "MotherDuck",
    "clickhouse": "ClickHouse",
    "trino": "Trino",
    "athena": "Athena",
    "mssql": "MSSQL",
    "oracle": "Oracle",
    "exasol": "Exasol",
    "sap_hana": "SapHana",
    "duckdb": "DuckDB",
}
"""A dialect's name, which is also its module's → its class there."""


def names() -> tuple[str, ...]:
    """Every dialect's name; ours come last."""
    return tuple(MODULES)


def named(name: object) -> Dialect:
    """The dialect of this name; raises UnknownDialect for anything else, whatever its type."""
    if not isinstance(name, str) or name not in MODULES:
        raise UnknownDialect
    return _loaded(name)


def read(body: Mapping[str, Any]) -> ConnectionConfig:
    """The Config that a request body asks for: `dialect` says which kind.

    Raises InvalidInput when `dialect` is missing, UnknownDialect, or what `ConnectionConfig.read` does.
    """
    if "dialect" not in body:
        raise InvalidInput([Fault("dialect", "required")])
    return named(body["dialect"]).Config.read(body)


@functools.cache
def _loaded(name: str) -> Dialect:
    module = importlib.import_module(f"moorings.dialects.{name}")
    return getattr(module, MODULES[name])()
