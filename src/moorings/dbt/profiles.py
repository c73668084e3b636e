"""Makes a profiles.yml for dbt from a connection and an environment.

In it, dbt renders each text of a profile as a Jinja template, so a text that looks like one is written as a template
that renders to it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncSession

from moorings.connections.models import Connection
from moorings.connections.service import opened as opened_connection
from moorings.dbt import environments
from moorings.dbt.models import DbtEnvironment, DbtVariable
from moorings.dbt.service import supported
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.errors import DbtNotSupported, NoDbtSchema
from moorings.secrets import Keyset

PROFILE = "moorings"
"""The name that a dbt_project.yml has as its `profile`."""
TARGET = "default"
"""The target of environments that name none."""
THREADS = 4
PREFIX = "DBT_ENV_SECRET_"
"""The prefix of variables whose values dbt never shows."""
MAX_SIMPLE_KEY_LENGTH = 1024
"""Characters that YAML lets a key have on one line with its value; a longer one is written with `?`."""
OURS = (0, 1, 3)
"""The nesting levels whose names are dbt's or ours; deeper names come from users."""
LIKE_JINJA = re.compile(r"\{(?=[{%#])|\n\Z")
"""The starts of a Jinja template, and the final line break, which Jinja drops."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A text that dbt should render."""

    text: str


async def profile(
    session: AsyncSession,
    keyset: Keyset,
    connection: Connection,
    environment: DbtEnvironment | None,
    *,
    with_secrets: bool,
) -> str:
    """The profile of a connection for an environment.

    It reads secrets from dbt's environment variables, unless `with_secrets` is true.

    Raises DbtNotSupported, or NoDbtSchema when neither names a schema.
    """
    if not supported(connection):
        raise DbtNotSupported
    target = await opened_connection(session, keyset, connection)
    output = target.dialect.dbt_output(target.config.completed(), _place(target.config, environment))
    secrets = target.config.secrets() if with_secrets else {}
    variables: list[str] = []
    resolved = _resolved(output, lambda secret: _written(secret, secrets, variables))
    found = (await environments.variables(session, [environment]))[environment.id] if environment else []
    name = (environment.target_name if environment else None) or TARGET
    document = {PROFILE: {"target": name, "outputs": {name: resolved | {"threads": THREADS}}}}
    comments = _comments(connection, variables, _exports(keyset, found, with_secrets=with_secrets))
    return "\n".join([*comments, *_lines(document, 0)]) + "\n"


def _place(config: ConnectionConfig, environment: DbtEnvironment | None) -> DbtPlace:
    if environment is not None:
        return DbtPlace(environment.target_schema, environment.target_database, environment.target_role)
    if config.default_schema is None:
        raise NoDbtSchema
    return DbtPlace(config.default_schema)


# ---- secrets ----------------------------------------------------------------------------------------------------


def _written(secret: DbtSecret, known: Mapping[str, str], variables: list[str]) -> str | Raw:
    """The value of a secret, or an `env_var` template whose name is added to the required variables."""
    if secret.field in known:
        value = known[secret.field]
        return value if secret.member is None else str(json.loads(value)[secret.member])
    name = PREFIX + (secret.member or secret.field).upper()
    variables.append(name)
    return Raw("{{ env_var('" + name + "') }}")


def _resolved(output: Mapping[str, Any], written: Callable[[DbtSecret], str | Raw]) -> dict[str, Any]:
    """The output without absent values, and with a text in the place of each secret."""
    found: dict[str, Any] = {}
    for key, value in output.items():
        if isinstance(value, Mapping):
            found[key] = _resolved(cast("Mapping[str, Any]", value), written)
        elif value is not None:
            found[key] = written(value) if isinstance(value, DbtSecret) else value
    return found


# ---- comments ---------------------------------------------------------------------------------------------------


def _comments(connection: Connection, variables: Sequence[str], exports: Sequence[str]) -> Iterator[str]:
    yield f"# For `profile: {PROFILE}` of a dbt_project.yml: the connection {json.dumps(connection.name)}."
    if variables:
        yield f"# dbt reads from its environment: {', '.join(variables)}."
    if exports:
        yield "# Variables of the dbt environment:"
        yield from exports


def _exports(keyset: Keyset, found: Sequence[DbtVariable], *, with_secrets: bool) -> list[str]:
    """A line of shell for each variable; secrets that are not included, or were erased, have no value."""
    lines: list[str] = []
    for variable in found:
        value = environments.opened(keyset, variable) if with_secrets or not variable.is_secret else None
        command = f"export {variable.name}={'' if value is None else shlex.quote(value)}"
        lines += [f"# {line}" for line in command.split("\n")]
    return lines


# ---- YAML -------------------------------------------------------------------------------------------------------


def _lines(mapping: Mapping[str, Any], depth: int) -> Iterator[str]:
    """A mapping in YAML's block style; texts and names from users are quoted, so that YAML takes them literally."""
    for key, value in mapping.items():
        name, indent = key if depth in OURS else _quoted(key), "  " * depth
        start = f"{indent}{name}:"
        if len(name) > MAX_SIMPLE_KEY_LENGTH:
            yield f"{indent}? {name}"
            start = f"{indent}:"
        if isinstance(value, dict):
            yield start
            yield from _lines(cast("dict[str, Any]", value), depth + 1)
        else:
            yield f"{start} {_scalar(value)}"


def _scalar(value: object) -> str:
    if isinstance(value, Raw):
        return _quoted(value.text)
    if isinstance(value, str):
        return _quoted(LIKE_JINJA.sub(lambda found: "{{ " + repr(found[0]) + " }}", value))
    return json.dumps(value)


def _quoted(text: str) -> str:
    r"""A double-quoted scalar, in ASCII: JSON's form is valid YAML, except for surrogate pairs, which become `\U`."""
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub(r"[^ -~]", lambda found: f"\\U{ord(found[0]):08x}", quoted)
