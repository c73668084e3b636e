"""Files that hold secrets are for their owner only, from their creation on; a start on others is refused."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from moorings.settings import Settings
from tests.terminal import MOORINGS, Terminal


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def used(terminal: Terminal) -> Terminal:
    """A data directory that a service has used."""
    with terminal.serving(SAMPLE="false"):
        pass
    return terminal


class TestStart:
    @pytest.mark.parametrize(
        ("name", "bits", "command"),
        [
            ("keyset.json", 0o640, "serve"),
            ("moorings.db", 0o604, "worker"),
            ("moorings.db-wal", 0o620, "migrate"),
            ("moorings.db-shm", 0o601, "serve"),
        ],
    )
    def test_is_refused_if_others_can_read_a_secret_file(
        self, terminal: Terminal, name: str, bits: int, command: str
    ) -> None:
        terminal.data.mkdir()
        path = terminal.data / name
        path.touch()
        path.chmod(bits)
        refused = terminal.run(command, SAMPLE="false")
        assert (refused.returncode, refused.stdout) == (1, "")
        [line] = refused.stderr.splitlines()
        assert f"can read {path}: chmod 600 {path}" in line
        assert "MOORINGS_ALLOW_READABLE_FILES=true" in line
        assert mode(path) == bits, "the operator decides: nothing was changed"

    def test_is_possible_if_the_operator_allows_it(self, used: Terminal) -> None:
        (used.data / "keyset.json").chmod(0o644)
        with used.serving(SAMPLE="false", ALLOW_READABLE_FILES="true"):
            assert mode(used.data / "keyset.json") == 0o644
        assert "MOORINGS_ALLOW_READABLE_FILES allows" in used.run("doctor", ALLOW_READABLE_FILES="true").stdout

    def test_a_keyset_elsewhere_counts_too_and_a_link_stands_for_its_file(self, used: Terminal) -> None:
        moved = used.folder / "keyset.json"
        (used.data / "keyset.json").rename(moved)
        (used.folder / "link").symlink_to(moved)
        for path in (moved, used.folder / "link"):
            moved.chmod(0o640)
            refused = used.run("serve", SAMPLE="false", KEYSET=path)
            assert f"can read {path}: chmod 600" in refused.stderr
            moved.chmod(0o600)
            with used.serving(SAMPLE="false", KEYSET=path):
                pass

    def test_mends_the_data_directory_itself(self, used: Terminal) -> None:
        used.data.chmod(0o755)
        with used.serving(SAMPLE="false"):
            assert mode(used.data) == 0o700

    def test_doctor_says_so(self, used: Terminal) -> None:
        (used.data / "moorings.db").chmod(0o644)
        assert "FAIL  files: other users of this machine can read" in used.run("doctor").stdout


class TestWhatIsMade:
    def test_is_private_whatever_the_umask(self, terminal: Terminal) -> None:
        process = subprocess.Popen(
            ["sh", "-c", f"umask 000; exec {MOORINGS[0]} serve"],
            env=terminal.environment(), cwd=terminal.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            seen: dict[Path, int] = {}
            while process.poll() is None:
                for path in [terminal.data, *terminal.data.rglob("*")]:
                    with contextlib.suppress(FileNotFoundError):  # SQLite removes its log when it closes
                        seen[path] = seen.get(path, 0) | mode(path)
                if (terminal.data / "first-key").exists() and _healthy(terminal):
                    break
            assert process.poll() is None
        finally:
            process.kill()
            process.wait()
        assert {path.name for path in seen} >= {"keyset.json", "moorings.db", "sample.duckdb", "first-key"}
        assert {path: bits for path, bits in seen.items() if bits & 0o077} == {}

    def test_by_the_app_itself_is_private_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from moorings.app import prepare

        before = os.umask(0)
        try:
            prepare(Settings(_env_file=None, data_dir=tmp_path / "data", sample=False))
        finally:
            os.umask(before)
        found: list[Any] = [tmp_path / "data", *(tmp_path / "data").iterdir()]
        assert [path for path in found if mode(path) & 0o077] == []


def _healthy(terminal: Terminal) -> bool:
    try:
        return httpx.get(f"{terminal.url}/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


class TestFirstKey:
    def test_a_file_that_others_could_read_is_replaced(self, terminal: Terminal) -> None:
        terminal.data.mkdir()
        elsewhere = terminal.folder / "elsewhere"
        elsewhere.touch(mode=0o644)
        (terminal.data / "first-key").symlink_to(elsewhere)
        with terminal.serving(SAMPLE="false") as serving:
            assert serving.key.startswith("moo_osk_")
            assert not (terminal.data / "first-key").is_symlink()
            assert mode(terminal.data / "first-key") == 0o600
        assert elsewhere.read_text() == ""

    def test_a_key_that_cannot_be_written_is_not_made(self, terminal: Terminal) -> None:
        (terminal.data / "first-key").mkdir(parents=True)
        assert "cannot write the first key" in terminal.run("serve", SAMPLE="false").stderr
        (terminal.data / "first-key").rmdir()
        with terminal.serving(SAMPLE="false") as serving:
            assert serving.key.startswith("moo_osk_")
