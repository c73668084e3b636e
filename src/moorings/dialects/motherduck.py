"""MotherDuck, which is DuckDB with databases in the cloud.

Driver: duckdb (base install), whose motherduck extension is fetched when MotherDuck itself is reached. Login: an
access token, given as the password. Limits: the token is always required, and used only to reach MotherDuck itself.
Source: https://motherduck.com/docs/key-tasks/authenticating-and-connecting-to-motherduck/.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.base import Abilities
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.required import Need, always


class Config(ConnectionConfig, frozen=True):
    """What a MotherDuck connection needs."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("database")

    dialect: Literal["motherduck"] = "motherduck"
    always_scope_view_names: bool = True


class MotherDuck(BaseDialect):
    """MotherDuck."""

    name = "motherduck"
    title = "MotherDuck"
    abilities = Abilities(connects=True, several_catalogs=True)
    PARAMETERS = "$1, $2 or ?, ?"
    Config = Config
