"""The settings of a MariaDB connection."""

from __future__ import annotations

from typing import Literal

from moorings.dialects.mysql.config import FamilyConfig


class Config(FamilyConfig, frozen=True):
    """The settings of a MariaDB connection."""

    dialect: Literal["mariadb"] = "mariadb"
