"""A session of PostgreSQL for probes, through psycopg. Imports the driver: only `connect` imports this.

Its login costs a tenth of ADBC's, which reads the catalog of types first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Never

import psycopg
from psycopg.rows import dict_row

from moorings.dialects.base import Session
from moorings.dialects.config.tls import TlsConfig
from moorings.dialects.postgres import introspection


class PostgresProbe(Session):
    """One login, in autocommit mode. No statement of a caller runs in it."""

    def __init__(self, uri: str, config: TlsConfig, application_name: str) -> None:
        self._schema = config.default_schema
        self._connection = psycopg.Connection[dict[str, Any]].connect(
            uri, autocommit=True, prepare_threshold=None, row_factory=dict_row
        )
        self.id = str(self._connection.info.backend_pid)
        self.encrypted = self._connection.pgconn.ssl_in_use

    def ping(self) -> None:
        """Run SELECT 1."""
        self._ask("SELECT 1")

    def check_schemas(self) -> str:
        """Look for the default schema and the right to use it."""
        return introspection.default_schema(self._ask, self._schema)

    def _ask(self, sql: str) -> Mapping[str, Any]:
        return self._connection.execute(sql.encode()).fetchone() or {}

    def tables(self, scope: object) -> Never:
        """It only looks."""
        raise NotImplementedError

    def query(self, statement: object) -> Never:
        """It only looks."""
        raise NotImplementedError

    def cancel(self) -> None:
        """A probe runs no statement of a caller."""

    def reset(self) -> bool:
        """A probe is used once."""
        return False

    def close(self) -> None:
        """Log out."""
        with contextlib.suppress(Exception):
            self._connection.close()
