"""A session with StarRocks, which differs from MySQL's in a few points.

Imports the driver: only `connect` imports this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from asyncmy.errors import MySQLError

from moorings import errors
from moorings.dialects.base import Statement
from moorings.dialects.introspection import Scope, Table
from moorings.dialects.mysql.session import MySQLSession
from moorings.dialects.read_only import BACKSLASHES, first_word, require_reading
from moorings.dialects.starrocks import introspection

DEFAULT_CATALOG = "default_catalog"
LEAVES_NOTHING = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "SHOW", "EXPLAIN", "DESC", "DESCRIBE")
"""First words of statements that may write without changing their session."""


class StarRocksSession(MySQLSession):
    """One login. There are no transactions: writes take effect at once."""

    _changed = False

    def check_schemas(self) -> str:
        """Look for the default schema, which is a database here, and any privilege on it."""
        schema = self._config.default_schema or self._config.database
        if schema is None:
            return "There is no default schema."
        quoted = ".".join(f"`{part.replace('`', '``')}`" for part in schema.split("."))
        try:
            self._ask(f"SHOW TABLES FROM {quoted}")
        except MySQLError as error:
            text = str(error)
            if "Unknown database" in text:
                raise errors.SchemaNotFound("default_schema") from None
            if "Access denied" in text:
                raise errors.SchemaForbidden("default_schema") from None
            raise
        return f"The default schema is {schema}."

    def tables(self, scope: Scope) -> Sequence[Table]:
        """The tables of the connection's catalog, and of those that are included."""
        catalog = (self._config.database or "").rpartition(".")[0]
        return introspection.tables(self._ask, scope, catalog or DEFAULT_CATALOG)

    def _begin(self, statement: Statement) -> None:
        """Set the limits and modes of the statement; on a read-only connection, allow only statements that read."""
        if statement.read_only:
            require_reading(statement.sql, quoted=BACKSLASHES)
        else:
            self._changed |= first_word(statement.sql, quoted=BACKSLASHES) not in LEAVES_NOTHING
        seconds = max(1, math.ceil(statement.timeout_seconds))
        self._ask(f"SET query_timeout = {seconds}, time_zone = '{self._config.session_zone}'")

    def _require_reading(self, sql: str) -> None:
        """Do nothing: `_begin` has checked the statement, and there is no transaction."""

    def reset(self) -> bool:
        """Keep a live session in which nothing changed: StarRocks cannot reset others."""
        if self._changed or (self._unread and not self._drained()):
            return False
        self.ping()
        return True
