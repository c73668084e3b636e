"""The errors of Snowflake and its driver as ours, and the fields to blame."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors
from moorings.dialects.config.tls import failure

MISSING = (
    "It does not exist, or the user's default role has no permission on it. Check the name, and grant the role USAGE."
)
NOT_ALLOWED = "Snowflake blocks this machine's address. Add it to the network policy."
SECOND_FACTOR = "The user needs a second factor to log in with a password. Use a key pair, or a user of TYPE = SERVICE."
BAD_KEY = (
    "Snowflake does not accept this key for the user. Register its public half with ALTER USER … SET RSA_PUBLIC_KEY,"
    " and check username and account."
)
NOT_MAPPED = (
    "Snowflake does not accept the OAuth server's token. Check the security integration: its issuer, audience, and how"
    " it maps tokens to users."
)
ROLE = "The user's default role does not exist, or is not granted to it. Set another: ALTER USER … SET DEFAULT_ROLE."
LOCKED = "Snowflake has locked or disabled this user. Ask an account administrator to unlock it."
NO_ACCOUNT = "The account does not exist. Set host to its identifier: organization-account, or locator.region."
NO_COMPUTE = "No warehouse runs this statement. Grant the role USAGE on the warehouse, and check that it may resume."
MISSING_SCHEMA = "390201 schema"

FAULTS: Mapping[str, errors.WarehouseError] = {
    "390100": errors.LoginRefused("username", "password"),
    "390101": errors.AccountLocked("username", message=LOCKED),
    "390102": errors.AccountLocked("username", message=LOCKED),
    "390144": errors.LoginRefused("username", "private_key", message=BAD_KEY),
    "390189": errors.LoginRefused("username", message=ROLE),
    "390197": errors.LoginRefused("username", "authentication_type", message=SECOND_FACTOR),
    "394": errors.LoginRefused("username", "authentication_type", message=SECOND_FACTOR),
    "390303": errors.LoginRefused("oauth_client_id", "external_oauth_token_url", message=NOT_MAPPED),
    "390309": errors.LoginRefused("username", "oauth_client_id", message=NOT_MAPPED),
    "390318": errors.LoginRefused("oauth_client_id", "external_oauth_token_url", message=NOT_MAPPED),
    "390422": errors.LoginRefused("host", message=NOT_ALLOWED),
    "390432": errors.LoginRefused("host", message=NOT_ALLOWED),
    "390201 database": errors.DatabaseNotFound("database", message=MISSING),
    "390201 warehouse": errors.DatabaseNotFound("warehouse", message=MISSING),
    MISSING_SCHEMA: errors.SchemaNotFound("default_schema", message=MISSING),
    "390104": errors.SessionLost(),
    "390110": errors.SessionLost(),
    "390111": errors.SessionLost(),
    "390112": errors.SessionLost(),
    "390114": errors.SessionLost(),
    "390115": errors.SessionLost(),
    "000604": errors.QueryCancelled(),
    "000630": errors.QueryTimeout(),
    "000606": errors.DatabaseForbidden("warehouse", message=NO_COMPUTE),
    "090073": errors.DatabaseForbidden("warehouse", message=NO_COMPUTE),
    "003001": errors.StatementForbidden(),
    "000008": errors.StatementRefused(message="Send exactly one statement at a time."),
    "000900": errors.StatementRefused(message="The text has no statement. Send exactly one."),
    "001007": errors.ParametersRefused(),
    "002049": errors.ParametersRefused(),
    "unresolved": errors.HostNotFound("host"),
    "refused": errors.PortClosed("host", "port"),
    "timed out": errors.ConnectTimeout("host", "port"),
    "certificate": errors.CertificateRefused("host", "ssl_root_cert"),
    "no tls": errors.TlsRefused("host", "port"),
    "unreachable": errors.HostUnreachable("host", "port"),
    "account": errors.LoginRefused("host", message=NO_ACCOUNT),
    "lost": errors.SessionLost(),
    "another service": errors.AnotherService("host", "port"),
    "statement": errors.StatementRefused(),
}
"""The server's number as it writes it, or a word for a fault on the way."""

DRIVERS_OWN = "000099"
"""Numbers up to here are the driver's own kinds of failures."""
MESSAGE_PATTERNS: tuple[tuple[str, str], ...] = (
    ("UnknownIssuer", "certificate"),
    ("invalid peer certificate", "certificate"),
    ("Connection refused", "refused"),
    ("failed to lookup address", "unresolved"),
    ("dns error", "unresolved"),
    ("InvalidContentType", "no tls"),
    ("received corrupt message", "no tls"),
    ("timed out", "timed out"),
    ("timeout", "timed out"),
    ("Network is unreachable", "unreachable"),
    ("No route to host", "unreachable"),
    ("404 Not Found", "account"),
    ("403 Forbidden", "account"),
    ("error sending request", "lost"),
    ("connection closed", "lost"),
    ("Connection is closed", "lost"),
)
"""Parts of the driver's texts for failures without a number → keys of FAULTS; the first match applies."""


def fault_key(error: BaseException) -> str | None:
    """The key of FAULTS for a driver's exception."""
    if isinstance(error, OSError):  # an error of our relay; the driver's own errors have other classes
        return failure(error)
    number, text = getattr(error, "errno", None), str(error)
    key = f"{number:06d}" if isinstance(number, int) and number > 0 else ""
    if key == "390201":
        return next((f"{key} {kind}" for kind in ("database", "warehouse", "schema") if kind in text), None)
    if key in FAULTS:
        return key
    if key[:3] in FAULTS:
        return key[:3]
    if type(error).__name__ in ("ProgrammingError", "IntegrityError") and key > DRIVERS_OWN:
        return "statement"
    return next((word for pattern, word in MESSAGE_PATTERNS if pattern in text), None)
