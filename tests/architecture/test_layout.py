"""Where files lie and which way imports run: no circles, no crowded folders, the same files in every dialect."""

from __future__ import annotations

import ast
import graphlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from moorings import dialects

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
DIALECTS = SOURCE / "moorings" / "dialects"

MAX_FILES = 26
"""In one folder. A folder whose files share prefixes of names wants to be several."""

NEEDED = {"__init__", "config", "dialect"}
ROLES = NEEDED | {"faults", "session", "introspection", "types", "read_only", "login", "statements", "wire"}
"""The files that a dialect's folder may have, whichever the dialect."""
OWN_ROLES: Mapping[str, set[str]] = {
    "bigquery": {"federation"},
    "clickhouse": {"body"},
    "databricks": {"results", "transport"},
    "duckdb": {"files"},
    "oracle": {"packets"},
    "postgres": {"casts", "parameters", "probe"},
    "sap_hana": {"tenant"},
}
"""The files that only one dialect has, named for what only this warehouse has."""


def modules(source: Path) -> dict[str, Path]:
    """Every module below a folder, by its dotted name."""
    found = {path: ".".join(path.relative_to(source).with_suffix("").parts) for path in source.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for path, name in found.items()}


def imported(tree: ast.AST, known: Mapping[str, Path]) -> Iterator[str]:
    """The known modules that a module imports, anywhere but under TYPE_CHECKING."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            dotted = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else str(node.module) for name in dotted)
        else:
            yield from imported(node, known)


def circle(source: Path) -> list[str]:
    """One circle of imports between the modules below a folder; empty where there is none."""
    known = modules(source)
    graph = {
        name: {other for other in imported(ast.parse(path.read_text()), known) if other in known and other != name}
        for name, path in known.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as found:
        return found.args[1]
    return []


def roles(name: str) -> set[str]:
    """The files of a dialect's folder."""
    return {path.stem for path in (DIALECTS / name).glob("*.py")}


def of_dialects(tree: ast.AST) -> set[tuple[str, str]]:
    """The files of dialects' folders that a module imports: dialect and role."""
    found = [name.split(".") for name in imported(tree, modules(SOURCE))]
    return {(parts[2], parts[3]) for parts in found if len(parts) == 4 and parts[2] in dialects.MODULES}


class TestImports:
    def test_run_in_no_circle(self):
        assert circle(SOURCE) == []

    @pytest.mark.parametrize("lazily", ["from moorings import a", "def late():\n    from moorings.a import x"])
    def test_a_circle_would_be_seen(self, tmp_path, lazily):
        package = tmp_path / "moorings"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "a.py").write_text("from moorings.b import y\n\nx = y\n")
        (package / "b.py").write_text(f"{lazily}\n\ny = 1\n")
        assert set(circle(tmp_path)) == {"moorings.a", "moorings.b"}

    def test_a_name_for_the_type_checker_alone_is_no_circle(self, tmp_path):
        (tmp_path / "a.py").write_text("import b\n")
        (tmp_path / "b.py").write_text("if TYPE_CHECKING:\n    import a\n")
        assert circle(tmp_path) == []


class TestFolders:
    def test_none_is_crowded(self):
        files = [path for folder in ("src", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
        crowded = {
            folder: count for folder, count in Counter(path.parent for path in files).items() if count > MAX_FILES
        }
        assert not crowded


@pytest.mark.parametrize("name", dialects.MODULES)
class TestEachDialect:
    def test_has_its_files_and_no_others(self, name):
        assert roles(name) - ROLES == OWN_ROLES.get(name, set())
        assert roles(name) >= NEEDED

    def test_says_what_it_is_in_its_folder(self, name):
        docstring = ast.get_docstring(ast.parse((DIALECTS / name / "__init__.py").read_text())) or ""
        assert all(f"{word}: " in " ".join(docstring.split()) for word in ("Driver", "Login", "Limits", "Source"))

    def test_imports_its_session_only_to_connect(self, name):
        tree = ast.parse((DIALECTS / name / "dialect.py").read_text())
        at_the_top = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
        assert "session" not in {role for _, role in of_dialects(at_the_top)}

    @pytest.mark.parametrize("role", ["config", "faults"])
    def test_says_what_it_needs_and_what_fails_without_the_rest(self, name, role):
        path = DIALECTS / name / f"{role}.py"
        tree = ast.parse(path.read_text() if path.exists() else "")
        assert {role for _, role in of_dialects(tree)} <= {"config", "faults", "files"}
