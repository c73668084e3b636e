"""`moorings doctor --upgrade`: lists stored connections and settings that this version refuses, and changes nothing.

It reads databases of this and of earlier versions with its own SQL: the models fit the newest schema only.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import typer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock, dialects
from moorings.access.policy import Role
from moorings.cli import files
from moorings.cli.configured import configured
from moorings.db import Database
from moorings.db.connecting import AWAY, reason
from moorings.dialects.base import Dialect
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.hosts import hosts_of
from moorings.dialects.network.dialing import Network
from moorings.engine import egress
from moorings.errors import EgressRefused, HostNotFound, MooringsError, OperatorError
from moorings.secrets import Keyset, Sealed
from moorings.settings import Settings
from moorings.settings.environment import environment

RESOLVE_SECONDS = 10.0
"""How long all host names together may take to resolve."""
RESOLVERS = 16
TLS_REVISION = "0010"
"""The migration that writes an sslMode into connections without one."""
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that this version refuses or changes: the subject, the effect, and what to do."""

    subject: str
    refused: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A connection as stored."""

    id: str
    name: str
    dialect: Dialect
    settings: Mapping[str, Any]
    config: ConnectionConfig

    @property
    def subject(self) -> str:
        """The connection's id and name, on one line."""
        return f"connection {self.id} {json.dumps(self.name, ensure_ascii=False)}"


@dataclass(frozen=True, slots=True)
class Found:
    """The data read from the database."""

    revision: str
    connections: Sequence[Stored]
    dbt: frozenset[str]
    """The ids of connections with a dbt repository."""
    unread: str | None
    """The reason why the secrets could not be read."""


def examine_upgrade() -> bool:
    """Print one line for each finding; returns whether there is none. Raises OperatorError."""
    shell = environment()  # before `configured` drops them
    settings = configured()
    found = _read(settings)
    findings = [*_of_installation(settings), *(_of_connections(settings, found) if found else ())]
    for finding in findings:
        typer.echo(f"CHANGE  {finding.subject}: {finding.refused} {finding.remedy}")
    for note in _of_environment(shell, settings):
        typer.echo(f"note    {note}")
    if found and found.unread:
        typer.echo(f"note    secrets were not looked at: {found.unread}")
    if not findings:
        typer.echo("ok      nothing that is stored or set is refused by this version")
    return not findings


# ---- reading ----------------------------------------------------------------------------------------------------


def _read(settings: Settings) -> Found | None:
    database = Database(settings.database)
    if database.file and not database.file.exists():
        return None
    try:
        return asyncio.run(_reading(database, settings))
    except AWAY as refused:
        raise OperatorError(f"cannot read the metadata database: {reason(refused)}") from None


async def _reading(database: Database, settings: Settings) -> Found:
    try:
        async with database.reading() as session:
            revision = str((await session.execute(text("SELECT version_num FROM alembic_version"))).scalar())
            secrets, unread = await _secrets(session, settings)
            columns = "id, name, dialect, database, default_schema, base_role, settings"
            live = f"SELECT {columns} FROM connections WHERE deleted_at IS NULL ORDER BY name, id"  # noqa: S608  # constants
            rows = (await session.execute(text(live))).mappings().all()
            dbt: Iterable[str] = ()
            if revision >= "0006":
                dbt = await session.scalars(text("SELECT connection_id FROM dbt_repositories"))
            return Found(revision, list(_stored(rows, secrets)), frozenset(dbt), unread)
    finally:
        await database.close()


def _stored(rows: Iterable[Mapping[Any, Any]], secrets: Mapping[str, Mapping[str, str]]) -> Iterator[Stored]:
    for row in rows:
        dialect, settings = dialects.named(row["dialect"]), json.loads(row["settings"])
        columns = {name: row[name] for name in ("name", "dialect", "database", "default_schema")}
        base_role = {"base_role": Role(row["base_role"]).name}
        config = dialect.Config.restore(settings | columns | base_role, secrets.get(row["id"], {}))
        yield Stored(row["id"], row["name"], dialect, settings, config)


async def _secrets(session: AsyncSession, settings: Settings) -> tuple[dict[str, dict[str, str]], str | None]:
    """Secrets by connection and field, and the reason if they could not be read."""
    found: dict[str, dict[str, str]] = {}
    try:
        keyset = Keyset.read(settings.keyset_path)
        for row_id, connection_id, field, sealed in await session.execute(
            text("SELECT id, connection_id, field, sealed FROM connection_secrets")
        ):
            opened = keyset.open(Sealed(bytes(sealed)), table="connection_secrets", column="sealed", row=row_id)
            found.setdefault(connection_id, {})[field] = opened
    except OperatorError as refused:
        return {}, refused.message
    return found, None


# ---- the installation -------------------------------------------------------------------------------------------


def _of_installation(settings: Settings) -> Iterator[Finding]:
    for path in () if settings.allow_readable_files else files.readable_by_others(settings):
        yield Finding(
            f"file {path}",
            "Other users of this machine can read it. The service does not start with it.",
            f"Run chmod 600 {path}, or set MOORINGS_ALLOW_READABLE_FILES=true.",
        )
    if settings.bootstrap_token is not None and settings.bootstrap_token_file is None:
        yield Finding(
            "setting MOORINGS_BOOTSTRAP_TOKEN",
            "A token in the environment can be read by other processes of the same user.",
            "Write it to a file with mode 0600, and set MOORINGS_BOOTSTRAP_TOKEN_FILE to its path.",
        )


