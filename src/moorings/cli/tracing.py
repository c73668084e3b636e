"""Starts traces if the operator's variables enable them."""

from __future__ import annotations

import structlog

from moorings import __version__
from moorings.settings import environment
from moorings.telemetry import tracing

log = structlog.get_logger(__name__)


def start() -> None:
    """Start tracing if it is enabled. Faults are logged: a service without traces is better than no service."""
    try:
        tracing.start(environment(), __version__)
    except tracing.Unusable as refused:
        log.warning("tracing_off", reason=str(refused))
