"""What of the server's own log is expected, and said already in words of ours."""

from __future__ import annotations

import logging

import pytest

from moorings.cli.logs import Expected

HEAD = 'Application callable raised an exception\nTraceback (most recent call last):\n  File "x.py", line 1, in run\n'


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        (f"{HEAD}    raise BrokenOff from None\nBrokenOff: ", False),
        (f"{HEAD}    await sleep(1)\nCancelledError: ", False),
        (f"{HEAD}    raise BrokenOff\nRuntimeError: BrokenOff", True),
        (f"{HEAD}    raise ValueError\nValueError: CancelledError: ", True),
        (f"{HEAD}    await sleep(1)\nCancelledError: \n\nDuring handling:\nKeyError: 1", True),
        ("CancelledError: ", True),
        ("Cannot bind\nsomething\nCancelledError: ", True),
    ],
)
def test_only_what_we_raise_to_end_a_request_is_left_out(text: str, logged: bool) -> None:
    record = logging.LogRecord("_granian.utils", logging.ERROR, "", 0, text, (), None)
    assert Expected().filter(record) is logged
