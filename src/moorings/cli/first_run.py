"""The first start: what it creates; and the lines that every start prints."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from moorings import app, dialects
from moorings.access import service as access
from moorings.access.models import Installation
from moorings.access.service import Actor
from moorings.cli import ports
from moorings.connections import service as connections
from moorings.db import Database
from moorings.errors import OperatorError
from moorings.secrets import Keyset
from moorings.settings import Settings

FIRST_KEY = "first-key"
"""The file in the data directory with the first key, if no terminal can show the key."""
SAMPLE_SQL = (
    "SELECT country, count(*) AS orders, round(sum(total), 2) AS revenue "
    "FROM orders JOIN customers USING (customer_id) GROUP BY country ORDER BY revenue DESC LIMIT 5"
)


@dataclass(frozen=True, slots=True)
class Made:
    """The things that this start created; None for those it did not create.

    A key's token (only if it may be shown), the file with the token, the sample's connection.
    """

    token: str | None
    key_file: Path | None
    sample_id: str | None

    def __repr__(self) -> str:
        return f"Made(sample_id={self.sample_id})"


def prepare(settings: Settings, *, shown: bool) -> Made:
    """Prepare data directory and database for the app.

    Raises OperatorError. `shown`: a person at a terminal sees the first key. Otherwise the output may be a log that
    many people can read, so the key is written to a file before it is stored.
    """
    path = settings.data_dir.absolute() / FIRST_KEY
    token = app.prepare(settings, (lambda made: None) if shown else partial(_write, path))
    sample = asyncio.run(_sample(settings)) if settings.sample else None
    return Made(token if shown else None, None if shown or token is None else path, sample)


def _write(path: Path, token: str) -> None:
    """Write a file that only its owner can read, from its creation on."""
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{token}\n")
    except OSError as refused:
        raise OperatorError(f"cannot write the first key to {path}: {refused.strerror}") from None


async def _sample(settings: Settings) -> str | None:
    """The id of the sample's connection if this start created it.

    That happens once per installation, even if it is archived later.
    """
    database = Database(settings.database)
    try:
        async with database.reading() as session:
            if await session.get(Installation, "sample") is not None:
                return None
        await asyncio.to_thread(_make_sample_file, settings)
        async with database.alone() as session:
            if await session.get(Installation, "sample") is not None:  # another replica was faster
                return None
            config = dialects.read(
                {"dialect": "duckdb", "name": "Sample", "database": "sample.duckdb", "baseRole": "QUERIER"}
            )
            actor = Actor(await access.the_organization(session), "", None, admin=True, roles={})
            connection_id = await connections.create(session, Keyset.read(settings.keyset_path), actor, config)
            session.add(Installation(key="sample", value=connection_id))
        return connection_id
    finally:
        await database.close()


def _make_sample_file(settings: Settings) -> None:
    """Runs in its own process, so that this process does not load DuckDB."""
    path = settings.duckdb_directory / "sample.duckdb"
    command = [sys.executable, "-m", "moorings.cli.sample", str(path), *_of_duckdb(settings)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own module
    if made.returncode:
        reason = made.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise OperatorError(f"cannot make the sample database {path}: {reason[0]} (MOORINGS_SAMPLE=false skips it)")


def _of_duckdb(settings: Settings) -> tuple[str, str]:
    return settings.duckdb_memory_limit, str(settings.duckdb_thread_count)


def greeting(settings: Settings, made: Made) -> str:
    """The text that a start prints, with the key and commands to try if they were created now."""
    base = ports.address(settings.host, settings.port)
    lines = [
        "Moorings is starting.",
        "",
        f"  API      {base}/api/v1",
        f"  Docs     {base}/docs",
        f"  Health   {base}/health",
        f"  Metrics  {base}/metrics",
        f"  Data     {settings.data_dir.absolute()}",
    ]
    if made.token is not None:
        lines += ["", "Your organization key. It is shown this once; only its hash is stored:", "", f"  {made.token}"]
    if made.key_file is not None:
        lines += ["", "Your organization key is in this file. Only its hash is stored:", "", f"  {made.key_file}"]
    key = made.token or _key_in_shell(settings, made)
    if made.sample_id is not None and key is not None:
        lines += ["", "Try it:", "", *_commands(f"{base}/api/v1/connections", key, made.sample_id)]
    return "\n".join([*lines, ""])


def facts(settings: Settings, made: Made) -> dict[str, str]:
    """The same as fields of a JSON log."""
    found = {"address": ports.address(settings.host, settings.port)}
    if made.key_file is not None:
        found["key_file"] = str(made.key_file)
    return found | ({"sample_id": made.sample_id} if made.sample_id else {})


def _key_in_shell(settings: Settings, made: Made) -> str | None:
    """The shell expression for a key that is not shown; None without one."""
    file = made.key_file or settings.bootstrap_token_file
    if file is not None:
        return f"$(cat {shlex.quote(str(file.absolute()))})"
    return "$MOORINGS_BOOTSTRAP_TOKEN" if settings.bootstrap_token else None


def _commands(url: str, key: str, sample_id: str) -> list[str]:
    authorization = f'-H "Authorization: Bearer {key}"'
    types = "-H 'Content-Type: application/json' -H 'Accept: application/json'"
    query = json.dumps({"sql": SAMPLE_SQL})
    return [
        f"  curl {authorization} {url}",
        f"  curl -X POST {authorization} {url}/{sample_id}/test",
        f"  curl {authorization} {types} {url}/{sample_id}/query -d '{query}'",
    ]