def _of_environment(shell: Mapping[str, str], settings: Settings) -> Iterator[str]:
    """Variables of the shell that earlier versions used, and the setting that takes their place."""
    for names, setting, value in (
        (PROXIES, "MOORINGS_HTTPS_PROXY", settings.https_proxy),
        (AUTHORITIES, "MOORINGS_CA_BUNDLE", settings.ca_bundle),
    ):
        found = ", ".join(name for name in names if shell.get(name))
        if found and value is None:
            yield f"{found}: the service no longer uses this. If connections need it, set {setting}."


# ---- connections ------------------------------------------------------------------------------------------------


def _of_connections(settings: Settings, found: Found) -> Iterator[Finding]:
    refusals = _refusals(settings, found.connections)
    for connection in found.connections:
        yield from _places(connection)
        if connection.id in refusals:
            allowed = "Or change" if "MOORINGS_" in refusals[connection.id] else "Change"
            yield Finding(connection.subject, refusals[connection.id], f"{allowed} the connection's host.")
        yield from _tls(connection, found.revision)
        yield from _credential_source(connection, settings)
        if found.unread is None:
            yield from _assumed_role(connection, settings)
        if connection.id in found.dbt and not settings.dbt_secrets:
            yield Finding(
                connection.subject,
                "GET …/dbt/profile?secrets=true is gone.",
                "If dbt takes its profile from there, set MOORINGS_DBT_SECRETS=true and use POST.",
            )


def _places(connection: Stored) -> Iterator[Finding]:
    for fault in connection.config.refused_addresses():
        yield Finding(
            connection.subject,
            f"{fault.field}: {fault.details['reason']}. No query runs until it is changed.",
            f"Send {fault.field} and the connection's secrets with PATCH /api/v1/connections/{connection.id}.",
        )


def _tls(connection: Stored, revision: str) -> Iterator[Finding]:
    if revision >= TLS_REVISION:
        return
    migration = importlib.import_module("moorings.migrations.versions.0010_tls_of_connections")
    before = connection.settings.get("ssl_mode")
    families = (*migration.PREFERRED, migration.LAKEBASE)
    if (
        connection.dialect.name in families
        and (after := migration.mode_for(connection.dialect.name, connection.settings)) != before
    ):
        yield Finding(
            connection.subject,
            f"sslMode is {before or 'absent'}, and the upgrade sets it to {after}.",
            "If the server speaks TLS, set sslMode to require, verify-ca or verify-full yourself."
            if after == "prefer"
            else f"If the server's certificate does not pass {after}, set another sslMode.",
        )


def _credential_source(connection: Stored, settings: Settings) -> Iterator[Finding]:
    """A federated credential that is read from a file; Google calls this `credential_source`."""
    for field, secret in connection.config.secrets().items():
        file = _source_file(secret)
        if file is not None and not _is_below(file, settings.credential_directories):
            yield Finding(
                connection.subject,
                f"{connection.config.wire_name(field)}: its credential_source is a file outside of "
                "MOORINGS_CREDENTIAL_DIRS.",
                "Add the file's directory to MOORINGS_CREDENTIAL_DIRS.",
            )


def _assumed_role(connection: Stored, settings: Settings) -> Iterator[Finding]:
    """An AWS role that earlier versions assumed with the credentials of the machine."""
    config = connection.config
    assumes = getattr(config, "aws_role_arn", None) and getattr(config, "authentication_type", "") != "aws-access-key"
    own_key = config.username and config.secrets().get("password")
    if assumes and not own_key and not settings.aws_access_key_id:
        yield Finding(
            connection.subject,
            "It has a role and no access key. Credentials of the machine are not used.",
            "Set MOORINGS_AWS_ACCESS_KEY_ID and MOORINGS_AWS_SECRET_ACCESS_KEY, or give the connection a key.",
        )


def _source_file(secret: str) -> str | None:
    try:
        given = json.loads(secret)
    except ValueError:
        return None
    source = cast("dict[str, Any]", given).get("credential_source") if isinstance(given, dict) else None
    file = cast("dict[str, Any]", source).get("file") if isinstance(source, dict) else None
    return file if isinstance(file, str) else None


def _is_below(file: str, directories: Iterable[str]) -> bool:
    real = Path(file).resolve()
    return any(real.is_relative_to(Path(directory).resolve()) for directory in directories)


# ---- egress -----------------------------------------------------------------------------------------------------


def _refusals(settings: Settings, connections: Sequence[Stored]) -> dict[str, str]:
    """Connection → the reason why its address may not be dialled. Hosts that do not resolve in time are skipped."""
    network, waiting = egress.for_callers(settings), queue.SimpleQueue[Stored]()
    found: dict[str, str] = {}
    for connection in connections:
        waiting.put(connection)

    def work() -> None:
        while True:
            try:
                connection = waiting.get_nowait()
            except queue.Empty:
                return
            refusal = _refusal(network, connection)
            if refusal is not None:
                found[connection.id] = refusal

    # Daemon threads, since nothing can end a resolver that hangs, and the command must not wait for it.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(RESOLVERS, len(connections)))]
    until = clock.monotonic() + RESOLVE_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - clock.monotonic()))
    return dict(found)


def _refusal(network: Network, connection: Stored) -> str | None:
    try:
        for host, port in _addresses(connection):
            network.check(host, port, connection.config.database, *connection.dialect.ADDRESS_FIELDS)
    except EgressRefused as refused:
        return refused.message
    # the host may be down today; addresses that cannot be parsed are reported separately
    except (HostNotFound, MooringsError, ValueError):
        return None
    return None


def _addresses(connection: Stored) -> Sequence[tuple[str, int]]:
    """The address that sessions of the connection dial, as far as its settings contain it."""
    config = connection.config.dialable()
    address = connection.dialect.address(config)
    if address is not None:
        return [address]
    if config.host and config.port:
        return [(host, config.port) for host in hosts_of(config.host)]
    return []
