"""Connection URIs as drivers, SQLAlchemy and JDBC write them, as the fields of a connection."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from moorings.client.cli.locations import LOGIN, TLS, Location, Parameters, Unreadable, number, truth, unless_true

SCHEMES: Mapping[str, str] = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "redshift": "redshift",
    "mysql": "mysql",
    "mariadb": "mariadb",
    "starrocks": "starrocks",
    "snowflake": "snowflake",
    "bigquery": "bigquery",
    "databricks": "databricks",
    "spark": "databricks",
    "clickhouse": "clickhouse",
    "clickhousedb": "clickhouse",
    "clickhouses": "clickhouse",
    "ch": "clickhouse",
    "trino": "trino",
    "awsathena": "athena",
    "athena": "athena",
    "mssql": "mssql",
    "sqlserver": "mssql",
    "oracle": "oracle",
    "exa": "exasol",
    "exasol": "exasol",
    "hana": "sap_hana",
    "sap": "sap_hana",
    "duckdb": "duckdb",
    "motherduck": "motherduck",
    "md": "motherduck",
}
"""The scheme of a URI, without the driver that SQLAlchemy adds behind a `+`, and its dialect."""

_OWN: Mapping[str, Parameters] = {
    "postgres": {"ssl": ("sslMode", lambda value: "verify-full" if truth(value) else "disable")},
    "mysql": {
        "usessl": ("sslMode", lambda value: "require" if truth(value) else "disable"),
        "ssl": ("sslMode", lambda value: "require" if truth(value) else "disable"),
    },
    "snowflake": {
        "db": "database",
        "account": "host",
        "warehouse": "warehouse",
        "privatekeyfile": "@privateKey",
        "privatekeypath": "@privateKey",
        "privatekeyfilepwd": "privateKeyPassphrase",
    },
    "bigquery": {
        "location": "region",
        "projectid": "database",
        "defaultdataset": "defaultSchema",
        "credentialspath": "@passwordUnencrypted",
        "oauthpvtkeypath": "@passwordUnencrypted",
        "maximumbytesbilled": "maxBillingBytes",
    },
    "databricks": {
        "httppath": "warehouse",
        "catalog": "database",
        "conncatalog": "database",
        "connschema": "defaultSchema",
    },
    "clickhouse": {
        "ssl": ("sslMode", unless_true("disable")),
        "secure": ("sslMode", unless_true("disable")),
        "protocol": ("sslMode", lambda value: "disable" if value == "http" else None),
    },
    "trino": {
        "catalog": "database",
        "ssl": ("sslMode", unless_true("disable")),
        "httpscheme": ("sslMode", lambda value: "disable" if value == "http" else None),
    },
    "athena": {
        "awsregion": "region",
        "regionname": "region",
        "region": "region",
        "s3stagingdir": "resultsLocation",
        "s3outputlocation": "resultsLocation",
        "outputlocation": "resultsLocation",
        "catalog": "database",
        "catalogname": "database",
        "rolearn": "awsRoleArn",
        "schemaname": "defaultSchema",
    },
    "mssql": {
        "encrypt": ("sslMode", unless_true("disable")),
        "trustservercertificate": ("trustServerCertificate", truth),
        "server": "host",
        "servername": "host",
        "portnumber": ("port", number),
    },
    "oracle": {"servicename": "database", "sid": "database"},
    "exasol": {},
    "sap_hana": {"encrypt": ("sslMode", unless_true("disable"))},
    "duckdb": {"motherducktoken": "passwordUnencrypted"},
}
PARAMETERS: Mapping[str, Parameters] = {
    **_OWN,
    "redshift": _OWN["postgres"],
    "mariadb": _OWN["mysql"],
    "starrocks": _OWN["mysql"],
    "motherduck": _OWN["duckdb"],
}
"""What each dialect takes beside the names of a login and of TLS."""

DRIVERS_OWN = frozenset({"driver", "applicationname", "charset", "transportmode", "authmech", "ssl", "thrifttransport"})
"""Parameters that steer a driver and name nothing of the database; they are left out silently."""


@dataclass(frozen=True)
class _Parts:
    """A URI, decoded; `hosted` is whether it has a part for a host."""

    user: str
    password: str
    host: str
    port: str
    path: str
    parameters: Mapping[str, str]


def parse(uri: str) -> Location:
    """The fields of a connection that a URI holds.

    Raises `Unreadable`, whose message quotes no part that may be a secret.
    """
    text = re.sub(r"\Ajdbc:", "", uri.strip(), flags=re.IGNORECASE)
    scheme, separator, rest = text.partition(":")
    name = scheme.partition("+")[0].casefold()
    if not separator or name not in SCHEMES:
        raise Unreadable(
            "the URI has no scheme of a known database. Use one such as postgresql://user@host:5432/database, "
            "or a JDBC URL or SQLAlchemy URL"
        )
    found = Location(SCHEMES[name])
    parts = _split(found.dialect, rest)
    if "," in parts.host:
        raise Unreadable("the URI names several hosts. A connection has one")
    found.set("username", parts.user)
    found.set("passwordUnencrypted", parts.password)
    found.set("host", parts.host)
    found.set("port", number(parts.port) if parts.port else None)
    if name == "clickhousedb" or (found.dialect == "clickhouse" and scheme.casefold().endswith("+http")):
        found.set("sslMode", "disable" if truth(parts.parameters.get("protocol", "")) is None else None)
    _PATHS.get(found.dialect, _database)(found, parts.path)
    found.take(parts.parameters, {**LOGIN, **TLS, **PARAMETERS.get(found.dialect, {})})
    found.ignored = [each for each in found.ignored if "".join(filter(str.isalnum, each.casefold())) not in DRIVERS_OWN]
    _AFTER.get(found.dialect, lambda found: None)(found)
    return found


def _split(dialect: str, rest: str) -> _Parts:
    """The parts behind the scheme. JDBC separates parameters by `;` where the driver's maker does."""
    rest = rest.removeprefix("thin:").lstrip("@") if dialect == "oracle" else rest
    semicolons = ";" in rest and "?" not in rest.partition(";")[0]
    body, _, query = rest.partition(";" if semicolons else "?")
    pairs = [pair.partition("=") for pair in query.split(";")] if semicolons else []
    parameters = {key: value for key, _, value in pairs if key} or dict(parse_qsl(query, keep_blank_values=True))
    body = re.sub(r"\A(//|tcps?://|@//|@)", "", body)
    if dialect == "athena" and "=" in body.partition("/")[0]:  # jdbc:awsathena://AwsRegion=…;…
        key, _, value = body.partition("=")
        return _Parts("", "", "", "", "", {key: value} | parameters)
    authority, slash, path = body.partition("/")
    if dialect == "oracle" and "@" not in authority and "@" in path:  # user/password@//host:1521/service
        secret, _, address = path.partition("@")
        again = _split(dialect, f"//{address.removeprefix('//')}")
        return _Parts(authority, secret, again.host, again.port, again.path, parameters)
    login, _, address = authority.rpartition("@")
    user, _, password = login.partition(":")
    host, port, service = _address(address)
    return _Parts(unquote(user), unquote(password), host, port, unquote(path) if slash else service, parameters)


