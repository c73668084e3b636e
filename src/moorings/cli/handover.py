"""Keeps secret settings out of the environment of our processes.

`/proc/<pid>/environ` shows what a process was started with, whatever it deletes later. So a process that finds secret
settings in its environment starts itself anew, in place and without them. A pipe hands them over: it is empty once they
were read, where a file could be read again.
"""

from __future__ import annotations

import json
import os
import sys

from moorings import settings
from moorings.errors import OperatorError

VARIABLE = "MOORINGS_HANDED_SETTINGS"
"""The number of the pipe's descriptor, for the process that is to read it."""
MAX_BYTES = 16_384
"""What a pipe takes at least on every system without anybody reading it."""


def without_secrets_in_environment() -> None:
    """Go on with the secret settings, and with none of them in the environment; may start this process anew."""
    receive()
    clean, secret = settings.secrets_apart()
    if secret and clean != settings.environment():
        arguments = [sys.executable, *sys.orig_argv[1:]]
        environment, descriptor = handing(clean, secret)
        os.set_inheritable(descriptor, True)
        os.execve(sys.executable, arguments, environment)  # noqa: S606  # our own command, as it was started


def for_child() -> tuple[dict[str, str], int]:
    """The environment of a child process, and the descriptor that it has to inherit. The caller closes it then."""
    return handing(*settings.secrets_apart())


def handing(clean: dict[str, str], secret: dict[str, str]) -> tuple[dict[str, str], int]:
    """An environment whose process can `receive` these settings, and the descriptor that it has to inherit."""
    payload = json.dumps(secret).encode()
    if len(payload) > MAX_BYTES:
        raise OperatorError("the secret settings are longer than 16 kB in total: shorten them")
    reading, writing = os.pipe()
    os.write(writing, payload)
    os.close(writing)
    return {**clean, VARIABLE: str(reading)}, reading


def receive() -> None:
    """Take the secret settings that were handed to this process, if any."""
    descriptor = settings.handed(VARIABLE)
    if descriptor is None:
        return
    try:
        with os.fdopen(int(descriptor), "rb") as pipe:
            settings.receive(json.loads(pipe.read()))
    except (OSError, ValueError):
        raise OperatorError(f"{VARIABLE} is set by the service itself: unset it") from None
