"""What a MariaDB connection needs."""

from __future__ import annotations

from typing import Literal

from moorings.dialects.mysql.config import FamilyConfig


class Config(FamilyConfig, frozen=True):
    """What a MariaDB connection needs."""

    dialect: Literal["mariadb"] = "mariadb"
