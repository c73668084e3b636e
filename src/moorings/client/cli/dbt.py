"""An output of dbt's profiles.yml, as the fields of a connection."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from moorings.client.cli.locations import LOGIN, TLS, Location, Parameters, Unreadable, number, truth, unless_true

TYPES: Mapping[str, str] = {
    "postgres": "postgres",
    "redshift": "redshift",
    "snowflake": "snowflake",
    "bigquery": "bigquery",
    "databricks": "databricks",
    "duckdb": "duckdb",
    "clickhouse": "clickhouse",
    "trino": "trino",
    "athena": "athena",
    "sqlserver": "mssql",
    "oracle": "oracle",
    "exasol": "exasol",
    "starrocks": "starrocks",
    "mysql": "mysql",
    "mysql5": "mysql",
    "mariadb": "mariadb",
}
"""The adapters of dbt, and the dialect of each."""

_OWN: Mapping[str, Parameters] = {
    "postgres": {"pass": "passwordUnencrypted"},
    "snowflake": {
        "account": "host",
        "warehouse": "warehouse",
        "privatekey": "privateKey",
        "privatekeypath": "@privateKey",
        "privatekeypassphrase": "privateKeyPassphrase",
    },
    "bigquery": {
        "project": "database",
        "dataset": "defaultSchema",
        "location": "region",
        "keyfile": "@passwordUnencrypted",
        "keyfilejson": "passwordUnencrypted",
        "maximumbytesbilled": "maxBillingBytes",
    },
    "databricks": {
        "httppath": "warehouse",
        "token": "passwordUnencrypted",
        "catalog": "database",
        "clientid": "username",
        "clientsecret": "passwordUnencrypted",
    },
    "duckdb": {"path": "database"},
    "clickhouse": {"schema": "database", "secure": ("sslMode", unless_true("disable"))},
    "trino": {"httpscheme": ("sslMode", lambda value: "disable" if value == "http" else None)},
    "athena": {
        "regionname": "region",
        "s3stagingdir": "resultsLocation",
        "awsaccesskeyid": "username",
        "awssecretaccesskey": "passwordUnencrypted",
    },
    "mssql": {
        "server": "host",
        "trustcert": ("trustServerCertificate", truth),
        "encrypt": ("sslMode", unless_true("disable")),
    },
    "oracle": {"service": "database"},
    "exasol": {"dsn": "host"},
    "starrocks": {"schema": "database"},
    "mysql": {"server": "host", "schema": "database"},
}
OWN: Mapping[str, Parameters] = {**_OWN, "redshift": _OWN["postgres"], "mariadb": _OWN["mysql"]}

DBTS_OWN = frozenset(
    {"type", "threads", "method", "authenticator", "authtype", "role", "retries", "connectretries", "connecttimeout"}
)
"""What dbt needs for itself, or says by the fields that are there; it is left out silently."""

_VARIABLE = re.compile(r"\{\{\s*env_var\(\s*(['\"])(\w+)\1\s*(?:,\s*(['\"])(.*?)\3\s*)?\)[^}]*\}\}")


def read(path: Path, variables: Mapping[str, str], profile: str | None = None, target: str | None = None) -> Location:
    """The fields of one output. `path` is profiles.yml or its folder; `variables` are those of `env_var`."""
    file = path / "profiles.yml" if path.is_dir() else path
    profiles: dict[str, dict[str, Any]] = {
        name: each for name, each in _yaml(file).items() if isinstance(each, dict) and "outputs" in each
    }
    chosen = _one("profile", profile, profiles, file)
    outputs: dict[str, Any] = profiles[chosen]["outputs"]
    default = _filled("target", profiles[chosen].get("target"), variables)
    output = outputs[_one("target", target or default or None, outputs, file)]
    filled = {str(name): _filled(str(name), value, variables) for name, value in output.items()}
    return _located(filled)


def _yaml(file: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.SafeLoader(file.read_text(encoding="utf-8")).get_single_data()
    except OSError as failed:
        raise Unreadable(f"{file} cannot be read: {failed.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        # The parser's own words quote lines of the file, which holds passwords.
        raise Unreadable(f"{file} is not valid YAML") from None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _one(kind: str, wanted: str | None, found: Mapping[str, Any], file: Path) -> str:
    """The one that is wanted, or the only one there is."""
    if wanted in found:
        return cast("str", wanted)
    if wanted is None and len(found) == 1:
        return next(iter(found))
    names = ", ".join(found) or "none"
    reason = f'has no {kind} "{wanted}"' if wanted else f"has {len(found)} {kind}s"
    raise Unreadable(f"{file} {reason}. Choose one with --{kind if kind == 'target' else 'dbt-profile'}: {names}")


def _filled(name: str, value: Any, variables: Mapping[str, str]) -> str:
    """A value as text, with the variables in it replaced."""
    if isinstance(value, dict):
        each = cast("dict[str, Any]", value)
        return json.dumps({str(key): _filled(f"{name}.{key}", inner, variables) for key, inner in each.items()})
    text = "" if value is None else str(value)

    def variable(found: re.Match[str]) -> str:
        if found[2] not in variables and found[4] is None:
            raise Unreadable(f"{name} needs the variable {found[2]}. Set it, or pass a file with it: --env-file .env")
        return variables.get(found[2], found[4])

    if "{{" in _VARIABLE.sub("", text):
        raise Unreadable(
            f"{name} has a template that cannot be read. Only env_var('NAME') and env_var('NAME', 'default') can"
        )
    return _VARIABLE.sub(variable, text)


def _located(output: Mapping[str, str]) -> Location:
    adapter = output.get("type", "")
    if adapter not in TYPES:
        raise Unreadable(f'the adapter "{adapter}" has no dialect here. Known: {", ".join(TYPES)}')
    found = Location(TYPES[adapter])
    found.take(output, {**LOGIN, **TLS, **OWN.get(found.dialect, {})})
    found.ignored = [name for name in found.ignored if "".join(filter(str.isalnum, name)) not in DBTS_OWN]
    _AFTER.get(found.dialect, lambda found, output: None)(found, output)
    return found


def _databricks(found: Location, output: Mapping[str, str]) -> None:
    if "client_id" in output:
        found.set("authenticationType", "databricks-oauth-m2m")


def _duckdb(found: Location, output: Mapping[str, str]) -> None:
    name = str(found.fields.get("database", ""))
    if name.startswith("md:"):
        found.dialect = "motherduck"
        found.set("database", name.removeprefix("md:"))


def _exasol(found: Location, output: Mapping[str, str]) -> None:
    host, colon, port = str(found.fields.get("host", "")).partition(":")
    found.set("host", host)
    if colon:
        found.set("port", number(port))


def _snowflake(found: Location, output: Mapping[str, str]) -> None:
    if "privateKey" in found.fields or "privateKey" in found.files:
        found.set("authenticationType", "snowflake-keypair")


_AFTER: Mapping[str, Callable[[Location, Mapping[str, str]], None]] = {
    "databricks": _databricks,
    "duckdb": _duckdb,
    "exasol": _exasol,
    "snowflake": _snowflake,
}


def env_file(path: Path) -> dict[str, str]:
    """The variables of a `.env` file: `NAME=value`, with `export`, quotes and comments as shells write them."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as failed:
        raise Unreadable(f"{path} cannot be read: {getattr(failed, 'strerror', 'it is not UTF-8')}") from None
    return dict(filter(None, map(_assignment, lines)))


def _assignment(line: str) -> tuple[str, str] | None:
    found = re.fullmatch(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*", line)
    if not found:
        return None
    value = found[2]
    if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
        return found[1], value[1:-1]
    return found[1], re.split(r"\s#", value, maxsplit=1)[0].rstrip()
