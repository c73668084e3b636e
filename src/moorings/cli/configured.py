"""The settings of a command, checked as a whole."""

from __future__ import annotations

import ssl

from moorings.cli import core_dumps, directory, files
from moorings.errors import OperatorError
from moorings.settings import Settings, leave_environment, load


def configured() -> Settings:
    """Read the settings, and drop the shell's environment; raises OperatorError for invalid settings."""
    settings = load()
    leave_environment(settings)
    if settings.workers > 1 and settings.rate_limit_url is None and settings.rate_limit != "0":
        raise OperatorError(
            "MOORINGS_WORKERS above 1 needs MOORINGS_RATE_LIMIT_URL: each worker would count its own rate limits"
        )
    _require_certificate(settings)
    return settings


def _require_certificate(settings: Settings) -> None:
    """Raise OperatorError for a certificate without a key, a key without a certificate, or two that do not match."""
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise OperatorError("set both MOORINGS_TLS_CERT and MOORINGS_TLS_KEY, or neither")
    if settings.tls_cert is None or settings.tls_key is None:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password="")  # never asks for a passphrase
    except (OSError, ValueError):
        raise OperatorError(
            "MOORINGS_TLS_CERT and MOORINGS_TLS_KEY must be a certificate and its private key (PEM, no passphrase)"
        ) from None


def prepared(*, new: bool = False) -> Settings:
    """The settings, for a command that uses the stored data: in a private directory, with private files.

    Raises OperatorError if other users can read the files. It also raises it if there is no database file, unless `new`
    allows that: a command in the wrong directory must not create one.
    """
    settings = configured()
    if new:
        directory.make_private(settings.data_dir)
    files.require_private(settings)
    if not new:
        _require_database(settings)
    if not settings.core_dumps:
        core_dumps.disable()
    directory.make_private(settings.data_dir)
    directory.make_private(settings.home)
    return settings


def _require_database(settings: Settings) -> None:
    file = settings.database_file
    if file is not None and not file.is_file():
        where = "MOORINGS_DATABASE_URL" if settings.database_url else "--data-dir or MOORINGS_DATA_DIR"
        raise OperatorError(
            f"the database {file} does not exist: start the service once, or set the right path with {where}"
        )
