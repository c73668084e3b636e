"""OpenTelemetry traces: off until `start` finds that the operator's `OTEL_…` variables ask for them.

The SDK is imported then, and not before. A span's parent is the request or job of the task that opens it. We pass it in
our own context variable, not in OpenTelemetry's: a streamed result is closed in another context than the one in which
it was opened, and OpenTelemetry's variable cannot be reset there.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal

from moorings.distribution import install_command

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""https://www.w3.org/TR/trace-context/#traceparent-header."""

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
Kind = Literal["server", "client", "internal"]

FLUSH_MILLISECONDS = 3000
"""How long a stop waits for the collector to take the last spans."""

_provider: TracerProvider | None = None
_tracer: Tracer | None = None
_current: ContextVar[Span | None] = ContextVar("span", default=None)


class Unusable(Exception):
    """Tracing is enabled but cannot start; the message has the reason."""


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the variables enable tracing."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").lower()
    return exporter != "none" and (exporter != "" or any(environment.get(name) for name in ENDPOINTS))


def start(environment: Mapping[str, str], version: str) -> None:
    """Start tracing, if the variables enable it; raises Unusable."""
    global _provider, _tracer  # noqa: PLW0603  # one for each process, as OpenTelemetry has it
    if not wanted(environment):
        return
    exporter = environment.get("OTEL_TRACES_EXPORTER", "otlp").lower()
    protocol = next((environment[name] for name in PROTOCOLS if environment.get(name)), "http/protobuf")
    if exporter not in {"otlp", "console"}:
        raise Unusable(f"OTEL_TRACES_EXPORTER={exporter} is not supported: use otlp, console or none")
    if exporter == "otlp" and protocol != "http/protobuf":
        raise Unusable(f"the protocol {protocol} is not supported: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
    except ImportError:
        raise Unusable(f"traces need a package that is not installed: {install_command('tracing')}") from None
    named = {} if environment.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "moorings"}
    resource = Resource.create({SERVICE_VERSION: version} | named)
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter() if exporter == "otlp" else ConsoleSpanExporter()))
    _provider = provider
    _tracer = provider.get_tracer("moorings", version)


def stop() -> None:
    """Send the remaining spans, and stop."""
    global _provider, _tracer  # noqa: PLW0603
    if _provider is not None:
        _provider.force_flush(FLUSH_MILLISECONDS)
        _provider.shutdown()
    _provider = _tracer = None


def is_on() -> bool:
    """Whether spans are recorded."""
    return _tracer is not None


def begin(name: str, kind: Kind = "internal", traceparent: str | None = None, **attributes: str | int) -> Span | None:
    """A new span below the task's own one, or below a caller's; None when off. `end` ends it."""
    if _tracer is None:
        return None
    from opentelemetry.trace import SpanKind, set_span_in_context

    parent = _current.get()
    context = _remote(traceparent) if traceparent else set_span_in_context(parent) if parent is not None else None
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    return _tracer.start_span(name, context, SpanKind[kind.upper()], named)


def root(span: Span | None) -> None:
    """Make this span the parent of those that the task begins."""
    if span is not None:
        _current.set(span)


def end(span: Span | None, failure: BaseException | str | None = None, **attributes: str | int) -> None:
    """End a span, as failed if there is a reason. An error's class is noted, and never its text: it may hold data."""
    if span is None:
        return
    from opentelemetry.trace import StatusCode

    for key, value in attributes.items():
        span.set_attribute(key.replace("__", "."), value)
    if failure is not None:
        kind = failure if isinstance(failure, str) else type(failure).__name__
        span.set_attribute("error.type", kind)
        span.set_status(StatusCode.ERROR)
    span.end()


@contextlib.contextmanager
def span(name: str, kind: Kind = "internal", **attributes: str | int) -> Generator[None]:
    """A span for the block."""
    if _tracer is None:
        yield
        return
    begun = begin(name, kind, None, **attributes)
    try:
        yield
    except BaseException as failed:
        end(begun, failed)
        raise
    end(begun)


def traceparent(span: Span | None) -> str:
    """The W3C traceparent header of a span; empty when off, or when the trace is not recorded."""
    if span is None or not (context := span.get_span_context()).trace_flags.sampled:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def trace_id(span: Span | None) -> str:
    """The id of a span's trace; empty when off."""
    return f"{span.get_span_context().trace_id:032x}" if span is not None else ""


def _remote(header: str) -> Any:
    """The context of a caller's traceparent header; None for a malformed one, so that a new trace starts."""
    if not TRACEPARENT.fullmatch(header):
        return None
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    _, trace, parent, flags = header.split("-")
    remote = SpanContext(int(trace, 16), int(parent, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16) & 1))
    return set_span_in_context(NonRecordingSpan(remote))
