"""MariaDB.

Driver: asyncmy (extra `mariadb`). Login: user name and password. Limits: a schema is a database here.
Source: https://mariadb.com/docs/server/security/securing-mariadb.
"""

from __future__ import annotations

from typing import Literal

from moorings.dialects import mysql


class Config(mysql.FamilyConfig, frozen=True):
    """What a MariaDB connection needs."""

    dialect: Literal["mariadb"] = "mariadb"


class MariaDB(mysql.MySQL):
    """MariaDB."""

    name = "mariadb"
    title = "MariaDB"
    extra = "mariadb"
    Config = Config
