"""Names that the shell completes: asked of the service, and nothing at all if it does not answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from moorings.client.cli.text import safe

if TYPE_CHECKING:
    from moorings.client import Client

SECONDS = 3.0
"""How long a Tab waits for the service."""


def _completing(names: Callable[[Client], Iterable[str]]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        from moorings.client import Client

        try:
            with Client(timeout=SECONDS, retries=0) as service:
                found = sorted(names(service))
        except Exception:  # noqa: BLE001 - a Tab completes nothing rather than write a traceback into the prompt
            return []
        return [safe(name) for name in found if name.casefold().startswith(incomplete.casefold())]

    return complete


CONNECTIONS = _completing(lambda service: (each["name"] for each in service.connections.list()))
DIALECTS = _completing(lambda service: (each["name"] for each in service.dialects.list()))
USERS = _completing(lambda service: (each.get("userName", "") for each in service.users.list()))
GROUPS = _completing(lambda service: (each.get("displayName", "") for each in service.groups.list()))
KEYS = _completing(lambda service: (each["name"] for each in service.keys.list()))
