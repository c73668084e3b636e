"""What a SQLite connection needs."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.needs import Login, Need, always


class Config(ConnectionConfig, frozen=True):
    """What a SQLite connection needs."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("database")
    LOGINS: ClassVar[tuple[Login, ...]] = (Login(None, ()),)

    dialect: Literal["toy"] = "toy"
    patience: int = Field(5, ge=1, le=60, description="Seconds to wait for a file that is locked.")
