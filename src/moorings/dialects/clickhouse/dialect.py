"""ClickHouse: the facts, and how to connect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moorings.dialects.base import Abilities, Dialect, Session, SessionContext, importing
from moorings.dialects.clickhouse.config import Config
from moorings.dialects.clickhouse.faults import FAULTS
from moorings.dialects.config.tls import failure
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.https_faults import of_transport
from moorings.dialects.ssl_modes import verified

OWN_WORDS = re.compile(
    r"(Received ClickHouse exception, code: \d+, server response: )?(Code: \d+\. )?DB::Exception: (?P<words>.*)",
    re.DOTALL,
)
"""The form of ClickHouse's own errors, after the driver's text if there is a header with the code."""


class ClickHouse(Dialect):
    """ClickHouse."""

    name = "clickhouse"
    title = "ClickHouse"
    extra = "clickhouse"
    abilities = Abilities(connects=True)
    PARAMETERS = "{p1:String}, {p2:Int64}"
    over_http = True
    stateless = True
    Config = Config
    FAULTS = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The server's code, or a word for a fault on the way to it."""
        code = getattr(error, "code", None)
        text = str(error)
        if code is None:
            if "HTTP status 400" in text and "HTTPS" in text:
                return "tls wanted"
            return failure(error) or ("no answer" if "HTTP status" in text or "HTTP driver" in text else None)
        if code == 164 and "setting" in text:
            return "settings"
        return str(code) if str(code) in FAULTS else "statement"

    def error_text(self, error: BaseException) -> str:
        """The server's message if it has the form of ClickHouse's errors; else only the status."""
        text = str(error)
        if own := OWN_WORDS.match(text):
            return own["words"]
        status = re.match(r"HTTP driver received (HTTP status \d+)", text)
        return status[1] if status else of_transport(error)

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-clickhouse, which calls a database a schema."""
        return {
            "type": "clickhouse",
            "driver": "http",
            "host": config.host,
            "port": config.port,
            "user": config.username,
            "password": DbtSecret("password"),
            "schema": place.schema,
            "secure": config.ssl_mode != "disable",
            "verify": verified(config),
        }

    def connect(self, config: Config, context: SessionContext) -> Session:
        """Log in, and check that the database exists."""
        with importing("clickhouse"):
            from moorings.dialects.clickhouse.session import ClickHouseSession
        return ClickHouseSession(config, context)
