"""Where data is kept when no setting names a place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from moorings import distribution
from moorings.settings import data_directory

OF_HOME = "{home}/.local/share/moorings"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, which is also the working directory, without XDG's variables."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestDefault:
    def test_is_the_one_that_is_there(self, home):
        (home / ".moorings").mkdir()
        assert data_directory.default() == Path(".moorings")

    def test_is_in_the_checkout_when_that_is_the_working_directory(self, home, monkeypatch):
        monkeypatch.chdir(distribution.CHECKOUT)
        assert data_directory.default() == Path(".moorings")

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            (None, "{home}/.local/share/moorings"),
            ("/srv/data", "/srv/data/moorings"),
            ("data", "{home}/.local/share/moorings"),
        ],
    )
    def test_is_the_users_elsewhere(self, home, monkeypatch, given, expected):
        if given:
            monkeypatch.setenv("XDG_DATA_HOME", given)
        monkeypatch.setattr(sys, "platform", "linux")
        assert str(data_directory.default()) == expected.format(home=home)

    def test_on_macos(self, home, monkeypatch):
        monkeypatch.setattr(sys, "platform", "darwin")
        assert data_directory.default() == home / "Library" / "Application Support" / "moorings"
