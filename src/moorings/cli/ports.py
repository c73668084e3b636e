"""Whether a port is free: the server binds with port reuse, so a second one would silently share it."""

from __future__ import annotations

import errno
import socket

from moorings.errors import OperatorError

REASONS = {
    errno.EADDRINUSE: "port {port} on {host} is in use: stop what listens there, or set {setting}",
    errno.EACCES: "this user may not listen on port {port}: set {setting} to 1024 or above",
    errno.EADDRNOTAVAIL: "{host} is no address of this machine: set {host_setting}",
}


def check_free(host: str, port: int, setting: str = "MOORINGS_PORT", host_setting: str = "MOORINGS_HOST") -> None:
    """Raise OperatorError unless this process could be the only listener there; the settings chose port and host."""
    names = {"host": host, "port": port, "setting": setting, "host_setting": host_setting}
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        with socket.socket(family, kind) as probe:
            # Connections of a service that stopped a moment ago are ignored; a listener is not.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        raise OperatorError(REASONS[errno.EADDRNOTAVAIL].format(**names)) from None
    except OSError as refused:
        reason = REASONS.get(refused.errno or 0, f"cannot listen on {{host}}:{{port}}: {refused.strerror}")
        raise OperatorError(reason.format(**names)) from None


def address(host: str, port: int) -> str:
    """The address by which this machine reaches a service that listens on `host`."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
