"""The errors of Databricks and its driver as ours, and the fields to blame."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from moorings import errors

NOT_LET_IN = (
    "Databricks refused the token or the service principal. Check that it is not expired, and that it belongs to this"
    " workspace."
)
NO_WAREHOUSE = "The SQL warehouse does not exist. Copy its HTTP path from the warehouse's connection details."
NO_USE = "The login has no permission on this SQL warehouse. Grant it CAN USE."
NO_CATALOG = "The catalog does not exist, or the login may not use it. Check its name, and GRANT USE CATALOG on it."

FAULTS: Mapping[str, errors.WarehouseError] = {
    "HTTP 400": errors.DatabaseNotFound("warehouse", message=NO_WAREHOUSE),
    "HTTP 401": errors.LoginRefused("password", message=NOT_LET_IN),
    "HTTP 403": errors.LoginRefused("password", message=NOT_LET_IN),
    "HTTP 404": errors.DatabaseNotFound("warehouse", message=NO_WAREHOUSE),
    "HTTP 429": errors.TooManyConnections(message="Databricks limits requests. Try again shortly."),
    "HTTP 503": errors.WarehouseSlow(message="The SQL warehouse is starting or busy. Try again in a minute."),
    "PERMISSION_DENIED": errors.DatabaseForbidden("warehouse", message=NO_USE),
    "NO_SUCH_CATALOG_EXCEPTION": errors.DatabaseNotFound("database", message=NO_CATALOG),
    "CATALOG_NOT_FOUND": errors.DatabaseNotFound("database", message=NO_CATALOG),
    "SCHEMA_NOT_FOUND": errors.SchemaNotFound("default_schema"),
    "INSUFFICIENT_PERMISSIONS": errors.StatementForbidden(),
    "UC_INSUFFICIENT_PERMISSIONS": errors.StatementForbidden(),
    "INVALID_PARAMETER_VALUE": errors.ParametersRefused(),
    "UNBOUND_SQL_PARAMETER": errors.ParametersRefused(),
    "UNBOUND_PARAMETER": errors.ParametersRefused(),
    "STATEMENT_TIMEOUT": errors.QueryTimeout(),
    "QUERY_EXECUTION_TIMEOUT_EXCEEDED": errors.QueryTimeout(),
    "OPERATION_CANCELED": errors.QueryCancelled(),
    "INVALID_HANDLE": errors.SessionLost(),
    "unresolved": errors.HostNotFound("host"),
    "refused": errors.PortClosed("host", "port"),
    "timed out": errors.ConnectTimeout("host", "port"),
    "certificate name": errors.CertificateRefused(
        "host", message="The server's certificate is for another host name. Set host to the name in the certificate."
    ),
    "certificate": errors.CertificateRefused("ssl_root_cert", "trust_server_certificate"),
    "no tls": errors.TlsRefused("host", "port"),
    "unreachable": errors.HostUnreachable("host", "port"),
    "lost": errors.SessionLost(),
    "statement": errors.StatementRefused(),
}
"""The error class that starts the server's text, an HTTP status, or a word for a fault on the way."""

MESSAGE_PATTERNS: tuple[tuple[str, str], ...] = (
    ("LoginRefused: ", "HTTP 401"),
    ("INVALID_HANDLE", "INVALID_HANDLE"),
    ("Invalid SessionHandle", "INVALID_HANDLE"),
    ("Hostname mismatch", "certificate name"),
    ("certificate is not valid for", "certificate name"),
    ("IP address mismatch", "certificate name"),
    ("CERTIFICATE_VERIFY_FAILED", "certificate"),
    ("WRONG_VERSION_NUMBER", "no tls"),
    ("SSLError", "no tls"),
    ("NameResolutionError", "unresolved"),
    ("Connection refused", "refused"),
    ("unreachable", "unreachable"),
    ("timed out", "timed out"),
    ("RemoteDisconnected", "lost"),
    ("Connection reset", "lost"),
    ("closed connection", "lost"),
)
"""Parts of texts of transport failures → keys of FAULTS; the first match applies."""


def fault_key(error: BaseException) -> str | None:
    """The key of FAULTS for a driver's exception."""
    if named := error_class(error):
        return named if named in FAULTS else "statement"
    texts = list(_texts(error))
    if matched := next((word for pattern, word in MESSAGE_PATTERNS for text in texts if pattern in text), None):
        return matched
    context: Any = getattr(error, "context", None) or {}
    if (key := f"HTTP {context.get('http-code')}") in FAULTS:
        return "PERMISSION_DENIED" if "PERMISSION_DENIED" in str(error) else key
    return "statement" if type(error).__name__ == "ServerOperationError" else None


def _texts(error: BaseException | None) -> Iterator[str]:
    """The texts of an exception and of its causes: the driver's final error hides the errors of its attempts."""
    while error is not None:
        yield f"{type(error).__name__}: {error}"
        wrapped = (inner for inner in error.args if isinstance(inner, BaseException))
        error = error.__cause__ or error.__context__ or next(wrapped, None)


def error_class(error: BaseException) -> str | None:
    """The name of the server's own error, such as PARSE_SYNTAX_ERROR, without what comes after a point."""
    found = re.match(r"\s*\[([A-Z][A-Z0-9_]+)", str(error))
    return found[1] if found else None
