"""Settings from the environment, from `.env`, and from the process before this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import DotEnvSettingsSource

from moorings.errors import OperatorError
from moorings.settings import variables
from moorings.settings.environment import environment, forget_injected, received
from moorings.settings.model import Settings


def load() -> Settings:
    """Read the environment; raises OperatorError that names each invalid setting, without its value."""
    _require_known()
    settings = _checked(received())
    if settings.bootstrap_token_file is None:
        return settings
    if settings.bootstrap_token is not None:
        raise OperatorError("MOORINGS_BOOTSTRAP_TOKEN_FILE: set this or MOORINGS_BOOTSTRAP_TOKEN, not both")
    try:
        token = settings.bootstrap_token_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as refused:
        reason = getattr(refused, "strerror", None) or "it is not text"
        raise OperatorError(
            f"MOORINGS_BOOTSTRAP_TOKEN_FILE: cannot read {settings.bootstrap_token_file}: {reason}"
        ) from None
    return _checked({**received(), "bootstrap_token": token})


def _require_known() -> None:
    """Raise OperatorError for names that are no settings: a misspelled one must not be ignored."""
    forget_injected()
    fields = list(Settings.model_fields)
    try:
        entries = DotEnvSettingsSource(Settings, env_ignore_empty=False).env_vars
    except (OSError, UnicodeDecodeError) as unreadable:
        reason = getattr(unreadable, "strerror", None) or "it is not UTF-8"
        raise OperatorError(f"cannot read .env: {reason}") from None
    refused = [*variables.unknown(environment(), fields), *variables.misspelled(entries, fields)]
    if refused:
        raise OperatorError("; ".join(refused))


def _checked(given: Mapping[str, Any]) -> Settings:
    try:
        return Settings(**given)
    except ValidationError as refused:
        raise OperatorError("; ".join(_sentence(fault) for fault in refused.errors())) from None


def _sentence(fault: ErrorDetails) -> str:
    name = ".".join(str(part) for part in fault["loc"]).upper()
    return f"MOORINGS_{name}: {fault['msg'].removeprefix('Value error, ')}"
