"""One call of a client, from its arrival to its end: who calls, and its entries in log, metrics and traces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from moorings import clock
from moorings.access.admission import Admitted
from moorings.access.service import Actor
from moorings.errors import OperatorError
from moorings.flight import faults
from moorings.flight.headers import Headers
from moorings.telemetry import current, metrics, tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

log = structlog.get_logger(__name__)

Note = Callable[[dict[str, Any]], None]
"""Writes the line of a call to the log."""


@dataclass(slots=True)
class Call:
    """One call. Its parts add details that only they know."""

    rpc: str
    headers: Headers
    address: str
    id: str = field(default_factory=current.new_request_id)
    began: float = field(default_factory=clock.monotonic)
    admitted: Admitted | None = None
    command: str = ""
    connection_id: str = ""
    query_id: str = ""
    sql: str = ""
    issued_by: str = ""
    """The replica that issued the ticket, if it was another one."""
    goes_on: bool = False
    """The call goes on after its first work, and a later part notes its end."""
    span: Span | None = None

    def begin(self) -> None:
        """Make this call the one that the current task works for."""
        current.request_id.set(self.id)
        self.span = self.span or tracing.begin(
            f"flight {self.rpc}",
            "server",
            self.headers.traceparent,
            rpc__method=self.rpc,
            client__address=self.address,
            moorings__request_id=self.id,
        )
        tracing.root(self.span)

    @property
    def actor(self) -> Actor:
        """The owner of the key."""
        assert self.admitted is not None, "only calls with a valid key get this far"  # noqa: S101
        return self.admitted.actor

    @property
    def version(self) -> int:
        """The version of access when the call arrived."""
        assert self.admitted is not None, "only calls with a valid key get this far"  # noqa: S101
        return self.admitted.version.access

    def end(self, note: Note | None, failure: BaseException | None = None) -> None:
        """Log the call, count it, and end its span."""
        status = "OK" if failure is None else faults.status(failure)
        seconds = clock.monotonic() - self.began
        metrics.flight_calls.labels(self.rpc, status).observe(seconds)
        if isinstance(failure, OperatorError):
            log.error("call_failed", rpc=self.rpc, reason=failure.message)
        elif status == "INTERNAL":
            log.error("call_failed", rpc=self.rpc, exc_info=failure)
        if note is not None:
            note(self._facts(status, seconds))
        tracing.end(self.span, status if failure is not None else None)

    def _facts(self, status: str, seconds: float) -> dict[str, Any]:
        actor = self.admitted.actor if self.admitted else None
        facts = {
            "request_id": self.id,
            "rpc": self.rpc,
            "command": self.command,
            "status": status,
            "milliseconds": round(seconds * 1000, 2),
            "client": self.address,
            "key_id": actor.key_id if actor else "",
            "user_id": (actor.user_id or "") if actor else "",
            "connection_id": self.connection_id,
            "query_id": self.query_id,
            "sql": self.sql,
            "issued_by": self.issued_by,
            "trace_id": tracing.trace_id(self.span),
        }
        return {name: value for name, value in facts.items() if value != ""}
