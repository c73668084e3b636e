"""The engines and servers that all tests may ask for, wherever the tests lie."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from moorings.testing.engines import Under

pytest.register_assert_rewrite("moorings.testing.room")

WAREHOUSES = Path(__file__).parent / "tests" / "warehouses"


def pytest_configure(config: pytest.Config) -> None:
    """Make the fixture of each server known to every test; stubs that fixtures start as processes are no plugins."""
    names = ["tests.terminal", "tests.collection"]
    shared = [path for path in WAREHOUSES.glob("servers/[a-z]*.py") if "stub" not in path.stem]
    found = [*shared, *WAREHOUSES.glob("*/server.py")]
    names += [f"tests.warehouses.{path.parent.name}.{path.stem}" for path in found]
    for name in names:
        config.pluginmanager.register(importlib.import_module(name), name)


@pytest.hookimpl(optionalhook=True)
def pytest_moorings_engines() -> Sequence[Under]:
    """The engines that the suite of `moorings.testing` runs against."""
    from tests.warehouses.engines import ENGINES

    return ENGINES
