"""SAP HANA and SAP HANA Cloud: the facts, and how to connect."""

from __future__ import annotations

import os

from moorings.dialects.base import Abilities, Dialect, Session, SessionContext, importing
from moorings.dialects.config.tls import failure
from moorings.dialects.sap_hana.config import Config
from moorings.dialects.sap_hana.faults import BY_NUMBER, FAULTS, MESSAGE_PATTERNS
from moorings.dialects.sap_hana.login import options, place

CONNECT_FAILED = -10709
STORE = "HDB_USE_STORE_PATH"
"""The variable for the driver's directory of logins, trace settings and keys.

Without it, the driver ignores HOME, reads `.hdb` in its user's home, and creates an empty store there.
"""
NO_STORE = "/dev/null/none"


class SapHana(Dialect):
    """SAP HANA."""

    name = "sap_hana"
    title = "SAP HANA"
    extra = "sap-hana"
    abilities = Abilities(connects=True, own_process=True)
    PARAMETERS = "?, ?"
    Config = Config
    FAULTS = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The server's number, or a part of the driver's text."""
        code = getattr(error, "errorcode", None)
        text = str(error)
        if code is None:
            return failure(error)
        if code == CONNECT_FAILED:
            return next((key for pattern, key in MESSAGE_PATTERNS if pattern in text), "unreachable")
        if code in BY_NUMBER:
            return BY_NUMBER[code]
        if code < 0:
            return None
        if "read-only transaction" in text or "READ ONLY" in text:
            return "read only"
        return str(code) if str(code) in FAULTS else "statement"

    def error_text(self, error: BaseException) -> str:
        """The server's message, and its number."""
        code, text = getattr(error, "errorcode", None), getattr(error, "errortext", str(error))
        return f"{text} ({code})" if code else text

    def connect(self, config: Config, context: SessionContext) -> Session:
        """Log in."""
        os.putenv(STORE, NO_STORE)  # before the driver is loaded: its C code reads the variable
        with importing("sap-hana"):
            from moorings.dialects.sap_hana.session import HanaSession
        how = options(config, context) | place(config, context)
        return HanaSession(config, how, context.application_name)
