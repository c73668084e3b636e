"""Names the process that owns a running query, and checks whether that process still runs.

An owner is `<place>/<pid>/<random>`: the place is the machine and, in containers, the namespace that the process id
belongs to, because the same id names another process in another namespace.
"""

from __future__ import annotations

import os
import secrets
import socket


def this_process() -> str:
    """A new owner's name, for this process."""
    return f"{_place()}/{os.getpid()}/{secrets.token_hex(8)}"


def is_dead(owner: str) -> bool:
    """Whether an owner's process has certainly ended; False for processes of other places."""
    place, _, rest = owner.partition("/")
    pid = rest.partition("/")[0]
    if place != _place() or not pid.isdigit():
        return False
    # Our own id under another name: a restarted container reuses its process ids.
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
