"""Flight SQL: every connection as a database that ADBC and JDBC clients can query.

pyarrow.flight takes 30 MB of memory, so the server is imported when it starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moorings.flight.services import FlightServices

if TYPE_CHECKING:
    from moorings.flight.server import Server
    from moorings.settings import Settings

__all__ = ["FlightServices", "start_flight"]


def start_flight(settings: Settings, services: FlightServices) -> Server:
    """A server that listens on the settings' port; raises OperatorError if it cannot."""
    from moorings.flight.server import Server
    from moorings.flight.service import Service

    return Server(Service(services), settings)
