"""Settings from the environment, from `.env`, and from the process before this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from moorings.errors import OperatorError
from moorings.settings.environment import received
from moorings.settings.model import Settings


def load() -> Settings:
    """Read the environment; raises OperatorError that names each setting at fault, without its value."""
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


def _checked(given: Mapping[str, Any]) -> Settings:
    try:
        return Settings(**given)
    except ValidationError as refused:
        raise OperatorError("; ".join(_sentence(fault) for fault in refused.errors())) from None


def _sentence(fault: ErrorDetails) -> str:
    name = ".".join(str(part) for part in fault["loc"]).upper()
    return f"MOORINGS_{name}: {fault['msg'].removeprefix('Value error, ')}"
