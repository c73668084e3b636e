"""The settings of an Oracle connection."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from moorings.dialects.config.fields import Port, SslMode
from moorings.dialects.config.needs import Need, always
from moorings.dialects.config.places import matching
from moorings.dialects.config.tls import TlsConfig
from moorings.dialects.ssl_modes import mode_in_force

ServiceName = Annotated[
    str, matching(r"[A-Za-z0-9_.$#-]{1,255}", "Only the service name, such as ORCLPDB1 or sales.example.com")
]
"""The driver writes it into a connect descriptor, whose brackets it does not escape."""


class Config(TlsConfig, frozen=True):
    """The settings of an Oracle connection; `require` and stricter modes use TCPS, which has its own port."""

    REQUIRED: ClassVar[tuple[Need, ...]] = (
        *always("host", "database", "username"),
        Need("accepts_license", accepted=True),
    )

    dialect: Literal["oracle"] = "oracle"
    database: ServiceName | None = None
    port: Port | None = 1521
    ABSENT_SSL_MODE: ClassVar[SslMode | None] = "disable"

    ssl_mode: SslMode | None = Field(
        None,
        description=(
            "Whether TLS is used, and how the server's certificate is verified (default: `verify-ca` with an "
            "sslRootCert, else `disable`)."
        ),
    )

    @property
    def encrypts(self) -> bool:
        """Whether TCPS is used; no port of a listener accepts both, so `prefer` means plain TCP."""
        return mode_in_force(self) not in ("disable", "prefer")
