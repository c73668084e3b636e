"""The settings of TLS that the families of PostgreSQL and MySQL share."""

from __future__ import annotations

from pydantic import Field

from moorings.dialects.config import ConnectionConfig
from moorings.dialects.fields import Certificates, SslMode


class TlsConfig(ConnectionConfig, frozen=True):
    """A connection whose transport can be encrypted, verified, or neither."""

    ssl_mode: SslMode = Field("prefer", description="Whether TLS is used, and how much of the certificate is verified.")
    ssl_root_cert: Certificates | None = Field(
        None, description="The certificates, in PEM, of the authorities that the server's certificate is verified with."
    )
