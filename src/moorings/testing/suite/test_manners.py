"""Side effects of drivers: they write no files, start no processes, and connect only to the server.

Native code is seen only by what it leaves in the folders that the environment names. hdbcli looks its user's home up
elsewhere, and keeps `.hdb` there, as the page of SAP HANA says.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorings.testing.engines import Warehouse

pytestmark = pytest.mark.needs("login")
IMPORTED = os.pathsep.join(filter(None, sys.path))
"""So that the other process imports the very code that is tested."""
FOLDERS = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
HARMLESS = {"subprocess.Popen uname"}
"""Python's own `platform` asks for the processor's name by it, when a driver tells the server what it runs on."""


@pytest.fixture
def watched(warehouse: Warehouse, tmp_path: Path) -> Callable[[], dict[str, list[str]]]:
    """Log in from another process, whose folders are new ones; returns what it saw."""

    def watching() -> dict[str, Any]:
        given = {"dialect": warehouse.dialect.name, "body": warehouse.body(), "directory": str(warehouse.directory)}
        given["settings"] = warehouse.settings
        environment = {"PYTHONPATH": IMPORTED, "TMPDIR": str(tmp_path / "passing")} | dict.fromkeys(
            FOLDERS, str(tmp_path)
        )
        (tmp_path / "passing").mkdir()
        command = [sys.executable, "-B", "-m", "moorings.testing.watched"]
        how: dict[str, Any] = {"cwd": tmp_path, "env": os.environ | environment, "capture_output": True, "timeout": 60}
        answer = subprocess.run(command, input=json.dumps(given).encode(), check=False, **how)
        assert answer.returncode == 0, answer.stderr.decode()
        return json.loads(answer.stdout)

    return watching


def test_a_login_leaves_nothing_behind(watched: Callable[[], dict[str, list[str]]], tmp_path: Path) -> None:
    seen = watched()
    assert set(seen["started"]) <= HARMLESS
    assert [each for each in seen["wrote"] if str(tmp_path / "passing") not in each] == []  # certificates pass through
    assert list(tmp_path.rglob("*")) == [tmp_path / "passing"]


def test_nobody_but_the_server_is_spoken_to(watched: Callable[[], dict[str, list[str]]]) -> None:
    assert set(watched()["dialed"]) <= {"127.0.0.1", "::1"}
