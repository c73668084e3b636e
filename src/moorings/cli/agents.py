"""The command `mcp`."""

from __future__ import annotations

import asyncio

from moorings.client.errors import NotConfigured
from moorings.client.profiles import resolve
from moorings.distribution import install_command
from moorings.errors import OperatorError
from moorings.mcp.stdio import bridge


def serve_stdio(url: str | None, profile: str | None) -> None:
    """Serve MCP on standard input and output until the input ends; raises OperatorError."""
    try:
        found = resolve(url, None, profile)
        asyncio.run(bridge(found.url, found.key))
    except NotConfigured as missing:
        raise OperatorError(str(missing)) from None
    except ModuleNotFoundError as missing:
        command = install_command("mcp")
        raise OperatorError(f"the package {missing.name} is not installed. Install it with: {command}") from None
