"""Outputs of dbt's profiles.yml as fields, and files of variables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moorings.client.cli import dbt
from moorings.client.cli.locations import Unreadable

OUTPUTS = {
    "postgres": (
        "host: h\nport: 5432\nuser: u\npass: p\ndbname: d\nschema: s",
        "postgres",
        {"host": "h", "port": 5432, "username": "u", "passwordUnencrypted": "p", "database": "d", "defaultSchema": "s"},
    ),
    "snowflake": (
        "account: a\nuser: u\nprivate_key: k\nwarehouse: w\ndatabase: d\nrole: r",
        "snowflake",
        {
            "host": "a",
            "username": "u",
            "privateKey": "k",
            "warehouse": "w",
            "database": "d",
            "authenticationType": "snowflake-keypair",
        },
    ),
    "databricks": (
        "host: h\nhttp_path: /sql/1\nclient_id: i\nclient_secret: c\ncatalog: m",
        "databricks",
        {
            "host": "h",
            "warehouse": "/sql/1",
            "username": "i",
            "passwordUnencrypted": "c",
            "database": "m",
            "authenticationType": "databricks-oauth-m2m",
        },
    ),
    "duckdb": ("path: md:shop", "motherduck", {"database": "shop"}),
    "clickhouse": (
        "host: h\nuser: u\nschema: d\nsecure: false",
        "clickhouse",
        {"host": "h", "username": "u", "database": "d", "sslMode": "disable"},
    ),
    "exasol": (
        "dsn: h:8563\nuser: u\npassword: p\nschema: s",
        "exasol",
        {"host": "h", "port": 8563, "username": "u", "passwordUnencrypted": "p", "defaultSchema": "s"},
    ),
    "athena": (
        "region_name: r\ns3_staging_dir: s3://b\ndatabase: c\nschema: s",
        "athena",
        {"region": "r", "resultsLocation": "s3://b", "database": "c", "defaultSchema": "s"},
    ),
}


def written(folder: Path, adapter: str, output: str) -> Path:
    lines = "".join(f"      {line}\n" for line in [f"type: {adapter}", *output.splitlines()])
    (folder / "profiles.yml").write_text(f"config: {{}}\nshop:\n  target: dev\n  outputs:\n    dev:\n{lines}")
    return folder


class TestRead:
    @pytest.mark.parametrize("adapter", OUTPUTS)
    def test_adapter(self, tmp_path, adapter):
        output, dialect, fields = OUTPUTS[adapter]
        found = dbt.read(written(tmp_path, adapter, output), {})
        assert (found.dialect, found.fields, found.ignored) == (dialect, fields, [])

    def test_files_and_json_of_a_service_account(self, tmp_path):
        found = dbt.read(written(tmp_path, "bigquery", "project: p\ndataset: d\nkeyfile: /key.json"), {})
        assert found.files == {"passwordUnencrypted": "/key.json"}
        found = dbt.read(written(tmp_path, "bigquery", "project: p\nkeyfile_json: {type: service_account}"), {})
        assert json.loads(found.fields["passwordUnencrypted"]) == {"type": "service_account"}

    def test_variables(self, tmp_path):
        folder = written(tmp_path, "postgres", "host: \"{{ env_var('H', 'local') }}\"\npass: \"{{ env_var('P') }}\"")
        assert dbt.read(folder, {"P": "secret"}).fields == {"host": "local", "passwordUnencrypted": "secret"}
        with pytest.raises(Unreadable, match="needs the variable P"):
            dbt.read(folder, {})

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("a: {outputs: {}}\nb: {outputs: {}}", "--dbt-profile: a, b"),
            ("a: {outputs: {x: {type: postgres}, y: {type: postgres}}}", "--target: x, y"),
            ("a: {outputs: {x: {type: spark}}}", "no dialect"),
            ("a: {outputs: {x: {type: postgres, host: '{{ target.name }}'}}}", "host has a template"),
            ("password: hunter2\n\tbroken: [", "not valid YAML"),
        ],
    )
    def test_refuses_what_names_no_connection(self, tmp_path, text, words):
        (tmp_path / "profiles.yml").write_text(text)
        with pytest.raises(Unreadable, match=words) as refused:
            dbt.read(tmp_path, {})
        assert "hunter2" not in str(refused.value)


def test_env_file(tmp_path):
    file = tmp_path / ".env"
    file.write_text("# a comment\nexport A=1 # one\nB='two # 2'\nC=\"three\"\n\nnonsense\n")
    assert dbt.env_file(file) == {"A": "1", "B": "two # 2", "C": "three"}
