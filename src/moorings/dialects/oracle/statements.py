"""Oracle Database's statements, checked before they run."""

from __future__ import annotations

import re
from typing import Any

from moorings import errors
from moorings.dialects.base import Surroundings
from moorings.dialects.config.tls import tls_context
from moorings.dialects.oracle.config import Config
from moorings.dialects.ssl_modes import mode_in_force

DECLARES = re.compile(
    r"(?:\s|\(|--[^\n]*+\n?|(?>/\*.*?\*/))*+WITH(?:\s|--[^\n]*+\n?|(?>/\*.*?\*/))++(?:FUNCTION|PROCEDURE)\b",
    re.DOTALL | re.IGNORECASE,
)
"""A query with a procedure of its own, whose transaction may be autonomous: then it writes, whatever ours is."""
FIRST_WORD = re.compile(r"(?:\s|\(|--[^\n]*\n?|/\*.*?\*/)*(\w*)", re.DOTALL)


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
