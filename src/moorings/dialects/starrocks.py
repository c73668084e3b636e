"""StarRocks, which speaks MySQL's protocol.

Driver: asyncmy (no extra yet). Login: user name and password. Connections are stored and checked, but not opened yet.
Source: https://docs.starrocks.io/docs/integrations/BI_integrations/mysql_protocol/.
"""

from __future__ import annotations

from typing import Literal

from moorings.dialects import mysql
from moorings.dialects.base import Abilities
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.fields import Port


class Config(mysql.FamilyConfig, frozen=True):
    """What a StarRocks connection needs, and how it uses TLS."""

    dialect: Literal["starrocks"] = "starrocks"
    port: Port | None = 9030
    always_scope_view_names: bool = True


class StarRocks(BaseDialect):
    """StarRocks."""

    name = "starrocks"
    title = "StarRocks"
    abilities = Abilities(several_catalogs=True)
    Config = Config
