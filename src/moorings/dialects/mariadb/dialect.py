"""MariaDB: the facts, and how to connect."""

from __future__ import annotations

from moorings.dialects.mariadb.config import Config
from moorings.dialects.mysql.dialect import MySQL


class MariaDB(MySQL):
    """MariaDB."""

    name = "mariadb"
    title = "MariaDB"
    extra = "mariadb"
    Config = Config
