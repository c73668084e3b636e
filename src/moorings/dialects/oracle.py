"""Oracle Database.

Driver: oracledb in thin mode (extra `oracle`), whose licence has to be accepted. Login: user name and password;
`database` is the service name. Limits: NUMBER is a decimal where it is declared, else a double; a read-only statement
is a query in a read-only transaction, but a function with an autonomous transaction can still write. Source:
https://python-oracledb.readthedocs.io/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from moorings import errors
from moorings.dialects.base import Abilities, Session, Surroundings, importing
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.fields import Port, SslMode
from moorings.dialects.places import matching
from moorings.dialects.required import Need, always
from moorings.dialects.ssl_modes import mode_in_force
from moorings.dialects.tls import TlsConfig, failure, tls_context

NO_SERVICE = "The listener does not know this service. Check the name (lsnrctl status lists them), and that it is open."
EXPIRED = "The password has expired. Give the user a new one."
LOCKED = "The account is locked. Have it unlocked."
FULL = "The server takes no more sessions. Try again shortly, or raise its limits."
ARCHIVER = "The server lets no one in until its archiver has room again. Free its recovery area."
OTHER_NAME = errors.CertificateRefused(
    "host", "ssl_mode", message="The server's certificate is for another name. Give the name that it is for."
)

FAULTS: Mapping[str, errors.WarehouseError] = {
    "unresolved": errors.HostNotFound("host"),
    "refused": errors.PortClosed("host", "port"),
    "timed out": errors.ConnectTimeout("host", "port"),
    "unreachable": errors.HostUnreachable("host", "port"),
    "ORA-12541": errors.PortClosed("host", "port"),
    "ORA-12170": errors.ConnectTimeout("host", "port"),
    "certificate": errors.CertificateRefused("ssl_mode", "ssl_root_cert"),
    "certificate name": OTHER_NAME,
    "DPY-6002": OTHER_NAME,
    "DPY-6006": OTHER_NAME,
    "no tls": errors.TlsRefused("port", "ssl_mode"),
    "lost": errors.SessionLost(),
    "ORA-01017": errors.LoginRefused("username", "password"),
    "ORA-28000": errors.LoginRefused("username", message=LOCKED),
    "ORA-28001": errors.LoginRefused("password", message=EXPIRED),
    "ORA-01045": errors.LoginRefused("username", message="The user may not log in. Grant it CREATE SESSION."),
    "DPY-4001": errors.LoginRefused("username", "password"),
    "ORA-12514": errors.DatabaseNotFound("database", message=NO_SERVICE),
    "ORA-12505": errors.DatabaseNotFound("database", message=NO_SERVICE),
    "DPY-6001": errors.DatabaseNotFound("database", message=NO_SERVICE),
    "ORA-12528": errors.DatabaseForbidden("database", message="The service is there, but takes no connections now."),
    "ORA-12516": errors.SessionLost(message=FULL),
    "ORA-12519": errors.SessionLost(message=FULL),
    "ORA-12520": errors.SessionLost(message=FULL),
    "ORA-00018": errors.SessionLost(message=FULL),
    "ORA-00020": errors.SessionLost(message=FULL),
    "ORA-00257": errors.SessionLost(message=ARCHIVER),
    "DPY-6000": errors.SessionLost(message="The listener refused the connection. Its own log says why."),
    "ORA-01031": errors.StatementForbidden(),
    "ORA-00942": errors.StatementRefused(message="There is no such table or view, or the user may not read it."),
    "ORA-01456": errors.ReadOnly(),
    "ORA-14551": errors.ReadOnly(),
    "ORA-01013": errors.QueryCancelled(),
    "DPY-4024": errors.QueryTimeout(),
    "ORA-01008": errors.ParametersRefused(),
    "ORA-01036": errors.ParametersRefused(),
    "DPY-4009": errors.ParametersRefused(),
    "DPY-4010": errors.ParametersRefused(),
    "ORA-00028": errors.SessionLost(),
    "ORA-03113": errors.SessionLost(),
    "ORA-03114": errors.SessionLost(),
    "DPY-1001": errors.SessionLost(),
    "DPY-4011": errors.SessionLost(),
    "statement": errors.StatementRefused(),
}
"""The server's or the driver's code, or a word for what kept us from the server."""

DECLARES = re.compile(
    r"(?:\s|\(|--[^\n]*+\n?|(?>/\*.*?\*/))*+WITH(?:\s|--[^\n]*+\n?|(?>/\*.*?\*/))++(?:FUNCTION|PROCEDURE)\b",
    re.DOTALL | re.IGNORECASE,
)
"""A query with a procedure of its own, whose transaction may be autonomous: then it writes, whatever ours is."""
FIRST_WORD = re.compile(r"(?:\s|\(|--[^\n]*\n?|/\*.*?\*/)*(\w*)", re.DOTALL)


ServiceName = Annotated[
    str, matching(r"[A-Za-z0-9_.$#-]{1,255}", "Only the service name, such as ORCLPDB1 or sales.example.com")
]
"""The driver writes it into a connect descriptor, whose brackets it does not escape."""


class Config(TlsConfig, frozen=True):
    """What an Oracle connection needs; `require` and stricter speak TCPS, which listens on a port of its own."""

    REQUIRED: ClassVar[tuple[Need, ...]] = (
        *always("host", "database", "username"),
        Need("accepts_license", accepted=True),
    )

    dialect: Literal["oracle"] = "oracle"
    database: ServiceName | None = None
    port: Port | None = 1521
    ABSENT_SSL_MODE: ClassVar[SslMode | None] = "disable"

    ssl_mode: SslMode | None = Field(
        None,
        description="Whether TLS is used, and how much of the certificate is verified; absent: `disable`, or "
        "`verify-ca` if there is an sslRootCert.",
    )

    @property
    def encrypts(self) -> bool:
        """Whether TCPS is spoken; a listener has no port that takes both, so `prefer` is plain TCP."""
        return mode_in_force(self) not in ("disable", "prefer")


class Oracle(BaseDialect):
    """Oracle Database."""

    name = "oracle"
    title = "Oracle Database"
    extra = "oracle"
    abilities = Abilities(connects=True)
    PARAMETERS = ":1, :2"
    Config = Config
    FAULTS: ClassVar[Mapping[str, errors.WarehouseError]] = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The most telling code of the text, or a word for what kept us from the server."""
        text = str(error)
        codes = re.findall(r"\b(?:ORA|DPY)-\d{4,5}\b", text)
        if known := next((code for code in reversed(codes) if code in FAULTS), None):
            return known
        if failed := failure(error):
            return failed
        return "statement" if codes else None

    def said(self, error: BaseException) -> str:
        """The words, without the driver's ids of connections and addresses of help."""
        return re.sub(r" \(CONNECTION_ID=[^()]*+\)|(?<!\s)\s*+Help: \S+", "", str(error))

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-oracle."""
        return {
            "type": "oracle",
            "protocol": "tcps" if config.encrypts else "tcp",
            "host": config.host,
            "port": config.port,
            "service": config.database,
            "user": config.username,
            "password": DbtSecret("password"),
            "database": place.database,
            "schema": place.schema,
        }

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Log in."""
        with importing("oracle"):
            from moorings.dialects.oracle_session import OracleSession
        return OracleSession(config, surroundings)


def parameters(config: Config, surroundings: Surroundings) -> dict[str, Any]:
    """What the driver needs to log in."""
    return {
        "user": config.username,
        "password": config.secrets().get("password", ""),
        "host": config.host,
        "port": config.port,
        "service_name": config.database,
        "protocol": "tcps" if config.encrypts else "tcp",
        "ssl_context": tls_context(config, surroundings.network) if config.encrypts else None,
        "ssl_server_dn_match": mode_in_force(config) == "verify-full",
        "tcp_connect_timeout": surroundings.connect_timeout_seconds,
        "retry_count": 0,
        "program": surroundings.application_name,
        "expire_time": 1,
    }


def first_word(sql: str) -> str:
    """The first word of a statement outside of comments, in upper case; empty where there is none."""
    found = FIRST_WORD.match(sql)
    return found[1].upper() if found else ""


def check_reads(sql: str) -> None:
    """Raise ReadOnly unless a statement is a query: the server takes one alone, so nothing else can hide in it."""
    word = first_word(sql)
    if not word:
        raise errors.StatementRefused(message="There is no statement. Send one.")
    if word not in ("SELECT", "WITH") or DECLARES.match(sql):
        raise errors.ReadOnly
