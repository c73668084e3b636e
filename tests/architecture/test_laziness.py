"""What the import of one room may bring with it."""

import json
import subprocess
import sys
from importlib import metadata

import pytest

from moorings import dialects, distribution

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
    return set(json.loads(answer.stdout.splitlines()[-1]))


class TestDriversAreLoadedWhenTheyConnect:
    def test_app_loads_none(self):
        assert not loaded_by("import moorings.app") & set(DRIVERS)

    @pytest.mark.parametrize("driver", DRIVERS)
    def test_the_names_are_those_of_real_modules(self, driver):
        assert driver in loaded_by(f"import {driver}")

    def test_every_dialect_loads_none(self):
        loaded = loaded_by("from moorings import dialects\nfor name in dialects.names(): dialects.named(name)")
        assert not loaded & set(DRIVERS)


class TestScim:
    def test_app_does_not_load_its_library(self):
        libraries = {"scim2_server", "scim2_models", "lark"}
        assert not loaded_by("import moorings.app") & libraries
        assert libraries <= loaded_by("import moorings.api.scim.storage, moorings.api.scim.service")


class TestTheCommandLineStartsQuickly:
    def test_help_loads_neither_app_nor_storage(self):
        assert not loaded_by("import moorings.cli") & {"sqlalchemy", "starlette", "granian", "pydantic", *DRIVERS}

    def test_the_services_commands_load_nothing_of_the_client(self):
        loaded = loaded_by("from moorings.cli import app\ntry: app(['serve', '--help'])\nexcept SystemExit: pass")
        assert not {name for name in loaded if name.startswith("moorings.client")}

    def test_the_clients_commands_load_what_they_need_when_they_run(self):
        loaded = loaded_by("import moorings.client.cli")
        assert not loaded & {"httpx", "rich", "prompt_toolkit", "keyring", "yaml", "pyarrow", *DRIVERS}

    def test_app_does_not_load_alembic(self):
        assert "alembic" not in loaded_by("import moorings.app")


class TestTheClient:
    HEAVY = frozenset({"pyarrow", "pandas", "polars", "pydantic", "msgspec", "prompt_toolkit", "keyring", *DRIVERS})

    def test_loads_nothing_of_the_service_and_no_pyarrow(self):
        # httpx brings its own command line, and rich with it, where that is installed.
        loaded = loaded_by("from moorings.client import AsyncClient, Client")
        rooms = {".".join(name.split(".")[:2]) for name in loaded if name.startswith("moorings.")}
        assert rooms == {"moorings.client"}
        assert not loaded & (self.HEAVY | {"typer"})

    def test_is_not_loaded_before_a_name_of_it_is_used(self):
        assert not loaded_by("import moorings.client") & {"httpx", "rich", *self.HEAVY}

    def test_has_every_name_that_it_lists(self):
        import moorings.client as client

        assert [name for name in client.__all__ if not hasattr(client, name)] == []


WITHOUT_DRIVERS = """
import json, sys
from moorings import dialects
from moorings.dialects.base import SessionContext
from moorings.errors import DriverMissing

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in DRIVERS:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
told, login = {}, {"authentication_type": "bigquery-service-account"}  # where others need a user's sign-in
for dialect in map(dialects.named, dialects.names()):
    if dialect.extra:
        try:
            config = dialect.Config.model_construct(**(login if dialect.name == "bigquery" else {}))
            dialect.connect(config, SessionContext())
        except DriverMissing as missing:
            told[dialect.name] = missing.message
print(json.dumps(told))
"""


class TestAMissingDriver:
    def test_is_told_with_the_command_that_installs_it(self):
        script = f"DRIVERS = {set(DRIVERS)}\n{WITHOUT_DRIVERS}"
        answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
        extras = {name: dialects.named(name).extra for name in dialects.names()}
        assert json.loads(answer.stdout) == {
            name: f"The driver is not installed. Install it with: {distribution.install_command(extra)}"
            for name, extra in extras.items()
            if extra
        }
        assert set(filter(None, extras.values())) <= set(metadata.metadata("moorings").get_all("Provides-Extra") or ())
