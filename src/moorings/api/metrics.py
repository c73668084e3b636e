"""What `/metrics` tells. Labels are route templates and numbers, never what a caller sent."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

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


def render() -> bytes:
    """Everything, in Prometheus' text format."""
    return generate_latest(registry)
