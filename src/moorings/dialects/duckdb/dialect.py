"""DuckDB: the facts, and how to connect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moorings.dialects.base import Abilities, Session, Surroundings
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.dbt import DbtPlace
from moorings.dialects.duckdb.config import Config
from moorings.dialects.duckdb.faults import FAULTS
from moorings.dialects.duckdb.session import MEMORY, DuckSession, file_session, limited

if TYPE_CHECKING:
    pass

TELLTALES = (
    ("Could not set lock on file", "file lock"),
    ("with a different configuration", "other configuration"),
    ("not a valid DuckDB database file", "no DuckDB file"),
    ("Trying to read a database file with version", "no DuckDB file"),
    ("motherduck.duckdb_extension", "no extension"),
    ("Jwt", "token"),
    ("token", "token"),
    ("no database/share named", "no MotherDuck database"),
    ("read-only mode", "read-only"),
    ("configuration has been locked", "locked configuration"),
    ("Parameter argument/count mismatch", "parameters"),
    ("Parameter/argument count mismatch", "parameters"),
    ("Python integer too large", "parameters"),
    ("Values were not provided for the following", "parameters"),
)
"""What DuckDB says → the key of FAULTS that is more exact than the kind of error, which its text begins with."""


class DuckDB(BaseDialect):
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
        """A telltale of the text, or the kind that it begins with: batches fail with OSError, whatever the reason."""
        text = str(error)
        if told := next((key for telltale, key in TELLTALES if telltale in text), None):
            return told
        kind = re.match(r"([A-Za-z ]+?) Error:", text)
        return kind[1] if kind else None

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-duckdb; the path is the connection's, below the folder of DuckDB files. A file is one database."""
        return {"type": "duckdb", "path": config.database, "schema": place.schema}

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Open the file, or memory."""
        if config.database == MEMORY:
            return DuckSession(MEMORY, limited(MEMORY, surroundings), config)
        return file_session(config, surroundings)
