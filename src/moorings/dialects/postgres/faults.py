"""The errors of PostgreSQL and libpq as ours, and the fields to blame. For every dialect that speaks the protocol."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors
from moorings.dialects.config.tls import NO_CLIENT_CERTIFICATE

FAULTS: Mapping[str, errors.WarehouseError] = {
    "28": errors.LoginRefused("username", "password"),
    "28P01": errors.LoginRefused("username", "password"),
    "no entry": errors.LoginRefused(
        "username",
        "host",
        message=(
            "The server does not accept this user from this address, or requires TLS. Add a line to its pg_hba.conf."
        ),
    ),
    "no plain entry": errors.LoginRefused(
        "ssl_mode",
        "username",
        "host",
        message=(
            "The server does not accept this user from this address without TLS. Set sslMode to require, or add a "
            "line to its pg_hba.conf."
        ),
    ),
    "3D000": errors.DatabaseNotFound("database"),
    "database forbidden": errors.DatabaseForbidden("database"),
    "3F000": errors.StatementRefused(),
    "refused": errors.PortClosed("host", "port"),
    "unresolved": errors.HostNotFound("host"),
    "timed out": errors.ConnectTimeout("host", "port"),
    "unreachable": errors.HostUnreachable("host", "port"),
    "no tls": errors.TlsRefused("ssl_mode"),
    "tls not offered": errors.TlsNotOffered("ssl_mode"),
    "cleartext": errors.CleartextPasswordRefused("ssl_mode"),
    "client certificate": NO_CLIENT_CERTIFICATE,
    "certificate": errors.CertificateRefused("ssl_mode", "ssl_root_cert"),
    "certificate name": errors.CertificateRefused(
        "host",
        "ssl_mode",
        message="The server's certificate is for another host name. Set host to the name in the certificate.",
    ),
    "25006": errors.ReadOnly(),
    "25001": errors.StatementRefused(message="This statement cannot run on a read-only connection."),
    "42501": errors.StatementForbidden(),
    "42P02": errors.ParametersRefused(),
    "pooled": errors.StatementRefused(
        message=(
            "A pooler such as PgBouncer used several sessions for the statement. Set it to session "
            "pooling, or connect to the server directly."
        )
    ),
    "08P01": errors.ParametersRefused(),
    "22P02": errors.StatementRefused(message="A value cannot be converted to the type that the statement needs."),
    "statement timeout": errors.QueryTimeout(),
    "57014": errors.QueryCancelled(),
    "57P01": errors.SessionLost(),
    "57P02": errors.SessionLost(),
    "57P03": errors.DatabaseStarting(),
    "08": errors.SessionLost(),
    "lost": errors.SessionLost(),
    "53300": errors.TooManyConnections(),
    "another": errors.AnotherService("host", "port"),
    "refused statement": errors.StatementRefused(),
    "empty": errors.StatementRefused(message="The text has no statement. Send exactly one."),
    "copy": errors.StatementRefused(
        message="COPY to or from the client is not supported. Send the query alone: its rows are streamed."
    ),
    "unreadable": errors.StatementRefused(message="Arrow has no type for a value of the result. Cast it to text."),
    "interval": errors.StatementRefused(
        message="An interval is infinite, or its hours go beyond 292 years. Arrow cannot hold it: cast it to text."
    ),
    "several": errors.StatementRefused(message="Send exactly one statement at a time."),
    "0A": errors.StatementRefused(),
    "21": errors.StatementRefused(),
    "22": errors.StatementRefused(),
    "23": errors.StatementRefused(),
    "25": errors.StatementRefused(),
    "26": errors.StatementRefused(),
    "2B": errors.StatementRefused(),
    "2F": errors.StatementRefused(),
    "34": errors.StatementRefused(),
    "42": errors.StatementRefused(),
    "53": errors.StatementRefused(message="The server ran out of memory or disk for this statement. Read less."),
    "54": errors.StatementRefused(),
    "55": errors.StatementRefused(),
    "P0": errors.StatementRefused(),
}
"""SQLSTATE or its class, or a word of TELLTALES."""

MESSAGE_PATTERNS = (
    ("due to statement timeout", "statement timeout"),
    ("canceling statement", "57014"),
    ("insert multiple commands", "several"),
    ("unnamed prepared statement does not exist", "pooled"),
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("is not permitted to log in", "28P01"),
    (", no encryption", "no plain entry"),
    ("no pg_hba.conf entry", "no entry"),
    ("pg_hba.conf rejects connection", "no entry"),
    ("permission denied for database", "database forbidden"),
    ("too many connections", "53300"),
    ("too many clients", "53300"),
    ("connection slots", "53300"),
    ("connection limit", "53300"),
    ("the database system is", "57P03"),
    ("alert certificate required", "client certificate"),
    ("alert bad certificate", "client certificate"),
    ("alert unknown ca", "client certificate"),
    ("valid client certificate", "client certificate"),
    ("certificate authentication failed", "28P01"),
    ("does not match host name", "certificate name"),
    ("certificate verify failed", "certificate"),
    ("root certificate", "certificate"),
    ("server does not support SSL", "tls not offered"),
    ("requested a cleartext password", "cleartext"),
    ("invalid response to SSL negotiation", "another"),
    ("expected authentication request", "another"),
    ("unsupported protocol version", "another"),
    ("SSL error", "no tls"),
    ("could not translate host name", "unresolved"),
    ("Connection refused", "refused"),
    ("timeout expired", "timed out"),
    ("timed out", "timed out"),
    ("No route to host", "unreachable"),
    ("Network is unreachable", "unreachable"),
    ("Interval with time value", "interval"),
    ("ReadRecord failed", "unreadable"),
    ("terminating connection", "57P01"),
    ("server closed the connection", "lost"),
    ("no connection to the server", "lost"),
    ("connection not open", "lost"),
    ("SSL connection has been closed", "lost"),
)
"""Parts of libpq's texts → keys of FAULTS: failed logins and failures between batches have no SQLSTATE."""


CURSOR = "DECLARE moorings NO SCROLL CURSOR FOR "
"""The text that a session adds before a statement with parameters; errors quote it."""
VAGUE = ("26000", "28000", "42501", "42601", "57014")
"""SQLSTATEs of several faults, which the text distinguishes.

For other states the text is ignored, since it quotes the statement.
"""


def key_of(text: str, state: str | None) -> str | None:
    """The key of FAULTS for a server's message and its SQLSTATE."""
    known = state is not None and state not in VAGUE
    matched = None if known else next((key for pattern, key in MESSAGE_PATTERNS if pattern in text), None)
    if matched is not None or state is None:
        return matched
    return next((key for key in (state, state[:2]) if key in FAULTS), None)
