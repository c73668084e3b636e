"""Each test of the suite, once for every engine that a plugin hands over."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from moorings.testing import hooks
from moorings.testing.engines import CONCEPTS, Under, Warehouse
from moorings.testing.room import run_inside

Rows = Iterator[tuple[str, Any, list[str]]]


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*abilities): what an engine must have; those that lack it say why")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "under" not in metafunc.fixturenames:
        return
    needed = [ability for mark in metafunc.definition.iter_markers("needs") for ability in mark.args]
    further = next((name for name in EACH if name in metafunc.fixturenames), None)
    cases = []
    for under in itertools.chain.from_iterable(metafunc.config.hook.pytest_moorings_engines()):
        lacked = [under.lacks[ability] for ability in needed if ability in under.lacks]
        for name, value, reasons in EACH[further](under) if further else [("", None, [])]:
            marks = [pytest.mark.skip(reason=reason) for reason in lacked + reasons]
            values = (under, value) if further else (under,)
            cases.append(pytest.param(*values, id="-".join(filter(None, (under.dialect, name))), marks=marks))
    metafunc.parametrize(("under", further) if further else ("under",), cases, scope="module")


def _each_broken(under: Under) -> Rows:
    for broken in under.broken:
        yield broken.what, broken, [f"never: {broken.unproduced}"] if broken.unproduced else []


def _each_case(under: Under) -> Rows:
    for concept in CONCEPTS:
        case = under.sql.types[concept]
        yield concept, case, [case] if isinstance(case, str) else []


EACH: dict[str, Callable[[Under], Rows]] = {"broken": _each_broken, "case": _each_case}
"""Fixtures that take each row of an engine's tables in turn: name, value, and why it is not to be had."""


@pytest.fixture(scope="module")
def warehouse(under: Under, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The engine, running."""
    server = request.getfixturevalue(under.server) if under.server else None
    warehouse = Warehouse(under, server, tmp_path_factory.mktemp("duckdb"))
    if not warehouse.lacks("sql", "writes"):
        warehouse.ask("DROP TABLE IF EXISTS written", under.sql.written)
    return warehouse


@pytest.fixture
def inside(warehouse: Warehouse) -> Callable[..., Any]:
    """Run `work(room)` with an engine of the given settings; nothing of it may be left afterwards."""
    return lambda work, **settings: run_inside(warehouse, work, **settings)
