"""CONTRACT section 1, POST /connections: request → exact status and body.

Rows are data, written from the contract and not from the code. `ABSENT` leaves a field out.
"""

from __future__ import annotations

import json
import uuid
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from moorings.dialects.config.keys import DAMAGED, ENCRYPTED, NOT_RSA

ABSENT = object()


def pem(key: Any, form: str = "PKCS8", secret: bytes | None = None) -> str:
    encryption = serialization.BestAvailableEncryption(secret) if secret else serialization.NoEncryption()
    return key.private_bytes(
        serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), encryption
    ).decode()


KEY = rsa.generate_private_key(65537, 2048)
PEM = pem(KEY)
BARE = "".join(PEM.splitlines()[1:-1])
SHORT_PEM = pem(rsa.generate_private_key(65537, 1024))

ACCOUNT = {
    "type": "service_account",
    "project_id": "proj",
    "private_key_id": "SENTINEL-1",
    "private_key": "SENTINEL-2",
    "client_email": "svc@proj.iam.gserviceaccount.com",
    "client_id": "1",
    "auth_uri": "…",
    "token_uri": "…",
    "auth_provider_x509_cert_url": "…",
    "client_x509_cert_url": "…",
}
LOGIN = {"name": "n", "passwordUnencrypted": "p"}
SERVER = LOGIN | {"host": "h", "username": "u"}
VALID: dict[str, dict[str, Any]] = {
    "postgres": SERVER | {"database": "d"},
    "redshift": SERVER | {"database": "d"},
    "databricks_lakebase": SERVER | {"database": "d"},
    "mysql": SERVER,
    "mariadb": SERVER,
    "starrocks": SERVER,
    "snowflake": SERVER | {"host": "xy12345.us-east-1", "warehouse": "w", "database": "d"},
    "bigquery": {"name": "n", "passwordUnencrypted": json.dumps(ACCOUNT)},
    "databricks": LOGIN | {"host": "h", "warehouse": "/sql/1.0/warehouses/1"},
    "motherduck": LOGIN | {"database": "d"},
    "clickhouse": SERVER,
    "trino": SERVER | {"database": "c"},
    "athena": LOGIN | {"region": "us-east-1", "username": "u"},
    "mssql": SERVER | {"database": "d", "defaultSchema": "dbo"},
    "oracle": SERVER | {"database": "d", "acceptsLicense": True},
    "exasol": SERVER,
    "sap_hana": SERVER,
    "duckdb": {"name": "n", "database": ":memory:"},
}
REQUIRED = {
    dialect: [
        field for field in ("name", "passwordUnencrypted", "host", "database", "username", *more) if field in body
    ]
    for dialect, more in (
        *(
            (dialect, ())
            for dialect in VALID
            if dialect not in ("snowflake", "databricks", "athena", "mssql", "oracle")
        ),
        ("snowflake", ("warehouse",)),
        ("databricks", ("warehouse",)),
        ("athena", ("region",)),
        ("mssql", ("defaultSchema",)),
        ("oracle", ("acceptsLicense",)),
    )
    for body in (VALID[dialect],)
}
ROLES = "'NO_ACCESS' | 'VIEWER' | 'RESTRICTED_QUERIER' | 'QUERIER' | 'MODELER' | 'CONNECTION_ADMIN'"
SNOWFLAKE_HOST = "host: Please only include your Snowflake account identifier"


class Row(NamedTuple):
    """`body` is laid over the dialect's valid one; `detail` follows `Bad Request: `."""

    quote: str
    dialect: str
    body: dict[str, Any]
    detail: str


def rows(quote: str, *cases: tuple[str, dict[str, Any], str]) -> list[Row]:
    return [Row(quote, *case) for case in cases]


def text(field: str, received: str) -> str:
    return f"{field}: Expected string, received {received}"


