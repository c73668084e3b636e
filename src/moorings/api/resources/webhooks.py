"""The endpoints of `/webhooks`."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from pydantic_core import PydanticCustomError

from moorings import clock
from moorings.access.policy import Scope
from moorings.api.http import pagination, schemas
from moorings.api.http.answers import Done, Shape, instant
from moorings.api.http.call import Call
from moorings.api.http.fields import Fields
from moorings.api.http.pagination import PageInfo
from moorings.api.http.routing import Route
from moorings.dialects.config.urls import parse_url
from moorings.errors import DeliveryNotFound, WebhookNotFound
from moorings.webhooks import service
from moorings.webhooks.models import EVENTS, WebhookEndpoint, WebhookMessage
from moorings.webhooks.service import Changes

MAX_URL_LENGTH = 2000
PREFIX = "whsec_"
MAX_OVERLAP_SECONDS = 7 * 24 * 3600
GONE = "The URL answered 410"
MALFORMED = "Must be whsec_ and the base64 of 24 to 64 bytes"


class WebhookShape(Shape):
    """A webhook, without its secret."""

    id: str
    url: str
    events: list[str]
    enabled: bool
    disabled_reason: str | None
    previous_secret_expires_at: str | None
    created_at: str
    updated_at: str


class NewWebhookShape(WebhookShape):
    """A new webhook with its secret, which is shown only once."""

    secret: str


class WebhookPage(Shape):
    """Webhooks, oldest first."""

    page_info: PageInfo
    records: list[WebhookShape]


class DeliveryShape(Shape, kw_only=True):
    """A message for a webhook: `pending`, `delivered` or `failed`, and the result of the last attempt."""

    id: str
    event: str
    status: str
    attempts: int
    answer: str | None
    created_at: str
    attempted_at: str | None
    next_attempt_at: str | None
    body: str


class DeliveryPage(Shape):
    """Messages, newest first."""

    page_info: PageInfo
    records: list[DeliveryShape]


async def list_webhooks(call: Call) -> WebhookPage:
    """Webhooks, oldest first, without the one of MOORINGS_WEBHOOK_URL."""
    query = Fields(call.query(), ("cursor", "pageSize"))
    page = pagination.page_request(query)
    query.done()
    found, total = await service.listed(call.session, call.actor, page.after, page.size + 1)
    info = pagination.info([(each.created_at, each.id) for each in found], page, total)
    return WebhookPage(info, [_shape(call, each) for each in found[: page.size]])


async def create_webhook(call: Call) -> NewWebhookShape:
    """Add a webhook. Without `events` it gets all events; without `secret` one is generated."""
    fields = Fields(call.body, ("url", "events", "secret"))
    url = _url(fields, required=True)
    events, secret = _events(fields), _secret(fields)
    fields.done()
    given = secret or service.new_secret()
    made = await service.create(call.session, call.services.keyset, call.actor, url or "", events or (), given)
    return NewWebhookShape(*_facts(call, made), secret=given)


async def get_webhook(call: Call) -> WebhookShape:
    """One webhook, without its secret."""
    return _shape(call, await _found(call))


async def update_webhook(call: Call) -> WebhookShape:
    """Change the address, events or secret of a webhook, or disable it.

    After a change of the secret, messages have two signatures for a day, or for `secretOverlapSeconds`: one by the
    new secret and one by the previous one.
    """
    found = await _found(call)
    fields = Fields(call.body, ("url", "events", "secret", "secretOverlapSeconds", "enabled"))
    overlap = fields.integer("secretOverlapSeconds", least=0, most=MAX_OVERLAP_SECONDS)
    changes = Changes(
        url=_url(fields, required=False),
        events=_events(fields),
        secret=_secret(fields),
        overlap_seconds=service.OVERLAP_SECONDS if overlap is None else overlap,
        enabled=fields.boolean("enabled") if fields.has("enabled") else None,
    )
    fields.done()
    await service.change(call.session, call.services.keyset, found, changes)
    return _shape(call, found)


async def delete_webhook(call: Call) -> Done:
    """Remove a webhook, with its deliveries."""
    await service.remove(call.session, await _found(call))
    return Done()


async def list_deliveries(call: Call) -> DeliveryPage:
    """The messages sent to a webhook, newest first, with their results."""
    webhook = await _found(call)
    query = Fields(call.query(), ("cursor", "pageSize"))
    page = pagination.page_request(query)
    query.done()
    found, total = await service.deliveries(call.session, webhook, page.after, page.size + 1)
    info = pagination.info([(each.created_at, each.id) for each in found], page, total)
    return DeliveryPage(info, [_delivery(each) for each in found[: page.size]])


async def resend_delivery(call: Call) -> DeliveryShape:
    """Send a message again with the same id, whatever its status."""
    webhook = await service.find(call.session, call.actor, call.ids["webhookId"])
    return _delivery(await service.resend(call.session, webhook, call.ids["id"]))


async def _found(call: Call) -> WebhookEndpoint:
    return await service.find(call.session, call.actor, call.ids["id"])


def _url(fields: Fields, *, required: bool) -> str | None:
    url = fields.string("url", required=True, longest=MAX_URL_LENGTH) if required or fields.has("url") else None
    if url:
        try:
            parse_url(url)
        except PydanticCustomError as refused:
            reason = (refused.context or {}).get("reason")
            fields.fault("url", *(("custom",) if reason else ("url",)), **({"reason": reason} if reason else {}))
    return url


def _events(fields: Fields) -> list[str] | None:
    if not fields.has("events"):
        return None
    found: list[Any] = fields.array("events") or []
    for place, each in enumerate(found):
        if each not in EVENTS:
            fields.fault(f"events.{place}", "custom", reason=f"Must be one of {', '.join(EVENTS)}")
    return list(dict.fromkeys(found)) if all(isinstance(each, str) for each in found) else []


def _secret(fields: Fields) -> str | None:
    secret = fields.string("secret") if fields.has("secret") else None
    if secret and not _is_secret(secret):
        fields.fault("secret", "custom", reason=MALFORMED)
    return secret or None


def _is_secret(text: str) -> bool:
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.startswith(PREFIX) and 24 <= len(key) <= 64


def _shape(call: Call, webhook: WebhookEndpoint) -> WebhookShape:
    return WebhookShape(*_facts(call, webhook))


def _facts(call: Call, webhook: WebhookEndpoint) -> tuple[Any, ...]:
    url, _ = service.opened(call.services.keyset, webhook)
    previous = webhook.previous_secret_until
    return (
        webhook.id,
        url,
        list(webhook.events),
        bool(webhook.enabled),
        GONE if webhook.gone_at is not None else None,
        instant(previous) if previous is not None and previous > clock.now() else None,
        instant(webhook.created_at),
        instant(webhook.updated_at),
    )


def _delivery(message: WebhookMessage) -> DeliveryShape:
    return DeliveryShape(
        id=message.id,
        event=message.event,
        status=message.status,
        attempts=message.attempts,
        answer=message.answer,
        created_at=instant(message.created_at),
        attempted_at=instant(message.attempted_at) if message.attempted_at else None,
        next_attempt_at=instant(message.next_at) if message.next_at else None,
        body=message.body,
    )


ROUTES = (
    Route(
        method="GET",
        path="/webhooks",
        scopes=(Scope.READ,),
        handler=list_webhooks,
        admin=True,
        summary="List webhooks",
        answer=WebhookPage,
        parameters=pagination.PARAMETERS,
    ),
    Route(
        method="POST",
        path="/webhooks",
        scopes=(Scope.MANAGE,),
        handler=create_webhook,
        admin=True,
        summary="Add a webhook",
        answer=NewWebhookShape,
        status=201,
        body=schemas.new_webhook,
    ),
    Route(
        method="GET",
        path="/webhooks/{id}",
        scopes=(Scope.READ,),
        handler=get_webhook,
        admin=True,
        summary="Get a webhook",
        answer=WebhookShape,
        errors=(WebhookNotFound,),
    ),
    Route(
        method="PATCH",
        path="/webhooks/{id}",
        scopes=(Scope.MANAGE,),
        handler=update_webhook,
        admin=True,
        summary="Update a webhook",
        answer=WebhookShape,
        body=schemas.webhook_changes,
        errors=(WebhookNotFound,),
    ),
    Route(
        method="DELETE",
        path="/webhooks/{id}",
        scopes=(Scope.MANAGE,),
        handler=delete_webhook,
        admin=True,
        summary="Remove a webhook",
        answer=Done,
        errors=(WebhookNotFound,),
    ),
    Route(
        method="GET",
        path="/webhooks/{id}/deliveries",
        scopes=(Scope.READ,),
        handler=list_deliveries,
        admin=True,
        summary="List the messages of a webhook",
        answer=DeliveryPage,
        parameters=pagination.PARAMETERS,
        errors=(WebhookNotFound,),
    ),
    Route(
        method="POST",
        path="/webhooks/{webhookId}/deliveries/{id}/resend",
        scopes=(Scope.MANAGE,),
        handler=resend_delivery,
        admin=True,
        summary="Send a message to a webhook again",
        answer=DeliveryShape,
        errors=(WebhookNotFound, DeliveryNotFound),
    ),
)
