"""The settings of a Trino connection."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.fields import Port
from moorings.dialects.config.needs import Need, always
from moorings.dialects.config.places import Line


class Config(ConnectionConfig, frozen=True):
    """The settings of a Trino connection."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "database", "username")

    dialect: Literal["trino"] = "trino"
    database: Line | None = None
    username: Line | None = None
    default_schema: Line | None = None
    port: Port | None = 443
    always_scope_view_names: bool = True
    ssl_mode: Literal["disable", "require", "verify-full"] = "verify-full"

    def derived(self) -> dict[str, Any]:
        """Without TLS, the default port differs."""
        plain = self.ssl_mode == "disable" and "port" not in self.model_fields_set
        return super().derived() | ({"port": 8080} if plain else {})