TYPES = rows(
    "`<field>: Expected number, received string`",
    ("postgres", {"name": 5}, text("name", "number")),
    ("postgres", {"name": None}, text("name", "null")),
    ("postgres", {"passwordUnencrypted": 5}, text("passwordUnencrypted", "number")),
    ("postgres", {"passwordUnencrypted": {"a": 1}}, text("passwordUnencrypted", "object")),
    ("postgres", {"host": True}, text("host", "boolean")),
    ("postgres", {"host": ["h"]}, text("host", "array")),
    ("postgres", {"host": {}}, text("host", "object")),
    ("postgres", {"port": "5432"}, "port: Expected number, received string"),
    ("postgres", {"port": True}, "port: Expected number, received boolean"),
    ("postgres", {"port": None}, "port: Expected number, received null"),
    ("postgres", {"port": []}, "port: Expected number, received array"),
    ("snowflake", {"port": "x"}, "port: Expected number, received string"),
    ("postgres", {"queryTimeoutSeconds": "60"}, "queryTimeoutSeconds: Expected number, received string"),
    ("bigquery", {"maxBillingBytes": 100}, text("maxBillingBytes", "number")),
    (
        "postgres",
        {"allowsUserSpecificTimezones": "true"},
        "allowsUserSpecificTimezones: Expected boolean, received string",
    ),
    ("postgres", {"trustServerCertificate": 1}, "trustServerCertificate: Expected boolean, received number"),
    ("postgres", {"acceptsLicense": None}, "acceptsLicense: Expected boolean, received null"),
    ("postgres", {"alwaysScopeViewNames": 0}, "alwaysScopeViewNames: Expected boolean, received number"),
    ("postgres", {"readOnly": "no"}, "readOnly: Expected boolean, received string"),
    ("postgres", {"includeSchemas": ["a"]}, text("includeSchemas", "array")),
    ("postgres", {"includeOtherCatalogs": ["a"]}, text("includeOtherCatalogs", "array")),
    ("postgres", {"offloadedSchemas": 1}, text("offloadedSchemas", "number")),
    ("postgres", {"offloadedSchemas": ["a", 1]}, text("offloadedSchemas.1", "number")),
    ("postgres", {"awsRoleArn": 1}, text("awsRoleArn", "number")),
    ("postgres", {"oauthClientSecretUnencrypted": False}, text("oauthClientSecretUnencrypted", "boolean")),
    ("postgres", {"baseRole": 5}, f"baseRole: Expected {ROLES}, received number"),
)
INTEGERS = rows(
    "`<field>: Expected integer, received float`",
    ("postgres", {"port": 5432.5}, "port: Expected integer, received float"),
    ("mysql", {"queryTimeoutSeconds": 0.5}, "queryTimeoutSeconds: Expected integer, received float"),
)
LIMITS = rows(
    "String must contain at least 1 character(s) / at most 255 character(s); Number must be …",
    ("postgres", {"name": ""}, "name: String must contain at least 1 character(s)"),
    ("postgres", {"name": "x" * 256}, "name: String must contain at most 255 character(s)"),
    ("postgres", {"host": ""}, "host: String must contain at least 1 character(s)"),
    ("postgres", {"passwordUnencrypted": ""}, "passwordUnencrypted: String must contain at least 1 character(s)"),
    ("snowflake", {"privateKey": "", "passwordUnencrypted": ABSENT}, "passwordUnencrypted: Required"),
    ("postgres", {"port": 0}, "port: Number must be greater than or equal to 1"),
    ("postgres", {"port": -1}, "port: Number must be greater than or equal to 1"),
    ("postgres", {"port": 65536}, "port: Number must be less than or equal to 65535"),
    ("postgres", {"port": 10**30}, "port: Number must be less than or equal to 65535"),
    ("postgres", {"queryTimeoutSeconds": 0}, "queryTimeoutSeconds: Number must be greater than or equal to 1"),
    ("postgres", {"queryTimeoutSeconds": 3601}, "queryTimeoutSeconds: Number must be less than or equal to 3600"),
)
ENUMS = rows(
    "`<field>: Invalid enum value. Expected 'a' | 'b', received 'c'`",
    ("postgres", {"baseRole": "ADMIN"}, f"baseRole: Invalid enum value. Expected {ROLES}, received 'ADMIN'"),
    ("postgres", {"baseRole": "viewer"}, f"baseRole: Invalid enum value. Expected {ROLES}, received 'viewer'"),
    ("postgres", {"baseRole": ""}, f"baseRole: Invalid enum value. Expected {ROLES}, received ''"),
    (
        "snowflake",
        {"authenticationType": "aws-access-key"},
        (
            "authenticationType: Invalid enum value. Expected 'snowflake-password' | 'snowflake-keypair' | "
            "'snowflake-oauth-user' | 'snowflake-external-oauth-user', received 'aws-access-key'"
        ),
    ),
    (
        "mssql",
        {"authenticationType": "x"},
        (
            "authenticationType: Invalid enum value. Expected 'mssql-sql-authentication' | "
            "'mssql-active-directory-password' | 'mssql-active-directory-service-principal', received 'x'"
        ),
    ),
    (
        "clickhouse",
        {"sslMode": "off"},
        "sslMode: Invalid enum value. Expected 'disable' | 'require' | 'verify-full', received 'off'",
    ),
)
UNSTORABLE = rows(
    "`<field>: Invalid input` (NUL bytes and what no other sentence fits)",
    ("postgres", {"name": "a\0b"}, "name: Invalid input"),
    ("postgres", {"passwordUnencrypted": "\0"}, "passwordUnencrypted: Invalid input"),
    ("postgres", {"host": "\ud800"}, "host: Invalid input"),
    ("postgres", {"offloadedSchemas": ["a", "\0"]}, "offloadedSchemas: Invalid input"),
    ("bigquery", {"maxBillingBytes": "1e9"}, "maxBillingBytes: Invalid input"),
    ("bigquery", {"maxBillingBytes": "-1"}, "maxBillingBytes: Invalid input"),
    ("postgres", {"systemTimezone": "Mars/Base"}, "systemTimezone: Invalid input"),
    ("postgres", {"systemTimezone": "NONE"}, "systemTimezone: Invalid input"),
    ("postgres", {"queryTimezone": "Mars/Base"}, "queryTimezone: Invalid input"),
    ("postgres", {"queryTimezone": "../etc/passwd"}, "queryTimezone: Invalid input"),
    ("postgres", {"sslRootCert": "x"}, "sslRootCert: expected PEM certificates"),
    ("oracle", {"acceptsLicense": False}, "acceptsLicense: Invalid input"),
    ("snowflake", {"hostOverride": "h.example.com"}, "hostOverride: Invalid input"),
)
URLS = rows(
    "`<field>: Invalid url`",
    ("postgres", {"externalOauthTokenUrl": "x"}, "externalOauthTokenUrl: Invalid url"),
    ("postgres", {"externalOauthAuthorizationUrl": "https://"}, "externalOauthAuthorizationUrl: Invalid url"),
    ("postgres", {"externalOauthTokenUrl": "https://a:b:c/"}, "externalOauthTokenUrl: Invalid url"),
    ("snowflake", {"externalOauthTokenUrl": "http://idp.example.com/t"}, "externalOauthTokenUrl: Invalid url"),
    ("athena", {"resultsLocation": "https://bucket/x"}, "resultsLocation: Invalid url"),
)
TWO = rows(
    "All of them after one `Bad Request: `, joined by `; `, in the field order of section 1",
    ("postgres", {"host": ABSENT, "port": "x"}, "host: Required; port: Expected number, received string"),
    ("postgres", {"port": 0, "name": ABSENT}, "name: Required; port: Number must be greater than or equal to 1"),
    (
        "postgres",
        {"baseRole": "x", "database": ABSENT, "name": ""},
        (
            "name: String must contain at least 1 character(s); database: Required; "
            f"baseRole: Invalid enum value. Expected {ROLES}, received 'x'"
        ),
    ),
    ("mysql", {"host": ABSENT, "username": ABSENT}, "host: Required; username: Required"),
    ("redshift", {"username": 1, "database": 2}, f"{text('database', 'number')}; {text('username', 'number')}"),
    ("mssql", {"defaultSchema": ABSENT, "username": ABSENT}, "username: Required; defaultSchema: Required"),
    ("oracle", {"acceptsLicense": ABSENT, "host": ABSENT}, "host: Required; acceptsLicense: Required"),
    ("databricks", {"warehouse": ABSENT, "host": ABSENT}, "host: Required; warehouse: Required"),
    ("athena", {"region": ABSENT, "username": ABSENT}, "username: Required; region: Required"),
    (
        "trino",
        {"sslMode": 1, "readOnly": 1},
        (
            "readOnly: Expected boolean, received number; "
            "sslMode: Expected 'disable' | 'require' | 'verify-full', received number"
        ),
    ),
    ("snowflake", {"host": "a/b", "warehouse": ABSENT}, f"{SNOWFLAKE_HOST}; warehouse: Required"),
    (
        "bigquery",
        {"passwordUnencrypted": "x", "name": ABSENT},
        "name: Required; passwordUnencrypted: Service account key must be a JSON object",
    ),
    ("snowflake", {"privateKey": "x", "queryTimezone": "x"}, "queryTimezone: Invalid input; privateKey: Invalid input"),
    ("clickhouse", {"passwordUnencrypted": ABSENT, "host": "\0"}, "passwordUnencrypted: Required; host: Invalid input"),
)
SNOWFLAKE = rows(
    "a `snowflakecomputing.` (any case), `://`, `/` or `:` in it gives the message below",
    ("snowflake", {"host": "xy.snowflakecomputing.com"}, SNOWFLAKE_HOST),
    ("snowflake", {"host": "xy.SnowflakeComputing.cn"}, SNOWFLAKE_HOST),
    ("snowflake", {"host": "https://xy"}, SNOWFLAKE_HOST),
    ("snowflake", {"host": "xy/"}, SNOWFLAKE_HOST),
    ("snowflake", {"host": "xy:443"}, SNOWFLAKE_HOST),
    ("snowflake", {"privateKey": "not a key"}, "privateKey: Invalid input"),
    ("snowflake", {"privateKey": SHORT_PEM}, f"privateKey: {NOT_RSA}"),
    ("snowflake", {"privateKey": pem(KEY, secret=b"x")}, f"privateKey: {ENCRYPTED}"),
    ("snowflake", {"privateKey": pem(ec.generate_private_key(ec.SECP256R1()))}, f"privateKey: {NOT_RSA}"),
    ("snowflake", {"privateKey": PEM[:200]}, f"privateKey: {DAMAGED}"),
    ("snowflake", {"privateKey": "A" * 900_000}, "privateKey: Invalid input"),
)
LOGINS = rows(
    "authenticationType → what replaces passwordUnencrypted",
    ("snowflake", {"authenticationType": "snowflake-keypair"}, "privateKey: Required"),
    (
        "snowflake",
        {"authenticationType": "snowflake-password", "privateKey": PEM, "passwordUnencrypted": ABSENT},
        "passwordUnencrypted: Required",
    ),
    (
        "snowflake",
        {"authenticationType": "snowflake-oauth-user", "passwordUnencrypted": ABSENT},
        "oauthClientId: Required; oauthClientSecretUnencrypted: Required",
    ),
    (
        "snowflake",
        {"authenticationType": "snowflake-external-oauth-user"},
        "externalOauthAuthorizationUrl: Required; externalOauthTokenUrl: Required",
    ),
    (
        "bigquery",
        {"authenticationType": "bigquery-byo-oauth-user", "passwordUnencrypted": ABSENT},
        "oauthClientId: Required; oauthClientSecretUnencrypted: Required",
    ),
    ("bigquery", {"authenticationType": "bigquery-workload-identity-federation"}, "wifAudience: Required"),
    ("databricks", {"useMachineAuth": True}, "username: Required"),
    (
        "databricks",
        {"useMachineAuth": True, "passwordUnencrypted": ABSENT},
        "passwordUnencrypted: Required; username: Required",
    ),
    ("databricks", {"authenticationType": "databricks-oauth-m2m"}, "username: Required"),
    (
        "mssql",
        {"authenticationType": "mssql-active-directory-service-principal", "passwordUnencrypted": ABSENT},
        "passwordUnencrypted: Required",
    ),
    ("athena", {"authenticationType": "aws-cross-account-role"}, "awsRoleArn: Required"),
    (
        "athena",
        {"authenticationType": "aws-access-key", "awsRoleArn": "arn:aws:iam::1:role/r", "passwordUnencrypted": ABSENT},
        "passwordUnencrypted: Required",
    ),
    (
        "athena",
        {"username": ABSENT, "passwordUnencrypted": ABSENT},
        "passwordUnencrypted: Required; username: Required",
    ),
)
KEY_FAULTS = rows(
    "A fault here: `Bad Request: passwordUnencrypted: <reason that quotes no part of the key>`",
    ("bigquery", {"passwordUnencrypted": "SENTINEL"}, "passwordUnencrypted: Service account key must be a JSON object"),
    (
        "bigquery",
        {"passwordUnencrypted": '["SENTINEL"]'},
        "passwordUnencrypted: Service account key must be a JSON object",
    ),
    (
        "bigquery",
        {"passwordUnencrypted": "[" * 100_000},
        "passwordUnencrypted: Service account key must be a JSON object",
    ),
    (
        "bigquery",
        {"passwordUnencrypted": json.dumps(ACCOUNT | {"type": "SENTINEL"})},
        "passwordUnencrypted: Service account key must have the type service_account",
    ),
    *(
        (
            "bigquery",
            {"passwordUnencrypted": json.dumps({name: value for name, value in ACCOUNT.items() if name != key})},
            f"passwordUnencrypted: Service account key lacks {key}",
        )
        for key in ACCOUNT
    ),
)
UNKNOWN = rows(
    "Unknown keys …: `formErrors: Unrecognized key(s) in object: 'a', 'b'`, reported alone",
    ("postgres", {"passwrod": "x"}, "formErrors: Unrecognized key(s) in object: 'passwrod'"),
    ("postgres", {"b": 1, "a": 2, "port": "x"}, "formErrors: Unrecognized key(s) in object: 'b', 'a'"),
    ("postgres", {"base_role": "VIEWER"}, "formErrors: Unrecognized key(s) in object: 'base_role'"),
    ("postgres", {"password": "p"}, "formErrors: Unrecognized key(s) in object: 'password'"),
    ("postgres", {"Host": "h"}, "formErrors: Unrecognized key(s) in object: 'Host'"),
    ("oracle", {"resultsLocation": "https://b"}, "resultsLocation: Invalid url"),
)
MISSING = [
    Row("`<field>: Required`, for each required field of each dialect", dialect, {field: ABSENT}, f"{field}: Required")
    for dialect, fields in REQUIRED.items()
    for field in fields
]
WRONG_TYPE = [
    Row("each required field of each dialect, of a wrong type", dialect, {field: 7}, text(field, "number"))
    for dialect, fields in REQUIRED.items()
    for field in fields
    if field != "acceptsLicense"
]
ROWS = [
    *MISSING,
    *WRONG_TYPE,
    *TYPES,
    *INTEGERS,
    *LIMITS,
    *ENUMS,
    *UNSTORABLE,
    *URLS,
    *TWO,
    *SNOWFLAKE,
    *LOGINS,
    *KEY_FAULTS,
    *UNKNOWN,
]

