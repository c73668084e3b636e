from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, ClassVar, get_args

import jsonschema_rs
import pytest

from moorings import dialects, errors
from moorings.access.policy import ROLE_ALIASES, Role
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.fields import ROLE_ALIAS

SERVER = {"name": "n", "passwordUnencrypted": "SENTINEL", "host": "h", "username": "u"}
BODIES: dict[str, dict[str, Any]] = {
    "postgres": SERVER | {"database": "d"},
    "redshift": SERVER | {"database": "d"},
    "databricks_lakebase": SERVER | {"database": "d"},
    "mysql": SERVER,
    "mariadb": SERVER,
    "starrocks": SERVER,
    "snowflake": SERVER | {"warehouse": "w", "database": "d"},
    "databricks": SERVER | {"warehouse": "w"},
    "clickhouse": SERVER,
    "trino": SERVER | {"database": "c"},
    "mssql": SERVER | {"database": "d", "defaultSchema": "s"},
    "oracle": SERVER | {"database": "d", "acceptsLicense": True},
    "exasol": SERVER,
    "sap_hana": SERVER,
    "duckdb": {"name": "n", "database": ":memory:"},
    "motherduck": {"name": "n", "passwordUnencrypted": "SENTINEL", "database": "d"},
    "athena": {"name": "n", "awsRoleArn": "a", "region": "r"},
    "bigquery": {"name": "n", "wifAudience": "a"},
}
CONTRACT_ORDER = [
    "dialect",
    "name",
    "passwordUnencrypted",
    "host",
    "port",
    "database",
    "username",
    "baseRole",
    "warehouse",
    "region",
    "defaultSchema",
    "includeSchemas",
    "includeOtherCatalogs",
    "offloadedSchemas",
    "scratchSchema",
    "queryTimeoutSeconds",
    "maxBillingBytes",
    "systemTimezone",
    "queryTimezone",
    "allowsUserSpecificTimezones",
    "alwaysScopeViewNames",
    "trustServerCertificate",
    "acceptsLicense",
    "inferRelationshipsFromColumnNames",
    "inferRelationshipsFromForeignKeys",
    "enableDbSemanticLayerIntegration",
    "enableDbSemanticLayerTopics",
    "useMachineAuth",
    "authenticationType",
    "awsRoleArn",
    "hostOverride",
    "privateKey",
    "oauthClientId",
    "oauthClientSecretUnencrypted",
    "externalOauthAudience",
    "externalOauthAuthorizationUrl",
    "externalOauthTokenUrl",
    "wifAudience",
    "wifServiceAccountEmail",
]
SECRETS = ["passwordUnencrypted", "privateKey", "oauthClientSecretUnencrypted", "sslClientKey", "privateKeyPassphrase"]


def read(dialect: str, **body: Any) -> ConnectionConfig:
    return dialects.read({"dialect": dialect} | BODIES[dialect] | body)


def every(test: Any) -> Any:
    return pytest.mark.parametrize("dialect", dialects.names())(test)


class TestFields:
    @every
    def test_are_the_contracts_in_its_order_and_then_ours(self, dialect: str) -> None:
        names = [fact.wire for fact in dialects.named(dialect).Config.fields()]
        assert names[: len(CONTRACT_ORDER) + 1] == [*CONTRACT_ORDER, "readOnly"]

    @every
    def test_each_is_described_in_one_sentence(self, dialect: str) -> None:
        for fact in dialects.named(dialect).Config.fields():
            assert fact.description.endswith(".")
            assert ". " not in fact.description

    @every
    def test_secrets(self, dialect: str) -> None:
        assert [fact.wire for fact in dialects.named(dialect).Config.fields() if fact.secret] == SECRETS


