"""Starts traces, if the operator's variables ask for them."""

from __future__ import annotations

import structlog

from moorings import __version__
from moorings.settings import environment
from moorings.telemetry import tracing

log = structlog.get_logger(__name__)


def start() -> None:
    """Trace from now on, if it is asked for. A service without traces is better than none: what is wrong is logged."""
    try:
        tracing.start(environment(), __version__)
    except tracing.Unusable as refused:
        log.warning("tracing_off", reason=str(refused))