FLAT = {
    "warehouse": "w",
    "region": "r",
    "wifAudience": "a",
    "awsRoleArn": "arn:aws:iam::1:role/r",
    "privateKey": "not even a key",
    "maxBillingBytes": "1000",
    "authenticationType": "anything",
    "useMachineAuth": True,
}
ACCEPTED = [
    *(Row("a valid body of each dialect → 201", dialect, {}, "") for dialect in VALID),
    *rows(
        "One flat body: a known field that the dialect doesn't use is accepted and stored.",
        ("postgres", FLAT, ""),
        ("exasol", FLAT, ""),
        ("duckdb", FLAT | {"passwordUnencrypted": "p", "host": "h", "port": 1}, ""),
    ),
    *rows(
        "values that look wrong, and are not",
        ("postgres", {"port": 5432.0}, ""),
        ("postgres", {"port": 65535, "queryTimeoutSeconds": 3600, "name": "x" * 255}, ""),
        ("postgres", {"name": "ü\U0001f600"}, ""),
        ("postgres", {"baseRole": "QUERY_TOPICS"}, ""),
        ("postgres", {"offloadedSchemas": ["a", "b"]}, ""),
        ("postgres", {"offloadedSchemas": "a, b"}, ""),
        ("postgres", {"queryTimezone": "NONE", "systemTimezone": "America/New_York"}, ""),
        ("postgres", {"defaultSchema": "", "region": ""}, ""),
    ),
    *rows(
        "authenticationType … inferred from the field in brackets when absent",
        ("snowflake", {"passwordUnencrypted": ABSENT, "privateKey": PEM}, ""),
        ("snowflake", {"passwordUnencrypted": "", "privateKey": BARE}, ""),
        ("snowflake", {"passwordUnencrypted": ABSENT, "privateKey": pem(KEY, "TraditionalOpenSSL")}, ""),
        ("snowflake", {"passwordUnencrypted": ABSENT, "privateKey": PEM.replace("\n", "\\n")}, ""),
        ("snowflake", {"host": ABSENT, "hostOverride": "xy.privatelink.snowflakecomputing.com"}, ""),
        ("snowflake", {"host": "", "hostOverride": "h.example.com"}, ""),
        (
            "snowflake",
            {
                "passwordUnencrypted": ABSENT,
                "authenticationType": "snowflake-external-oauth-user",
                "externalOauthAuthorizationUrl": "https://idp.example.com/a",
                "externalOauthTokenUrl": "https://idp.example.com/t",
            },
            "",
        ),
        ("bigquery", {"passwordUnencrypted": ABSENT, "wifAudience": "//iam.googleapis.com/p"}, ""),
        ("bigquery", {"passwordUnencrypted": ABSENT, "authenticationType": "bigquery-oauth-user"}, ""),
        ("databricks", {"useMachineAuth": True, "username": "u"}, ""),
        ("databricks", {"passwordUnencrypted": ABSENT, "authenticationType": "databricks-oauth-user"}, ""),
        ("athena", {"passwordUnencrypted": ABSENT, "username": ABSENT, "awsRoleArn": "arn:aws:iam::1:role/r"}, ""),
        ("mssql", {"authenticationType": "mssql-active-directory-password"}, ""),
    ),
]


