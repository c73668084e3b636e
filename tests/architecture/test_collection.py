"""A run of tests says so when tests share an id, when too few ran, and when engines were missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TWO = """
import pytest

def test_one(): pass
def test_two(): pass
def test_that_skips(): pytest.skip("never: it does not count")
"""
LACKING = """
from tests.warehouses.servers.process import unavailable

def test_one():
    unavailable("ClickHouse", "install it")
"""


def run(folder: Path, source: str, *arguments: str, floor: int = 0, require: str = "") -> tuple[int, list[str]]:
    """Run a file of tests as the only one; returns the exit status, and the lines of the output."""
    (folder / "test_it.py").write_text(source)
    (folder / "pytest.ini").write_text(f"[pytest]\ntests_floor = {floor}\ntestpaths = .\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.collection", "-p", "xdist.plugin", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MOORINGS_TEST_REQUIRE": require}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return ran.returncode, (ran.stdout + ran.stderr).strip().splitlines()


class TestIds:
    @pytest.mark.parametrize("processes", [0, 2])
    def test_two_tests_that_share_one_are_refused(self, tmp_path: Path, processes: int) -> None:
        (tmp_path / "conftest.py").write_text(
            "import pytest\n\n\n@pytest.hookimpl(tryfirst=True)\n"
            "def pytest_collection_modifyitems(items):\n    items[1]._id = items[0].id\n"
        )
        status, said = run(tmp_path, TWO, "-n", str(processes))
        assert status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        assert any("test_it.py::test_one (2 tests)" in line for line in said)


class TestFloor:
    @pytest.mark.parametrize(("floor", "status"), [(2, 0), (3, 1)])
    def test_a_whole_run_below_it_fails(self, tmp_path: Path, floor: int, status: int) -> None:
        ended, said = run(tmp_path, TWO, floor=floor, require="all")
        assert ended == status
        assert (f"at least {floor}" in said[-1]) is bool(status)

    @pytest.mark.parametrize(("arguments", "require"), [(["test_it.py"], "all"), ([], "")])
    def test_no_other_run_has_one(self, tmp_path: Path, arguments: list[str], require: str) -> None:
        assert run(tmp_path, TWO, *arguments, floor=3, require=require)[0] == 0


class TestMissingEngines:
    @pytest.mark.parametrize("processes", [0, 2])
    def test_the_last_line_names_them(self, tmp_path: Path, processes: int) -> None:
        status, said = run(tmp_path, LACKING, "-n", str(processes))
        line = "1 TEST DID NOT RUN for lack of: ClickHouse (1). MOORINGS_TEST_REQUIRE=all make test runs all."
        assert (status, said[-1]) == (0, line)

    def test_where_all_are_required_it_is_a_failure(self, tmp_path: Path) -> None:
        assert run(tmp_path, LACKING, require="all")[0] == 1
