"""The passphrase of a backup's keyset: from a file, from stdin, or from a person; never from an argument."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from moorings.errors import OperatorError

MIN_CHARACTERS = 12


def new(file: Path | None) -> str:
    """A passphrase to encrypt with; a person types it twice. Raises OperatorError when it is too short."""
    given = _from(file) if file else _typed(confirm=True)
    if len(given) < MIN_CHARACTERS:
        raise OperatorError(f"the passphrase has {len(given)} characters, and must have {MIN_CHARACTERS} or more")
    return given


def known(file: Path | None) -> str:
    """A passphrase to decrypt with."""
    return _from(file) if file else _typed(confirm=False)


def _from(file: Path) -> str:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as refused:
        raise OperatorError(
            f"--passphrase-file: cannot read {file}: {getattr(refused, 'strerror', None) or 'it is not UTF-8'}"
        ) from None
    return text.partition("\n")[0].removesuffix("\r")


def _typed(*, confirm: bool) -> str:
    if not sys.stdin.isatty():
        raise OperatorError("the keyset needs a passphrase: name a file that holds it with --passphrase-file")
    return str(typer.prompt("Passphrase of the keyset", hide_input=True, confirmation_prompt=confirm, err=True))
