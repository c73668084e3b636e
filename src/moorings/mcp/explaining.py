"""What an error of the service means, and what to do next."""

from __future__ import annotations

import inspect
import re

from moorings import errors
from moorings.errors import WarehouseError

STEPS = {
    "resolve": "The service could not find the database's host, or may not connect to it. Check the host.",
    "connect": "The host did not accept a connection. Check host and port, firewalls, and whether the database runs.",
    "tls": "The encrypted connection failed. Check sslMode and the certificate.",
    "authenticate": "The database refused the login. Check the user name and the credentials of the connection.",
    "database": "The login worked, but the database does not exist or the user may not use it.",
    "schemas": "A schema does not exist, or the user may not use it.",
    "driver": "The service lacks the driver of this dialect. Its operator must install it.",
    "query": "The statement was refused or stopped. Read the message, look at the tables with describe_table, and"
    " correct the statement.",
}
"""Step of a test or query → what to do."""

STATUSES = {
    400: "The request has a mistake. The message names the field and what is expected.",
    401: "The request has no valid Authorization header. Send `Authorization: Bearer <key>`.",
    403: "The key may not do this: its role on the connection is too low, or it lacks a scope. An organization admin"
    " can change both.",
    404: "It does not exist, or the key may not see it. Use list_connections or search_catalog to find the id.",
    410: "The connection is archived. An admin can restore it.",
    429: "Too many requests. Wait for the seconds that Retry-After names.",
    503: "All sessions of the connection are in use. Wait, and try again.",
    504: "The statement ran longer than its timeout. Read fewer rows, filter on an indexed or partitioned column, or"
    " ask for a longer timeout_seconds.",
}
"""Status of an answer → what to do."""


def _classes() -> dict[str, type[WarehouseError]]:
    found = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, WarehouseError)]
    return {each.code: each for each in found if each is not WarehouseError}


def explained(text: str) -> str:
    """An explanation of an error code, a status or a message."""
    words = set(re.findall(r"[a-z_]+", text))
    lines = [
        f"{code} (step {kind.step}): {_words(kind)}"
        for code, kind in _classes().items()
        if code in words or _words(kind).partition(". ")[0].lower() in text.lower()
    ]
    lines += [STEPS[step] for step in re.findall(r"failed at (\w+)", text) if step in STEPS]
    statuses = map(int, re.findall(r"\b[45][0-9]{2}\b", text))
    lines += [f"Status {status}: {STATUSES[status]}" for status in statuses if status in STATUSES]
    if not lines:
        lines = [f"The text has no code, step or status of the service: it comes from the database. {STEPS['query']}"]
    return "\n".join(dict.fromkeys(lines))


def _words(kind: type[WarehouseError]) -> str:
    """The class's default message: its docstring, in one line."""
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())
