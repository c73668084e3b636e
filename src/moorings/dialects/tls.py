"""The settings of TLS that the families of PostgreSQL and MySQL share."""

from __future__ import annotations

from moorings.dialects.config import ConnectionConfig
from moorings.dialects.fields import SslMode


class TlsConfig(ConnectionConfig, frozen=True):
    """A connection whose transport can be encrypted, verified, or neither."""

    ssl_mode: SslMode = "prefer"
