"""The settings of an Exasol connection."""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.config.fields import Port
from moorings.dialects.config.hosts import Hosts
from moorings.dialects.config.needs import Need, always
from moorings.dialects.config.tls import TlsConfig


class Config(TlsConfig, frozen=True):
    """The settings of an Exasol connection, and how much of the server's certificate is verified."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "username")

    dialect: Literal["exasol"] = "exasol"
    host: Hosts | None = None
    port: Port | None = 8563
    ssl_mode: Literal["require", "verify-ca", "verify-full"] = "verify-full"
