"""Profiles against dbt itself: it parses them, connects with them, and builds a table where they say.

dbt-core with dbt-postgres and dbt-duckdb, in an environment of their own, run as a user runs them. What the other
adapters take is held in a table of the dialects' own tests, and proven by nothing here.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from moorings.testing.engines import Server
from tests.warehouses.servers.process import unavailable

DBT = Path(".engines/dbt/bin/dbt").resolve()
PROJECT = """
name: moorings_test
version: "1.0"
profile: moorings
flags: {send_anonymous_usage_stats: false, use_colors: false}
"""
TRICKY = "p{{ 1 }}{% raw %}{# x #}: \"'\\ ö\U0001f600 #\t"


class Dbt:
    """A dbt project with one model, for one profile."""

    def __init__(self, folder: Path, profile: str, **secrets: str) -> None:
        self.folder = folder
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "DO_NOT_TRACK": "1"} | secrets
        (folder / "models").mkdir()
        (folder / "dbt_project.yml").write_text(PROJECT)
        (folder / "profiles.yml").write_text(profile)
        (folder / "models" / "built.sql").write_text("{{ config(materialized='table') }} select 42 as answer")

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [DBT, "--no-version-check", *command, "--profiles-dir", self.folder, "--project-dir", self.folder],
            check=False,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def dbt(tmp_path: Path) -> Callable[..., Dbt]:
    if not DBT.exists():
        unavailable("dbt", "MOORINGS_TEST_REQUIRE=all sh scripts/engines.sh")
    return lambda profile, **secrets: Dbt(tmp_path, profile, **secrets)


@pytest.fixture(scope="module")
def service(serve: Any) -> Any:
    """A service whose operator enabled profiles with secrets."""
    return serve(dbt_secrets=True)


def profile(service: Any, connection: str, method: str = "GET") -> str:
    answer = service.request(method, f"/connections/{connection}/dbt/profile")
    assert answer.status_code == 200, answer.text
    return answer.text


def environment(service: Any, connection: str, **body: Any) -> None:
    answer = service.request("POST", f"/connections/{connection}/dbt/environments", json={"name": "e"} | body)
    assert answer.status_code == 201, answer.text


@pytest.fixture
def postgres(service: Any, postgres_server: Server) -> str:
    made = service.create(
        host=postgres_server.host,
        port=postgres_server.port,
        database=postgres_server.database,
        username=postgres_server.username,
        passwordUnencrypted=postgres_server.password,
    )
    environment(service, made, targetSchema="built by dbt", targetName="ci {{ 1 }}")
    return made


def answer(service: Any, connection: str, sql: str) -> Any:
    found = service.request(
        "POST", f"/connections/{connection}/query", json={"sql": sql}, headers={"accept": "application/json"}
    )
    assert found.status_code == 200, found.text
    return found.json()["rows"]


class TestPostgres:
    def test_dbt_builds_with_the_secrets_of_its_own_environment(self, service, postgres, postgres_server, dbt):
        text = profile(service, postgres)
        assert postgres_server.password not in text
        project = dbt(text, DBT_ENV_SECRET_PASSWORD=postgres_server.password)
        assert "Connection test: [OK connection ok]" in project.run("debug")
        project.run("run")
        assert answer(service, postgres, 'SELECT answer FROM "built by dbt".built') == [[42]]

    def test_dbt_builds_with_the_secrets_of_the_profile(self, service, postgres, dbt):
        assert "Connection test: [OK connection ok]" in dbt(profile(service, postgres, "POST")).run("debug")

    def test_dbt_reads_every_text_as_it_was_written(self, service, dbt, tmp_path):
        connection = service.create(username=TRICKY, database=TRICKY, passwordUnencrypted=TRICKY, defaultSchema=TRICKY)
        dbt(profile(service, connection, "POST"))
        reading = (
            "import json, sys; from dbt.cli.main import dbtRunner; from dbt.config.runtime import load_profile;"
            "from dbt.flags import set_from_args; from argparse import Namespace;"
            "from dbt_common.context import set_invocation_context; set_invocation_context({});"
            "set_from_args(Namespace(profiles_dir=sys.argv[1], project_dir=sys.argv[1]), None);"
            "found = load_profile(sys.argv[1], {}).credentials;"
            "print(json.dumps([found.user, found.database, found.password, found.schema]))"
        )
        python = DBT.with_name("python")
        read = subprocess.run([python, "-c", reading, tmp_path], check=True, capture_output=True, text=True, timeout=60)
        assert json.loads(read.stdout.splitlines()[-1]) == [TRICKY] * 4


class TestDuckDB:
    def test_dbt_builds_in_the_file(self, service, dbt, tmp_path):
        connection = service.create(dialect="duckdb", database="shop.duckdb", readOnly=False)
        environment(service, connection, targetSchema="built")
        project = dbt(profile(service, connection))
        assert "Connection test: [OK connection ok]" in project.run("debug")
        project.run("run")
        with duckdb.connect(str(tmp_path / "shop.duckdb"), read_only=True) as made:
            assert made.execute("SELECT answer FROM built.built").fetchall() == [(42,)]
