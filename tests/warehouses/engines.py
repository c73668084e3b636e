"""The engines that the suite runs against: a row a dialect."""

from __future__ import annotations

from collections.abc import Sequence

from moorings.testing.engines import Under
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
from tests.warehouses.snowflake import server as snowflake
from tests.warehouses.starrocks import server as starrocks
from tests.warehouses.trino import server as trino

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