def body_of(row: Row) -> bytes:
    laid = {"dialect": row.dialect} | VALID[row.dialect] | row.body
    return json.dumps({field: value for field, value in laid.items() if value is not ABSENT}).encode()


def named(row: Row) -> str:
    return f"{row.dialect}-{'-'.join(row.body) or 'valid'}-{row.detail[:40]}"


def post(service: Any, content: bytes) -> Any:
    return service.request("POST", "/connections", content=content, headers={"content-type": "application/json"})


class TestFaults:
    @pytest.mark.parametrize("row", ROWS, ids=named)
    def test_exact_body(self, service: Any, row: Row) -> None:
        answer = post(service, body_of(row))
        assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {row.detail}", "status": 400})
        assert "SENTINEL" not in answer.text

    def test_table_is_as_long_as_promised(self) -> None:
        assert len(ROWS) + len(ACCEPTED) >= 150


class TestAccepted:
    @pytest.mark.parametrize("row", ACCEPTED, ids=named)
    def test_exact_body(self, service: Any, row: Row) -> None:
        answer = post(service, body_of(row))
        assert answer.status_code == 201, answer.text
        assert answer.json() == {"success": True, "data": str(uuid.UUID(answer.json()["data"]))}


UNKNOWN_DIALECTS = [
    "postgresql",
    "Postgres",
    "",
    "duckdb ",
    " postgres",
    None,
    5,
    5.5,
    True,
    [],
    ["postgres"],
    {},
    "\0",
    "config",
]


