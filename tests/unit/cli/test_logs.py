"""What of the server's own log is expected, and said already in words of ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from moorings.cli.logs import OURS, Expected, configure
from moorings.settings import Settings

HEAD = 'Application callable raised an exception\nTraceback (most recent call last):\n  File "x.py", line 1, in run\n'


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        (f"{HEAD}    raise StreamInterrupted from None\nStreamInterrupted: ", False),
        (f"{HEAD}    await sleep(1)\nCancelledError: ", False),
        (f"{HEAD}    raise StreamInterrupted\nRuntimeError: StreamInterrupted", True),
        (f"{HEAD}    raise ValueError\nValueError: CancelledError: ", True),
        (f"{HEAD}    await sleep(1)\nCancelledError: \n\nDuring handling:\nKeyError: 1", True),
        ("CancelledError: ", True),
        ("Cannot bind\nsomething\nCancelledError: ", True),
    ],
)
def test_only_what_we_raise_to_end_a_request_is_left_out(text: str, logged: bool) -> None:
    record = logging.LogRecord("_granian.utils", logging.ERROR, "", 0, text, (), None)
    assert Expected().filter(record) is logged


@pytest.fixture
def untouched() -> Iterator[None]:
    """Puts logging back as it was."""
    root = logging.getLogger()
    handlers, levels = root.handlers[:], {name: logging.getLogger(name).level for name in ("", OURS)}
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("library", ["httpx", "httpcore.connection", "botocore.auth", "aiosqlite", "never.seen"])
@pytest.mark.parametrize("level", ["debug", "info"])
def test_libraries_log_warnings_only(library: str, level: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings(log_level=level))  # pyright: ignore[reportCallIssue, reportArgumentType]
    logging.getLogger(library).setLevel(logging.DEBUG)
    try:
        logging.getLogger(library).info("HTTP Request: POST https://hooks.example/s3cret")
        logging.getLogger(library).warning("unusual")
        logging.getLogger(f"{OURS}.test").info("usual")
    finally:
        logging.getLogger(library).setLevel(logging.NOTSET)
    logged = capsys.readouterr().err
    assert "usual" in logged.replace("unusual", "")
    assert "unusual" in logged
    assert "s3cret" not in logged