class TestDefaults:
    PORTS: ClassVar = {
        "postgres": 5432,
        "redshift": 5439,
        "databricks_lakebase": 5432,
        "mysql": 3306,
        "mariadb": 3306,
        "starrocks": 9030,
        "snowflake": None,
        "bigquery": None,
        "databricks": 443,
        "motherduck": None,
        "clickhouse": 8443,
        "trino": 443,
        "athena": None,
        "mssql": 1433,
        "oracle": 1521,
        "exasol": 8563,
        "sap_hana": 443,
        "duckdb": None,
    }

    @every
    def test_ports(self, dialect: str) -> None:
        assert (read(dialect).port, dialects.named(dialect).default_port) == (self.PORTS[dialect],) * 2

    @pytest.mark.parametrize(("dialect", "port"), [("clickhouse", 8123), ("trino", 8080)])
    def test_ports_without_tls(self, dialect: str, port: int) -> None:
        assert read(dialect, sslMode="disable").port == port
        assert read(dialect, sslMode="disable", port=9).port == 9

    @every
    def test_those_of_all(self, dialect: str) -> None:
        config = read(dialect)
        assert config.base_role == "VIEWER"
        assert config.query_timeout_seconds == 900
        assert (config.system_timezone, config.query_timezone) == ("UTC", "NONE")
        assert config.infer_relationships_from_column_names
        assert config.read_only
        assert not config.allows_user_specific_timezones
        assert not config.trust_server_certificate
        assert not config.infer_relationships_from_foreign_keys
        assert config.accepts_license == (dialect == "oracle")

    @every
    def test_names_are_scoped_where_the_dialect_has_several_catalogs(self, dialect: str) -> None:
        assert read(dialect).always_scope_view_names == dialects.named(dialect).abilities.several_catalogs
        assert read(dialect, alwaysScopeViewNames=False).always_scope_view_names is False

    def test_bigquery_takes_them_from_the_key(self) -> None:
        config = read("bigquery", wifAudience="", passwordUnencrypted=account())
        assert (config.region, config.database, config.username) == ("us", None, None), "nobody wrote them"
        for used in (config.completed(), config.dialable()):
            assert (used.database, used.username) == ("proj", "svc@proj")
        assert config.authentication_type == "bigquery-service-account"

    def test_bigquery_leaves_what_was_given(self) -> None:
        config = read(
            "bigquery", wifAudience="", passwordUnencrypted=account(), database="d", username="u", region="eu"
        )
        used = config.dialable()
        assert (used.region, used.database, used.username) == ("eu", "d", "u")

    def test_bigquery_takes_nothing_that_cannot_be_stored(self) -> None:
        key = account(project_id="a\0", client_email=["x"])
        config = read("bigquery", wifAudience="", passwordUnencrypted=key).dialable()
        assert (config.database, config.username) == (None, None)

    def test_mysql_starts_in_the_default_schema_without_a_database(self) -> None:
        assert read("mysql", defaultSchema="s").default_database == "s"
        assert read("mariadb", defaultSchema="s", database="d").default_database == "d"


def account(**values: Any) -> str:
    keys = [
        "private_key_id",
        "private_key",
        "client_id",
        "auth_uri",
        "token_uri",
        "auth_provider_x509_cert_url",
        "client_x509_cert_url",
    ]
    known = {"type": "service_account", "project_id": "proj", "client_email": "svc@proj"}
    return json.dumps(dict.fromkeys(keys, "SENTINEL") | known | values)


BYO = "bigquery-byo-oauth-user"
CLIENT = {"oauthClientId": "i", "oauthClientSecretUnencrypted": "s"}
URLS = {
    "externalOauthAuthorizationUrl": "https://login.example/authorize",
    "externalOauthTokenUrl": "https://login.example/token",
}


class TestLogins:
    @pytest.mark.parametrize(
        ("dialect", "given", "login"),
        [
            ("snowflake", {}, "snowflake-password"),
            ("databricks", {}, "databricks-personal-access-token"),
            ("databricks", {"useMachineAuth": True}, "databricks-oauth-m2m"),
            ("mssql", {}, "mssql-sql-authentication"),
            ("athena", {}, "aws-cross-account-role"),
            ("athena", {"awsRoleArn": "", "username": "u", "passwordUnencrypted": "p"}, "aws-access-key"),
            ("bigquery", {}, "bigquery-workload-identity-federation"),
            ("bigquery", {"wifAudience": "", "oauthClientId": "i", "oauthClientSecretUnencrypted": "s"}, BYO),
            ("snowflake", {"privateKey": "", **CLIENT}, "snowflake-password"),
            ("snowflake", {"passwordUnencrypted": "", **CLIENT}, "snowflake-oauth-user"),
            ("snowflake", {"passwordUnencrypted": "", **URLS}, "snowflake-external-oauth-user"),
            ("snowflake", {"passwordUnencrypted": "", **URLS, **CLIENT}, "snowflake-external-oauth-user"),
            ("snowflake", URLS, "snowflake-external-oauth-user"),
            ("postgres", {}, None),
            ("postgres", {"authenticationType": "whatever"}, "whatever"),
        ],
    )
    def test_are_inferred_from_what_is_given(self, dialect: str, given: dict[str, Any], login: str | None) -> None:
        assert read(dialect, **given).authentication_type == login

    @pytest.mark.parametrize("given", [CLIENT, URLS, CLIENT | URLS])
    def test_oauth_on_snowflake_needs_neither_username_nor_warehouse(self, given: dict[str, Any]) -> None:
        config = read("snowflake", passwordUnencrypted="", username="", warehouse="", **given)
        assert (config.username, config.warehouse) == (None, None)
        with pytest.raises(errors.InvalidInput) as refused:
            read("snowflake", username="", warehouse="")
        assert {fault.field for fault in refused.value.faults} == {"username", "warehouse"}

    def test_a_client_beside_a_service_account_leaves_the_key_to_log_in(self) -> None:
        config = read("bigquery", wifAudience="", passwordUnencrypted=account(), **CLIENT)
        assert config.authentication_type == "bigquery-service-account"