class TestDialect:
    """`dialect` missing: Required; anything but one of the 17 (or our `duckdb`), whatever its type: alone."""

    @pytest.mark.parametrize("sent", UNKNOWN_DIALECTS, ids=repr)
    def test_unknown_is_reported_alone(self, service: Any, sent: object) -> None:
        answer = post(service, json.dumps({"dialect": sent, "port": "x", "nonsense": 1}).encode())
        assert (answer.status_code, answer.json()) == (400, {"detail": "Invalid connection dialect", "status": 400})

    @pytest.mark.parametrize("sent", [{}, {"name": "n"}, {"port": "x", "nonsense": 1}], ids=repr)
    def test_missing(self, service: Any, sent: dict[str, Any]) -> None:
        answer = post(service, json.dumps(sent).encode())
        assert (answer.status_code, answer.json()) == (400, {"detail": "Bad Request: dialect: Required", "status": 400})


NOT_JSON = {
    "zero bytes": b"",
    "blank": b"  ",
    "cut off": b'{"dialect": "postgres"',
    "invalid UTF-8": b'{"name": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"dialect": "postgres"}',
    "duplicate key": b'{"name": "a", "name": "b"}',
    "nested duplicate key": b'{"name": {"a": 1, "a": 2}}',
    "NaN": b'{"port": NaN}',
    "Infinity": b'{"port": -Infinity}',
    "number beyond floats": b'{"port": 1e999}',
    "number of 5,000 digits": b'{"port": ' + b"9" * 5_000 + b"}",
    "nesting of 65": b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}",
    "nesting of 200,000": b"[" * 200_000,
    "two values": b"{} {}",
    "trailing comma": b'{"a": 1,}',
    "comment": b"{} // x",
    "single quotes": b"{'a': 1}",
    "control character in a string": b'{"name": "a\nb"}',
    "form": b"name=x&dialect=postgres",
}
NO_OBJECT = {b"[]": "array", b'"x"': "string", b"5": "number", b"1.5": "number", b"true": "boolean", b"null": "null"}


