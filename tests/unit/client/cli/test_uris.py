"""Connection URIs in the spellings of drivers, SQLAlchemy and JDBC."""

from __future__ import annotations

import pytest

from moorings import dialects
from moorings.client.cli import uris
from moorings.client.cli.locations import Unreadable

PG = {"host": "db.example.com", "port": 5432, "username": "reader", "database": "shop"}
LOGIN = {"username": "reader", "passwordUnencrypted": "p@ss/w:rd"}

CASES = {
    "postgresql://reader@db.example.com:5432/shop": ("postgres", PG),
    "postgres://reader:p%40ss%2Fw%3Ard@db.example.com/shop": (
        "postgres",
        {**LOGIN, "host": "db.example.com", "database": "shop"},
    ),
    "postgresql+asyncpg://reader@db.example.com:5432/shop?sslmode=verify-ca": (
        "postgres",
        {**PG, "sslMode": "verify-ca"},
    ),
    "postgresql://reader@[2001:db8::1]:5433/shop": (
        "postgres",
        {"host": "2001:db8::1", "port": 5433, "username": "reader", "database": "shop"},
    ),
    "jdbc:postgresql://db.example.com:5432/shop?user=reader&ssl=true&currentSchema=sales": (
        "postgres",
        {**PG, "sslMode": "verify-full", "defaultSchema": "sales"},
    ),
    "redshift+redshift_connector://reader@c.example.com:5439/dev": (
        "redshift",
        {"username": "reader", "host": "c.example.com", "port": 5439, "database": "dev"},
    ),
    "mysql+pymysql://reader@h:3306/shop?charset=utf8mb4": (
        "mysql",
        {"username": "reader", "host": "h", "port": 3306, "database": "shop"},
    ),
    "jdbc:mariadb://h/shop?sslMode=verify-full": (
        "mariadb",
        {"host": "h", "database": "shop", "sslMode": "verify-full"},
    ),
    "jdbc:mysql://h/shop?sslMode=VERIFY_IDENTITY&useSSL=true": (
        "mysql",
        {"host": "h", "database": "shop", "sslMode": "require"},
    ),
    "snowflake://reader@myorg-acc/SHOP/PUBLIC?warehouse=WH&role=R": (
        "snowflake",
        {"username": "reader", "host": "myorg-acc", "database": "SHOP", "defaultSchema": "PUBLIC", "warehouse": "WH"},
    ),
    "jdbc:snowflake://xy12345.us-east-1.snowflakecomputing.com/?db=SHOP&warehouse=WH&user=reader": (
        "snowflake",
        {"host": "xy12345.us-east-1", "database": "SHOP", "warehouse": "WH", "username": "reader"},
    ),
    "bigquery://project/dataset?location=EU": (
        "bigquery",
        {"database": "project", "defaultSchema": "dataset", "region": "EU"},
    ),
    "jdbc:bigquery://https://www.googleapis.com/bigquery/v2:443;ProjectId=project;OAuthType=0": (
        "bigquery",
        {"database": "project"},
    ),
    "databricks://token@h.cloud.databricks.com:443?http_path=/sql/1&catalog=main": (
        "databricks",
        {"host": "h.cloud.databricks.com", "port": 443, "warehouse": "/sql/1", "database": "main"},
    ),
    "jdbc:databricks://h:443/default;transportMode=http;ssl=1;httpPath=/sql/1;AuthMech=3;UID=token": (
        "databricks",
        {"host": "h", "port": 443, "warehouse": "/sql/1"},
    ),
    "duckdb:///shop.duckdb": ("duckdb", {"database": "shop.duckdb"}),
    "jdbc:duckdb:shop.duckdb": ("duckdb", {"database": "shop.duckdb"}),
    "duckdb:///md:shop": ("motherduck", {"database": "shop"}),
    "md:shop": ("motherduck", {"database": "shop"}),
    "clickhouse+http://reader@h:8123/shop": (
        "clickhouse",
        {"username": "reader", "host": "h", "port": 8123, "database": "shop", "sslMode": "disable"},
    ),
    "jdbc:ch://h:8443/shop?ssl=true": ("clickhouse", {"host": "h", "port": 8443, "database": "shop"}),
    "trino://reader@h:443/hive/sales": (
        "trino",
        {"username": "reader", "host": "h", "port": 443, "database": "hive", "defaultSchema": "sales"},
    ),
    "awsathena+rest://AKIA:key@athena.eu-west-1.amazonaws.com:443/sales?s3_staging_dir=s3://b/p": (
        "athena",
        {
            "username": "AKIA",
            "passwordUnencrypted": "key",
            "region": "eu-west-1",
            "defaultSchema": "sales",
            "resultsLocation": "s3://b/p",
        },
    ),
    "jdbc:awsathena://AwsRegion=us-east-1;S3OutputLocation=s3://b/p": (
        "athena",
        {"region": "us-east-1", "resultsLocation": "s3://b/p"},
    ),
    "mssql+pyodbc://reader@h:1433/shop?driver=ODBC+Driver+18&TrustServerCertificate=yes": (
        "mssql",
        {"username": "reader", "host": "h", "port": 1433, "database": "shop", "trustServerCertificate": True},
    ),
    "jdbc:sqlserver://h:1433;databaseName=shop;user=reader;encrypt=false": (
        "mssql",
        {"host": "h", "port": 1433, "database": "shop", "username": "reader", "sslMode": "disable"},
    ),
    "oracle+oracledb://reader@h:1521/?service_name=FREEPDB1": (
        "oracle",
        {"username": "reader", "host": "h", "port": 1521, "database": "FREEPDB1"},
    ),
    "jdbc:oracle:thin:@//h:1521/FREEPDB1": ("oracle", {"host": "h", "port": 1521, "database": "FREEPDB1"}),
    "jdbc:oracle:thin:@h:1521:XE": ("oracle", {"host": "h", "port": 1521, "database": "XE"}),
    "jdbc:oracle:thin:reader/secret@//h:1521/FREEPDB1": (
        "oracle",
        {"username": "reader", "passwordUnencrypted": "secret", "host": "h", "port": 1521, "database": "FREEPDB1"},
    ),
    "jdbc:exa:h:8563;schema=sales;user=reader": (
        "exasol",
        {"host": "h", "port": 8563, "defaultSchema": "sales", "username": "reader"},
    ),
    "exa+websocket://reader@h:8563/sales": (
        "exasol",
        {"username": "reader", "host": "h", "port": 8563, "defaultSchema": "sales"},
    ),
    "hana+hdbcli://reader@h:443/shop": (
        "sap_hana",
        {"username": "reader", "host": "h", "port": 443, "database": "shop"},
    ),
    "jdbc:sap://h:30015/?databaseName=shop&user=reader": (
        "sap_hana",
        {"host": "h", "port": 30015, "database": "shop", "username": "reader"},
    ),
    "starrocks://reader@h:9030/shop": (
        "starrocks",
        {"username": "reader", "host": "h", "port": 9030, "database": "shop"},
    ),
}


