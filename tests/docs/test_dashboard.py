"""The dashboard and the alerts of `deploy/` are made from today's code, and use metrics that exist."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from moorings.telemetry.metrics import DEFINED

ROOT = Path(__file__).parents[2]


def made() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dashboard", ROOT / "scripts" / "dashboard.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DASHBOARD = made()
EXPRESSIONS = [expression for _, _, targets in DASHBOARD.PANELS for expression, _ in targets]
EXPRESSIONS += [condition for _, condition, *_ in DASHBOARD.ALERTS]


@pytest.mark.parametrize("name", DASHBOARD.FILES)
def test_a_file_is_what_the_code_says(name: str) -> None:
    assert (ROOT / "deploy" / name).read_text() == DASHBOARD.FILES[name](), "run make reference"


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_names_metrics_and_labels_that_exist(expression: str) -> None:
    names = re.findall(r"\b(?:moorings|http_server|process)_[a-z0-9_]+", expression.replace('"moorings.*"', ""))
    assert names or "up{" in expression
    for name in names:
        found = DEFINED[re.sub(r"_(bucket|count|sum)$", "", name)] if name not in DEFINED else DEFINED[name]
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            known = {*found.labels, "le", "instance", "job"}
            assert {label.strip() for label in labels.split(",")} <= known, (name, labels)


def test_the_dashboard_is_json_with_every_metric_of_ours() -> None:
    board = json.loads(DASHBOARD.dashboard())
    shown = json.dumps(board)
    ours = {name for name in DEFINED if name.startswith(("moorings_", "http_"))}
    assert {name for name in ours if name not in shown} <= {"moorings_worker_processes"}
