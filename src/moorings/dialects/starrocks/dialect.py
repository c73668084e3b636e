"""StarRocks: the facts, and how to connect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorings.dialects.base import Abilities, Session, SessionContext, importing
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.mysql.dialect import MySQL
from moorings.dialects.starrocks.config import Config
from moorings.dialects.starrocks.faults import FAULTS, MESSAGE_PATTERNS


class StarRocks(MySQL):
    """StarRocks."""

    name = "starrocks"
    title = "StarRocks"
    extra = "starrocks"
    abilities = Abilities(connects=True, several_catalogs=True)
    Config = Config
    FAULTS = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The server's number, or a part of its text."""
        text = str(error)
        matched = next((key for pattern, key in MESSAGE_PATTERNS if pattern in text), None)
        return matched or super().fault_key(error)

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-starrocks, which calls a database a schema."""
        return {
            "type": "starrocks",
            "host": config.host,
            "port": config.port,
            "username": config.username,
            "password": DbtSecret("password"),
            "catalog": place.database,
            "schema": place.schema,
        }

    def connect(self, config: Any, context: SessionContext) -> Session:
        """Log in; `prefer` continues without encryption if the server has no TLS."""
        with importing("starrocks"):
            from moorings.dialects.starrocks.session import StarRocksSession
        return StarRocksSession(config, context)
