"""`moorings doctor --upgrade`: what an installation of an earlier version has to change, without a change to it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from moorings import migrations
from moorings.cli import upgrade
from moorings.db import Database
from moorings.secrets import Keyset
from moorings.settings import Settings
from tests.terminal import Terminal

GOOD = {"host": "10.0.0.7", "port": 5432, "username": "u", "ssl_mode": "require"}
EARLIER = "0008"


class Earlier:
    """An installation as an earlier version left it."""

    def __init__(self, terminal: Terminal, database_url: str | None = None) -> None:
        self.terminal = terminal
        self.given = {"DATABASE_URL": database_url} if database_url else {}
        terminal.data.mkdir(mode=0o700)
        self.settings = Settings(_env_file=None, data_dir=terminal.data, database_url=database_url)
        self.keyset = Keyset.make(self.settings.keyset_path)
        migrations.migrate(self.settings.database)
        if not database_url:
            (terminal.data / "moorings.db").chmod(0o600)
        self.write("INSERT INTO organizations VALUES ('o', 'n', 0)")

    def write(self, sql: str, **values: Any) -> None:
        async def writing() -> None:
            database = Database(self.settings.database)
            try:
                async with database.unit_of_work() as session:
                    await session.execute(text(sql), values)
            finally:
                await database.close()

        asyncio.run(writing())

    def connection(self, name: str, dialect: str = "postgres", password: str | None = None, **settings: Any) -> str:
        connection_id = str(uuid.uuid4())
        self.write(
            "INSERT INTO connections (id, organization_id, name, dialect, database, base_role, settings,"
            " config_version, revision, created_at, updated_at)"
            " VALUES (:id, 'o', :name, :dialect, 'd', 1, :settings, 1, 1, 0, 0)",
            id=connection_id,
            name=name,
            dialect=dialect,
            settings=json.dumps(settings),
        )
        if password is not None:
            row = str(uuid.uuid4())
            sealed = self.keyset.seal(password, table="connection_secrets", column="sealed", row=row)
            self.write(
                "INSERT INTO connection_secrets VALUES (:row, 'o', :connection, 'password', :sealed, 0)",
                row=row,
                connection=connection_id,
                sealed=sealed.ciphertext,
            )
        return connection_id

    def doctor(self, **settings: Any) -> tuple[int, list[str]]:
        looked = self.terminal.run("doctor", "--upgrade", **self.given, **settings)
        assert looked.stderr == ""
        return looked.returncode, looked.stdout.splitlines()


@pytest.fixture(autouse=True)
def _no_variables_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (*upgrade.PROXIES, *upgrade.AUTHORITIES):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(params=["sqlite", "postgres"])
def earlier(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Earlier:
    monkeypatch.setattr(migrations, "HEAD", EARLIER)
    url = request.getfixturevalue("new_database")() if request.param == "postgres" else None
    return Earlier(Terminal(tmp_path), url)


class TestUpgrade:
    def test_nothing_to_change(self, earlier: Earlier):
        earlier.connection("good", **GOOD)
        assert earlier.doctor() == (0, ["ok      nothing that is stored or set is refused by this version"])

    def test_nothing_stored_yet(self, tmp_path: Path):
        looked = Terminal(tmp_path).run("doctor", "--upgrade")
        assert (looked.returncode, list(tmp_path.iterdir())) == (0, [])

    @pytest.mark.parametrize("host", ["/tmp/sockets", "db.example.com:5432", "user@db", "0x7f000001", "a,b"])
    def test_a_host_that_is_none(self, earlier: Earlier, host: str):
        connection_id = earlier.connection("old", **(GOOD | {"host": host}))
        code, (line,) = earlier.doctor()
        assert code == 1
        assert line.startswith(f'CHANGE  connection {connection_id} "old": host: Only ') or "IPv4" in line
        assert line.endswith(f"Send host and the connection's secrets with PATCH /api/v1/connections/{connection_id}.")

    @pytest.mark.parametrize(
        ("host", "settings", "says"),
        [
            ("169.254.169.254", {}, "Moorings never connects to such an address. Change the connection's host."),
            ("127.0.0.1", {"HOST": "0.0.0.0"}, "MOORINGS_EGRESS_ALLOW. Or change the connection's host."),
            ("10.0.0.7", {"EGRESS_DENY": "10.0.0.0/8"}, "MOORINGS_EGRESS_DENY. Or change the connection's host."),
        ],
    )
    def test_an_address_that_egress_refuses(self, earlier: Earlier, host: str, settings: Any, says: str):
        connection_id = earlier.connection("far", **(GOOD | {"host": host}))
        code, (line,) = earlier.doctor(**settings)
        assert (code, connection_id in line, line.endswith(says)) == (1, True, True), line

    def test_a_name_that_does_not_resolve_is_not_judged(self, earlier: Earlier):
        earlier.connection("down", **(GOOD | {"host": "nowhere.invalid"}))
        assert earlier.doctor()[0] == 0

    def test_a_mode_of_tls_that_the_upgrade_writes(self, earlier: Earlier):
        absent = {key: value for key, value in GOOD.items() if key != "ssl_mode"}
        first = earlier.connection("a", **absent)
        second = earlier.connection("b", "databricks_lakebase", **(GOOD | {"ssl_mode": "require"}))
        earlier.connection("c", "clickhouse", **absent)
        code, (one, two) = earlier.doctor()
        assert code == 1
        assert f'connection {first} "a": sslMode is absent, and the upgrade sets it to prefer.' in one
        assert f'connection {second} "b": sslMode is require, and the upgrade sets it to verify-full.' in two

    def test_a_credential_file_outside_of_the_listed_directories(self, earlier: Earlier, tmp_path: Path):
        source = json.dumps({"type": "external_account", "credential_source": {"file": f"{tmp_path}/in/../token"}})
        connection_id = earlier.connection("bq", "bigquery", source, authentication_type="x")
        code, (line,) = earlier.doctor(CREDENTIAL_DIRS=tmp_path / "in")
        assert (code, connection_id in line, "outside of MOORINGS_CREDENTIAL_DIRS" in line) == (1, True, True), line
        assert "token" not in line.replace("credential", "")
        assert earlier.doctor(CREDENTIAL_DIRS=tmp_path)[0] == 0

    def test_files_that_others_can_read_and_a_token_in_the_environment(self, earlier: Earlier):
        earlier.settings.keyset_path.chmod(0o644)
        code, lines = earlier.doctor(BOOTSTRAP_TOKEN="x" * 20)
        assert (code, len(lines)) == (1, 2)
        assert lines[0].startswith(f"CHANGE  file {earlier.settings.keyset_path}: ")
        assert lines[1].startswith("CHANGE  setting MOORINGS_BOOTSTRAP_TOKEN: ")
        assert "x" * 20 not in lines[1]

    def test_a_proxy_and_an_authority_of_the_shell_are_notes(self, earlier: Earlier, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("https_proxy", "http://u:s3cret@proxy:3128")
        monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/corporate.pem")
        code, (proxy, authority, ok) = earlier.doctor()
        assert (code, ok[:2]) == (0, "ok")
        assert (proxy[:8], "set MOORINGS_HTTPS_PROXY" in proxy, "s3cret" in proxy) == ("note    ", True, False)
        assert ("SSL_CERT_FILE" in authority, "set MOORINGS_CA_BUNDLE" in authority) == (True, True)
        code, lines = earlier.doctor(HTTPS_PROXY="http://proxy:3128", CA_BUNDLE=__file__)
        assert (code, len(lines)) == (0, 1), lines

    def test_a_role_of_athena_without_a_key(self, earlier: Earlier):
        role = {"region": "eu-west-1", "aws_role_arn": "arn:aws:iam::123456789012:role/x"}
        connection_id = earlier.connection("role", "athena", **role, authentication_type="aws-cross-account-role")
        earlier.connection("key", "athena", "secret", **role, username="AKIA")
        code, (line,) = earlier.doctor()
        assert (code, connection_id in line, "Set MOORINGS_AWS_ACCESS_KEY_ID" in line) == (1, True, True), line
        assert earlier.doctor(AWS_ACCESS_KEY_ID="AKIA", AWS_SECRET_ACCESS_KEY="s")[0] == 0

    def test_a_profile_of_dbt_with_secrets(self, earlier: Earlier):
        connection_id = earlier.connection("dbt", **GOOD)
        earlier.write(
            "INSERT INTO dbt_repositories (id, organization_id, connection_id, ssh_url, branch, dbt_version,"
            " autogen_relationships, enable_semantic_layer, enable_virtual_schemas, created_at, updated_at)"
            " VALUES ('r', 'o', :id, 's', 'b', 'Auto', 0, 0, 0, 0, 0)",
            id=connection_id,
        )
        code, (line,) = earlier.doctor()
        assert (code, connection_id in line, "MOORINGS_DBT_SECRETS=true" in line) == (1, True, True)
        assert earlier.doctor(DBT_SECRETS="true")[0] == 0

    def test_another_keyset_is_said(self, earlier: Earlier, tmp_path: Path):
        earlier.connection("secret", password="p", **GOOD)
        Keyset.make(tmp_path / "other.json")
        code, lines = earlier.doctor(KEYSET=tmp_path / "other.json")
        assert (code, lines[0].startswith("note    secrets were not looked at: ")) == (0, True)

    def test_changes_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(migrations, "HEAD", EARLIER)
        earlier = Earlier(Terminal(tmp_path))
        earlier.connection("old", **(GOOD | {"host": "/tmp"}))
        file = tmp_path / "data" / "moorings.db"
        before = hashlib.sha256(file.read_bytes()).digest()
        assert earlier.doctor()[0] == 1
        assert hashlib.sha256(file.read_bytes()).digest() == before
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(EARLIER,)]

    def test_holds_for_the_newest_schema_too(self, tmp_path: Path):
        earlier = Earlier(Terminal(tmp_path))
        earlier.connection("old", **(GOOD | {"host": "/tmp"}))
        absent = {key: value for key, value in GOOD.items() if key != "ssl_mode"}
        earlier.connection("absent", **absent)
        code, lines = earlier.doctor()
        assert (code, len(lines)) == (1, 1)


class TestDoctor:
    def test_lists_the_rules_for_outgoing_connections(self, tmp_path: Path):
        looked = Terminal(tmp_path).run("doctor", EGRESS_DENY="10.0.0.0/8")
        assert "ok    egress: denied by MOORINGS_EGRESS_DENY: 10.0.0.0/8" in looked.stdout
