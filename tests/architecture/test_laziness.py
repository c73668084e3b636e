"""What the import of one room may bring with it."""

import json
import subprocess
import sys

import pytest

DRIVERS = (
    *("duckdb", "pyarrow", "adbc_driver_manager", "adbc_driver_postgresql", "psycopg", "asyncmy", "redshift_connector"),
    *(
        "snowflake.connector",
        "google.cloud.bigquery",
        "google.auth",
        "botocore",
        "databricks.sql",
        "clickhouse_connect",
    ),
    *("mssql_python", "oracledb", "trino", "pyexasol", "hdbcli"),
)


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after a statement."""
    script = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(answer.stdout))


class TestDriversAreLoadedWhenTheyConnect:
    def test_app_loads_none(self):
        assert not loaded_by("import moorings.app") & set(DRIVERS)

    @pytest.mark.parametrize("driver", DRIVERS)
    def test_the_names_are_those_of_real_modules(self, driver):
        assert driver in loaded_by(f"import {driver}")

    def test_every_dialect_loads_none(self):
        loaded = loaded_by("from moorings import dialects\nfor name in dialects.names(): dialects.named(name)")
        assert not loaded & set(DRIVERS)


class TestTheCommandLineStartsQuickly:
    def test_help_loads_neither_app_nor_storage(self):
        assert not loaded_by("import moorings.cli") & {"sqlalchemy", "starlette", "granian", "pydantic", *DRIVERS}

    def test_app_does_not_load_alembic(self):
        assert "alembic" not in loaded_by("import moorings.app")
