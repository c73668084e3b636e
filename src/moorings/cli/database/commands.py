"""The commands `moorings db copy`, `moorings backup` and `moorings restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moorings.cli.options import DataDir, group

db_app = group("Move the metadata database.")

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="PATH",
        help="The file whose first line is the passphrase; `-` is stdin. Absent: the command asks for it.",
    ),
]


@db_app.callback()
def _database() -> None:
    """Move the metadata database."""


@db_app.command("copy")
def copy(
    source: Annotated[
        str, typer.Option("--from", metavar="ADDRESS", help="`sqlite` for the one in use, or `sqlite:///path`.")
    ] = "sqlite",
    target: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="ADDRESS",
            help="`postgresql://user@host/database`. Absent: MOORINGS_DATABASE_URL, which keeps a password out of the "
            "list of processes.",
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Copy the metadata database from SQLite into an empty PostgreSQL database.

    Compares every row at the end. Encrypted values are copied as they are, so the keyset stays the same. If the copy is
    interrupted, run the same command again: it continues. The service and its workers must be stopped.
    """
    from moorings.cli.database.moving import copied

    copied(source, target)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write. It must not exist.")],
    keyset: Annotated[
        bool, typer.Option("--keyset", help="Add the keyset, encrypted with a passphrase of 12 characters or more.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    data_dir: DataDir = None,
) -> None:
    """Write the metadata database and the DuckDB files into one file, also while the service runs.

    The file has mode 0600. Without --keyset it does not hold the keyset: keep a copy of the keyset in another place.
    """
    from moorings.cli.database.backup import back_up

    back_up(file, keyset=keyset, passphrase_file=passphrase_file)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of `moorings backup`.")],
    passphrase_file: PassphraseFile = None,
    data_dir: DataDir = None,
) -> None:
    """Restore a backup into an empty data directory, or into an empty PostgreSQL database (MOORINGS_DATABASE_URL).

    Decrypts every stored secret before it changes anything. If the backup holds no keyset, put the keyset file at its
    place first: MOORINGS_KEYSET, or `keyset.json` in the data directory.
    """
    from moorings.cli.database.restore import restored

    restored(file, passphrase_file=passphrase_file)
