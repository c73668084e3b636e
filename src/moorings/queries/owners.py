"""Which process owns a running query, and whether that process is still there.

An owner is `<place>/<pid>/<random>`: the place is the machine and, in containers, the namespace in which the process id
counts, so that no process judges ids that mean others where it lives.
"""

from __future__ import annotations

import os
import secrets
import socket


def this_process() -> str:
    """A new owner's name, for this process."""
    return f"{_place()}/{os.getpid()}/{secrets.token_hex(8)}"


def is_dead(owner: str) -> bool:
    """Whether an owner's process is certainly gone; False for those of other places."""
    place, _, rest = owner.partition("/")
    pid = rest.partition("/")[0]
    if place != _place() or not pid.isdigit():
        return False
    # Our own id under another name: a container starts again with the ids it had before.
    return int(pid) == os.getpid() or not _exists(int(pid))


def _place() -> str:
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux: no namespaces
        namespace = ""
    return f"{socket.gethostname()}{namespace}"


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