class TestParse:
    @pytest.mark.parametrize("uri", CASES)
    def test_spelling(self, uri):
        found = uris.parse(uri)
        assert (found.dialect, found.fields) == CASES[uri]

    @pytest.mark.parametrize("uri", CASES)
    def test_sets_fields_that_the_dialect_has(self, uri):
        config = dialects.named(uris.parse(uri).dialect).Config
        names = {config.wire_name(name) for name in config.model_fields}
        assert uris.parse(uri).fields.keys() <= names

    def test_every_dialect_has_a_scheme(self):
        assert set(uris.SCHEMES.values()) >= set(dialects.names()) - {"databricks_lakebase"}  # which is postgresql://

    def test_names_what_it_does_not_take_over(self):
        assert uris.parse("postgresql://h/shop?target_session_attrs=any").ignored == ["target_session_attrs"]
        assert uris.parse("snowflake://a/d?role=R").ignored == ["role"]

    def test_names_files_instead_of_reading_them(self):
        assert uris.parse("postgresql://h/shop?sslrootcert=/ca.pem").files == {"sslRootCert": "/ca.pem"}

    @pytest.mark.parametrize(
        "uri",
        ["", "shop", "ftp://h/x", "postgresql://u:hunter2@h:port/x", "postgresql://u:hunter2@a,b/x", "://"],
    )
    def test_refuses_the_rest_without_quoting_it(self, uri):
        with pytest.raises(Unreadable) as refused:
            uris.parse(uri)
        assert "hunter2" not in str(refused.value)
