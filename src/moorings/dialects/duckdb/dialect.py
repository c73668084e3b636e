"""DuckDB: the facts, and how to connect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moorings.dialects.base import Abilities, Dialect, Session, SessionContext
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.dbt import DbtPlace
from moorings.dialects.duckdb.config import Config
from moorings.dialects.duckdb.faults import FAULTS, MESSAGE_PATTERNS


class DuckDB(Dialect):
    """DuckDB."""

    name = "duckdb"
    title = "DuckDB"
    abilities = Abilities(connects=True, own=True)
    PARAMETERS = "$1, $2 or ?, ?"
    Config = Config
    FAULTS = FAULTS

    def address(self, config: Any) -> None:
        """None: there is no server."""

    def fault_key(self, error: BaseException) -> str | None:
        """A part of the text, or the kind of error that it begins with: batches fail with OSError for every reason."""
        text = str(error)
        if matched := next((key for pattern, key in MESSAGE_PATTERNS if pattern in text), None):
            return matched
        kind = re.match(r"([A-Za-z ]+?) Error:", text)
        return kind[1] if kind else None

    def dbt_output(self, config: ConnectionConfig, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-duckdb; the path is the connection's, below the folder of DuckDB files. A file is one database."""
        return {"type": "duckdb", "path": config.database, "schema": place.schema}

    def connect(self, config: ConnectionConfig, context: SessionContext) -> Session:
        """Open the file, or memory."""
        from moorings.dialects.duckdb.session import local_session

        return local_session(config, context)
