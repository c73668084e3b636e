"""One login in a separate process, which reports the driver's side effects.

Run as `python -B -m moorings.testing.watched`, with the dialect, a request's body and DuckDB's directory as JSON on
standard input. Python reports files, connections, processes and browsers (PEP 578), but not the effects of native code,
so the caller also checks the folders.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

from moorings import dialects
from moorings.dialects.base import SessionContext

STARTS = ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.fork", "os.system", "webbrowser.open")
CHANGES = ("os.mkdir", "os.rename", "os.link", "os.symlink")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def main() -> None:
    """Log in, ping, log out."""
    given = json.load(sys.stdin)
    seen: dict[str, list[str]] = {"started": [], "wrote": [], "dialed": []}

    def watch(event: str, about: tuple[Any, ...]) -> None:
        if event in STARTS:
            seen["started"].append(f"{event} {about[0]}")
        elif event in CHANGES or (event == "open" and about[2] & WRITES and about[0] != os.devnull):
            seen["wrote"].append(f"{event} {about[0]}")
        elif event == "socket.connect" and isinstance(about[1], tuple):
            seen["dialed"].append(str(about[1][0]))  # pyright: ignore[reportUnknownArgumentType]  # of any family

    sys.addaudithook(watch)
    dialect = dialects.named(given["dialect"])
    context = SessionContext(duckdb_directory=given["directory"], **given["settings"])
    with contextlib.closing(dialect.connect(dialect.Config.read(given["body"]), context)) as session:
        session.ping()
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
