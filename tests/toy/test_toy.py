"""A dialect is added in four places, or from outside by an entry point; nothing else has to know of it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from moorings import testing
from tests.terminal import Serving, Terminal

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parent / "toy"
CACHES = shutil.ignore_patterns("__pycache__")
TOKEN = "organization-key-of-the-tests"


class TestInFourPlaces:
    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        """This project with the toy in it. Its extra is no line, since Python itself is its driver."""
        for folder in ("src", "tests", "docs", "scripts"):
            shutil.copytree(ROOT / folder, tmp_path / folder, ignore=CACHES)
        for file in ("pyproject.toml", "conftest.py"):
            shutil.copy(ROOT / file, tmp_path)
        shutil.copytree(TOY, tmp_path / "src" / "moorings" / "dialects" / "toy", ignore=CACHES)
        listed = tmp_path / "src" / "moorings" / "dialects" / "__init__.py"
        _insert(listed, "MODULES = {\n", '    "toy": "Toy",\n')
        rows = tmp_path / "tests" / "warehouses" / "engines.py"
        _insert(rows, "ENGINES: Sequence[Under] = (\n", "    toy.UNDER,\n")
        _insert(rows, "from collections.abc import Sequence\n", "from tests.toy import testing as toy\n")
        return tmp_path

    def test_the_suite_asks_of_it_what_it_asks_of_every_other(self, tree: Path) -> None:
        ran = _python(tree, "-m", "pytest", "src/moorings/testing/suite", "-k", "toy", "-p", "no:cacheprovider")
        assert_passed(ran)

    def test_the_docs_have_its_page(self, tree: Path) -> None:
        ran = _python(tree, "scripts/reference.py")
        assert ran.returncode == 0, ran.stderr
        assert "| `patience` | number |" in (tree / "docs" / "reference" / "dialects" / "toy.md").read_text()
        assert "[Toy](dialects/toy.md)" in (tree / "docs" / "reference" / "dialects.md").read_text()


def assert_passed(ran: subprocess.CompletedProcess[str]) -> None:
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    assert int(ran.stdout.split(" passed")[0].split()[-1]) > 40


def _insert(path: Path, after: str, line: str) -> None:
    text = path.read_text()
    assert text.count(after) == 1
    path.write_text(text.replace(after, after + line))


def _python(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(tree / "src"), str(tree)))}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


class TestFromOutside:
    @pytest.fixture
    def package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A package that is installed beside Moorings and brings the toy."""
        package = tmp_path / "installed"
        metadata = package / "toy-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text("[moorings.dialects]\ntoy = toy_of_theirs.dialect:Toy\n")
        shutil.copytree(TOY, package / "toy_of_theirs", ignore=CACHES)
        monkeypatch.setenv("PYTHONPATH", str(package))
        return package

    def test_it_is_validated_shown_tested_queried_and_listed(self, package: Path, terminal: Terminal) -> None:
        with terminal.serving(BOOTSTRAP_TOKEN=TOKEN, SAMPLE="false") as serving:
            with sqlite3.connect(terminal.data / "duckdb" / "shop.db") as database:
                database.execute("CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
                database.execute("INSERT INTO goods VALUES (1, 'rope')")
            database.close()
            self._walk(serving)

    def _walk(self, serving: Serving) -> None:
        headers = {"authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=f"{serving.url}/api/v1", headers=headers, trust_env=False) as client:
            body = {"dialect": "toy", "name": "Shop", "database": "shop.db"}
            refused = client.post("/connections", json=body | {"patience": 90, "database": 1})
            assert refused.json()["detail"] == (
                "Bad Request: database: Expected string, received number;"
                " patience: Number must be less than or equal to 60"
            )
            made = client.post("/connections?test=true", json=body)
            assert made.status_code == 201, made.text
            path = f"/connections/{made.json()['data']}"
            answer = client.post(f"{path}/query", json={"sql": "SELECT * FROM goods"}, headers={"accept": "text/csv"})
            assert answer.text == '"id","name"\r\n1,"rope"\r\n'
            (table,) = client.get(f"{path}/tables").json()["tables"]
            assert (table["name"], table["primaryKey"]) == ("goods", ["id"])
            assert [found["name"] for found in client.get("/connections?dialect=toy").json()["connections"]] == ["Shop"]
        shapes = httpx.get(f"{serving.url}/openapi.json", trust_env=False).json()
        created = shapes["paths"]["/api/v1/connections"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        named = [shapes["components"]["schemas"][shape["$ref"].rpartition("/")[2]] for shape in created["oneOf"]]
        assert any("patience" in shape["properties"] for shape in named)

    def test_its_makers_run_the_same_suite_against_it(self, package: Path, tmp_path: Path) -> None:
        shutil.copy(TOY.parent / "testing.py", package / "toy_of_theirs")
        (tmp_path / "pytest.ini").touch()  # a project of their own: what this project's conftest says is not theirs
        theirs = ["-c", "pytest.ini", "--confcutdir", Path(testing.__file__).parent, "-p", "toy_of_theirs.testing"]
        command = [sys.executable, "-m", "pytest", *theirs, "--pyargs", "moorings.testing.suite"]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert_passed(ran)

    def test_one_that_cannot_be_loaded_is_named(self, package: Path, terminal: Terminal) -> None:
        (package / "toy_of_theirs" / "dialect.py").write_text("raise ImportError('no such driver')")
        found = terminal.run("doctor")
        assert found.returncode == 1
        assert (
            "the dialect toy cannot be loaded from toy_of_theirs.dialect:Toy: no such driver"
            in found.stdout + found.stderr
        )
        assert "Traceback" not in found.stderr
