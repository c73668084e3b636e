"""Trino.

Driver: trino (no extra yet). Login: user name and password. Connections are stored and checked, but not opened yet.
`database` is the catalog; `sslMode` `disable` switches TLS off, and the default port to 8080.
Source: https://trino.io/docs/current/client/client-protocol.html.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from moorings.dialects.base import Abilities
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.fields import Port
from moorings.dialects.required import Need, always


class Config(ConnectionConfig, frozen=True):
    """What a Trino connection needs."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "database", "username")

    dialect: Literal["trino"] = "trino"
    port: Port | None = 443
    always_scope_view_names: bool = True
    ssl_mode: Literal["disable", "require", "verify-full"] = "verify-full"

    def derived(self) -> dict[str, Any]:
        """The port without TLS is another one."""
        plain = self.ssl_mode == "disable" and "port" not in self.model_fields_set
        return super().derived() | ({"port": 8080} if plain else {})


class Trino(BaseDialect):
    """Trino."""

    name = "trino"
    title = "Trino"
    abilities = Abilities(several_catalogs=True)
    Config = Config
