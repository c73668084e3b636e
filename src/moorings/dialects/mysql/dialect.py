"""MySQL: the facts, and how to connect."""

from __future__ import annotations

from moorings.dialects.base import Abilities, Dialect, Session, SessionContext, importing
from moorings.dialects.config.tls import ASKS_FOR_CERTIFICATE, failure
from moorings.dialects.mysql.config import Config, FamilyConfig
from moorings.dialects.mysql.faults import FAULTS, LOST

CLIENT_ERRORS = range(2000, 3000)


class MySQL(Dialect):
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
        """The server's number, or a word for a fault on this side."""
        if isinstance(error, RuntimeError) and "LOAD_LOCAL" in str(error):
            return "local file"
        number = error.args[0] if error.args and isinstance(error.args[0], int) else None
        if number is None or isinstance(error, OSError) or number in CLIENT_ERRORS:
            # In TLS 1.3 the server refuses a client's certificate after the handshake, and the driver says "lost".
            refused = ASKS_FOR_CERTIFICATE.search(str(error)) if number in LOST else None
            return "client certificate" if refused else failure(error) or str(number)
        return str(number) if str(number) in FAULTS else "statement"

    def error_text(self, error: BaseException) -> str:
        """The server's message, and its number."""
        number, *words = error.args or ("",)
        return f"{words[0]} ({number})" if words else str(error)

    def connect(self, config: FamilyConfig, context: SessionContext) -> Session:
        """Log in; `prefer` continues without encryption if the server has no TLS."""
        with importing(self.extra or ""):
            from moorings.dialects.mysql.session import MySQLSession
        return MySQLSession(config, context)
