"""Every command that a page shows is run, page by page, and prints what the page shows."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import shown
from tests.terminal import free_port

PAGES = [page for page in shown.pages() if shown.steps(page)]
named = pytest.mark.parametrize("page", shown.pages(), ids=lambda page: str(page.relative_to(shown.ROOT)))


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory, terminal_in, postgres_server):
    """A service as `make serve` starts it in a checkout, beside a PostgreSQL with the database that the pages name."""
    from tests.warehouses.postgres.server import login

    with login(postgres_server) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")  # others who share this server may have left it
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'secret'")
        connection.execute("CREATE DATABASE shop OWNER reader")
    terminal = terminal_in(tmp_path_factory.mktemp("pages"))
    terminal.data = terminal.folder / ".moorings"
    terminal.settings |= {"DATA_DIR": str(terminal.data), "RATE_LIMIT": "0"}
    with terminal.serving() as serving:
        replaced = {
            "127.0.0.1:8000": f"127.0.0.1:{terminal.port}",
            "8001": str(free_port()),
            "moo_osk_…": serving.key,
            "db.example.com:5432": f"{postgres_server.host}:{postgres_server.port}",
            "db.example.com": postgres_server.host,
            '"port": 5432': f'"port": {postgres_server.port}',
        }
        yield terminal, replaced
    with login(postgres_server) as connection:
        connection.execute("DROP DATABASE shop WITH (FORCE)")
        connection.execute("DROP ROLE reader")


class TestBlocks:
    @named
    def test_says_what_language_each_block_is_in(self, page):
        languages = {block.language for block in shown.blocks(page)}
        assert languages <= {*shown.RUN, *shown.SHOWN}

    @named
    def test_gives_a_known_reason_for_what_is_not_run(self, page):
        assert {block.reason for block in shown.blocks(page) if block.reason} <= set(shown.REASONS)

    @named
    def test_uses_no_login_name_and_counts_no_columns(self, page):
        text = "".join(block.text for block in shown.blocks(page))
        assert not re.search(r"\$USER\b|\bcut -[fd]\b|\bjq\b", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(shown.ROOT)))
def test_commands_print_what_the_page_shows(surroundings, page: Path):
    terminal, replaced = surroundings
    steps = shown.steps(page)
    script = _with(replaced, shown.script([command for command, _ in steps]))
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "no_proxy": "*", "LANG": "C.UTF-8"}
    environment["HOME"] = str(terminal.folder)  # where `moorings login` keeps its profile
    command = ["bash", "-c", script]
    status, out, err = _run(command, environment, terminal.folder)
    printed = out.split(shown.MARK)[1:]
    assert status == 0, f"{_with(replaced, steps[len(printed) - 1][0])}\n{out[-2000:]}{err[-2000:]}"
    for (shown_command, expected), found in zip(steps, printed, strict=True):
        if expected is not None:
            assert re.fullmatch(_pattern(_with(replaced, expected)), found.strip(), re.DOTALL), (
                f"{shown_command}\nprints\n{found}\nand the page shows\n{expected}"
            )


def _run(command: list[str], environment: dict[str, str], folder: Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr; what the page leaves running in the background ends with it."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )
    try:
        out, err = process.communicate(timeout=120)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, out, err


def _with(replaced: dict[str, str], text: str) -> str:
    for written, actual in replaced.items():
        text = text.replace(written, actual)
    return text


def _pattern(expected: str) -> str:
    """What a page shows; `…` stands for anything."""
    return re.escape(expected.strip()).replace("…", ".*?")
