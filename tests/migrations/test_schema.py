"""The schema that Alembic makes: the one the models describe, made once, never from the future."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

import moorings.app  # noqa: F401  # every model of the service
from moorings import migrations
from moorings.db import Base
from moorings.errors import OperatorError
from moorings.migrations import freshness

USER = "id, organization_id, email, name, organization_role, created_at"
KEY = "id, organization_id, user_id, name, origin, token_hash, created_at"
NOT_OURS = {"alembic_version", "freshness"}


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, as the service addresses it."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'moorings.db'}"
    return request.getfixturevalue("new_database")().replace("postgresql://", "postgresql+asyncpg://")


def looking(url: str, look: Any) -> Any:
    """What `look` answers on a connection of another driver than the service's."""
    engine = create_engine(url.replace("+aiosqlite", "").replace("+asyncpg", "+psycopg"))
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA foreign_keys=ON")
            return look(connection)
    finally:
        engine.dispose()


def differences(connection: Connection) -> list[Any]:
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _: not (kind == "table" and name in NOT_OURS),
    }
    return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)


def checks(connection: Connection) -> set[tuple[str, str]]:
    """Alembic compares no CHECKs: the names of those that the database has."""
    return {
        (table, str(check["name"]))
        for table in Base.metadata.tables
        for check in inspect(connection).get_check_constraints(table)
    }


class TestSchema:
    def test_is_the_one_of_the_models(self, url):
        migrations.migrate(url)
        assert looking(url, differences) == []

    def test_has_the_checks_of_the_models(self, url):
        migrations.migrate(url)
        modelled = {
            (table.name, str(constraint.name))
            for table in Base.metadata.tables.values()
            for constraint in table.constraints
            if type(constraint).__name__ == "CheckConstraint"
        }
        assert modelled
        assert looking(url, checks) == modelled

    def test_has_a_difference_that_would_be_seen(self, url):
        migrations.migrate(url)
        looking(url, lambda connection: connection.execute(text("ALTER TABLE users ADD COLUMN nickname TEXT")))
        assert [difference[0] for difference in looking(url, differences)] == ["remove_column"]

    def test_every_table_of_sqlite_is_strict(self, tmp_path):
        migrations.migrate(f"sqlite+aiosqlite:///{tmp_path / 'moorings.db'}")
        with sqlite3.connect(tmp_path / "moorings.db") as connection:
            strict = dict(connection.execute("SELECT name, strict FROM pragma_table_list WHERE type = 'table'"))
            assert {name: strict[name] for name in Base.metadata.tables} == dict.fromkeys(Base.metadata.tables, 1)
            with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT"):
                connection.execute("INSERT INTO organizations VALUES ('1', 'n', 'yesterday')")
        connection.close()

    def test_names_an_organization_in_every_owned_table(self):
        free = {"organizations", "installation"}
        owned = [table for table in Base.metadata.tables.values() if table.name not in free]
        assert [table.name for table in owned if table.c.organization_id.nullable] == []


class TestFreshness:
    """A change of what processes keep in memory is counted: rights and connections apart from health."""

    RIGHTS = ("moorings.access", "moorings.connections", "moorings.environments")
    NO_RIGHT = frozenset({"installation", "repeatable_requests", "api_key_uses"})

    def test_every_such_table_is_watched(self, url):
        tables = {
            str(mapper.local_table.key)
            for mapper in Base.registry.mappers
            if mapper.class_.__module__.startswith(self.RIGHTS)
        }
        assert set(freshness.WATCHED) == tables - self.NO_RIGHT
        migrations.migrate(url)
        assert looking(url, self._watched) >= {(table, 3) for table in (*freshness.WATCHED, *freshness.SHOWN)}

    def _watched(self, connection: Connection) -> set[tuple[str, int]]:
        """Each table with triggers that touch the row, and how many of INSERT, UPDATE and DELETE they watch."""
        if connection.dialect.name == "sqlite":
            sql = "SELECT tbl_name, count(*) FROM sqlite_master WHERE name LIKE 'touch_freshness%' GROUP BY 1"
        else:
            sql = (
                "SELECT event_object_table, count(*) FROM information_schema.triggers"
                " WHERE trigger_name = 'touch_freshness' GROUP BY 1"
            )
        return {(table, number) for table, number in connection.execute(text(sql))}

    def test_a_change_is_counted(self, url):
        migrations.migrate(url)

        def version(connection: Connection) -> Any:
            return connection.execute(text("SELECT changed_by FROM freshness")).scalar()

        before = looking(url, version)
        looking(url, lambda connection: connection.execute(text("INSERT INTO organizations VALUES ('1', 'n', 5)")))
        between = looking(url, version)
        looking(url, lambda connection: connection.execute(text("UPDATE organizations SET name = 'm'")))
        assert len({before, between, looking(url, version)}) == 3

    def test_a_table_that_is_made_anew_is_watched_again(self, tmp_path):
        """SQLite drops a table's triggers with the table."""
        url = f"sqlite+aiosqlite:///{tmp_path / 'moorings.db'}"
        migrations.migrate(url)
        for statement in (
            "DROP TRIGGER touch_freshness_users_update",
            "UPDATE alembic_version SET version_num = '0008'",
            "DROP TABLE cancel_requests",
        ):
            looking(url, lambda connection, statement=statement: connection.execute(text(statement)))
        looking(url, lambda connection: connection.execute(text("DROP TABLE freshness")))
        migrations.migrate(url)
        assert ("users", 3) in looking(url, self._watched)


