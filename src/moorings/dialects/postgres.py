"""PostgreSQL, and what speaks its protocol.

Driver: ADBC for queries, psycopg 3 for tests and metadata (extra `postgres`). Login: user name and password (SCRAM,
MD5 or plain, whichever the server asks for). Limits: values of inet and range types arrive as the server's binary
form; numeric columns that hold NaN arrive as text. Source: https://www.postgresql.org/docs/current/libpq-ssl.html.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.base import Abilities
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.fields import Port
from moorings.dialects.required import Need, always
from moorings.dialects.tls import TlsConfig


class Config(TlsConfig, frozen=True):
    """What a PostgreSQL connection needs, and how it uses TLS."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "database", "username")

    dialect: Literal["postgres"] = "postgres"
    port: Port | None = 5432


class Postgres(BaseDialect):
    """PostgreSQL."""

    name = "postgres"
    title = "PostgreSQL"
    extra = "postgres"
    abilities = Abilities(connects=True)
    Config = Config
    PARAMETERS = "$1, $2"
