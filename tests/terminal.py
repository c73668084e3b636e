"""The shipped command, started as a person starts it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.warehouses.servers.process import free_port

MOORINGS = [str(Path(sys.executable).with_name("moorings"))]


class Terminal:
    """Runs `moorings` with one data directory and one port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.settings: dict[str, str] = {"PORT": str(self.port), "DATA_DIR": str(self.data)}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, **settings: object) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MOORINGS_")}
        return clean | {f"MOORINGS_{name}": str(value) for name, value in (self.settings | settings).items()}

    def make_database(self) -> Terminal:
        """Make what the first start of a service makes, but for the sample."""
        from moorings.app import prepare
        from moorings.settings import Settings

        prepare(Settings(_env_file=None, data_dir=self.data, sample=False))
        (self.data / "keyset.json").chmod(0o600)
        return self

    def run(self, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        environment = self.environment(**settings)
        command = [*MOORINGS, *arguments]
        return subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )

    @contextlib.contextmanager
    def serving(self, **settings: object) -> Iterator[Serving]:
        """`moorings serve`, from when it is healthy."""
        with (self.folder / "out.txt").open("w+") as out, (self.folder / "err.txt").open("w+") as err:
            environment = self.environment(**settings)
            process = subprocess.Popen(
                [*MOORINGS, "serve"], env=environment, cwd=self.folder, stdout=out, stderr=err, text=True
            )
            serving = Serving(self, process)
            try:
                serving.wait_until_healthy()
                yield serving
            finally:
                process.kill()
                process.wait()

    @contextlib.contextmanager
    def working(self, **settings: object) -> Iterator[Working]:
        """`moorings worker`, from when it runs jobs."""
        log = self.folder / "worker.txt"
        with log.open("w+") as output:
            command, environment = [*MOORINGS, "worker"], self.environment(**settings)
            process = subprocess.Popen(command, env=environment, cwd=self.folder, stdout=output, stderr=output)
            working = Working(process, log)
            try:
                working.wait_until_it_runs()
                yield working
            finally:
                process.kill()
                process.wait()


class Working:
    """One running worker."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_until_it_runs(self) -> None:
        deadline = time.monotonic() + 30
        while "Moorings runs jobs." not in self.output:
            assert self.process.poll() is None, f"it ended at once: {self.output}"
            assert time.monotonic() < deadline, f"it does not run in 30 s: {self.output}"
            time.sleep(0.02)


class Serving:
    """One running service."""

    def __init__(self, terminal: Terminal, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.url = terminal.url
        self._folder = terminal.folder
        self._data = terminal.data

    @property
    def out(self) -> str:
        return (self._folder / "out.txt").read_text()

    @property
    def err(self) -> str:
        return (self._folder / "err.txt").read_text()

    @property
    def key(self) -> str:
        """The first key, from the file that holds it where no terminal shows it."""
        return (self._data / "first-key").read_text().strip()

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"it ended at once: {self.out}{self.err}"
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/health", trust_env=False).status_code == 200:
                    return
            time.sleep(0.02)
        raise AssertionError(f"not healthy in 30 s: {self.out}{self.err}")

    def stop(self, how: signal.Signals = signal.SIGTERM, within: float = 5) -> int:
        """Ask it to stop; returns its exit code."""
        self.process.send_signal(how)
        return self.process.wait(within)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


@pytest.fixture(scope="session")
def terminal_in() -> type[Terminal]:
    """Makes a terminal in a folder, for what outlives one test."""
    return Terminal