class TestRevisions:
    def test_head_is_the_newest_script(self):
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]

    def test_a_second_time_changes_nothing(self, url):
        migrations.migrate(url)
        looking(url, lambda connection: connection.execute(text("INSERT INTO organizations VALUES ('1', 'n', 5)")))
        migrations.migrate(url)
        assert looking(url, lambda connection: connection.execute(text("SELECT name FROM organizations")).all())

    def test_a_newer_schema_is_refused_and_left_alone(self, url):
        migrations.migrate(url)
        newer = text("UPDATE alembic_version SET version_num = '9999'")
        looking(url, lambda connection: connection.execute(newer))
        with pytest.raises(OperatorError, match=re.escape("schema (9999) is newer")) as refused:
            migrations.migrate(url)
        assert "\n" not in refused.value.message
        stored = looking(url, lambda connection: connection.execute(text("SELECT * FROM alembic_version")).all())
        assert stored == [("9999",)]

    def test_a_migration_that_breaks_off_leaves_nothing(self, url, monkeypatch):
        looking(url, lambda connection: connection.execute(text("CREATE TABLE running_queries (id TEXT)")))
        with pytest.raises(OperatorError, match="already exists") as refused:
            migrations.migrate(url)
        assert "\n" not in refused.value.message
        assert looking(url, lambda connection: set(inspect(connection).get_table_names())) == {"running_queries"}

    def test_from_several_processes_at_once_it_runs_once(self, url):
        script = "import sys; from moorings.migrations import migrate; migrate(sys.argv[1])"
        command = [sys.executable, "-c", script, url]
        together = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
        ended = [(process.communicate(timeout=60)[1], process.returncode) for process in together]
        assert ended == [("", 0)] * 4
        assert looking(url, differences) == []


class TestSidesOfEnvironments:
    """From 0002 to 0003."""

    def test_what_stands_on_both_sides_loses_its_environments_and_all_else_stays(self, url, monkeypatch):
        with monkeypatch.context() as patched:
            patched.setattr(migrations, "HEAD", "0002")
            migrations.migrate(url)
        rows = (
            "INSERT INTO organizations VALUES ('o', 'n', 0)",
            *(
                "INSERT INTO connections (id, organization_id, name, dialect, base_role, settings, config_version,"
                f" revision, created_at, updated_at) VALUES ('{name}', 'o', 'n', 'd', 0, '{{}}', 1, 1, 0, 0)"
                for name in ("base", "middle", "below", "alone")
            ),
            "INSERT INTO connection_environments VALUES ('kept', 'o', 'base', 'middle', 5)",
            "INSERT INTO connection_environments VALUES ('nested', 'o', 'middle', 'below', 6)",
            "INSERT INTO environment_values VALUES ('v', 'o', 'base', 'kept', 'dev', 0)",
            "INSERT INTO environment_values VALUES ('w', 'o', 'middle', 'nested', 'dev', 0)",
        )
        for row in rows:
            looking(url, lambda connection, row=row: connection.execute(text(row)))
        migrations.migrate(url)
        stored = {
            "SELECT id, base_connection_id, connection_id, dialect, created_at FROM connection_environments": [
                ("kept", "base", "middle", "d", 5)
            ],
            "SELECT id, side FROM connections ORDER BY id": [
                ("alone", None),
                ("base", "base"),
                ("below", None),
                ("middle", "environment"),
            ],
            "SELECT id, environment_id FROM environment_values": [("v", "kept")],
        }
        for question, answer in stored.items():
            assert (
                looking(url, lambda connection, requested=question: connection.execute(text(requested)).all()) == answer
            )
        assert looking(url, differences) == []


