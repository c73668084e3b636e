"""Renders the metrics of one or several processes in Prometheus' text format."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from moorings.telemetry.metrics import DEFINED, Family

MERGING: Mapping[str, Callable[[float, float], float]] = {"sum": operator.add, "max": max, "min": min}


class Merged(Collector):
    """Several processes' metrics as if one process had counted."""

    def __init__(self, processes: Sequence[Sequence[Family]]) -> None:
        self._processes = processes

    def collect(self) -> Iterator[Metric]:
        """Each family, with the samples of all processes in one."""
        merged: dict[str, tuple[str, str, dict[tuple[str, tuple[tuple[str, str], ...]], float]]] = {}
        for name, kind, text, samples in (family for process in self._processes for family in process):
            values = merged.setdefault(name, (kind, text, {}))[2]
            merge = MERGING[DEFINED[name].merge] if name in DEFINED else MERGING["sum"]
            for sample, labels, value in samples:
                key = (sample, tuple(labels.items()))
                if sample.endswith("_created"):
                    continue
                values[key] = merge(values[key], value) if key in values else value
        for name, (kind, text, values) in merged.items():
            metric = Metric(name, text, kind)
            for (sample, labels), value in values.items():
                metric.add_sample(sample, dict(labels), value)
            yield metric


def render(processes: Iterable[Sequence[Family]]) -> bytes:
    """Prometheus' text format."""
    alone = CollectorRegistry()
    alone.register(Merged(list(processes)))
    return generate_latest(alone)
