"""What `/proc/<pid>` shows of our processes: no secret setting in their environment, and no core dumps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from moorings import settings
from moorings.cli import handover
from moorings.errors import OperatorError
from tests.terminal import Terminal

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")

TOKEN = "operators-own-token-of-32-letters"
WEBHOOK = "http://127.0.0.1:9/hook-of-s3ntinel"
SECRETS = {"BOOTSTRAP_TOKEN": TOKEN, "WEBHOOK_URL": WEBHOOK, "WEBHOOK_SECRET": "whsec_czNudGluZWw="}


def processes_of(root: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = [root]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def environment_of(process: int) -> str:
    return Path(f"/proc/{process}/environ").read_text()


def assert_clean(process: int, *secrets: str) -> None:
    shown = environment_of(process)
    assert "MOORINGS_DATA_DIR" in shown, "it is a process of ours"
    assert [secret for secret in secrets if secret in shown] == []


def assert_serves(serving: Any) -> None:
    answer = httpx.get(
        f"{serving.url}/api/v1/connections", headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False
    )
    assert answer.status_code == 200


class TestEnvironment:
    def test_of_the_service_holds_no_secret_setting(self, terminal: Terminal) -> None:
        with terminal.serving(**SECRETS) as serving:
            assert_serves(serving)
            for process in processes_of(serving.process.pid):
                assert_clean(process, *SECRETS.values())
            assert serving.stop() == 0

    def test_of_all_workers_holds_none(self, terminal: Terminal, valkey_server: Any, new_database: Any) -> None:
        password = quote(valkey_server.password, safe="")
        valkey = f"valkey://:{password}@{valkey_server.host}:{valkey_server.port}"
        given = SECRETS | {"RATE_LIMIT_URL": valkey, "DATABASE_URL": new_database(), "WORKERS": "2", "SAMPLE": "false"}
        with terminal.serving(**given) as serving:
            for _ in range(5):
                assert_serves(serving)
            found = processes_of(serving.process.pid)
            assert len(found) >= 3
            for process in found:
                assert_clean(process, *SECRETS.values(), valkey, given["DATABASE_URL"])
            assert serving.stop() == 0

    def test_of_a_worker_alone_holds_none(self, terminal: Terminal) -> None:
        terminal.make_database()
        with terminal.working(**SECRETS) as working:
            for process in processes_of(working.process.pid):
                assert_clean(process, *SECRETS.values())

    def test_the_command_line_is_clean_too(self, terminal: Terminal) -> None:
        with terminal.serving(**SECRETS) as serving:
            for process in processes_of(serving.process.pid):
                shown = Path(f"/proc/{process}/cmdline").read_text()
                assert [secret for secret in SECRETS.values() if secret in shown] == []

    def test_nothing_is_left_in_an_open_file(self, terminal: Terminal) -> None:
        with terminal.serving(**SECRETS) as serving:
            for entry in Path(f"/proc/{serving.process.pid}/fd").iterdir():
                target = os.readlink(entry)
                assert not target.startswith(("/memfd:", "/dev/shm")), target

    @pytest.mark.parametrize("name", ["MOORINGS_BOOTSTRAP_TOKEN", "moorings_bootstrap_token", "Moorings_Database_Url"])
    def test_names_count_in_any_case(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, TOKEN)
        clean, secret = settings.secrets_apart()
        assert TOKEN not in clean.values()
        assert secret == {name.lower().removeprefix("moorings_"): TOKEN}

    def test_every_secret_setting_is_known_by_its_type(self) -> None:
        assert {"bootstrap_token", "database_url", "rate_limit_url", "webhook_url", "webhook_secret"} <= (
            settings.secret_fields()
        )
        assert "data_dir" not in settings.secret_fields()


class TestHandover:
    def test_too_long_is_refused_and_does_not_hang(self) -> None:
        with pytest.raises(OperatorError, match="16 kB"):
            handover.handing({}, {"database_url": "x" * 20_000})

    def test_a_variable_that_somebody_else_set_is_refused(self, terminal: Terminal) -> None:
        refused = terminal.run("serve", HANDED_SETTINGS="1234567")
        assert (refused.returncode, refused.stderr) == (
            1,
            "moorings: MOORINGS_HANDED_SETTINGS is set by the service itself: unset it\n",
        )

    def test_a_fault_is_named_as_ever(self, terminal: Terminal) -> None:
        refused = terminal.run("serve", BOOTSTRAP_TOKEN="too-short")
        assert "MOORINGS_BOOTSTRAP_TOKEN: " in refused.stderr
        assert "too-short" not in refused.stderr


class TestTokenFile:
    def test_holds_the_bootstrap_token(self, terminal: Terminal) -> None:
        (terminal.folder / "token").write_text(f"{TOKEN}\n")
        with terminal.serving(BOOTSTRAP_TOKEN_FILE=terminal.folder / "token") as serving:
            assert_serves(serving)
            assert not (terminal.data / "first-key").exists()
            assert "$(cat " in serving.out
            assert_clean(serving.process.pid, TOKEN)

    def test_that_is_missing_or_not_alone_is_refused(self, terminal: Terminal) -> None:
        path = terminal.folder / "token"
        refused = terminal.run("serve", BOOTSTRAP_TOKEN_FILE=path)
        assert f"MOORINGS_BOOTSTRAP_TOKEN_FILE: cannot read {path}" in refused.stderr
        path.write_text(TOKEN)
        refused = terminal.run("serve", BOOTSTRAP_TOKEN_FILE=path, BOOTSTRAP_TOKEN=TOKEN)
        assert "not both" in refused.stderr
        path.write_text("short")
        refused = terminal.run("serve", BOOTSTRAP_TOKEN_FILE=path)
        assert "MOORINGS_BOOTSTRAP_TOKEN: " in refused.stderr


class TestCoreDumps:
    LIMIT = "Max core file size"

    def limits(self, process: int) -> list[str]:
        lines = Path(f"/proc/{process}/limits").read_text().splitlines()
        return next(line for line in lines if line.startswith(self.LIMIT)).removeprefix(self.LIMIT).split()[:2]

    def test_are_off_and_the_process_can_still_be_measured(self, terminal: Terminal) -> None:
        with terminal.serving(SAMPLE="false") as serving:
            process = serving.process.pid
            assert self.limits(process) == ["0", "0"]
            assert int(Path(f"/proc/{process}/coredump_filter").read_text(), 16) == 0
            assert "Pss:" in Path(f"/proc/{process}/smaps_rollup").read_text()

    def test_are_left_as_they_were_if_the_operator_wants_them(self, terminal: Terminal) -> None:
        with terminal.serving(SAMPLE="false", CORE_DUMPS="true") as serving:
            assert self.limits(serving.process.pid) == self.limits(os.getpid())
