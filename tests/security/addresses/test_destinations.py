"""A stored secret does not follow a new destination: who changes where it goes has to send it again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moorings import dialects
from moorings.access.policy import Role
from moorings.dialects.config.fields import SslMode
from moorings.errors import InvalidInput
from tests.certificates import authority
from tests.conformance.test_create import PEM, VALID
from tests.security.servers.collector import collecting

CA, OTHER_CA = authority().pem, authority("Another").pem
PASSWORD, KEY, CLIENT_SECRET = "passwordUnencrypted", "privateKey", "oauthClientSecretUnencrypted"
SECRETS = (PASSWORD, KEY, CLIENT_SECRET)

CLIENT = {"oauthClientId": "i", CLIENT_SECRET: "c"}
TOKEN_URLS = {
    "externalOauthAuthorizationUrl": "https://login.example.com/a",
    "externalOauthTokenUrl": "https://login.example.com/t",
}
FEDERATION = json.dumps(
    {"type": "external_account", "credential_source": {"url": "https://identity.example.com/token"}}
)
SNOWFLAKE = {key: value for key, value in VALID["snowflake"].items() if key != PASSWORD}

# Name → a connection, and the secrets that its login uses.
CONNECTIONS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    **{name: ({"dialect": name, **body}, (PASSWORD,)) for name, body in VALID.items() if PASSWORD in body},
    "snowflake by key": ({"dialect": "snowflake", **SNOWFLAKE, KEY: PEM}, (KEY,)),
    "snowflake by its own OAuth": (
        {"dialect": "snowflake", **SNOWFLAKE, **CLIENT, "authenticationType": "snowflake-oauth-user"},
        (CLIENT_SECRET,),
    ),
    "snowflake by external OAuth": (
        {
            "dialect": "snowflake", **SNOWFLAKE, **CLIENT, **TOKEN_URLS,
            "authenticationType": "snowflake-external-oauth-user",
        },
        (CLIENT_SECRET,),
    ),
    "snowflake by password, with a client": (
        {"dialect": "snowflake", **VALID["snowflake"], **CLIENT},
        (PASSWORD, CLIENT_SECRET),
    ),
    "bigquery by federation": (
        {"dialect": "bigquery", "name": "n", "wifAudience": "//iam", PASSWORD: FEDERATION},
        (PASSWORD,),
    ),
    "bigquery by a client": (
        {"dialect": "bigquery", "name": "n", **CLIENT, "authenticationType": "bigquery-byo-oauth-user"},
        (CLIENT_SECRET,),
    ),
    "databricks by machine": (
        {"dialect": "databricks", **VALID["databricks"], "username": "u", "useMachineAuth": True},
        (PASSWORD,),
    ),
    "athena by role": (
        {"dialect": "athena", **VALID["athena"], "awsRoleArn": "arn:aws:iam::1:role/r"},
        (PASSWORD,),
    ),
    "mssql by Entra ID": (
        {"dialect": "mssql", **VALID["mssql"], "authenticationType": "mssql-active-directory-password"},
        (PASSWORD,),
    ),
}  # fmt: skip

# The field that changes → values before, and values after.
TRIGGERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "host": ({}, {"host": "elsewhere.example.com"}),
    "port": ({"port": 6001}, {"port": 6002}),
    "trustServerCertificate": ({}, {"trustServerCertificate": True}),
    "hostOverride": ({}, {"hostOverride": "elsewhere.example.com"}),
    "externalOauthAuthorizationUrl": ({}, {"externalOauthAuthorizationUrl": "https://elsewhere.example.com/a"}),
    "externalOauthTokenUrl": ({}, {"externalOauthTokenUrl": "https://elsewhere.example.com/t"}),
    "sslMode": ({"sslMode": "verify-full"}, {"sslMode": "require"}),
    "sslRootCert": ({"sslRootCert": CA}, {"sslRootCert": OTHER_CA}),
}
OF_ITS_OWN = {"athena": {"region": ({}, {"region": "eu-west-1"})}, "motherduck": {"database": ({}, {"database": "e"})}}
HOST_OR_OVERRIDE = "snowflake"
OTHER_LOGINS = [name for name in CONNECTIONS if name.startswith("snowflake") and "external" not in name]
"""An authorization URL alone changes their way to log in, which needs more."""


def cases() -> list[Any]:
    return [
        pytest.param(name, field, id=f"{name}-{field}")
        for name, (body, _) in CONNECTIONS.items()
        for field in TRIGGERS | OF_ITS_OWN.get(body["dialect"], {})
        if (body["dialect"], field) != (HOST_OR_OVERRIDE, "hostOverride")
        and not (name in OTHER_LOGINS and field == "externalOauthAuthorizationUrl")
    ]


def values(body: dict[str, Any], field: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return (TRIGGERS | OF_ITS_OWN.get(body["dialect"], {}))[field]


def make(service: Any, body: dict[str, Any]) -> str:
    answer = service.request("POST", "/connections", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


def refusal(secrets: tuple[str, ...], field: str) -> dict[str, Any]:
    faults = "; ".join(f"{secret}: Required when {field} changes" for secret in secrets)
    return {"detail": f"Bad Request: {faults}", "status": 400}


class TestEveryDestination:
    @pytest.mark.parametrize(("name", "field"), cases())
    def test_asks_for_the_secrets_of_the_login(self, service: Any, name: str, field: str) -> None:
        body, secrets = CONNECTIONS[name]
        before, after = values(body, field)
        made = make(service, body | before)
        shown_before = service.shown(made)
        answer = service.patch(made, after)
        assert answer.json() == refusal(secrets, field)
        assert service.shown(made) == shown_before
        assert service.patch(made, after | {secret: body[secret] for secret in secrets}).status_code == 200
        assert service.shown(made)["settings"][field] == after[field]

    @pytest.mark.parametrize(("name", "field"), cases())
    def test_the_same_value_asks_for_nothing(self, service: Any, name: str, field: str) -> None:
        body, _ = CONNECTIONS[name]
        made = make(service, body | values(body, field)[0])
        same = service.shown(made)["settings"][field]
        assert service.patch(made, {field: same, "queryTimeoutSeconds": 7}).status_code == 200

    @pytest.mark.parametrize("name", OTHER_LOGINS)
    def test_no_secret_follows_a_login_that_changes(self, service: Any, name: str) -> None:
        body, secrets = CONNECTIONS[name]
        made = make(service, body)
        alone = {"externalOauthAuthorizationUrl": TOKEN_URLS["externalOauthAuthorizationUrl"]}
        assert service.patch(made, alone).json()["detail"] == "Bad Request: externalOauthTokenUrl: Required"
        answer = service.patch(made, TOKEN_URLS)
        if CLIENT_SECRET in secrets:
            assert answer.json() == refusal((CLIENT_SECRET,), "externalOauthAuthorizationUrl")
        else:
            assert answer.status_code == 200
            assert service.shown(made)["credentials"] == {}

    def test_no_field_is_forgotten(self) -> None:
        """A new field of a Config is a destination, or it is written down here that it is none."""
        for dialect in map(dialects.named, dialects.names()):
            config = dialect.Config
            assert set(config.model_fields) - set(config.DESTINATIONS) - HARMLESS - set(config.secret_fields()) == set()


class TestWhoever:
    def test_a_connection_admin_cannot_take_the_password_to_a_server_of_their_own(self, service: Any) -> None:
        made = service.create(host="no.invalid", passwordUnencrypted="of-the-warehouse")
        thief = service.member(**{made: Role.CONNECTION_ADMIN})
        with collecting() as theirs:
            moved = {"host": "127.0.0.1", "port": theirs.port, "sslMode": "disable"}
            for body in (moved, moved | {"name": "n"}, moved | {"baseRole": "VIEWER"}):
                assert service.patch(made, body, key=thief).json() == refusal((PASSWORD,), "host")
            service.request("POST", f"/connections/{made}/test", key=thief)
            assert theirs.received == []
            assert service.patch(made, moved | {PASSWORD: "of-the-thief"}, key=thief).status_code == 200
            service.request("POST", f"/connections/{made}/test", key=thief)
            assert theirs.received

    def test_a_change_that_is_refused_for_other_reasons_too_names_them_all(self, service: Any) -> None:
        answer = service.patch(service.create(), {"host": "elsewhere", "baseRole": "X"})
        assert answer.status_code == 400
        assert "passwordUnencrypted: Required when host changes" in answer.json()["detail"]
        assert "baseRole: Invalid enum value" in answer.json()["detail"]


class TestModesThatTheOperatorChooses:
    """What an absent sslMode means is a setting, and counts on both sides of a change."""

    @pytest.mark.parametrize(
        ("default", "before", "after", "weaker"),
        [
            ("prefer", "require", None, True),
            ("disable", "prefer", None, True),
            ("verify-full", None, "require", True),
            ("require", "require", None, False),
            ("require", None, "require", False),
            ("prefer", None, "require", False),
        ],
    )
    @pytest.mark.parametrize("dialect", ["postgres", "mysql", "mariadb", "starrocks"])
    def test_a_weaker_one_needs_the_secret(
        self, dialect: str, default: SslMode, before: SslMode | None, after: SslMode | None, weaker: bool
    ) -> None:
        config = dialects.read({"dialect": dialect, **VALID[dialect], **({"sslMode": before} if before else {})})
        if not weaker:
            assert config.changed({"sslMode": after}, default).secrets() == config.secrets()
            return
        with pytest.raises(InvalidInput) as refused:
            config.changed({"sslMode": after}, default)
        assert [fault.field for fault in refused.value.faults] == [PASSWORD]


class TestWhatIsNoChange:
    @pytest.mark.parametrize(
        "body",
        [
            {"host": "DB.Example.com."},
            {"host": " db.example.com "},
            {"port": 5432},
            {"port": 5432.0},
            {"port": None},
            {"sslMode": "verify-full"},
            {"trustServerCertificate": False},
            {"sslRootCert": CA},
            {"hostOverride": ""},
            {"database": "another", "username": "another", "name": "another", "baseRole": "QUERIER"},
        ],
        ids=lambda body: str(body)[:40],  # the certificate is another one in every process
    )
    def test_needs_no_secret(self, service: Any, body: dict[str, Any]) -> None:
        made = service.create(host="db.example.com", sslMode="require")
        assert service.patch(made, body).status_code in {200, 400}
        answer = service.patch(made, body)
        assert "Required when" not in answer.text

    def test_protection_that_grows_needs_no_secret(self, service: Any) -> None:
        made = service.create(sslMode="disable", trustServerCertificate=True)
        for body in (
            {"sslMode": "prefer"},
            {"sslMode": "verify-ca"},
            {"sslRootCert": CA},
            {"trustServerCertificate": False},
        ):
            assert service.patch(made, body).status_code == 200
        assert service.patch(made, {"sslRootCert": None}).json() == refusal((PASSWORD,), "sslRootCert")

    @pytest.mark.parametrize("dialect", [name for name in VALID if name != "duckdb"])
    def test_nothing_stored_is_nothing_to_lose(self, service: Any, dialect: str) -> None:
        made = make(service, {"dialect": dialect, **VALID[dialect]})
        assert service.request("DELETE", f"/connections/{made}").status_code == 200
        assert service.request("POST", f"/connections/{made}/restore").status_code == 200
        answer = service.patch(made, {"host": "elsewhere"} | {PASSWORD: VALID[dialect].get(PASSWORD, "p")})
        assert answer.status_code == 200, answer.text


class TestOtherWays:
    """A secret that stayed behind must not follow by a second step."""

    def test_the_first_changed_field_is_named(self, service: Any) -> None:
        made = service.create()
        answer = service.patch(made, {"sslMode": "disable", "port": 1, "hostOverride": "x"})
        assert answer.json() == refusal((PASSWORD,), "port")

    def test_a_default_that_follows_is_not_blamed(self, service: Any) -> None:
        made = make(service, {"dialect": "clickhouse", **VALID["clickhouse"]})
        assert service.patch(made, {"sslMode": "disable"}).json() == refusal((PASSWORD,), "sslMode")

    def test_a_secret_of_another_login_is_erased_with_a_new_destination(self, service: Any) -> None:
        made = make(service, {"dialect": "snowflake", **VALID["snowflake"]})
        moved = {"hostOverride": "elsewhere.example.com", "host": None, KEY: PEM}
        by_key = moved | {"authenticationType": "snowflake-keypair"}
        assert service.patch(made, by_key).status_code == 200
        assert set(service.shown(made)["credentials"]) == {KEY}
        back = service.patch(made, {"authenticationType": "snowflake-password"})
        assert back.json()["detail"] == "Bad Request: passwordUnencrypted: Required"

    def test_a_token_url_asks_although_the_login_does_not_use_it_yet(self, service: Any) -> None:
        made = make(service, CONNECTIONS["snowflake by its own OAuth"][0])
        new = {"authenticationType": "snowflake-external-oauth-user", **TOKEN_URLS}
        assert service.patch(made, new).json() == refusal((CLIENT_SECRET,), "externalOauthAuthorizationUrl")

    def test_an_entra_password_does_not_follow_to_the_domain_of_another_user(self, service: Any) -> None:
        body, _ = CONNECTIONS["mssql by Entra ID"]
        made = make(service, body | {"username": "etl@corp.example"})
        assert service.patch(made, {"username": "other@corp.example"}).status_code == 200
        answer = service.patch(made, {"username": "x@federated.evil.example"})
        assert answer.json() == refusal((PASSWORD,), "username")

    def test_a_secret_that_is_taken_away_does_not_follow(self, service: Any) -> None:
        made = make(service, CONNECTIONS["athena by role"][0])
        assert service.patch(made, {"region": "eu-west-1", PASSWORD: None}).status_code == 200
        assert service.shown(made)["credentials"] == {}

    def test_a_restore_takes_no_destination(self, service: Any) -> None:
        made = service.create()
        service.request("DELETE", f"/connections/{made}")
        answer = service.request("POST", f"/connections/{made}/restore", json={PASSWORD: "p", "host": "elsewhere"})
        assert answer.json()["detail"] == "Bad Request: formErrors: Unrecognized key(s) in object: 'host'"


HARMLESS = {
    "dialect", "name", "database", "username", "base_role", "warehouse", "region", "default_schema", "include_schemas",
    "include_other_catalogs", "offloaded_schemas", "scratch_schema", "query_timeout_seconds", "max_billing_bytes",
    "system_timezone", "query_timezone", "allows_user_specific_timezones", "always_scope_view_names", "accepts_license",
    "infer_relationships_from_column_names", "infer_relationships_from_foreign_keys",
    "enable_db_semantic_layer_integration", "enable_db_semantic_layer_topics", "use_machine_auth",
    "authentication_type", "aws_role_arn", "oauth_client_id", "external_oauth_audience", "wif_audience",
    "wif_service_account_email", "read_only", "ssl_client_cert", "results_location", "unmatched", "probe_health",
    "numeric_as",
}  # fmt: skip
"""Fields that decide neither where a secret is sent nor how it is protected on the way."""