class TestPeople:
    def test_users_from_before_are_found_in_any_case_and_emails_that_differ_in_case_only_stay(self, url, monkeypatch):
        with monkeypatch.context() as earlier:
            earlier.setattr(migrations, "HEAD", "0002")
            migrations.migrate(url)
        looking(url, lambda connection: connection.execute(text("INSERT INTO organizations VALUES ('o', 'n', 0)")))
        for number, email in enumerate(("Änn@Example.com", "änn@example.com", "bob@example.com")):
            row = text(f"INSERT INTO users ({USER}) VALUES ('{number}', 'o', :email, 'Nämé', 'MEMBER', {number})")
            looking(url, lambda connection, row=row, email=email: connection.execute(row, {"email": email}))
        migrations.migrate(url)
        keys = text("SELECT email, email_key, name_key FROM users ORDER BY id")
        assert looking(url, lambda connection: connection.execute(keys).all()) == [
            ("Änn@Example.com", "änn@example.com", "nämé"),
            ("änn@example.com", None, "nämé"),
            ("bob@example.com", "bob@example.com", "nämé"),
        ]


class TestTlsOfConnections:
    """From 0009 to 0010."""

    def test_connections_without_a_mode_keep_the_one_that_they_had(self, url, monkeypatch):
        with monkeypatch.context() as patched:
            patched.setattr(migrations, "HEAD", "0009")
            migrations.migrate(url)
        own = '"ssl_root_cert": "-----BEGIN CERTIFICATE-----"'
        rows = {  # id → dialect, settings, deleted_at
            "absent": ("postgres", '{"port": 5432}', "NULL"),
            "archived": ("postgres", '{"ssl_mode": null}', "7"),
            "chosen": ("postgres", '{"ssl_mode": "verify-full"}', "NULL"),
            "mysql": ("mysql", "{}", "NULL"),
            "mariadb": ("mariadb", "{}", "NULL"),
            "starrocks": ("starrocks", "{}", "NULL"),
            "redshift": ("redshift", "{}", "NULL"),
            "snowflake": ("snowflake", "{}", "NULL"),
            "lakebase": ("databricks_lakebase", '{"ssl_mode": "require"}', "NULL"),
            "lakebase_own": ("databricks_lakebase", f'{{"ssl_mode": "require", {own}}}', "NULL"),
            "lakebase_plain": ("databricks_lakebase", '{"ssl_mode": "prefer"}', "NULL"),
        }
        looking(url, lambda connection: connection.execute(text("INSERT INTO organizations VALUES ('o', 'n', 0)")))
        for name, (dialect, settings, deleted_at) in rows.items():
            row = text(
                "INSERT INTO connections (id, organization_id, name, dialect, base_role, settings, config_version,"
                " revision, created_at, updated_at, deleted_at)"
                f" VALUES ('{name}', 'o', 'n', '{dialect}', 0, :settings, 1, 1, 0, 0, {deleted_at})"
            )
            looking(url, lambda connection, row=row, settings=settings: connection.execute(row, {"settings": settings}))
        migrations.migrate(url)
        stored = looking(url, lambda connection: connection.execute(text("SELECT id, settings FROM connections")).all())
        assert {name: json.loads(settings).get("ssl_mode") for name, settings in stored} == {
            **dict.fromkeys(("absent", "archived", "mysql", "mariadb", "starrocks", "lakebase_plain"), "prefer"),
            **dict.fromkeys(("chosen", "lakebase"), "verify-full"),
            **dict.fromkeys(("redshift", "snowflake"), None),
            "lakebase_own": "require",
        }
        assert dict(stored)["absent"] == '{"port":5432,"ssl_mode":"prefer"}'