class TestStoring:
    @every
    def test_what_is_stored_is_what_comes_back(self, dialect: str) -> None:
        config = read(dialect, offloadedSchemas=["a", "b"], oauthClientSecretUnencrypted="s")
        settings = json.loads(json.dumps(config.public()))
        back = type(config).restore(settings, config.secrets())
        assert back == config
        assert back.secrets() == config.secrets()

    @every
    def test_settings_hold_no_secret(self, dialect: str) -> None:
        config = read(dialect)
        assert not set(config.public()) & {"password", "private_key", "oauth_client_secret"}
        assert "SENTINEL" not in json.dumps(config.public())

    @every
    def test_older_settings_take_new_defaults(self, dialect: str) -> None:
        old = dialects.named(dialect).Config.restore({"name": "n", "gone": 1}, {"password": "p", "gone": "x"})
        assert (old.dialect, old.read_only, old.secrets()) == (dialect, True, {"password": "p"})

    def test_a_role_keeps_the_name_that_was_written(self) -> None:
        assert read("postgres", baseRole="QUERY_TOPICS").base_role == "QUERY_TOPICS"

    def test_a_comma_list_and_an_array_are_the_same(self) -> None:
        assert read("postgres", offloadedSchemas=" a,b ,,").offloaded_schemas == ("a", "b")
        assert read("postgres", offloadedSchemas=["a", "b"]).offloaded_schemas == ("a", "b")


class TestSecrecy:
    @every
    def test_no_repr_shows_more_than_dialect_and_name(self, dialect: str) -> None:
        config = read(dialect, region="eu-secret")
        assert repr(config) == f"Config(dialect='{dialect}', name='n')"
        assert "SENTINEL" not in f"{config} {config!r} {vars(config)} {config.model_dump()}"

    def test_no_fault_shows_a_secret(self) -> None:
        with pytest.raises(errors.InvalidInput) as refused:
            read("snowflake", privateKey="SENTINEL", passwordUnencrypted="SENTINEL\0")
        shown = f"{refused.value!r} {refused.value.faults} {refused.value.__context__!r} {refused.value.__cause__!r}"
        assert len(refused.value.faults) == 2
        assert "SENTINEL" not in shown

    def test_a_config_cannot_be_changed(self) -> None:
        with pytest.raises(ValueError, match="frozen"):
            read("postgres").host = "other"  # pyright: ignore[reportAttributeAccessIssue]


class TestCredentials:
    def test_new_ones_are_checked_as_at_the_start(self) -> None:
        changed = read("postgres").changed({"passwordUnencrypted": "new"})
        assert changed.secrets() == {"password": "new"}
        assert changed.public() == read("postgres").public()
        for dialect, body in (
            ("postgres", {"passwordUnencrypted": ""}),
            ("postgres", {"passwordUnencrypted": None}),
            ("snowflake", {"privateKey": "x"}),
        ):
            with pytest.raises(errors.InvalidInput):
                read(dialect).changed(body)

    def test_a_service_account_stays_one(self) -> None:
        config = read("bigquery", wifAudience="", passwordUnencrypted=account())
        with pytest.raises(errors.InvalidInput):
            config.changed({"passwordUnencrypted": "x"})

    def test_an_empty_project_is_none(self) -> None:
        config = read(
            "bigquery", wifAudience="", passwordUnencrypted=account(project_id="", client_email="")
        ).dialable()
        assert (config.database, config.username) == (None, None)

    @pytest.mark.parametrize(
        ("given", "followed"),
        [
            ({}, ("new", "new@new")),
            ({"database": "proj"}, ("proj", "new@new")),
            ({"database": "own"}, ("own", "new@new")),
            ({"database": "own", "username": "own"}, ("own", "own")),
        ],
    )
    def test_what_came_from_a_service_account_follows_the_next(
        self, given: dict[str, Any], followed: tuple[str, str]
    ) -> None:
        config = read("bigquery", wifAudience="", passwordUnencrypted=account(), **given)
        after = config.changed({"passwordUnencrypted": account(project_id="new", client_email="new@new")})
        assert after.public() == config.public()
        assert (after.dialable().database, after.dialable().username) == followed


