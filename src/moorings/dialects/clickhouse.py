"""ClickHouse, over its HTTP interface.

Driver: clickhouse-connect (no extra yet). Login: user name and password. Connections are stored and checked, but not
opened yet. `sslMode` `disable` switches TLS off, and the default port to 8123. Source:
https://clickhouse.com/docs/interfaces/http.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.fields import Port
from moorings.dialects.required import Need, always


class Config(ConnectionConfig, frozen=True):
    """What a ClickHouse connection needs."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "username")

    dialect: Literal["clickhouse"] = "clickhouse"
    port: Port | None = 8443
    ssl_mode: Literal["disable", "require", "verify-full"] = "verify-full"

    def derived(self) -> dict[str, Any]:
        """The port without TLS is another one."""
        plain = self.ssl_mode == "disable" and "port" not in self.model_fields_set
        return super().derived() | ({"port": 8123} if plain else {})


class ClickHouse(BaseDialect):
    """ClickHouse."""

    name = "clickhouse"
    title = "ClickHouse"
    Config = Config