class TestPromisesTheDatabaseKeeps:
    @pytest.fixture
    def migrated(self, url: str) -> str:
        migrations.migrate(url)
        rows = (
            "INSERT INTO organizations VALUES ('o', 'n', 0)",
            *(
                "INSERT INTO connections (id, organization_id, name, dialect, base_role, settings, config_version,"
                f" revision, created_at, updated_at) VALUES ('{name}', 'o', 'n', 'd', 0, '{{}}', 1, 1, 0, 0)"
                for name in "ab"
            ),
            "UPDATE connections SET side = 'base' WHERE id = 'a'",
            "UPDATE connections SET side = 'environment' WHERE id = 'b'",
            (
                "INSERT INTO connection_environments (id, organization_id, base_connection_id, connection_id, dialect,"
                " base_side, side, created_at) VALUES ('e', 'o', 'a', 'b', 'd', 'base', 'environment', 0)"
            ),
            "INSERT INTO environment_values VALUES ('v', 'o', 'a', NULL, 'prod', 0)",
            f"INSERT INTO users ({USER}, email_key) VALUES ('u', 'o', 'e', 'n', 'MEMBER', 0, 'e')",
            "INSERT INTO user_groups VALUES ('g', 'o', 'g', 'g', NULL, 0, NULL)",
            "INSERT INTO user_group_members VALUES ('m', 'o', 'g', 'u', 0)",
            "INSERT INTO group_roles VALUES ('r', 'o', 'a', 'g', 3, 0, NULL)",
            f"INSERT INTO api_keys ({KEY}) VALUES ('k', 'o', NULL, 'n', 'bootstrap', CAST('h' AS BYTES), 0)",
        )
        for row in rows:
            looking(url, lambda connection, row=row: connection.execute(text(_spelled(row, url))))
        return url

    @pytest.mark.parametrize(
        "broken",
        [
            "INSERT INTO environment_values VALUES ('w', 'o', 'a', NULL, 'prod', 1)",
            "UPDATE connection_environments SET connection_id = 'a'",
            "UPDATE connection_environments SET base_connection_id = 'b', connection_id = 'a'",
            "UPDATE connection_environments SET side = 'base'",
            "UPDATE connection_environments SET dialect = 'another'",
            "UPDATE connections SET side = 'environment' WHERE id = 'a'",
            "UPDATE connections SET side = NULL WHERE id = 'b'",
            "UPDATE connections SET side = 'both'",
            "UPDATE connections SET dialect = 'another' WHERE id = 'b'",
            f"INSERT INTO api_keys ({KEY}) VALUES ('l', 'o', NULL, 'n', 'bootstrap', CAST('i' AS BYTES), 0)",
            f"INSERT INTO api_keys ({KEY}) VALUES ('l', 'o', NULL, 'n', 'created', CAST('h' AS BYTES), 0)",
            f"INSERT INTO users ({USER}) VALUES ('w', 'o', 'f', 'n', 'KING', 0)",
            f"INSERT INTO users ({USER}, email_key) VALUES ('w', 'o', 'E', 'n', 'MEMBER', 0, 'e')",
            "INSERT INTO user_groups VALUES ('h', 'o', 'G', 'g', NULL, 0, NULL)",
            "INSERT INTO user_group_members VALUES ('n', 'o', 'g', 'u', 0)",
            "INSERT INTO group_roles VALUES ('s', 'o', 'a', 'g', 3, 0, NULL)",
            "INSERT INTO group_roles VALUES ('s', 'o', 'b', 'g', 6, 0, NULL)",
            "UPDATE connections SET base_role = 6",
            "UPDATE connections SET organization_id = NULL",
        ],
    )
    def test_are_kept_whatever_the_code_does(self, migrated, broken):
        with pytest.raises(DBAPIError):
            looking(migrated, lambda connection: connection.execute(text(_spelled(broken, migrated))))


def _spelled(statement: str, url: str) -> str:
    return statement.replace("BYTES", "BLOB" if url.startswith("sqlite") else "BYTEA")


class TestFoldedNames:
    """From 0015 to 0016."""

    def test_names_of_old_connections_are_found(self, url, monkeypatch):
        with monkeypatch.context() as patched:
            patched.setattr(migrations, "HEAD", "0015")
            migrations.migrate(url)
        looking(url, lambda connection: connection.execute(text("INSERT INTO organizations VALUES ('o', 'n', 0)")))
        insert = text(
            "INSERT INTO connections (id, organization_id, name, dialect, database, base_role, settings,"
            " config_version, revision, created_at, updated_at)"
            " VALUES ('c', 'o', 'İstanbul', 'postgres', :database, 1, '{}', 1, 1, 0, 0)"
        )
        looking(url, lambda connection: connection.execute(insert, {"database": "Cafe\u0301"}))
        migrations.migrate(url)
        keys = text("SELECT name_key, database_key FROM connections")
        assert looking(url, lambda connection: connection.execute(keys).one()) == ("istanbul", "caf\u00e9")
