"""Logs: one line per event on stderr, for people or as JSON, without tokens."""

from __future__ import annotations

import logging
import re
import sys
import threading
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from moorings.errors import StreamInterrupted
from moorings.settings import Settings
from moorings.telemetry import current
from moorings.telemetry.tokens import TOKEN

log = structlog.get_logger(__name__)

OURS = "moorings"
"""The namespace of our own loggers."""


class FromLibraries(logging.Filter):
    """Passes our own lines, and only warnings and errors of libraries, at every level of their loggers.

    Their lower levels can contain secrets: botocore logs session tokens, aiosqlite the parameters of statements.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is logged."""
        return record.levelno >= logging.WARNING or record.name.partition(".")[0] == OURS


class Expected(logging.Filter):
    """Drops the server's tracebacks of exceptions that we raise to end a request.

    Only an exception ends a result early for the client. The reason is logged as `query_broken_off`, and requests that
    were cancelled by a stop as `requests_cut`. The server logs the traceback as text.
    """

    RAISED = re.compile(
        rf"Application callable raised an exception\n.*\n({StreamInterrupted.__name__}|CancelledError):? ?", re.DOTALL
    )

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is logged."""
        return not self.RAISED.fullmatch(record.getMessage())


GRANIAN: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"expected": {"()": Expected}},
    "loggers": {"_granian": {"propagate": True}, "_granian.utils": {"filters": ["expected"]}},
}
"""The server's own log goes to the same place as ours; `server` chooses its level."""


def configure(settings: Settings) -> None:
    """Send our logs, and the warnings of every library, to stderr, from the level and in the format of the settings."""
    shared: list[Processor] = [
        with_request_id,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_crash
    threading.excepthook = _log_thread
    sys.unraisablehook = _log_unraisable
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(settings)],
        )
    )
    handler.addFilter(FromLibraries())
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    logging.getLogger(OURS).setLevel(level)


def _rendering(settings: Settings) -> list[Processor]:
    if settings.log_format == "json":
        return [structlog.processors.format_exc_info, without_tokens, structlog.processors.JSONRenderer()]
    # Plain tracebacks: the pretty ones print local variables, and a password may be among them.
    plain = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    return [structlog.processors.format_exc_info, without_tokens, plain]


def with_request_id(_: Any, __: str, event: EventDict) -> EventDict:
    """Add the id of the request that a line belongs to."""
    if request := current.request_id.get():
        event["request_id"] = request
    return event


def _log_crash(kind: type[BaseException], failed: BaseException, _: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        log.critical("crashed", exc_info=failed)


def _log_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None:
        log.error("thread_failed", thread=getattr(failed.thread, "name", None), exc_info=failed.exc_value)


def _log_unraisable(failed: sys.UnraisableHookArgs) -> None:
    log.error("exception_ignored", where=str(failed.err_msg), exc_info=failed.exc_value)


def without_tokens(_: Any, __: str, event: EventDict) -> EventDict:
    """The last safeguard: replaces a token of ours in any text with asterisks."""
    return {key: TOKEN.sub("***", value) if isinstance(value, str) else value for key, value in event.items()}
