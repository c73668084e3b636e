"""The environment of this process: read here and in the settings' model, nowhere else.

A serving process keeps neither secret settings nor variables of the shell in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import SecretStr

from moorings.settings.model import Settings
from moorings.settings.variables import is_injected

_received: dict[str, str] = {}
"""Field → value of the secret settings that the previous process passed to this one."""


def secret_fields() -> frozenset[str]:
    """The settings that are secrets, by their type."""
    return frozenset(name for name, field in Settings.model_fields.items() if _holds_secret(field.annotation))


def _holds_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_holds_secret(part) for part in get_args(annotation))


def secrets_apart() -> tuple[dict[str, str], dict[str, str]]:
    """The environment without secret settings, and the secret settings of this process by field."""
    found = {name: _secret_field(name) for name in os.environ}
    clean = {name: value for name, value in os.environ.items() if found[name] is None}
    secret = {field: os.environ[name] for name, field in found.items() if field is not None and os.environ[name]}
    return clean, _received | secret


def _secret_field(name: str) -> str | None:
    """The secret setting that a variable is, in any case; None for other variables."""
    prefix, field = Settings.model_config.get("env_prefix", ""), name.lower()
    field = field.removeprefix(prefix.lower()) if field.startswith(prefix.lower()) else ""
    return field if field in secret_fields() else None


def environment() -> dict[str, str]:
    """The environment of this process."""
    return dict(os.environ)


def wants_json() -> bool:
    """Whether logs are JSON, also where the settings cannot be read as a whole."""
    variables = {name.lower(): value for name, value in os.environ.items()}
    return variables.get("moorings_log_format", "").lower() == "json"


def forget_injected() -> None:
    """Drop the variables that Kubernetes sets for a Service of our name: its MOORINGS_PORT is no port number."""
    for name, value in list(os.environ.items()):
        if is_injected(name, value):
            del os.environ[name]


def handed(variable: str) -> str | None:
    """Remove a variable from this process's environment, so that child processes do not get it."""
    return os.environ.pop(variable, None)


def receive(secret: Mapping[str, str]) -> None:
    """Use these secret settings from now on."""
    _received.update(secret)


def received() -> Mapping[str, str]:
    """The secret settings that were passed to this process, by field."""
    return _received


INHERITED = frozenset(
    {
        *("PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TERM", "COLUMNS", "NO_COLOR", "VIRTUAL_ENV"),
        *("LD_LIBRARY_PATH", "LD_PRELOAD", "NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMROOT"),
    }
)
INHERITED_PREFIXES = ("MOORINGS_", "LC_", "PYTHON", "OTEL_", "COVERAGE_")
"""The variables that a process keeps: none that names a login, a proxy or a driver's file."""


def driver_environment() -> dict[str, str]:
    """The environment for a process that runs only a driver: without settings and logins."""
    inherited = INHERITED | {"HOME", "SSL_CERT_FILE"}
    prefixes = ("LC_", "PYTHON", "COVERAGE_")
    return {name: value for name, value in os.environ.items() if name in inherited or name.startswith(prefixes)}


def leave_environment(settings: Settings) -> None:
    """Remove the shell's variables from this process and give it an empty home directory.

    So drivers find no logins or files there.
    """
    for name in list(os.environ):
        if name not in INHERITED and not name.startswith(INHERITED_PREFIXES):
            del os.environ[name]
    os.environ["HOME"] = str(settings.home)
    os.environ["MOORINGS_DATA_DIR"] = str(settings.data_dir.absolute())  # its default can depend on the old home
    if settings.ca_bundle is not None:
        os.environ["SSL_CERT_FILE"] = str(settings.ca_bundle.absolute())
