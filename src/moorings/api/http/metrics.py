"""What `/metrics` tells. Labels are route templates and numbers, never what a caller sent."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from moorings.engine.service import Counts

registry = CollectorRegistry()


class Requests:
    """Counts and times requests; the labelled children are looked up once, for the hot path's sake."""

    def __init__(self) -> None:
        labels = ["path", "method", "status"]
        self._count = Counter("moorings_requests", "Requests answered.", labels, registry=registry)
        self._time = Histogram(
            "moorings_request_seconds", "Seconds until the whole answer was sent.", ["path"], registry=registry
        )
        self._counts: dict[tuple[str, str, int], Counter] = {}
        self._times: dict[str, Histogram] = {}

    def observe(self, path: str, method: str, status: int, seconds: float) -> None:
        """Note one answered request; methods that no route has are one."""
        method = method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} else "OTHER"
        key = (path, method, status)
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = self._count.labels(path, method, str(status))
            self._times.setdefault(path, self._time.labels(path))
        count.inc()
        self._times[path].observe(seconds)


requests = Requests()


class Jobs:
    """Counts and times attempts of jobs."""

    def __init__(self) -> None:
        self._count = Counter("moorings_job_attempts", "Attempts of jobs ended.", ["outcome"], registry=registry)
        self._time = Histogram(
            "moorings_job_seconds",
            "Seconds that an attempt of a job took.",
            registry=registry,
            buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
        )

    def observe(self, outcome: str, seconds: float) -> None:
        """Note one attempt: `completed`, `failed`, `retried`, `released` at a stop, or `lost` to another worker."""
        self._count.labels(outcome).inc()
        self._time.observe(seconds)


jobs = Jobs()

sessions = Gauge("moorings_sessions", "Sessions with warehouses.", ["connection", "state"], registry=registry)
healthy = Gauge(
    "moorings_connection_healthy",
    "1 where a connection's last test passed, 0 where not.",
    ["connection"],
    registry=registry,
)
queries = Gauge("moorings_running_queries", "Queries that run in this process.", registry=registry)
abandoned_threads = Gauge(
    "moorings_abandoned_threads",
    "Threads that hang in a driver though their connection was cut off.",
    registry=registry,
)
probe_lag = Gauge(
    "moorings_health_probe_lag_seconds",
    "Seconds by which the newest probe of a connection's health began after it was due.",
    registry=registry,
)


def render(
    open_sessions: Mapping[str, Counts], running_queries: int, known_health: Mapping[str, bool], abandoned: int
) -> bytes:
    """Everything, in Prometheus' text format; a connection's label is its id."""
    healthy.clear()
    for connection_id, well in known_health.items():
        healthy.labels(connection_id).set(well)
    sessions.clear()
    for connection_id, counts in open_sessions.items():
        sessions.labels(connection_id, "idle").set(counts.idle)
        sessions.labels(connection_id, "in_use").set(counts.in_use)
    queries.set(running_queries)
    abandoned_threads.set(abandoned)
    return generate_latest(registry)
