"""StarRocks: the facts, and how to connect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorings import errors
from moorings.dialects.base import Abilities, Session, Surroundings, importing
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.mysql import dialect as mysql_dialect
from moorings.dialects.mysql import faults as mysql_faults
from moorings.dialects.starrocks.config import Config

TELLTALES = (
    ("Unknown catalog", "catalog"),
    ("Access denied; you need", "5203"),
    ("reached its timeout", "3024"),
    ("exceeded time limit", "3024"),
    ("ancelled by user", "1317"),
    ("Query cancelled", "1317"),
)
"""What StarRocks says under numbers that it shares among many things → the key of FAULTS."""


class StarRocks(mysql_dialect.MySQL):
    """StarRocks."""

    name = "starrocks"
    title = "StarRocks"
    extra = "starrocks"
    abilities = Abilities(connects=True, several_catalogs=True)
    Config = Config
    FAULTS: Mapping[str, errors.WarehouseError] = {
        **mysql_faults.FAULTS,
        "5203": errors.StatementForbidden(),
        "catalog": errors.DatabaseNotFound("database", message="The catalog does not exist there. Check its name."),
    }

    def fault_key(self, error: BaseException) -> str | None:
        """The server's number, or what its text tells."""
        text = str(error)
        told = next((key for telltale, key in TELLTALES if telltale in text), None)
        return told or super().fault_key(error)

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

    def connect(self, config: Any, surroundings: Surroundings) -> Session:
        """Log in; `prefer` goes on in the clear where the server has no TLS."""
        with importing("starrocks"):
            from moorings.dialects.starrocks.session import StarRocksSession
        return StarRocksSession(config, surroundings)
