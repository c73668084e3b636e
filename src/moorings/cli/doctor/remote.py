"""Checks of other machines: TLS and clock of the database, the rate limits' store, webhooks, the proxy."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from moorings.access.limits import reachable
from moorings.cli.doctor import webhooks
from moorings.cli.doctor.findings import Check, Noted
from moorings.cli.doctor.stored import Stored, stored
from moorings.dialects.network.dialing import dial
from moorings.errors import MooringsError, OperatorError
from moorings.settings import Settings
from moorings.settings.database import PostgresAddress, parsed

NOTED_SECONDS = 1.0
"""A clock that differs from the database's by more seconds gets a note."""


def database_tls(settings: Settings) -> str | None:
    """Whether the sessions with the metadata database are encrypted."""
    address = parsed(settings.database)
    if not isinstance(address, PostgresAddress) or (found := _stored(settings)) is None:
        return None
    if found.tls is None:
        if all(host.startswith("/") for host, _ in address.hosts):
            return "a Unix socket needs none"
        raise Noted("sessions are not encrypted: add ?sslmode=require, or verify-full, to MOORINGS_DATABASE_URL")
    if address.ssl_mode not in {"verify-ca", "verify-full"}:
        raise Noted(f"{found.tls}, without a check of the certificate: add sslmode=verify-full and sslrootcert")
    return f"{found.tls}, certificate checked ({address.ssl_mode})"


def clock(settings: Settings) -> str | None:
    """Whether this machine's clock agrees with the database's.

    Replicas compute the leases of jobs by their own clocks.
    """
    found = _stored(settings)
    if found is None or found.ahead is None:
        return None
    apart = f"{abs(found.ahead):.1f} seconds {'ahead of' if found.ahead > 0 else 'behind'} the database's"
    if abs(found.ahead) > settings.job_lease_seconds / 3:
        raise OperatorError(f"this machine's clock is {apart}: set it (NTP). Leases of jobs depend on it")
    if abs(found.ahead) > NOTED_SECONDS:
        raise Noted(f"this machine's clock is {apart}: keep it in step (NTP)")
    return "agrees with the database's"


def rate_limits(settings: Settings) -> str:
    """Whether the rate limits' store answers."""
    if settings.rate_limit_url is None:
        return "counted in memory"
    host = urlsplit(settings.rate_limit_url.get_secret_value()).hostname
    if not asyncio.run(reachable(settings)):
        raise OperatorError(f"the store on {host} does not answer: check MOORINGS_RATE_LIMIT_URL")
    return f"the store on {host} answers"


def proxy(settings: Settings) -> str | None:
    """Whether the proxy accepts connections."""
    if settings.https_proxy is None:
        return None
    parts = urlsplit(settings.https_proxy.get_secret_value())
    try:
        dial([parts.hostname or ""], parts.port or 80, webhooks.REACH_SECONDS).close()
    except (OSError, MooringsError):
        raise OperatorError(f"the proxy {parts.hostname} does not answer: check MOORINGS_HTTPS_PROXY") from None
    return f"the proxy {parts.hostname} answers"


def _stored(settings: Settings) -> Stored | None:
    try:
        return stored(settings)
    except OperatorError:  # the check of the database reports it
        return None


CHECKS: dict[str, Check] = {
    "database TLS": database_tls,
    "clock": clock,
    "rate limits": rate_limits,
    "webhooks": webhooks.of_settings,
    "stored webhooks": webhooks.stored,
    "proxy": proxy,
}
