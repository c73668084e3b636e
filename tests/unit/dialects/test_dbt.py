"""What each dialect says of a connection to dbt: the words are those of dbt's adapters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moorings import dialects
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.errors import DbtNotSupported

PASSWORD = DbtSecret("password")
SERVER = {"host": "h.example", "database": "d", "username": "u", "passwordUnencrypted": "p"}
ACCOUNT = {
    "type": "service_account",
    "project_id": "proj",
    "private_key_id": "i",
    "private_key": "k",
    "client_email": "m@proj.example",
    "client_id": "1",
    "auth_uri": "https://a.example",
    "token_uri": "https://t.example",
    "auth_provider_x509_cert_url": "https://c.example",
    "client_x509_cert_url": "https://d.example",
}
LIKE_POSTGRES = {"host": "h.example", "user": "u", "password": PASSWORD, "dbname": "d", "schema": "s", "role": None}

OUTPUTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("postgres", SERVER, {"type": "postgres", **LIKE_POSTGRES, "port": 5432, "sslmode": "prefer"}),
    ("databricks_lakebase", SERVER, {"type": "postgres", **LIKE_POSTGRES, "port": 5432, "sslmode": "verify-full"}),
    ("redshift", SERVER, {"type": "redshift", **LIKE_POSTGRES, "port": 5439, "sslmode": "require"}),
    (
        "snowflake",
        SERVER | {"host": "org-acc", "warehouse": "wh"},
        {
            "type": "snowflake",
            "account": "org-acc",
            "host": None,
            "port": None,
            "user": "u",
            "password": PASSWORD,
            "role": None,
            "warehouse": "wh",
            "database": "d",
            "schema": "s",
        },
    ),
    (
        "bigquery",
        {"passwordUnencrypted": json.dumps(ACCOUNT), "maxBillingBytes": "1000"},
        {
            "type": "bigquery",
            "method": "service-account-json",
            "keyfile_json": {
                "type": "service_account",
                "project_id": "proj",
                "client_email": "m@proj.example",
                "private_key": DbtSecret("password", "private_key"),
                "token_uri": "https://oauth2.googleapis.com/token",
            },
            "project": "proj",
            "dataset": "s",
            "location": "us",
            "maximum_bytes_billed": 1000,
            "api_endpoint": None,
        },
    ),
    (
        "databricks",
        SERVER | {"warehouse": "/sql/1.0/warehouses/a"},
        {
            "type": "databricks",
            "host": "h.example",
            "http_path": "/sql/1.0/warehouses/a",
            "token": PASSWORD,
            "catalog": "d",
            "schema": "s",
        },
    ),
    ("duckdb", {"database": "shop.duckdb"}, {"type": "duckdb", "path": "shop.duckdb", "schema": "s"}),
    (
        "motherduck",
        {"database": "md:shop", "passwordUnencrypted": "t"},
        {"type": "duckdb", "path": "md:shop", "schema": "s", "settings": {"motherduck_token": PASSWORD}},
    ),
    (
        "clickhouse",
        SERVER,
        {
            "type": "clickhouse",
            "driver": "http",
            "host": "h.example",
            "port": 8443,
            "user": "u",
            "password": PASSWORD,
            "schema": "s",
            "secure": True,
            "verify": True,
        },
    ),
    (
        "trino",
        SERVER,
        {
            "type": "trino",
            "method": "ldap",
            "password": PASSWORD,
            "host": "h.example",
            "port": 443,
            "user": "u",
            "roles": None,
            "cert": None,
            "database": "d",
            "schema": "s",
        },
    ),
    (
        "athena",
        {"region": "eu-west-1", "username": "a", "passwordUnencrypted": "p", "resultsLocation": "s3://bucket/x"},
        {
            "type": "athena",
            "region_name": "eu-west-1",
            "aws_access_key_id": "a",
            "aws_secret_access_key": PASSWORD,
            "work_group": None,
            "s3_staging_dir": "s3://bucket/x",
            "database": "AwsDataCatalog",
            "schema": "s",
        },
    ),
    (
        "mssql",
        SERVER | {"defaultSchema": "dbo"},
        {
            "type": "sqlserver",
            "driver": "ODBC Driver 18 for SQL Server",
            "server": "h.example",
            "port": 1433,
            "authentication": "sql",
            "user": "u",
            "password": PASSWORD,
            "database": "d",
            "schema": "s",
            "encrypt": True,
            "trust_cert": False,
        },
    ),
    (
        "oracle",
        SERVER | {"acceptsLicense": True},
        {
            "type": "oracle",
            "protocol": "tcp",
            "host": "h.example",
            "port": 1521,
            "service": "d",
            "user": "u",
            "password": PASSWORD,
            "database": None,
            "schema": "s",
        },
    ),
    (
        "exasol",
        SERVER,
        {
            "type": "exasol",
            "dsn": "h.example:8563",
            "user": "u",
            "password": PASSWORD,
            "dbname": "d",
            "schema": "s",
            "validate_server_certificate": True,
        },
    ),
    (
        "starrocks",
        SERVER,
        {
            "type": "starrocks",
            "host": "h.example",
            "port": 9030,
            "username": "u",
            "password": PASSWORD,
            "catalog": None,
            "schema": "s",
        },
    ),
]

LOGINS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "snowflake",
        {"authenticationType": "snowflake-oauth-user", "oauthClientId": "i", "oauthClientSecretUnencrypted": "x"},
        {
            "authenticator": "oauth",
            "oauth_client_id": "i",
            "oauth_client_secret": DbtSecret("oauth_client_secret"),
        },
    ),
    ("bigquery", {"authenticationType": "bigquery-oauth-user"}, {"method": "oauth"}),
    (
        "databricks",
        {"useMachineAuth": True},
        {"auth_type": "oauth", "client_id": "u", "client_secret": PASSWORD},
    ),
    ("databricks", {"authenticationType": "databricks-oauth-user"}, {"auth_type": "oauth"}),
    (
        "athena",
        {"awsRoleArn": "arn:aws:iam::1:role/r", "externalOauthAudience": "e"},
        {"assume_role_arn": "arn:aws:iam::1:role/r", "assume_role_external_id": "e"},
    ),
    (
        "mssql",
        {"authenticationType": "mssql-active-directory-service-principal"},
        {"authentication": "ActiveDirectoryServicePrincipal", "client_id": "u", "client_secret": PASSWORD},
    ),
    ("trino", {"sslMode": "disable"}, {"http_scheme": "http", "port": 8080, "cert": None}),
    ("trino", {"sslMode": "require"}, {"method": "ldap", "cert": False}),
    ("clickhouse", {"sslMode": "disable"}, {"secure": False, "port": 8123}),
    ("oracle", {"sslMode": "verify-full"}, {"protocol": "tcps"}),
]


def output(dialect: str, body: dict[str, Any], place: DbtPlace) -> Any:
    kind = dialects.named(dialect)
    return kind.dbt_output(kind.Config.read({"dialect": dialect, "name": "n"} | body).completed(), place)


class TestOutputs:
    @pytest.mark.parametrize(("dialect", "body", "expected"), OUTPUTS, ids=[row[0] for row in OUTPUTS])
    def test_say_where_to_build_and_how_to_log_in(self, dialect, body, expected):
        assert output(dialect, body, DbtPlace("s")) == expected

    @pytest.mark.parametrize(("dialect", "body", "expected"), LOGINS)
    def test_of_other_ways_to_log_in(self, dialect, body, expected):
        usual = next(body for name, body, _ in OUTPUTS if name == dialect)
        made = output(dialect, usual | body, DbtPlace("s"))
        assert {key: made.get(key) for key in expected} == expected

    @pytest.mark.parametrize("dialect", ["postgres", "redshift", "snowflake"])
    def test_an_environment_has_a_database_and_a_role_of_its_own(self, dialect):
        usual = next(body for name, body, _ in OUTPUTS if name == dialect)
        made = output(dialect, usual, DbtPlace("s", "other", "builder"))
        assert (made.get("dbname") or made["database"], made["role"]) == ("other", "builder")


class TestSupport:
    def test_is_an_adapters_existence(self):
        with_adapter = {name for name in dialects.names() if dialects.named(name).has_dbt}
        assert with_adapter == {row[0] for row in OUTPUTS}

    @pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
    def test_others_refuse(self, dialect):
        with pytest.raises(DbtNotSupported):
            output(dialect, SERVER, DbtPlace("s"))
