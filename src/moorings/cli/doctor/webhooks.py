"""Checks of webhooks: whether their addresses can be reached. No message is sent."""

from __future__ import annotations

import asyncio
import functools
import ssl
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from sqlalchemy import select

from moorings.cli.doctor.findings import Noted
from moorings.cli.doctor.stored import stored as facts
from moorings.db import Database
from moorings.dialects.network.dialing import Network
from moorings.engine import egress
from moorings.errors import MooringsError, OperatorError
from moorings.migrations import HEAD
from moorings.secrets import Keyset
from moorings.settings import Settings
from moorings.webhooks.models import WebhookEndpoint
from moorings.webhooks.service import opened

REACH_SECONDS = 5.0
AT_ONCE = 8
MOST = 100
"""Webhooks that are tried, the oldest first."""


def of_settings(settings: Settings) -> str | None:
    """Whether the address of MOORINGS_WEBHOOK_URL can be reached."""
    if settings.webhook_url is None:
        return None
    url = settings.webhook_url.get_secret_value()
    host = urlsplit(url).hostname or ""
    refused = _refused(egress.for_operator(settings), url)
    if refused is not None:
        raise OperatorError(f"cannot reach the address of MOORINGS_WEBHOOK_URL on {host}: {refused}")
    return f"the address on {host} can be reached"


def stored(settings: Settings) -> str | None:
    """Whether the addresses of the webhooks that were added over the API can be reached: the service needs none."""
    urls = _urls(settings)
    if not urls:
        return None
    network = egress.for_callers(settings)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = zip(urls, threads.map(functools.partial(_refused, network), urls.values()), strict=True)
        failed = [f"webhook {each} on {urlsplit(urls[each]).hostname}: {reason}" for each, reason in answers if reason]
    if failed:
        raise Noted(f"{len(failed)} of {len(urls)} addresses cannot be reached: {'; '.join(failed)}")
    return f"all {len(urls)} addresses can be reached"


def _urls(settings: Settings) -> dict[str, str]:
    """The id and the address of each enabled webhook; none where other checks report why they cannot be read."""
    try:
        found = facts(settings)
        if found is None or found.schema != HEAD:
            return {}
        return asyncio.run(_read(settings, Keyset.read(settings.keyset_path)))
    except MooringsError:
        return {}


async def _read(settings: Settings, keyset: Keyset) -> dict[str, str]:
    database = Database(settings.database)
    try:
        async with database.reading() as session:
            enabled = select(WebhookEndpoint).where(WebhookEndpoint.enabled == 1)
            rows = await session.scalars(enabled.order_by(WebhookEndpoint.created_at).limit(MOST))
            return {each.id: opened(keyset, each)[0] for each in rows}
    finally:
        await database.close()


def _refused(network: Network, url: str) -> str | None:
    """Why an address cannot be reached; None if it can."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    try:
        with network.connect_http(host, parts.port or (443 if secure else 80), REACH_SECONDS) as wire:
            if secure:
                context = ssl.create_default_context(cafile=network.ca_bundle)
                context.wrap_socket(wire, server_hostname=host).close()
    except (OSError, ValueError, MooringsError) as refused:
        return refused.message if isinstance(refused, MooringsError) else str(refused)
    return None
