"""The linter of phrases: `make check` runs it over the documentation and every string of the source."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "prose.py"


@pytest.fixture
def prose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("prose", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("The limit is 20 unless said.", True),
        ("What is read of the connection.", True),
        ("Whom a key acts as: its user.", True),
        ("The fields tell whether it differs.", True),
        ("What each dialect is proven against, its page says.", True),
        ("A resource does not exist for who may not see it.", True),
        ("Each dialect's page lists what it was tested against.", False),
        ("Users who may not see a resource get 404.", False),
        ("The parameter is called `whom`.", False),
    ],
)
class TestFindings:
    def test_of_a_page(self, prose: Any, tmp_path: Path, sentence: str, found: bool):
        page = tmp_path / "page.md"
        page.write_text(f"# Page\n\n{sentence}\n")
        assert [line.split(": ")[0] for line in prose.findings(page)] == ["page.md:3"] * found

    def test_of_a_string(self, prose: Any, tmp_path: Path, sentence: str, found: bool):
        source = tmp_path / "source.py"
        source.write_text(f'def act():\n    """{sentence}"""\n')
        assert [line.split(": ")[0] for line in prose.findings(source)] == ["source.py:2"] * found

    def test_of_a_comment(self, prose: Any, tmp_path: Path, sentence: str, found: bool):
        source = tmp_path / "source.py"
        source.write_text(f"def act():\n    # {sentence}\n    pass\n")
        assert [line.split(": ")[0] for line in prose.findings(source)] == ["source.py:2"] * found
