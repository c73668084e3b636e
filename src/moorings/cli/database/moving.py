"""`moorings db copy`: from SQLite to PostgreSQL."""

from __future__ import annotations

import typer

from moorings.cli import directory
from moorings.cli.configured import prepared
from moorings.cli.database.copying import copy
from moorings.errors import OperatorError
from moorings.settings import Settings
from moorings.settings.database import PostgresAddress, SqliteAddress, parsed

IN_USE = "sqlite"


def copied(source: str, target: str | None) -> None:
    """Copy, and print each table when its rows are equal on both sides; raises OperatorError."""
    settings = prepared()
    source, target = _source(settings, source), _target(settings, target)
    # A service or its worker would write what the copy misses. Workers hold no lock, but cannot write meanwhile.
    with directory.alone_in(settings.data_dir):
        total = copy(source, target, lambda table, number: typer.echo(f"{number:>9,}  {table}"))
    typer.echo(
        f"All {total:,} rows are equal. Set MOORINGS_DATABASE_URL to the new address, keep the keyset "
        f"{settings.keyset_path.absolute()}, and start the service."
    )


def _source(settings: Settings, given: str) -> str:
    file = settings.database_file or settings.data_dir.absolute() / "moorings.db"
    address = SqliteAddress(file) if given == IN_USE else _parsed("--from", given)
    if not isinstance(address, SqliteAddress):
        raise OperatorError("--from: must be an SQLite database. To copy from PostgreSQL, use moorings backup")
    if not address.path.is_file():
        raise OperatorError(f"--from: the database {address.path} does not exist")
    return f"sqlite:///{address.path}"


def _target(settings: Settings, given: str | None) -> str:
    option = "--to" if given else "MOORINGS_DATABASE_URL"
    url = given or settings.database
    if not isinstance(_parsed(option, url), PostgresAddress):
        raise OperatorError("--to: name an address such as postgresql://user@host/database")
    return url


def _parsed(option: str, url: str) -> SqliteAddress | PostgresAddress:
    try:
        return parsed(url)
    except ValueError as refused:
        raise OperatorError(f"{option}: {refused}") from None
