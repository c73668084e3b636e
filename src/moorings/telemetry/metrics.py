"""Every metric, declared once: `docs/reference/metrics.md` is made from `DEFINED`.

Names follow Prometheus' rules and, where OpenTelemetry has a convention, that one. Labels are route templates,
dialects, ids of connections and numbers, never texts that a caller sent.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from moorings import __version__

registry = CollectorRegistry()

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Buckets of requests: https://opentelemetry.io/docs/specs/semconv/http/http-metrics/."""
LONG_SECONDS = (0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Buckets of logins and statements of warehouses."""

Merge = Literal["sum", "max", "min"]


@dataclass(frozen=True, slots=True)
class Defined:
    """A metric as the documentation lists it."""

    name: str
    kind: str
    labels: Sequence[str]
    text: str
    merge: Merge = "sum"
    """How `/metrics` combines the values of several worker processes."""


DEFINED: dict[str, Defined] = {}


def _define(name: str, kind: str, labels: Sequence[str], text: str, merge: Merge = "sum") -> None:
    DEFINED[name] = Defined(name, kind, labels, text, merge)


def _counter(name: str, text: str, *labels: str) -> Counter:
    _define(name, "counter", labels, text)
    return Counter(name.removesuffix("_total"), text, labels, registry=registry)


def _gauge(name: str, text: str, *labels: str, merge: Merge = "sum") -> Gauge:
    _define(name, "gauge", labels, text, merge)
    return Gauge(name, text, labels, registry=registry)


def _histogram(name: str, text: str, *labels: str, buckets: Sequence[float] = LONG_SECONDS) -> Histogram:
    _define(name, "histogram", labels, text)
    return Histogram(name, text, labels, registry=registry, buckets=buckets)


# ---- requests ---------------------------------------------------------------------------------------------------


class Requests:
    """Times requests; the labelled children are looked up once, for the hot path's sake."""

    def __init__(self) -> None:
        self._time = _histogram(
            "http_server_request_duration_seconds",
            "Seconds from a request's arrival until its whole answer was sent. No route: an unknown path.",
            "http_request_method",
            "http_route",
            "http_response_status_code",
            buckets=SECONDS,
        )
        self._children: dict[tuple[str, str, int], Callable[[float], None]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; all methods without a route count as one."""
        key = (method, route, status)
        observe = self._children.get(key)
        if observe is None:
            known = method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "_OTHER"
            key = (known, route, status)
            observe = self._children[key] = self._time.labels(known, route, str(status)).observe
        observe(seconds)


requests = Requests()
flight_calls = _histogram(
    "rpc_server_call_duration_seconds",
    "Seconds from the arrival of a Flight SQL call until its last row was sent.",
    "rpc_method",
    "rpc_response_status_code",
    buckets=SECONDS,
)
active_requests = _gauge("http_server_active_requests", "Requests that are being answered.")

# ---- queries and sessions ---------------------------------------------------------------------------------------

query_seconds = _histogram(
    "moorings_query_duration_seconds",
    "Seconds from the start of a statement until its last row was sent, or it failed. "
    "Outcomes: completed, failed, cancelled, timeout.",
    "dialect",
    "outcome",
)
query_rows = _counter("moorings_query_rows_total", "Rows sent to clients.", "dialect")
query_bytes = _counter("moorings_query_result_bytes_total", "Bytes of results sent to clients.", "dialect")
running_queries = _gauge("moorings_running_queries", "Queries that run now.")
pool_wait = _histogram(
    "moorings_pool_wait_duration_seconds", "Seconds that a query or job waited for a session's place.", "dialect"
)
session_open = _histogram(
    "moorings_session_open_duration_seconds", "Seconds that a login to a warehouse took.", "dialect"
)
sessions = _gauge(
    "moorings_sessions", "Sessions with warehouses. States: idle, in_use.", "connection", "dialect", "state"
)
pool_waiting = _gauge("moorings_pool_waiting", "Queries and jobs that wait for a session's place now.")
abandoned_threads = _gauge(
    "moorings_abandoned_threads", "Threads that hang in a driver although their connection was cut off."
)

# ---- health, webhooks and jobs ----------------------------------------------------------------------------------

healthy = _gauge(
    "moorings_connection_healthy",
    "1 if the last health test of a connection passed, else 0.",
    "connection",
    "dialect",
    merge="max",
)
probe_lag = _gauge(
    "moorings_health_probe_lag_seconds",
    "Seconds by which the newest health probe began after it was due.",
    merge="max",
)
webhook_attempts = _counter(
    "moorings_webhook_attempts_total",
    "Attempts to deliver a webhook message. Outcomes: delivered, failed, given_up.",
    "outcome",
)
job_attempts = _counter(
    "moorings_job_attempts_total",
    "Attempts of jobs that ended. Outcomes: completed, failed, retried, released (by a stop), lost (to a worker).",
    "outcome",
)
job_seconds = _histogram("moorings_job_duration_seconds", "Seconds that an attempt of a job took.")
jobs_queued = _gauge(
    "moorings_jobs_queued", "Jobs that are due and have no worker yet, of the whole installation.", merge="max"
)
workers = _gauge("moorings_worker_processes", "Worker processes of `serve` whose metrics are in this answer.")
build_info = _gauge("moorings_build_info", "Always 1; the version is in the labels.", "version", "python", merge="max")
build_info.labels(__version__, platform.python_version()).set(1)

# ---- the process ------------------------------------------------------------------------------------------------

ProcessCollector(registry=registry)
_define("process_cpu_seconds_total", "counter", (), "Processor time that was used.")
_define("process_resident_memory_bytes", "gauge", (), "Resident memory.")
_define("process_virtual_memory_bytes", "gauge", (), "Virtual memory.")
_define("process_open_fds", "gauge", (), "Open file descriptors.")
_define("process_max_fds", "gauge", (), "The most file descriptors that a process may open.", "min")
_define("process_start_time_seconds", "gauge", (), "When the oldest process started, in Unix time.", "min")

# ---- several processes ------------------------------------------------------------------------------------------

Sample = tuple[str, Mapping[str, str], float]
Family = tuple[str, str, str, Sequence[Sample]]
"""Name, type, description, and samples."""


def families() -> list[Family]:
    """This process's metrics, as data that another process can merge."""
    return [
        (
            family.name,
            family.type,
            family.documentation,
            [(each.name, each.labels, each.value) for each in family.samples],
        )
        for family in registry.collect()
    ]
