"""MySQL.

Driver: asyncmy (extra `mysql`). Login: user name and password (native, or caching SHA-2 over TLS). Limits: a schema
is a database here; TIMESTAMP arrives in the session's time zone, by its offset of today; dates such as 0000-00-00
arrive as null; a literal % is written %% in statements with parameters.
Source: https://dev.mysql.com/doc/refman/8.4/en/connection-options.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from moorings import errors
from moorings.dialects.base import Abilities, Session, Surroundings, importing
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.fields import Port
from moorings.dialects.required import Need, always
from moorings.dialects.tls import NETWORK_FAULTS, OptionalTlsConfig, failure

NO_ROOM = "The server has no free connection. Raise its max_connections, or lower MOORINGS_POOL_SIZE."
SHUT_IN = (
    "This connection only reads, in a transaction that statements can neither end nor begin anew. "
    "Set readOnly to false on it to let them."
)
NO_PLUGIN = "The server wants a way to log in that the driver does not have. Change the user's authentication plugin."

FAULTS: Mapping[str, errors.WarehouseError] = {
    "1045": errors.LoginRefused("username", "password"),
    "1698": errors.LoginRefused("username", "password"),
    "1251": errors.LoginRefused("username", message=NO_PLUGIN),
    "2059": errors.LoginRefused("username", message=NO_PLUGIN),
    "1130": errors.LoginRefused(
        "host", message="The server lets no one in from here. Grant the user access from here."
    ),
    "1129": errors.LoginRefused("host", message="The server blocks this host. Run FLUSH HOSTS there."),
    "1040": errors.SessionLost(message=NO_ROOM),
    "1049": errors.DatabaseNotFound("database"),
    "1044": errors.DatabaseForbidden("database"),
    **NETWORK_FAULTS,
    "no tls": errors.TlsRefused("ssl_mode"),
    "3159": errors.TlsRefused("ssl_mode", message="The server wants TLS. Set sslMode to require or stricter."),
    "1792": errors.ReadOnly(),
    "1399": errors.ReadOnly(message=SHUT_IN),
    "1400": errors.ReadOnly(message=SHUT_IN),
    "1568": errors.StatementRefused(message="A transaction that runs cannot be changed. Leave that out."),
    "1290": errors.StatementForbidden(),
    "1142": errors.StatementForbidden(),
    "1143": errors.StatementForbidden(),
    "1227": errors.StatementForbidden(),
    "1370": errors.StatementForbidden(),
    "1065": errors.StatementRefused(message="There is no statement. Send exactly one."),
    "1969": errors.QueryTimeout(),
    "3024": errors.QueryTimeout(),
    "1317": errors.QueryCancelled(),
    "1053": errors.SessionLost(),
    "1927": errors.SessionLost(),
    "3169": errors.SessionLost(),
    "2006": errors.SessionLost(),
    "2013": errors.SessionLost(),
    "2014": errors.SessionLost(),
    "local file": errors.SessionLost(message="The server asked for a file of this machine. Moorings sends none."),
    "statement": errors.StatementRefused(),
}
"""The server's error number, or a word for what went wrong on this side."""

CLIENT_ERRORS = range(2000, 3000)


class FamilyConfig(OptionalTlsConfig, frozen=True):
    """What a connection of the MySQL family needs, and how it uses TLS."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "username")

    port: Port | None = 3306

    @property
    def default_database(self) -> str | None:
        """The database of names that are written without one: `database`, else `default_schema`."""
        return self.database or self.default_schema


class Config(FamilyConfig, frozen=True):
    """What a MySQL connection needs."""

    dialect: Literal["mysql"] = "mysql"


class MySQL(BaseDialect):
    """MySQL."""

    name = "mysql"
    title = "MySQL"
    extra = "mysql"
    abilities = Abilities(connects=True)
    dials = False
    PARAMETERS = "%s, %s"
    Config = Config
    FAULTS = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The server's number, or a word for what went wrong on this side."""
        if isinstance(error, RuntimeError) and "LOAD_LOCAL" in str(error):
            return "local file"
        number = error.args[0] if error.args and isinstance(error.args[0], int) else None
        if number is None or isinstance(error, OSError) or number in CLIENT_ERRORS:
            return failure(error) or str(number)
        return str(number) if str(number) in FAULTS else "statement"

    def said(self, error: BaseException) -> str:
        """The server's words, and its number."""
        number, *words = error.args or ("",)
        return f"{words[0]} ({number})" if words else str(error)

    def connect(self, config: FamilyConfig, surroundings: Surroundings) -> Session:
        """Log in; `prefer` goes on in the clear where the server has no TLS."""
        with importing(self.extra or ""):
            from moorings.dialects.asyncmysql import MySQLSession
        return MySQLSession(config, surroundings)
