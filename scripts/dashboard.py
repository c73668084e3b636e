"""Writes the Grafana dashboard and Prometheus' alerts of `deploy/`, from the metrics that exist.

Run by `make reference`; a test compares the files with what this makes of today's code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).parents[1] / "deploy"

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT, ACROSS = 12, 8, 24


def quantile(share: float, metric: str, by: str) -> str:
    """A quantile of a histogram, for each value of some labels."""
    return f'histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{{job=~"$job"}}[$__rate_interval])))'


def rate(metric: str, by: str, having: str = "") -> str:
    """What a counter counts in a second."""
    return f'sum by ({by}) (rate({metric}{{job=~"$job"{having}}}[$__rate_interval]))'


def gauge(metric: str, by: str = "") -> str:
    """The sum of a gauge."""
    return f'sum{f" by ({by})" if by else ""} ({metric}{{job=~"$job"}})'


FAILING = 'count by (dialect) (max by (connection, dialect) (moorings_connection_healthy{job=~"$job"}) == 0)'
REQUESTS, QUERIES = "http_server_request_duration_seconds", "moorings_query_duration_seconds"

PANELS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Requests by status",
        "reqps",
        ((rate(f"{REQUESTS}_count", "http_response_status_code"), "{{http_response_status_code}}"),),
    ),
    ("Request duration, 95th percentile", "s", ((quantile(0.95, REQUESTS, "http_route"), "{{http_route}}"),)),
    ("Queries by outcome", "ops", ((rate(f"{QUERIES}_count", "dialect, outcome"), "{{dialect}} {{outcome}}"),)),
    ("Query duration, 95th percentile", "s", ((quantile(0.95, QUERIES, "dialect"), "{{dialect}}"),)),
    (
        "Wait for a session, 95th percentile",
        "s",
        ((quantile(0.95, "moorings_pool_wait_duration_seconds", "dialect"), "{{dialect}}"),),
    ),
    (
        "Login to a warehouse, 95th percentile",
        "s",
        ((quantile(0.95, "moorings_session_open_duration_seconds", "dialect"), "{{dialect}}"),),
    ),
    (
        "Sessions",
        "short",
        (
            (gauge("moorings_sessions", "dialect, state"), "{{dialect}} {{state}}"),
            (gauge("moorings_pool_waiting"), "waiting"),
        ),
    ),
    ("Results sent", "Bps", ((rate("moorings_query_result_bytes_total", "dialect"), "{{dialect}}"),)),
    ("Rows sent", "rowsps", ((rate("moorings_query_rows_total", "dialect"), "{{dialect}}"),)),
    (
        "Requests and queries in progress",
        "short",
        ((gauge("http_server_active_requests"), "requests"), (gauge("moorings_running_queries"), "queries")),
    ),
    (
        "Failing connections",
        "short",
        (
            (
                FAILING,
                "{{dialect}}",
            ),
        ),
    ),
    ("Health probes: lag", "s", (('max (moorings_health_probe_lag_seconds{job=~"$job"})', "lag"),)),
    (
        "Jobs",
        "ops",
        (
            (rate("moorings_job_attempts_total", "outcome"), "{{outcome}}"),
            ('max (moorings_jobs_queued{job=~"$job"})', "queued"),
        ),
    ),
    (
        "Job duration, 95th percentile",
        "s",
        ((quantile(0.95, "moorings_job_duration_seconds", "instance"), "{{instance}}"),),
    ),
    ("Webhook attempts", "ops", ((rate("moorings_webhook_attempts_total", "outcome"), "{{outcome}}"),)),
    ("Abandoned threads", "short", ((gauge("moorings_abandoned_threads"), "threads"),)),
    ("Memory", "bytes", ((gauge("process_resident_memory_bytes", "instance"), "{{instance}}"),)),
    ("Processor time", "percentunit", ((rate("process_cpu_seconds_total", "instance"), "{{instance}}"),)),
    ("Open files", "short", ((gauge("process_open_fds", "instance"), "{{instance}}"),)),
)
"""Title, unit, and each query with its legend."""


def _panel(place: int, title: str, unit: str, targets: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    row, column = divmod(place, ACROSS // WIDTH)
    return {
        "id": place + 1,
        "title": title,
        "type": "timeseries",
        "datasource": SOURCE,
        "gridPos": {"h": HEIGHT, "w": WIDTH, "x": column * WIDTH, "y": row * HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [
            {"refId": chr(65 + number), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
            for number, (expression, legend) in enumerate(targets)
        ],
    }


def dashboard() -> str:
    """The dashboard, to be imported into Grafana 10 or later."""
    variables = [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
        {
            "name": "job",
            "type": "query",
            "label": "Job",
            "datasource": SOURCE,
            "query": "label_values(moorings_build_info, job)",
            "includeAll": True,
            "multi": True,
            "current": {"text": "All", "value": "$__all"},
            "refresh": 2,
        },
    ]
    return (
        json.dumps(
            {
                "title": "Moorings",
                "uid": "moorings",
                "tags": ["moorings"],
                "schemaVersion": 39,
                "timezone": "browser",
                "time": {"from": "now-6h", "to": "now"},
                "refresh": "30s",
                "templating": {"list": variables},
                "panels": [_panel(place, *panel) for place, panel in enumerate(PANELS)],
            },
            indent=2,
        )
        + "\n"
    )


FAULTS = f'{REQUESTS}_count{{http_response_status_code=~"5..",http_response_status_code!="503"}}'
SERVER_ERRORS = f"sum(rate({FAULTS}[5m])) / sum(rate({REQUESTS}_count[5m])) > 0.02"

ALERTS: tuple[tuple[str, str, str, str, str], ...] = (
    (
        "MooringsDown",
        'absent(moorings_build_info) or up{job=~"moorings.*"} == 0',
        "5m",
        "critical",
        "Moorings does not answer Prometheus. Look at /livez, and at the log's last lines.",
    ),
    (
        "MooringsServerErrors",
        SERVER_ERRORS,
        "10m",
        "warning",
        "More than 2 % of requests end in a server error. Search the log for request_failed.",
    ),
    (
        "MooringsSaturated",
        f'sum(rate({REQUESTS}_count{{http_response_status_code="503"}}[5m])) > 0.1',
        "10m",
        "warning",
        "Queries are refused because all sessions are in use. The messages name the setting to raise.",
    ),
    (
        "MooringsPoolWait",
        "histogram_quantile(0.95, sum by (le, dialect) (rate(moorings_pool_wait_duration_seconds_bucket[5m]))) > 1",
        "10m",
        "warning",
        "Queries wait more than a second for a session. Raise MOORINGS_POOL_SIZE or MOORINGS_MAX_SESSIONS.",
    ),
    (
        "MooringsConnectionFailing",
        "max by (connection, dialect) (moorings_connection_healthy) == 0",
        "15m",
        "warning",
        "A connection fails its health probes. GET /api/v1/connections/{id}/health says why.",
    ),
    (
        "MooringsProbesLate",
        "max(moorings_health_probe_lag_seconds) > 300",
        "15m",
        "warning",
        "Health probes begin late. Raise MOORINGS_HEALTH_PROBE_CONCURRENCY.",
    ),
    (
        "MooringsJobsQueued",
        "max(moorings_jobs_queued) > 0 and sum(rate(moorings_job_attempts_total[15m])) == 0",
        "15m",
        "warning",
        "Jobs are due and none ends. Check that a worker runs.",
    ),
    (
        "MooringsJobsFailing",
        'sum(increase(moorings_job_attempts_total{outcome="failed"}[1h])) > 0',
        "5m",
        "warning",
        "A job failed for good. GET /api/v1/connections/{id}/jobs lists its log.",
    ),
    (
        "MooringsWebhooksGivenUp",
        'sum(increase(moorings_webhook_attempts_total{outcome="given_up"}[1h])) > 0',
        "5m",
        "warning",
        "A webhook message was given up. Check the receiver.",
    ),
    (
        "MooringsAbandonedThreads",
        "sum(moorings_abandoned_threads) > 8",
        "10m",
        "warning",
        "Threads hang in drivers. Find the warehouse that does not answer, then restart the service.",
    ),
    (
        "MooringsFileDescriptors",
        "process_open_fds / process_max_fds > 0.8",
        "10m",
        "warning",
        "Few file descriptors are left. Raise the limit of the service's unit.",
    ),
)
"""Name, condition, how long it holds, severity, what to do."""


def alerts() -> str:
    """Rules for Prometheus; JSON strings are YAML strings, so no library is needed to write them."""
    rules = "\n".join(
        f"      - alert: {name}\n"
        f"        expr: {json.dumps(condition)}\n"
        f"        for: {holds}\n"
        f"        labels:\n          severity: {severity}\n"
        f"        annotations:\n          summary: {json.dumps(text)}"
        for name, condition, holds, severity, text in ALERTS
    )
    return f"groups:\n  - name: moorings\n    rules:\n{rules}\n"


FILES = {"grafana/moorings.json": dashboard, "prometheus/alerts.yml": alerts}

if __name__ == "__main__":
    for name, made in FILES.items():
        (DEPLOY / name).parent.mkdir(parents=True, exist_ok=True)
        (DEPLOY / name).write_text(made())
