"""Pages in a browser, from a real process of the service."""

from tests.processes.conftest import start

__all__ = ["start"]
