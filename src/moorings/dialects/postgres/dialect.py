"""PostgreSQL: the facts, and how to connect."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from moorings.dialects.base import Abilities, Dialect, Session, SessionContext, importing
from moorings.dialects.config.tls import TlsConfig, failure
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.postgres.config import Config
from moorings.dialects.postgres.faults import CURSOR, FAULTS, key_of
from moorings.dialects.postgres.login import login, refused_certificate

UNVERIFIED = "certificate verify failed"
FAILED = "connection failed"
"""The start of psycopg's texts of failed logins."""


class Postgres(Dialect):
    """PostgreSQL."""

    name = "postgres"
    title = "PostgreSQL"
    extra = "postgres"
    abilities = Abilities(connects=True)
    probes_cheaply = True
    Config = Config
    PARAMETERS = "$1, $2"
    FAULTS = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The SQLSTATE, its class, or a part of the text."""
        if isinstance(error, (ConnectionError, TimeoutError)):  # on the way to the server, before libpq
            return failure(error)
        text = str(error)
        if _ends_with_what_is_missing(text) and ("Failed to connect" in text or FAILED in text):
            return "3D000" if 'FATAL:  database "' in text else "28P01"
        state = getattr(error, "sqlstate", None) or _last(re.findall(r"SQLSTATE: (\w{5})", text))
        return key_of(text.partition("\nLINE ")[0], state) or (
            "refused statement" if "ERROR:" in text else _silent(text)
        )

    def error_text(self, error: BaseException) -> str:
        """The server's message, without the statement that the driver repeats after them."""
        text = str(error).partition("\n\nQuery was:")[0].replace(f"LINE 1: {CURSOR}", "LINE 1: ")
        return re.sub(r"^.*?(?=ERROR:|FATAL:)|\. SQLSTATE: \w{5}$", "", text, flags=re.DOTALL)

    def dbt_output(self, config: TlsConfig, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-postgres, which takes own certificates as a file, whose path only the user knows."""
        return {
            "type": "postgres",
            "host": config.host,
            "port": config.port,
            "user": config.username,
            "password": DbtSecret("password"),
            "dbname": place.database or config.database,
            "schema": place.schema,
            "role": place.role,
            "sslmode": config.ssl_mode or "prefer",
        }

    def connect(self, config: TlsConfig, context: SessionContext) -> Session:
        """Log in."""
        opened = self._driver(context)
        with login(config, context) as way:
            try:
                session = opened(way.conninfo, config, context.application_name)
            except Exception as error:
                if UNVERIFIED in str(error) and (reason := refused_certificate(config, context)):
                    raise reason from None
                raise
        session.encrypted, session.transport = way.encrypted, way.transport
        return session

    def _driver(self, context: SessionContext) -> Callable[[str, TlsConfig, str], Session]:
        """The login function; raises DriverMissing before anything is dialled."""
        with importing(self.extra or ""):
            if context.light:
                from moorings.dialects.postgres.probe import PostgresProbe as Opened
            else:
                from moorings.dialects.postgres.session import PostgresSession as Opened
        return Opened


def _silent(text: str) -> str | None:
    """The kind of a statement to which the server sent neither an error nor a result."""
    says_nothing = "Failed to execute query '" in text and text.removesuffix("\n").endswith("': ")
    if not says_nothing and "Must SetSqlQuery" not in text:
        return None
    return "copy" if re.search(r"\bstd(in|out)\b", text, re.IGNORECASE) else "empty"


def _last(found: list[str]) -> str | None:
    return found[-1] if found else None


def _ends_with_what_is_missing(text: str) -> bool:
    """Whether a text's last line ends like `database "x" does not exist`; names may contain any character."""
    line = text.removesuffix("\n").rpartition("\n")[2]
    return line.endswith('" does not exist') and ('database "' in line or 'role "' in line)
