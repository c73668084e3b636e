"""The settings of a ClickHouse connection."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.fields import Port
from moorings.dialects.config.needs import Need, always


class Config(ConnectionConfig, frozen=True):
    """The settings of a ClickHouse connection."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "username")

    dialect: Literal["clickhouse"] = "clickhouse"
    port: Port | None = 8443
    ssl_mode: Literal["disable", "require", "verify-full"] = "verify-full"

    def derived(self) -> dict[str, Any]:
        """Without TLS, the default port differs."""
        plain = self.ssl_mode == "disable" and "port" not in self.model_fields_set
        return super().derived() | ({"port": 8123} if plain else {})