class TestBodies:
    @pytest.mark.parametrize("content", NOT_JSON.values(), ids=NOT_JSON)
    def test_no_json(self, service: Any, content: bytes) -> None:
        answer = post(service, content)
        assert (answer.status_code, answer.json()) == (400, {"detail": "Bad Request: Invalid JSON", "status": 400})

    @pytest.mark.parametrize(("content", "received"), NO_OBJECT.items(), ids=NO_OBJECT.values())
    def test_json_but_no_object(self, service: Any, content: bytes, received: str) -> None:
        answer = post(service, content)
        detail = f"Bad Request: Expected object, received {received}"
        assert (answer.status_code, answer.json()) == (400, {"detail": detail, "status": 400})

    def test_nesting_of_64_is_json(self, service: Any) -> None:
        answer = post(service, b'{"dialect": "postgres", "nested": ' + b"[" * 63 + b"]" * 63 + b"}")
        assert answer.json()["detail"] == "Bad Request: formErrors: Unrecognized key(s) in object: 'nested'"

    def test_unknown_key_that_has_no_utf8(self, service: Any) -> None:
        answer = post(service, b'{"dialect": "postgres", "\\ud800": 1}')
        assert answer.json()["detail"] == "Bad Request: formErrors: Unrecognized key(s) in object: '?'"
