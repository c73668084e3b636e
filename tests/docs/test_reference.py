"""What the docs say is what the code does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import typer.main

from moorings import dialects, errors
from moorings.app import ROUTES
from moorings.cli import app
from moorings.settings import Settings
from moorings.telemetry import metrics

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def _reference():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = _reference()
PAGES = REFERENCE.PAGES
SECTIONS = ("Fields", "Grants", "Network", "Credentials", "Limits", "Tested against")


def answered_errors(kind: type[errors.MooringsError] = errors.MooringsError) -> list[type[errors.MooringsError]]:
    """Every error that a caller can get."""
    children = [child for child in kind.__subclasses__() if child not in REFERENCE.NOT_ANSWERED]
    return [found for child in children for found in (child, *answered_errors(child))]


def page(name: str) -> str:
    return (DOCS / name).read_text()


def warehouse_errors(kind: type[errors.WarehouseError] = errors.WarehouseError) -> list[type[errors.WarehouseError]]:
    return [found for child in kind.__subclasses__() for found in (child, *warehouse_errors(child))]


class TestReference:
    @pytest.mark.parametrize("name", PAGES)
    def test_page_is_what_the_code_says(self, name):
        assert page(name) == PAGES[name](), "run `make reference`"


class TestEverythingIsDocumented:
    @pytest.mark.parametrize("name", Settings.model_fields)
    def test_setting(self, name):
        assert f"`MOORINGS_{name.upper()}`" in page("reference/settings.md")

    @pytest.mark.parametrize("name", typer.main.get_command(app).commands)
    def test_command(self, name):
        assert f"`moorings {name}" in page("reference/cli.md")

    @pytest.mark.parametrize("kind", warehouse_errors(), ids=lambda kind: kind.__name__)
    def test_error_code(self, kind):
        assert f"`{kind.code}`" in page("reference/errors.md")

    @pytest.mark.parametrize("kind", warehouse_errors(), ids=lambda kind: kind.__name__)
    def test_error_code_has_cause_and_fix(self, kind):
        rows = [
            line for line in page("operate/troubleshooting.md").splitlines() if line.startswith(f"| `{kind.code}` |")
        ]
        assert len(rows) == 1

    @pytest.mark.parametrize("name", dialects.names())
    def test_dialect(self, name):
        assert f"(dialects/{name}.md)" in page("reference/dialects.md")

    @pytest.mark.parametrize("name", dialects.names())
    def test_page_of_a_dialect_says_what_to_grant_and_what_it_was_tested_against(self, name):
        headings = [line for line in page(f"reference/dialects/{name}.md").splitlines() if line.startswith("## ")]
        assert headings == [f"## {each}" for each in SECTIONS]

    @pytest.mark.parametrize("name", dialects.names())
    def test_what_a_dialect_was_tested_against(self, name):
        row = next(line for line in page("reference/dialects.md").splitlines() if f"(dialects/{name}.md)" in line)
        assert row.split(" | ")[2].startswith(("Real ", "Stand-in", "Emulator", "Stub", "Nothing"))

    @pytest.mark.parametrize("name", metrics.DEFINED)
    def test_metric(self, name):
        assert f"| `{metrics.DEFINED[name].name}` |" in page("reference/metrics.md")

    @pytest.mark.parametrize("kind", answered_errors(), ids=lambda kind: kind.__name__)
    def test_error(self, kind):
        message = " ".join((kind.__doc__ or "").split()).replace("|", "\\|")
        assert message in page("reference/errors.md")

    @pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
    def test_route(self, route):
        assert f"`{route.method} {route.location}`" in page("reference/api.md")


class TestNavigation:
    def test_every_page_can_be_found(self):
        listed = (ROOT / "mkdocs.yml").read_text()
        pages = [path.relative_to(DOCS) for path in DOCS.rglob("*.md") if "templates" not in path.parts]
        assert [str(name) for name in pages if str(name) not in listed] == []

    def test_decisions_are_all_in_their_index(self):
        index = page("project/decisions/index.md")
        assert [path.name for path in (DOCS / "project" / "decisions").glob("0*.md") if path.name not in index] == []

    def test_the_site_and_the_service_have_one_logo(self):
        ours = ROOT / "src" / "moorings" / "api" / "browser" / "files" / "logo.svg"
        assert (DOCS / "assets" / "logo.svg").read_text() == ours.read_text()
