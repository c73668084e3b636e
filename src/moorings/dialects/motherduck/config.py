"""The settings of a MotherDuck connection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.destinations import DESTINATIONS, Destinations, another_value
from moorings.dialects.config.fields import Token, custom_error
from moorings.dialects.config.needs import Need, always
from moorings.dialects.config.places import Place
from moorings.dialects.duckdb import files


def _database(value: str) -> str:
    is_file = value.endswith(files.ENDINGS) and not FORBIDDEN_IN_FILES.search(value)
    if not is_file and not re.fullmatch(r"md:|(?:md:)?(?:_share/[\w.-]+/[0-9a-fA-F-]{36}|[\w.][\w. -]*)", value):
        raise custom_error("Expected the name of a database, or md:<name>. Settings after ? are not allowed")
    return value


FORBIDDEN_IN_FILES = re.compile(r"[\x00-\x1f\x7f-\x9f?&#;=%:\\'\"]")
MotherDuckDatabase = Annotated[str, Place(_database)]
"""A database's name, with or without `md:`, a share, or the path of a local file."""


class Config(ConnectionConfig, frozen=True):
    """The settings of a MotherDuck connection."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("database")
    DESTINATIONS: ClassVar[Destinations] = {**DESTINATIONS, "database": another_value}

    EXAMPLE: ClassVar[Mapping[str, object]] = {"database": "sales", "passwordUnencrypted": "the token"}

    dialect: Literal["motherduck"] = "motherduck"
    password: Token | None = None
    database: MotherDuckDatabase | None = None
    always_scope_view_names: bool = True
