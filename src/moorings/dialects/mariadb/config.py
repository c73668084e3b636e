"""What a MariaDB connection needs."""

from __future__ import annotations

from typing import Literal

from moorings.dialects.mysql import config as mysql_config


class Config(mysql_config.FamilyConfig, frozen=True):
    """What a MariaDB connection needs."""

    dialect: Literal["mariadb"] = "mariadb"
