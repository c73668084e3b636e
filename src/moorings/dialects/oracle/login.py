"""The driver's arguments for a login to Oracle."""

from __future__ import annotations

from typing import Any

from moorings.dialects.base import SessionContext
from moorings.dialects.config.tls import tls_context
from moorings.dialects.oracle.config import Config
from moorings.dialects.ssl_modes import mode_in_force


def parameters(config: Config, context: SessionContext) -> dict[str, Any]:
    """The driver's arguments for a login."""
    return {
        "user": config.username,
        "password": config.secrets().get("password", ""),
        "host": config.host,
        "port": config.port,
        "service_name": config.database,
        "protocol": "tcps" if config.encrypts else "tcp",
        "ssl_context": tls_context(config, context.network) if config.encrypts else None,
        "ssl_server_dn_match": mode_in_force(config) == "verify-full",
        "tcp_connect_timeout": context.connect_timeout_seconds,
        "retry_count": 0,
        "program": context.application_name,
        "expire_time": 1,
    }
