"""Keeps secret settings out of the environment of our processes.

`/proc/<pid>/environ` shows the environment a process was started with, even if the process deletes variables later. So
a process that finds secret settings in its environment executes itself again without them. It passes them through a
pipe, which is empty once it was read; a file could be read again.
"""

from __future__ import annotations

import json
import os
import sys

from moorings import settings
from moorings.errors import OperatorError

VARIABLE = "MOORINGS_HANDED_SETTINGS"
"""The variable with the number of the pipe's descriptor, for the process that reads it."""
MAX_BYTES = 16_384
"""The bytes that a pipe buffers at least, on every system, before anybody reads it."""


def without_secrets_in_environment() -> None:
    """Remove the secret settings from the environment and remember them; this may execute the process again."""
    receive()
    clean, secret = settings.secrets_apart()
    if secret and clean != settings.environment():
        arguments = [sys.executable, *sys.orig_argv[1:]]
        environment, descriptor = handing(clean, secret)
        os.set_inheritable(descriptor, True)
        os.execve(sys.executable, arguments, environment)  # noqa: S606  # our own command, as it was started


def for_child() -> tuple[dict[str, str], int]:
    """The environment of a child process, and the descriptor that it must inherit. The caller closes it afterwards."""
    return handing(*settings.secrets_apart())


def handing(clean: dict[str, str], secret: dict[str, str]) -> tuple[dict[str, str], int]:
    """An environment whose process can `receive` these settings, and the descriptor that it must inherit."""
    payload = json.dumps(secret).encode()
    if len(payload) > MAX_BYTES:
        raise OperatorError("the secret settings are longer than 16 kB in total: shorten them")
    reading, writing = os.pipe()
    os.write(writing, payload)
    os.close(writing)
    return {**clean, VARIABLE: str(reading)}, reading


def receive() -> None:
    """Read the secret settings that were passed to this process, if any."""
    descriptor = settings.handed(VARIABLE)
    if descriptor is None:
        return
    try:
        with os.fdopen(int(descriptor), "rb") as pipe:
            settings.receive(json.loads(pipe.read()))
    except (OSError, ValueError):
        raise OperatorError(f"{VARIABLE} is set by the service itself: unset it") from None
