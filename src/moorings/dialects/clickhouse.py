"""ClickHouse, over its HTTP interface.

Driver: clickhouse-connect (extra `clickhouse`), its Arrow stream. Login: user name and password; `sslMode` `disable`
switches TLS off, and the default port to 8123. Limits: a schema is a database here; requests share no session, so SET,
USE and temporary tables last for one statement; read-only statements may not have SETTINGS, since the server's readonly
forbids them; strings that are no UTF-8 have their bytes replaced; 256-bit integers arrive as text; a primary key
orders, it is not unique. Source: https://clickhouse.com/docs/interfaces/http.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from moorings import errors
from moorings.dialects.base import Abilities, Session, Surroundings, importing
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.failures import of_transport
from moorings.dialects.fields import Port
from moorings.dialects.required import Need, always
from moorings.dialects.ssl_modes import verified
from moorings.dialects.tls import NETWORK_FAULTS, failure

NO_ROOM = "The server runs as many queries as it may. Try again shortly, or raise max_concurrent_queries there."
TOO_LARGE = (
    "The statement ran into a limit of the server or of its user's profile. Narrow it, or raise the limit there."
)

FAULTS: Mapping[str, errors.WarehouseError] = {
    "516": errors.LoginRefused("username", "password"),
    "192": errors.LoginRefused("username", "password"),
    "193": errors.LoginRefused("username", "password"),
    "194": errors.LoginRefused("username", "password"),
    "195": errors.LoginRefused(
        "host", message="The server lets this user in from other addresses only. Allow this one in the user's HOST."
    ),
    "81": errors.DatabaseNotFound("database"),
    **NETWORK_FAULTS,
    "no tls": errors.TlsRefused(
        "port", "ssl_mode", message="No TLS there. Give the port of HTTPS (8443), or set sslMode to disable."
    ),
    "tls wanted": errors.TlsRefused(
        "port", "ssl_mode", message="The port wants TLS. Set sslMode to require or verify-full, or give the HTTP port."
    ),
    "no answer": errors.AnotherService(
        "host", "port", message="Something answers there that is no ClickHouse. Check host, port and proxies between."
    ),
    "164": errors.ReadOnly(),
    "settings": errors.ReadOnly(
        message="A statement that only reads may not change settings. Leave SETTINGS out, or set readOnly to false."
    ),
    "497": errors.StatementForbidden(),
    "291": errors.StatementForbidden(),
    "452": errors.StatementForbidden(
        message="The user's profile has limits for settings. Lower queryTimeoutSeconds, or loosen the profile."
    ),
    "159": errors.QueryTimeout(),
    "160": errors.QueryTimeout(),
    "394": errors.QueryCancelled(),
    "202": errors.SessionLost(message=NO_ROOM),
    "203": errors.SessionLost(message=NO_ROOM),
    "209": errors.SessionLost(),
    "210": errors.SessionLost(),
    "241": errors.StatementRefused(message="The statement needs more memory than it may use. Narrow it."),
    "158": errors.StatementRefused(message=TOO_LARGE),
    "191": errors.StatementRefused(message=TOO_LARGE),
    "201": errors.StatementRefused(message=TOO_LARGE),
    "307": errors.StatementRefused(message=TOO_LARGE),
    "396": errors.StatementRefused(message=TOO_LARGE),
    "456": errors.ParametersRefused(),
    "457": errors.ParametersRefused(),
    "statement": errors.StatementRefused(),
}
"""The server's error code, or a word for what went wrong on the way to it.

Source of the codes: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp.
"""


OWN_WORDS = re.compile(
    r"(Received ClickHouse exception, code: \d+, server response: )?(Code: \d+\. )?DB::Exception: (?P<words>.*)",
    re.DOTALL,
)
"""The shape of ClickHouse's own errors, behind what the driver writes when the header with the code is there."""


class Config(ConnectionConfig, frozen=True):
    """What a ClickHouse connection needs."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "username")

    dialect: Literal["clickhouse"] = "clickhouse"
    port: Port | None = 8443
    ssl_mode: Literal["disable", "require", "verify-full"] = "verify-full"

    def derived(self) -> dict[str, Any]:
        """The port without TLS is another one."""
        plain = self.ssl_mode == "disable" and "port" not in self.model_fields_set
        return super().derived() | ({"port": 8123} if plain else {})


class ClickHouse(BaseDialect):
    """ClickHouse."""

    name = "clickhouse"
    title = "ClickHouse"
    extra = "clickhouse"
    abilities = Abilities(connects=True)
    PARAMETERS = "{p1:String}, {p2:Int64}"
    over_http = True
    Config = Config
    FAULTS = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The server's code, or a word for what kept us from it."""
        code = getattr(error, "code", None)
        text = str(error)
        if code is None:
            if "HTTP status 400" in text and "HTTPS" in text:
                return "tls wanted"
            return failure(error) or ("no answer" if "HTTP status" in text or "HTTP driver" in text else None)
        if code == 164 and "setting" in text:
            return "settings"
        return str(code) if str(code) in FAULTS else "statement"

    def said(self, error: BaseException) -> str:
        """The server's words, where they have ClickHouse's shape; of any other answer, the status alone."""
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

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Log in, and see that the database is there."""
        with importing("clickhouse"):
            from moorings.dialects.clickhouse_session import ClickHouseSession
        return ClickHouseSession(config, surroundings)
