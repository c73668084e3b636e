"""What the source itself promises: one reader of the environment, one source of time, and sizes that can be read."""

import ast
from pathlib import Path
from statistics import median

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "moorings"
FILES = sorted(path for path in SOURCE.rglob("*.py") if "suite" not in path.parts)  # the suite is tests
TREES = {path.relative_to(SOURCE): ast.parse(path.read_text()) for path in FILES}

CLOCKS = ("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "datetime.now", "datetime.utcnow")
"""How Python is asked for an instant."""


def names_in(tree: ast.AST) -> set[str]:
    """Every `a.b` that is read, and every `a.b` that `from a import b` brings."""
    dotted = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    imported = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return dotted | imported


def clocks_in(tree: ast.AST) -> set[str]:
    """Every way in which a module asks for the time, but for the one that it should."""
    return {name for name in names_in(tree) if name.endswith(CLOCKS)} - {"clock.monotonic"}


def functions() -> list[tuple[str, int]]:
    """Every function with its number of lines."""
    return [
        (f"{path}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1)
        for path, tree in TREES.items()
        if "versions" not in path.parts
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@pytest.mark.parametrize("path", TREES, ids=str)
class TestEachModule:
    def test_only_settings_read_the_environment(self, path):
        readers = {"os.environ", "os.getenv", "os.environb", "pydantic_settings.BaseSettings"} & names_in(TREES[path])
        assert path.parts[0] == "settings" or path == Path("client/environment.py") or not readers

    def test_only_the_clock_tells_the_time(self, path):
        assert path == Path("clock.py") or not clocks_in(TREES[path])

    def test_is_short_enough_to_read(self, path):
        assert len((SOURCE / path).read_text().splitlines()) <= 400


class TestFunctions:
    def test_none_is_longer_than_60_lines(self):
        assert [name for name, lines in functions() if lines > 60] == []

    def test_nine_of_ten_have_30_lines_at_most(self):
        found = functions()
        assert sum(lines <= 30 for _, lines in found) >= 0.9 * len(found)

    def test_half_have_10_lines_at_most(self):
        assert median(lines for _, lines in functions()) <= 10


class TestTheCheckItself:
    """The two checks above would be silent if the names were looked for in the wrong way."""

    @pytest.mark.parametrize("code", ["os.environ['A']", "from os import environ", "os.getenv('A')"])
    def test_sees_a_reader_of_the_environment(self, code):
        assert {"os.environ", "os.getenv"} & names_in(ast.parse(code))

    @pytest.mark.parametrize("code", ["time.time()", "from time import monotonic", "datetime.datetime.now()"])
    def test_sees_a_clock(self, code):
        assert clocks_in(ast.parse(code))
