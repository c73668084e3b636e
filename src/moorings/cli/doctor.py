"""`moorings doctor`: is everything there that the service depends on? It looks, and changes nothing."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import re
from collections.abc import Callable

import typer
from sqlalchemy import text

from moorings import dialects
from moorings.access import installation
from moorings.access.models import Installation
from moorings.cli import files, ports
from moorings.cli.configured import configured
from moorings.cli.directory import LOCK
from moorings.db import Database
from moorings.db.connecting import AWAY, reason
from moorings.dialects.base import Dialect
from moorings.engine.egress import EgressRules
from moorings.errors import MooringsError, OperatorError
from moorings.migrations import HEAD
from moorings.secrets import Keyset
from moorings.settings import Settings

Check = Callable[[Settings], str]


def examine() -> bool:
    """Print one line for each check; returns whether all of them passed."""
    try:
        settings = configured()
    except MooringsError as refused:
        return _print("settings", refused.message, passed=False)
    _print("settings", "readable", passed=True)
    results = [_run(name, look, settings) for name, look in CHECKS.items()]
    results.append(_egress(settings))
    drivers = [_driver(dialect) for dialect in map(dialects.named, dialects.names()) if dialect.abilities.connects]
    return all(results) and all(drivers)


def _run(name: str, look: Check, settings: Settings) -> bool:
    try:
        return _print(name, look(settings), passed=True)
    except MooringsError as refused:
        return _print(name, refused.message, passed=False)


def _print(name: str, finding: str, *, passed: bool) -> bool:
    typer.echo(f"{'ok  ' if passed else 'FAIL'}  {name}: {finding}")
    return passed


def data_directory(settings: Settings) -> str:
    """Whether the data directory can be used."""
    directory = settings.data_dir.absolute()
    if not directory.exists():
        return f"{directory} will be made at the first start"
    if not os.access(directory, os.W_OK | os.X_OK):
        raise OperatorError(f"cannot write to {directory}: check its owner, or set MOORINGS_DATA_DIR")
    if directory.stat().st_mode & 0o077:
        raise OperatorError(f"others can read {directory}: chmod 700 {directory}")
    return f"{directory} is private and writable"


def database(settings: Settings) -> str:
    """Whether the metadata database answers, at this version's schema."""
    stored = _stored(settings, "schema")
    if stored is None:
        return "will be made at the first start"
    if stored > HEAD:
        raise OperatorError(f"the schema is {stored}, newer than this version knows ({HEAD}): upgrade Moorings")
    return f"answers, schema {stored}" + ("" if stored == HEAD else f"; the next start upgrades it to {HEAD}")


def keyset(settings: Settings) -> str:
    """Whether the keyset is readable and the one that the database is sealed with."""
    stored = _stored(settings, "keyset")
    path = settings.keyset_path
    if stored is None:
        return f"{Keyset.read(path)} is readable" if path.exists() else "will be made at the first start"
    installation.checked(Keyset.read(path), int(stored))
    return f"{stored} is the keyset of this database"


def private_files(settings: Settings) -> str:
    """Whether the keyset and the embedded database are for their owner only."""
    files.require_private(settings)
    if exposed := files.readable_by_others(settings):
        return f"others can read {' '.join(map(str, exposed))}, as MOORINGS_ALLOW_READABLE_FILES allows"
    return "only their owner can read keyset and database"


def port(settings: Settings) -> str:
    """Whether the port is free; that this very service holds it is fine."""
    try:
        ports.check_free(settings.host, settings.port)
    except OperatorError:
        if (settings.data_dir / LOCK).exists() and _answers(settings):
            return f"{settings.port} is served by Moorings"
        raise
    return f"{settings.port} is free"


CHECKS: dict[str, Check] = {
    "data directory": data_directory,
    "database": database,
    "keyset": keyset,
    "files": private_files,
    "port": port,
}


def _answers(settings: Settings) -> bool:
    from urllib.error import URLError
    from urllib.request import ProxyHandler, build_opener

    try:
        directly = build_opener(ProxyHandler({}))
        with directly.open(f"{ports.address(settings.host, settings.port)}/health", timeout=2) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False


def _stored(settings: Settings, fact: str) -> str | None:
    """The schema's revision or the keyset's id as the database has it; None where there is no database yet."""
    opened = Database(settings.database)
    try:
        if opened.file and not opened.file.exists():
            return None
        return asyncio.run(_read(opened, fact))
    except AWAY as refused:
        raise OperatorError(f"cannot read the metadata database: {reason(refused)}") from None


async def _read(opened: Database, fact: str) -> str | None:
    try:
        async with opened.reading() as session:
            if fact == "schema":
                return str((await session.execute(text("SELECT version_num FROM alembic_version"))).scalar())
            stored = await session.get(Installation, fact)
            return stored.value if stored else None
    finally:
        await opened.close()


def _egress(settings: Settings) -> bool:
    """Print the rules for outgoing connections, one a line."""
    try:
        rules = EgressRules.of(settings).described()
    except OperatorError as refused:
        return _print("egress", refused.message, passed=False)
    for rule in rules:
        _print("egress", rule, passed=True)
    return True


def _driver(dialect: Dialect) -> bool:
    missing = [package for package in _packages(dialect.extra) if not _installed(package)]
    if missing:
        remedy = f"pip install 'moorings[{dialect.extra}]'"
        return _print(f"dialect {dialect.name}", f"{', '.join(missing)} is missing: {remedy}", passed=False)
    return _print(f"dialect {dialect.name}", "its driver is installed", passed=True)


def _packages(extra: str | None) -> list[str]:
    """The distributions that an extra brings."""
    needed = importlib.metadata.requires("moorings") or []
    pattern = re.compile(rf"extra == ['\"]{extra}['\"]")
    return [found.group() for line in needed if pattern.search(line) and (found := re.match(r"[\w.-]+", line))]


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
