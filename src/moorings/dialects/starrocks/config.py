"""The settings of a StarRocks connection."""

from __future__ import annotations

from typing import Literal

from moorings.dialects.config.fields import Port
from moorings.dialects.mysql.config import FamilyConfig


class Config(FamilyConfig, frozen=True):
    """The settings of a StarRocks connection, with its use of TLS."""

    dialect: Literal["starrocks"] = "starrocks"
    port: Port | None = 9030
    always_scope_view_names: bool = True