def _address(address: str) -> tuple[str, str, str]:
    """Host, port, and what Oracle writes behind a second colon."""
    bracketed = re.fullmatch(r"\[([^]]+)\](?::(\d+))?", address)
    if bracketed:
        return bracketed[1], bracketed[2] or "", ""
    host, _, port = address.partition(":")
    port, _, service = port.partition(":")
    return unquote(host), port, service


def _database(found: Location, path: str) -> None:
    found.set("database", path.strip("/"))


def _database_and_schema(found: Location, path: str) -> None:
    database, _, schema = path.strip("/").partition("/")
    found.set("database", database)
    found.set("defaultSchema", schema)


def _schema(found: Location, path: str) -> None:
    found.set("defaultSchema", path.strip("/"))


def _file(found: Location, path: str) -> None:
    """`duckdb:///folder/file`, `jdbc:duckdb:file`, `duckdb:///md:database` and `md:database`."""
    host = found.fields.pop("host", "")
    name = (host if not path or host == "md" else path).removeprefix("/")
    port = found.fields.pop("port", None)
    name = name or str(port or "")
    if name.startswith("md:") or found.dialect == "motherduck" or host == "md":
        found.dialect, name = "motherduck", name.removeprefix("md:")
    found.set("database", name)


def _project(found: Location, path: str) -> None:
    """`bigquery://project/dataset`; in JDBC the host is the address of Google's API."""
    host = found.fields.pop("host", "")
    found.fields.pop("port", None)
    if host not in ("https", "http"):
        found.set("database", host)
        found.set("defaultSchema", path.strip("/"))


_PATHS: Mapping[str, Callable[[Location, str], None]] = {
    "snowflake": _database_and_schema,
    "trino": _database_and_schema,
    "databricks": lambda found, path: None,
    "athena": _schema,
    "exasol": _schema,
    "bigquery": _project,
    "duckdb": _file,
    "motherduck": _file,
}


def _account(found: Location) -> None:
    """Snowflake's account identifier, without the domain."""
    host = str(found.fields.get("host", ""))
    found.set("host", re.sub(r"\.snowflakecomputing\.(com|cn)\Z", "", host, flags=re.IGNORECASE))


def _token(found: Location) -> None:
    """`token` is the user name that stands for a personal access token."""
    if found.fields.get("username") == "token":
        del found.fields["username"]


def _region(found: Location) -> None:
    """Athena's region is in the host name of its API."""
    host = str(found.fields.pop("host", ""))
    found.fields.pop("port", None)
    match = re.match(r"athena\.([a-z0-9-]+)\.", host)
    if match and "region" not in found.fields:
        found.set("region", match[1])


_AFTER: Mapping[str, Callable[[Location], None]] = {"snowflake": _account, "databricks": _token, "athena": _region}