class TestChanges:
    @every
    def test_nothing_changes_nothing(self, dialect: str) -> None:
        config = read(dialect)
        stored = type(config).restore(config.public(), config.secrets())
        assert stored.changed({}).public() == config.public()
        assert stored.changed({}).secrets() == config.secrets()

    @every
    def test_a_name_alone(self, dialect: str) -> None:
        config = read(dialect)
        assert config.changed({"name": "other"}).public() == config.public() | {"name": "other"}

    def test_null_brings_the_default_back(self) -> None:
        config = read("postgres", port=5433, defaultSchema="sales", offloadedSchemas="a,b")
        changed = config.changed({"port": None, "defaultSchema": None, "passwordUnencrypted": "p"})
        assert (changed.port, changed.default_schema, changed.offloaded_schemas) == (5432, None, ("a", "b"))

    def test_what_is_required_stays_required(self) -> None:
        with pytest.raises(errors.InvalidInput) as refused:
            read("postgres").changed({"host": None, "port": 0})
        assert [(fault.field, fault.code) for fault in refused.value.faults] == [
            ("host", "required"),
            ("port", "too_small"),
        ]

    def test_unknown_keys(self) -> None:
        with pytest.raises(errors.UnknownKeys):
            read("postgres").changed({"hosts": "h"})


class TestSchema:
    @every
    def test_lists_what_is_always_required(self, dialect: str) -> None:
        required = dialects.named(dialect).Config.json_schema()["required"]
        always = {"dialect", "name", *(BODIES[dialect] if dialect not in ("athena", "bigquery", "databricks") else ())}
        if dialect == "snowflake":
            always -= {"passwordUnencrypted", "host", "username", "warehouse"}
        expected = {"athena": {"region"}, "databricks": {"host", "warehouse"}}.get(dialect, set()) | always
        assert set(required) == expected

    @every
    def test_secrets_are_write_only_and_nothing_else_is_allowed(self, dialect: str) -> None:
        schema = dialects.named(dialect).Config.json_schema()
        assert schema["additionalProperties"] is False
        assert [name for name, field in schema["properties"].items() if field.get("writeOnly")] == SECRETS
        assert schema["properties"]["dialect"]["const"] == dialect

    @every
    def test_has_nothing_that_json_schema_does_not_know(self, dialect: str) -> None:
        schema = dialects.named(dialect).Config.json_schema()
        known = {"type", "description", "default", "enum", "const", "anyOf", "format", "pattern", "writeOnly"}
        for field in schema["properties"].values():
            assert set(field) <= known | {"minimum", "maximum", "minLength", "maxLength"}
        accepts = jsonschema_rs.Draft202012Validator(schema).is_valid
        usual = {"dialect": dialect} | BODIES[dialect]
        for sent in ({}, {"offloadedSchemas": "a,b"}, {"offloadedSchemas": ["a"]}, {"port": 65535}, {"region": "r"}):
            assert accepts(usual | sent), sent
        for sent in ({"port": 0}, {"port": "1"}, {"name": ""}, {"x": 1}, {"dialect": "x"}, {"host": None}):
            assert not accepts(usual | sent), sent


class TestRegistry:
    def test_names_are_the_17_and_then_ours(self) -> None:
        assert len(dialects.names()) == 18
        assert dialects.names()[-1] == "duckdb"
        assert [name for name in dialects.names() if dialects.named(name).abilities.own] == ["duckdb"]

    @every
    def test_a_dialect_is_named_as_its_config_is(self, dialect: str) -> None:
        found = dialects.named(dialect)
        assert found is dialects.named(dialect)
        assert found.name == found.Config.model_fields["dialect"].default == dialect
        assert found.title

    @pytest.mark.parametrize("name", ["", "Postgres", "base", "config", None, 5, ["postgres"], {}, True])
    def test_anything_else_is_unknown(self, name: object) -> None:
        with pytest.raises(errors.UnknownDialect):
            dialects.named(name)

    @every
    def test_each_connects_and_says_which_extra_brings_its_driver(self, dialect: str) -> None:
        found = dialects.named(dialect)
        assert found.abilities.connects
        assert found.PARAMETERS
        assert found.extra in (dialect.replace("_", "-"), None)

    def test_loading_all_loads_no_driver(self) -> None:
        code = (
            "import sys; from moorings import dialects; before = set(sys.modules)\n"
            "assert not any(name.startswith('moorings.dialects.') for name in before), before\n"
            "[dialects.named(name) for name in dialects.names()]\n"
            "drivers = {'pyarrow', 'duckdb', 'psycopg', 'asyncmy', 'adbc_driver_manager', 'cryptography'}\n"
            "assert not drivers & set(sys.modules), drivers & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

    def test_roles_are_those_of_the_policy(self) -> None:
        taken = get_args(ConnectionConfig.model_fields["base_role"].annotation)
        assert tuple(role.name for role in Role) == taken
        assert tuple(ROLE_ALIASES) == (ROLE_ALIAS,)
