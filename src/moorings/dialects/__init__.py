"""The dialects by name, loaded when first asked for: importing this loads no driver and builds no model.

Ours are listed here; other packages bring theirs by entry points.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from moorings.errors import Fault, InvalidInput, OperatorError, UnknownDialect

if TYPE_CHECKING:
    from moorings.dialects.base import Dialect
    from moorings.dialects.config.connection import ConnectionConfig

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
"""A dialect's name, which is also its module's name → the name of its class in that module."""

GROUP = "moorings.dialects"
"""The group of entry points by which other packages bring dialects: `name = "package.module:Class"`."""


def names() -> tuple[str, ...]:
    """Every dialect's name: the published API's, ours, then those of other packages."""
    return (*MODULES, *(name for name in _brought() if name not in MODULES))


def named(name: object) -> Dialect:
    """The dialect of this name; raises UnknownDialect for anything else, whatever its type."""
    if not isinstance(name, str) or name not in names():
        raise UnknownDialect
    return _loaded(name)


def read(body: Mapping[str, Any]) -> ConnectionConfig:
    """The Config of a request body; `dialect` selects its class.

    Raises InvalidInput when `dialect` is missing, UnknownDialect, or the errors of `ConnectionConfig.read`.
    """
    if "dialect" not in body:
        raise InvalidInput([Fault("dialect", "required")])
    return named(body["dialect"]).Config.read(body)


@functools.cache
def _brought() -> Mapping[str, EntryPoint]:
    """The entry points of installed packages, by name; none of them is imported yet."""
    return {point.name: point for point in entry_points(group=GROUP)}


@functools.cache
def _loaded(name: str) -> Dialect:
    if name in MODULES:
        return getattr(importlib.import_module(f"moorings.dialects.{name}.dialect"), MODULES[name])()
    try:
        return _brought()[name].load()()
    except Exception as error:
        place = _brought()[name].value
        raise OperatorError(f"the dialect {name} cannot be loaded from {place}: {error}") from error
