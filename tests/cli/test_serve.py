"""Starting and stopping the service, from the other side of the terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.terminal import MOORINGS

SLOW = "SELECT count(*) FROM range(1000000000000) AS a(x), range(1000000) AS b(y) WHERE hash(x + y) = 42"


def one_line(finished: subprocess.CompletedProcess[str]) -> str:
    """The one line of a command that was refused."""
    assert finished.returncode == 1
    assert finished.stdout == ""
    lines = finished.stderr.splitlines()
    assert len(lines) == 1, finished.stderr
    return lines[0]


def query_in_background(serving, sample_id, sql, ended):
    def run():
        with httpx.Client(trust_env=False, timeout=60) as client:
            try:
                answer = client.post(
                    f"{serving.url}/api/v1/connections/{sample_id}/query",
                    headers={"Authorization": f"Bearer {serving.key}", "Accept": "application/json"},
                    json={"sql": sql},
                )
                ended.append(answer.status_code)
            except httpx.TransportError as broken:
                ended.append(type(broken).__name__)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def sample_of(serving) -> str:
    headers = {"Authorization": f"Bearer {serving.key}"}
    listed = httpx.get(f"{serving.url}/api/v1/connections", headers=headers, trust_env=False).json()
    return listed["connections"][0]["id"]


class TestFirstStart:
    def test_three_curl_lines_work_when_pasted(self, terminal):
        with terminal.serving() as serving:
            lines = [line.strip() for line in serving.out.splitlines() if line.strip().startswith("curl")]
            answers = [
                json.loads(
                    subprocess.run(
                        ["bash", "-c", f"{line} --silent --noproxy '*'"], capture_output=True, check=True
                    ).stdout
                )
                for line in lines
            ]
        listed, tested, queried = answers
        assert [connection["name"] for connection in listed["connections"]] == ["Sample"]
        assert tested["success"] is True
        assert queried["rowCount"] == 5
        assert [column["name"] for column in queried["columns"]] == ["country", "orders", "revenue"]

    def test_addresses_that_are_printed_answer(self, terminal):
        with terminal.serving() as serving:
            for line in serving.out.splitlines():
                if line.strip().startswith(("Docs", "Health", "Metrics")):
                    assert httpx.get(line.split()[1], trust_env=False).status_code == 200

    def test_data_directory_and_what_is_in_it_are_private(self, terminal):
        with terminal.serving() as serving:
            sample_of(serving)
            found = [terminal.data, *terminal.data.rglob("*")]
            assert {path.name for path in found} >= {"keyset.json", "moorings.db", "sample.duckdb"}
            assert [path for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077] == []

    def test_without_a_terminal_the_key_is_in_a_file_of_its_own_and_nowhere_else(self, terminal):
        with terminal.serving(LOG_LEVEL="debug") as serving:
            sample_of(serving)
            assert serving.key not in serving.out + serving.err
            assert str(terminal.data / "first-key") in serving.out
            files = [path for path in terminal.data.rglob("*") if path.is_file()]
            assert [path.name for path in files if serving.key.encode() in path.read_bytes()] == ["first-key"]
            assert stat.S_IMODE((terminal.data / "first-key").stat().st_mode) == 0o600

    def test_at_a_terminal_the_key_is_shown_and_no_file_has_it(self, terminal):
        process, screen = pty.fork()
        if process == 0:
            os.chdir(terminal.folder)
            os.execve(MOORINGS[0], [*MOORINGS, "serve"], terminal.environment())
        shown = b""
        while b"curl" not in shown:
            shown += os.read(screen, 4096)
        os.kill(process, signal.SIGTERM)
        with contextlib.suppress(OSError):  # what a terminal raises when its last process has gone
            while chunk := os.read(screen, 4096):
                shown += chunk
        os.waitpid(process, 0)
        os.close(screen)
        [key] = set(re.findall(r"moo_osk_[\w-]+", shown.decode()))
        assert not (terminal.data / "first-key").exists()
        files = [path for path in terminal.data.rglob("*") if path.is_file()]
        assert [path.name for path in files if key.encode() in path.read_bytes()] == []

    def test_bootstrap_token_works_and_is_not_printed(self, terminal):
        token = "operators-own-token-of-32-letters"
        with terminal.serving(BOOTSTRAP_TOKEN=token) as serving:
            headers = {"Authorization": f"Bearer {token}"}
            listed = httpx.get(f"{serving.url}/api/v1/connections", headers=headers, trust_env=False)
            assert listed.status_code == 200
            assert token not in serving.out + serving.err
            assert "moo_osk_" not in serving.out

    def test_goes_without_the_sample_when_told(self, terminal):
        with terminal.serving(SAMPLE="false") as serving:
            assert serving.key
            assert "curl" not in serving.out
        assert not list(terminal.data.rglob("*.duckdb"))


class TestLaterStart:
    def test_does_none_of_it_again(self, terminal):
        with terminal.serving() as serving:
            first = serving.key
            serving.stop()
        with terminal.serving() as serving:
            assert "moo_osk_" not in serving.out
            assert "curl" not in serving.out
            assert f"{serving.url}/api/v1" in serving.out
            listed = httpx.get(
                f"{serving.url}/api/v1/connections", headers={"Authorization": f"Bearer {first}"}, trust_env=False
            )
            assert len(listed.json()["connections"]) == 1


class TestStop:
    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
    def test_exit_code_is_0_at_once(self, terminal, how):
        with terminal.serving() as serving:
            assert serving.stop(how, within=2) == 0
            assert all(" [info " in line for line in serving.err.splitlines()), serving.err

    def test_idle_connections_do_not_hold_it(self, terminal):
        with terminal.serving() as serving, httpx.Client(trust_env=False) as client:
            client.get(f"{serving.url}/health")
            assert serving.stop(within=2) == 0

    def test_a_running_query_may_end(self, terminal):
        ended: list[object] = []
        with terminal.serving(SHUTDOWN_SECONDS=30) as serving:
            sql = "SELECT count(*) AS n FROM range(20000000) AS a(x) WHERE hash(x) % 7 = 1"
            thread = query_in_background(serving, sample_of(serving), sql, ended)
            time.sleep(0.2)
            assert serving.stop(within=30) == 0
            thread.join()
        assert ended == [200]

    def test_a_query_without_end_is_cut(self, terminal):
        ended: list[object] = []
        with terminal.serving(SHUTDOWN_SECONDS=1) as serving:
            thread = query_in_background(serving, sample_of(serving), SLOW, ended)
            time.sleep(1)
            started = time.monotonic()
            assert serving.stop(within=6) == 0
            assert 0.9 < time.monotonic() - started < 4
            thread.join()
        assert ended != [200]


class TestStopUnderMake:
    def test_ctrl_c_at_the_terminal_ends_in_exit_code_0(self, terminal):
        (terminal.folder / "Makefile").write_text(f"serve:\n\t@exec {MOORINGS[0]} serve --take-terminal\n")
        process, screen = pty.fork()
        if process == 0:
            os.chdir(terminal.folder)
            os.execvpe("make", ["make", "serve"], terminal.environment())
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{terminal.url}/health", trust_env=False).status_code == 200:
                    break
            time.sleep(0.05)
        os.write(screen, b"\x03")
        output = b""
        with contextlib.suppress(OSError):  # what a terminal raises when its last process has gone
            while chunk := os.read(screen, 4096):
                output += chunk
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0, output.decode()
        assert b"Interrupt" not in output
        os.close(screen)


class TestRefusedStart:
    def test_data_directory_in_use(self, terminal):
        with terminal.serving() as serving:
            output = one_line(terminal.run("serve"))
            assert str(serving.process.pid) in output
            assert "MOORINGS_DATA_DIR" in output

    def test_port_in_use(self, terminal):
        with terminal.serving():
            output = one_line(terminal.run("serve", DATA_DIR=terminal.folder / "other"))
            assert f"port {terminal.port} on 127.0.0.1 is in use" in output
            assert "MOORINGS_PORT" in output

    def test_port_in_use_by_another_program(self, terminal):
        with socket.create_server(("127.0.0.1", terminal.port)):
            assert "is in use" in one_line(terminal.run("serve"))

    def test_host_of_another_machine(self, terminal):
        assert "MOORINGS_HOST" in one_line(terminal.run("serve", HOST="203.0.113.7"))

    def test_setting_at_fault_is_named_without_its_value(self, terminal):
        output = one_line(terminal.run("serve", BOOTSTRAP_TOKEN="too-short"))
        assert "MOORINGS_BOOTSTRAP_TOKEN" in output
        assert "too-short" not in output

    def test_data_directory_that_is_a_file(self, terminal):
        terminal.data.write_text("")
        assert "MOORINGS_DATA_DIR" in one_line(terminal.run("serve"))

    def test_database_that_does_not_answer_keeps_its_password(self, terminal):
        url = "postgresql://moorings:sentinel-password@127.0.0.1:1/moorings"
        output = one_line(terminal.run("serve", DATABASE_URL=url))
        assert "cannot open the metadata database" in output
        assert "sentinel-password" not in output

    def test_lost_keyset(self, terminal):
        with terminal.serving() as serving:
            serving.stop()
        (terminal.data / "keyset.json").unlink()
        assert "MOORINGS_KEYSET" in one_line(terminal.run("serve"))

    def test_several_workers_that_would_each_count_limits(self, terminal):
        assert "MOORINGS_RATE_LIMIT_URL" in one_line(terminal.run("serve", WORKERS=2))


class TestSeveralWorkers:
    def test_serve_and_stop_together(self, terminal):
        with terminal.serving(WORKERS=2, RATE_LIMIT=0) as serving:
            assert sample_of(serving)
            assert serving.stop(within=10) == 0


class TestWhatItCosts:
    def test_idle_memory_is_125_mb_at_most(self, terminal):
        with terminal.serving(HEALTH_PROBE_SECONDS=0) as serving:  # the first probe of the sample loads DuckDB
            status = f"/proc/{serving.process.pid}/status"
            resident = re.search(r"VmRSS:\s+(\d+) kB", Path(status).read_text())
            assert resident is not None
            assert int(resident[1]) <= 125 * 1024
