"""Hosts, URLs and paths that a caller names reach the server that they seem to name, or none at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import dialects
from moorings.connections.models import Connection
from moorings.dialects.config.connection import ConnectionConfig
from moorings.errors import InvalidSettings
from moorings.testing.engines import Server
from tests.conformance.test_create import ACCOUNT, VALID
from tests.security.servers.collector import collecting

HOSTILE = (
    "127.0.0.1:8123/x/#",
    "evil:pw@127.0.0.1",
    "127.0.0.1?x",
    "127.0.0.1/evil?",
    "127.0.0.1#x",
    "127.0.0.1\\inst,18920",
    "127.0.0.1;Encrypt=no",
    "127.0.0.1,10.0.0.1:5433",
    "127.0.0.1 hostaddr=10.0.0.1",
    "127.0.0.1\r\nX-Evil: 1",
    "127.0.0.1%00",
    "https://127.0.0.1",
    "/tmp/sockets",
    "@abstract",
    "x)(HOST=127.0.0.1",
    "x'",
    'x"',
    "fe80::1%eth0",
    "127.1",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "１２７.０.０.１",
    "-oProxyCommand=id",
)
ONLY_THE_ACCOUNT = "host: Please only include your Snowflake account identifier"

PLACES: tuple[tuple[str, str, str], ...] = (
    ("snowflake", "hostOverride", "127.0.0.1/evil?"),
    ("snowflake", "hostOverride", "127.0.0.1:443"),
    ("snowflake", "host", "127.0.0.1?x"),
    ("snowflake", "host", "evil@127.0.0.1"),
    ("snowflake", "host", "a.b#c"),
    ("snowflake", "externalOauthTokenUrl", "https://user:pw@idp.example.com/t"),
    ("snowflake", "externalOauthTokenUrl", "https://idp.example.com/t#x"),
    ("snowflake", "externalOauthTokenUrl", "https://idp.example.com\\@evil.example/t"),
    ("snowflake", "externalOauthTokenUrl", "https://127.1/t"),
    ("snowflake", "externalOauthTokenUrl", "https://0xa9fea9fe/t"),
    ("snowflake", "externalOauthTokenUrl", "https://idp.example.com:0/t"),
    ("snowflake", "externalOauthAuthorizationUrl", "https://1.2.3.04/a"),
    ("athena", "region", "us-east-1.evil.com/"),
    ("athena", "region", "us-east-1@evil.com"),
    ("athena", "region", "us-east-1.evil"),
    ("athena", "hostOverride", "https://user:pw@athena.example.com"),
    ("athena", "hostOverride", "athena=https://a.example.com,s3=https://b.example.com#x"),
    ("athena", "hostOverride", "https://0x7f000001"),
    ("athena", "hostOverride", "https://a.example.com/path"),
    ("athena", "hostOverride", "https://a.example.com?"),
    ("athena", "resultsLocation", "s3://bucket/x?y"),
    ("athena", "resultsLocation", "s3://buck..et/x"),
    ("athena", "username", "AKIA\r\nX-Evil: 1"),
    ("bigquery", "hostOverride", "https://user:pw@bigquery.example.com"),
    ("bigquery", "hostOverride", "https://bigquery.example.com\\.evil.example"),
    ("bigquery", "hostOverride", "https://169.254.43518"),
    ("bigquery", "database", "p/../../x"),
    ("bigquery", "database", "p?x"),
    ("bigquery", "defaultSchema", "d/tables?x"),
    ("bigquery", "region", "us&x=y"),
    ("bigquery", "wifServiceAccountEmail", "a@b/../../evil"),
    ("databricks", "host", "127.0.0.1:1/x"),
    ("databricks", "host", "https://adb-1.azuredatabricks.net"),
    ("databricks", "warehouse", "/sql/../../evil"),
    ("databricks", "warehouse", "//evil.example/x"),
    ("databricks", "warehouse", "/sql/1.0/warehouses/1?x=y"),
    ("databricks", "warehouse", "/sql/1.0/warehouses/1#x"),
    ("databricks", "warehouse", "https://evil.example/sql"),
    ("databricks", "warehouse", "@evil.example/sql"),
    ("motherduck", "database", "x?saas_mode=false"),
    ("motherduck", "database", "md:x?motherduck_host=evil"),
    ("motherduck", "database", "x&a=b"),
    ("motherduck", "database", "s3://bucket/x.duckdb"),
    ("motherduck", "database", "x'; ATTACH 'y"),
    ("motherduck", "database", "md:../x?.db"),
    ("oracle", "database", "x)(SERVER=DEDICATED))(ADDRESS=(HOST=evil)(PORT=1))"),
    ("oracle", "database", "x y"),
    ("sap_hana", "database", "x;encrypt=false"),
    ("exasol", "host", "db/path"),
    ("exasol", "host", "10.0.0.1..4294967295"),
    ("exasol", "host", "a,user:pw@b"),
    ("trino", "username", "u\r\nX-Trino-Role: system=ROLE{admin}"),
    ("trino", "database", "c\nX-Evil: 1"),
    ("trino", "defaultSchema", "s\x85t"),
    ("postgres", "hostOverride", "x/y"),
    ("postgres", "externalOauthTokenUrl", "https://u:p@x/"),
)
"""Dialect, field, and a text that would end up elsewhere than it should."""

UNDERSTOOD = {
    " db.example.com": "db.example.com",
    "db.example.com\n": "db.example.com",
    "\ufeffdb.example.com": "db.example.com",
    "db.example.com.": "db.example.com",
    "[::1]": "::1",
    "DB.Example.com": "DB.Example.com",
    "bücher.example": "bücher.example",
}


def create(service: Any, dialect: str, path: str = "/connections", **body: Any) -> Any:
    given = {"dialect": dialect, **VALID[dialect], **body}
    if dialect == "snowflake" and "hostOverride" in body:
        del given["host"]
    return service.request("POST", path, json=given)


def store(service: Any, made: str, **fields: Any) -> None:
    """Change what is stored, as an older version may have stored it."""

    async def storing(session: AsyncSession) -> None:
        connection = await session.get(Connection, made)
        assert connection is not None
        connection.database = fields.get("database", connection.database)
        connection.settings = connection.settings | {key: value for key, value in fields.items() if key != "database"}
        connection.revision += 1

    service.change(storing)


def steps(service: Any, made: str) -> dict[str, Any]:
    tested = service.request("POST", f"/connections/{made}/test", json={})
    assert tested.status_code == 200, tested.text
    return next(step for step in tested.json()["steps"] if step["status"] == "failed")


def refused_at_use(service: Any, made: str, *fields: str) -> str:
    """What a test and a query say of a stored connection that both must refuse in the same words."""
    failed = steps(service, made)
    assert (failed["code"], set(failed["fields"])) == ("invalid_settings", set(fields)), failed
    queried = service.request("POST", f"/connections/{made}/query", json={"sql": "SELECT 1"})
    assert queried.status_code == 400, queried.text
    assert failed["message"] in queried.json()["detail"]
    return failed["message"]


class TestCreate:
    @pytest.mark.parametrize("host", HOSTILE, ids=ascii)
    @pytest.mark.parametrize("dialect", VALID)
    def test_a_host_that_is_none_is_400_in_every_dialect(self, service: Any, dialect: str, host: str) -> None:
        before = len(service.request("GET", "/connections").json()["connections"])
        for query in ("", "?test=true"):
            answer = create(service, dialect, f"/connections{query}", host=host)
            assert answer.status_code == 400, answer.text
            detail = answer.json()["detail"]
            assert detail.startswith("Bad Request: host: ")
            assert not any(secret in detail for secret in ("pw", "evil", "abstract", "Evil"))
        assert len(service.request("GET", "/connections").json()["connections"]) == before

    @pytest.mark.parametrize("host", HOSTILE, ids=ascii)
    @pytest.mark.parametrize("dialect", [name for name in VALID if name not in ("snowflake", "athena", "bigquery")])
    def test_a_host_override_is_a_host_too(self, service: Any, dialect: str, host: str) -> None:
        detail = create(service, dialect, hostOverride=host).json()["detail"]
        assert detail.startswith("Bad Request: hostOverride: ")

    @pytest.mark.parametrize(("dialect", "field", "value"), PLACES)
    def test_every_other_text_of_an_address_is_parsed(self, service: Any, dialect: str, field: str, value: str) -> None:
        for path in ("/connections", "/connections/test"):
            answer = create(service, dialect, path, **{field: value})
            assert answer.status_code == 400, answer.text
            assert answer.json()["detail"].startswith(f"Bad Request: {field}: "), answer.text

    @pytest.mark.parametrize("host", ["https://xy", "xy:443", "xy/", "xy.SnowflakeComputing.com", "[::1]"])
    def test_the_sentence_of_snowflake(self, service: Any, host: str) -> None:
        assert create(service, "snowflake", host=host).json()["detail"] == f"Bad Request: {ONLY_THE_ACCOUNT}"

    @pytest.mark.parametrize(
        ("host", "sentence"),
        [
            ("db:5432", "Only the host name. Put 5432 into port"),
            ("https://db.example.com", "Only the host name, without https://"),
            ("a,b", "Only one host name. A list of hosts is not supported: give one server, or a load balancer"),
            ("  ", "String must contain at least 1 character(s)"),
        ],
    )
    def test_the_sentences(self, service: Any, host: str, sentence: str) -> None:
        assert create(service, "postgres", host=host).json()["detail"] == f"Bad Request: host: {sentence}"


class TestUnderstood:
    @pytest.mark.parametrize(("written", "read"), UNDERSTOOD.items(), ids=ascii)
    @pytest.mark.parametrize("dialect", ["postgres", "mysql", "clickhouse", "databricks", "exasol", "oracle"])
    def test_what_people_paste_is_stored_and_shown_clean(
        self, service: Any, dialect: str, written: str, read: str
    ) -> None:
        made = create(service, dialect, host=written).json()["data"]
        assert service.shown(made)["settings"]["host"] == read
        again = service.request("PATCH", f"/connections/{made}", json={"host": written})
        assert again.json()["message"] == "No updates were made to the connection."

    @pytest.mark.parametrize(
        ("dialect", "field", "value"),
        [
            ("snowflake", "host", "my_org-acc_1"),
            ("snowflake", "host", "xy12345.us-east-1.aws"),
            ("databricks", "warehouse", "sql/protocolv1/o/123/0123-abc"),
            ("databricks", "warehouse", "/sql/1.0/warehouses/1a2b?o=123"),
            ("motherduck", "database", "md:my db"),
            ("motherduck", "database", "some/folder/x.duckdb"),
            ("oracle", "database", "abc_high.adb.oraclecloud.com"),
            ("exasol", "host", "10.0.0.11..14,10.0.0.21/135aE181"),
            ("bigquery", "database", "example.com:my-project"),
            ("bigquery", "hostOverride", "bigquery=http://127.0.0.1:9050,storage=http://[::1]:9060"),
            ("athena", "hostOverride", "https://vpce-1.athena.us-east-1.vpce.amazonaws.com"),
            ("athena", "resultsLocation", "s3://my-bucket/a b/".replace(" ", "%20")),
            ("postgres", "externalOauthTokenUrl", "https://idp.example.com:8443/t?x=y"),
            ("postgres", "username", "jörg o'neil"),
        ],
    )
    def test_what_is_usual_is_taken_as_it_is(self, service: Any, dialect: str, field: str, value: str) -> None:
        answer = create(service, dialect, **{field: value})
        assert answer.status_code == 201, answer.text
        settings = service.shown(answer.json()["data"])
        assert (settings["settings"] | settings)[field] == value

    @pytest.mark.parametrize("stored", [" localhost\n", "localhost.", "[::1]"])
    def test_what_was_stored_so_is_dialled_clean(self, service: Any, stored: str) -> None:
        made = service.create(host="x", port=1)
        store(service, made, host=stored)
        assert steps(service, made)["code"] in ("port_closed", "host_unreachable")

    def test_an_international_name_is_resolved_as_dns_has_it(self, service: Any) -> None:
        made = service.create(host="bücher.invalid")
        assert steps(service, made)["code"] == "host_not_found"
        config = dialects.read({"dialect": "postgres", **VALID["postgres"], "host": "bücher.invalid"})
        assert dialects.named("postgres").address(config.dialable()) == ("xn--bcher-kva.invalid", 5432)


class TestStored:
    """Rules hold for connections that were stored before them."""

    @pytest.mark.parametrize(
        "host", ["127.0.0.1:{port}/x/#", "evil:pw@127.0.0.1", "127.0.0.1?x", "127.1", "0x7f000001"]
    )
    @pytest.mark.parametrize("dialect", [name for name in VALID if "host" in VALID[name]], ids=lambda name: name)
    def test_none_is_dialled(self, service: Any, dialect: str, host: str) -> None:
        with collecting() as collector:
            made = create(service, dialect, port=collector.port).json()["data"]
            store(service, made, host=host.format(port=collector.port))
            message = refused_at_use(service, made, "host")
            assert message.startswith("host: ")
            assert "pw" not in message
        assert collector.received == []

    @pytest.mark.parametrize(
        ("dialect", "field", "stored"),
        [
            ("mssql", "host", "127.0.0.1\\inst,{port}"),
            ("clickhouse", "host", "127.0.0.1:{port}/x/#"),
            ("clickhouse", "host", "user:pw@127.0.0.1"),
            ("snowflake", "host_override", "127.0.0.1:{port}/evil?"),
            ("databricks", "warehouse", "@127.0.0.1:{port}/x"),
            ("bigquery", "host_override", "http://user@127.0.0.1:{port}"),
            ("athena", "host_override", "http://127.0.0.1:{port}/x"),
            ("athena", "region", "us-east-1.evil.com/"),
            ("oracle", "database", "x)(HOST=evil"),
            ("motherduck", "database", "x?saas_mode=false"),
            ("exasol", "host", "127.0.0.1,user:pw@127.0.0.1"),
            ("trino", "username", "u\r\nX-Evil: 1"),
        ],
    )
    def test_each_kind_is_refused_and_can_be_repaired(
        self, service: Any, dialect: str, field: str, stored: str
    ) -> None:
        with collecting() as collector:
            wire = dialects.named(dialect).Config.wire_name(field)
            body = {**VALID[dialect], "port": collector.port}
            body |= {wire: "localhost"} if wire == "hostOverride" else {}
            made = create(service, dialect, **body).json()["data"]
            store(service, made, **{field: stored.format(port=collector.port)})
            refused_at_use(service, made, wire)
            found = service.shown(made)
            assert (found["settings"] | found)[wire] == stored.format(port=collector.port)
            renamed = service.request("PATCH", f"/connections/{made}", json={"name": "renamed"})
            assert renamed.status_code == 200, renamed.text
            assert service.shown(made)["settings"] == found["settings"] | {"name": "renamed"}
            repair = {wire: body[wire], "passwordUnencrypted": body["passwordUnencrypted"]}
            repaired = service.request("PATCH", f"/connections/{made}", json=repair)
            assert repaired.status_code == 200, repaired.text
            assert service.shown(made)["settings"][wire] == body[wire]
        assert collector.received == []

    def test_what_follows_from_a_key_is_checked_too(self, service: Any) -> None:
        key = json.dumps(ACCOUNT | {"project_id": "p/../../evil?x="})
        made = create(service, "bigquery", passwordUnencrypted=key, hostOverride="http://127.0.0.1:1").json()["data"]
        assert refused_at_use(service, made, "database").startswith("database: ")

    def test_what_is_refused_can_be_listed(self, service: Any) -> None:
        config = dialects.named("postgres").Config.restore({"host": "x:1", "name": "n"}, {})
        assert [(fault.field, fault.details["reason"]) for fault in config.refused_addresses()] == [
            ("host", "Only the host name. Put 1 into port")
        ]
        assert dialects.named("postgres").Config.restore({"host": "x"}, {}).refused_addresses() == []


class TestUnixSocket:
    """PostgreSQL's library takes a path for a socket, where it may log in as the service's own user."""

    def test_no_socket_is_opened(self, service: Any, postgres_server: Server) -> None:
        import psycopg

        login = {"port": postgres_server.port, "username": postgres_server.username, "database": "app"}
        folder = str(postgres_server.folder)
        with psycopg.connect(
            host=folder,
            port=postgres_server.port,
            user=postgres_server.username,
            password=postgres_server.password,
            dbname="app",
        ):
            pass  # the socket is there, and takes logins
        body = login | {"host": folder, "passwordUnencrypted": postgres_server.password}
        answer = create(service, "postgres", **body)
        assert answer.json()["detail"] == (
            "Bad Request: host: Only the host name or an IP address. Unix sockets are not supported"
        )
        made = create(service, "postgres", **(body | {"host": postgres_server.host})).json()["data"]
        store(service, made, host=folder)
        assert "Unix sockets" in refused_at_use(service, made, "host")

    @pytest.mark.parametrize("database", ["host=/tmp dbname=postgres", "postgresql://evil.invalid/x", "app' host='x"])
    def test_a_database_is_a_name_and_no_connection_string(
        self, service: Any, postgres_server: Server, database: str
    ) -> None:
        server = postgres_server
        body = {"host": server.host, "port": server.port, "username": server.username, "database": database}
        made = create(service, "postgres", passwordUnencrypted=server.password, **body).json()["data"]
        assert steps(service, made)["code"] == "database_not_found"


class TestConnectionStrings:
    def test_a_value_of_sql_server_stays_a_value(self) -> None:
        pytest.importorskip("mssql_python", reason="the driver is not installed: EXTRAS=all make install")
        from moorings.dialects.mssql.session import _Connection

        connection = object.__new__(_Connection)
        connection._application_name = "moorings"
        values = {
            "Server": "tcp:db,1433",
            "Database": "xAPP=MSSQL-Python;Server=evil",
            "UID": "u;Server=evil",
            "PWD": "}",
        }
        built, _ = connection._construct_connection_string(**values)
        assert "Database={xAPP=MSSQL-Python;Server=evil}" in built
        assert "UID={u;Server=evil}" in built
        assert built.count("APP={moorings}") == 1


class TestNoFieldIsForgotten:
    def test_a_dialect_that_declares_a_plain_host_is_checked_all_the_same(self) -> None:
        class Careless(ConnectionConfig, frozen=True):
            host: str | None = None

        config = Careless.restore({"host": "127.0.0.1:5432/x"}, {})
        with pytest.raises(InvalidSettings, match="Put 5432 into port"):
            config.dialable()

    NAMES = ("host", "host_override", "region", "warehouse")

    @pytest.mark.parametrize("dialect", dialects.names())
    def test_every_text_of_an_address_has_rules(self, dialect: str) -> None:
        from moorings.dialects.config.places import places

        config = dialects.named(dialect).Config
        urls = [field for field in config.model_fields if field.endswith(("_url", "_location"))]
        assert {*self.NAMES, *urls} <= set(places(config))
