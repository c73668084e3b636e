"""StarRocks, which speaks MySQL's protocol.

Driver: asyncmy (extra `starrocks`). Login: user name and password. `database` is in the catalog default_catalog, or
names its own: `lake.sales`. Limits: StarRocks has no read-only sessions or transactions, and writes at once: on a
connection that only reads, statements are let through by their first word, and nothing else holds a write back but the
user's own grants. LARGEINT and nested types arrive as text, times as stored; foreign keys are not kept.
Source: https://docs.starrocks.io/docs/sql-reference/System_variable/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from moorings import errors
from moorings.dialects import mysql
from moorings.dialects.base import Abilities, Session, Surroundings, importing
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.fields import Port

TELLTALES = (
    ("Unknown catalog", "catalog"),
    ("Access denied; you need", "5203"),
    ("reached its timeout", "3024"),
    ("exceeded time limit", "3024"),
    ("ancelled by user", "1317"),
    ("Query cancelled", "1317"),
)
"""What StarRocks says under numbers that it shares among many things → the key of FAULTS."""


class Config(mysql.FamilyConfig, frozen=True):
    """What a StarRocks connection needs, and how it uses TLS."""

    dialect: Literal["starrocks"] = "starrocks"
    port: Port | None = 9030
    always_scope_view_names: bool = True


class StarRocks(mysql.MySQL):
    """StarRocks."""

    name = "starrocks"
    title = "StarRocks"
    extra = "starrocks"
    abilities = Abilities(connects=True, several_catalogs=True)
    Config = Config
    FAULTS: Mapping[str, errors.WarehouseError] = {
        **mysql.FAULTS,
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
            from moorings.dialects.starrocks_session import StarRocksSession
        return StarRocksSession(config, surroundings)
