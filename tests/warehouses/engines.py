"""The engines that the suite runs against: a row a dialect."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moorings import dialects
from moorings.dialects.base import Dialect
from moorings.dialects.config.connection import ConnectionConfig
from tests.warehouses.athena import server as athena
from tests.warehouses.bigquery import server as bigquery
from tests.warehouses.clickhouse import server as clickhouse
from tests.warehouses.databricks import server as databricks
from tests.warehouses.duckdb import server as files
from tests.warehouses.exasol import server as exasol
from tests.warehouses.mariadb import server as mariadb
from tests.warehouses.mssql import server as mssql
from tests.warehouses.oracle import server as oracle
from tests.warehouses.postgres import server as postgresql
from tests.warehouses.redshift import server as redshift
from tests.warehouses.sap_hana import server as sap_hana
from tests.warehouses.servers.process import SENTINEL, Server
from tests.warehouses.snowflake import server as snowflake
from tests.warehouses.starrocks import server as starrocks
from tests.warehouses.trino import server as trino
from tests.warehouses.under import Under

ENGINES: Sequence[Under] = (
    files.DUCKDB,
    files.MOTHERDUCK,
    postgresql.UNDER,
    postgresql.LAKEBASE,
    redshift.UNDER,
    mariadb.MARIADB,
    mariadb.MYSQL,
    mssql.UNDER,
    oracle.UNDER,
    clickhouse.UNDER,
    trino.UNDER,
    bigquery.UNDER,
    athena.UNDER,
    snowflake.UNDER,
    databricks.UNDER,
    exasol.UNDER,
    sap_hana.UNDER,
    starrocks.UNDER,
)


def under(dialect: str) -> Under:
    """The row of a dialect."""
    return next(row for row in ENGINES if row.dialect == dialect)


class Warehouse:
    """An engine that runs: how to connect, and its other side."""

    def __init__(self, under: Under, server: Server | None, directory: Path) -> None:
        self.under = under
        self.sql = under.sql
        self.server = server
        self.directory = directory
        self.dialect: Dialect = dialects.named(under.dialect)
        outside = under.outside(server, directory)
        self.ask, self.running = outside.ask, outside.running
        self.sessions, self.kill = outside.sessions, outside.kill
        self.statements, self.tagged = outside.statements, outside.tagged

    def config(self, **changes: Any) -> ConnectionConfig:
        """The Config that works, with changes by their names on the wire; None leaves a field out."""
        return self.dialect.Config.read(self.body(**changes))

    def body(self, **changes: Any) -> dict[str, Any]:
        """The same as a request has it."""
        body: dict[str, Any] = {"dialect": self.under.dialect, "name": "tested"}
        if self.server is None:
            body |= {"database": "tested.duckdb", "passwordUnencrypted": SENTINEL}
        else:
            body |= {"host": self.server.host, "port": self.server.port, "passwordUnencrypted": self.server.password}
            body |= {"username": self.server.username, "database": self.server.database}
            body |= self.under.body(self.server)
        return {key: value for key, value in (body | changes).items() if value is not None}

    @property
    def settings(self) -> dict[str, Any]:
        """The operator's settings that its connections need."""
        return dict(self.under.settings(self.server)) if self.server else {}

    def lacks(self, *abilities: str) -> bool:
        """Whether the engine is without one of these abilities."""
        return any(ability in self.under.lacks for ability in abilities)
