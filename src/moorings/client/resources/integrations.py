"""Webhooks and dbt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moorings.client.names import connection_id, webhook_id
from moorings.client.resources.base import Awaits, Waits
from moorings.client.shapes import Changed, Dbt, DbtEnvironment, DbtMissing, Delivery, Done, NewWebhook, Webhook
from moorings.client.steps import Pages, Request, Steps, at, given, listing, method, pages


class WebhookMethods:
    """What both clients can do with webhooks. A method takes an id or an address."""

    @listing
    def list(self) -> Steps[Pages[Webhook]]:
        """All webhooks, oldest first."""
        yield from ()
        return pages("/webhooks")

    @method
    def get(self, webhook: str) -> Steps[Webhook]:
        """One webhook, without its secret."""
        return (yield Request("GET", at("webhooks", (yield from webhook_id(webhook)))))

    @method
    def create(self, url: str, *, events: Sequence[str] | None = None, secret: str | None = None) -> Steps[NewWebhook]:
        """Add a webhook, for all events or those named. The answer has its secret, this once."""
        body = given(url=url, events=None if events is None else [*events], secret=secret)
        return (yield Request("POST", "/webhooks", json=body))

    @method
    def update(self, webhook: str, fields: Mapping[str, Any]) -> Steps[Webhook]:
        """Change url, events, secret or enabled."""
        return (yield Request("PATCH", at("webhooks", (yield from webhook_id(webhook))), json=dict(fields)))

    @method
    def delete(self, webhook: str) -> Steps[Done]:
        """Delete a webhook."""
        return (yield Request("DELETE", at("webhooks", (yield from webhook_id(webhook)))))

    @listing
    def deliveries(self, webhook: str) -> Steps[Pages[Delivery]]:
        """The messages of a webhook, newest first."""
        return pages(at("webhooks", (yield from webhook_id(webhook)), "deliveries"))

    @method
    def resend(self, webhook: str, delivery_id: str) -> Steps[Delivery]:
        """Send a message again."""
        path = at("webhooks", (yield from webhook_id(webhook)), "deliveries", delivery_id, "resend")
        return (yield Request("POST", path))


class DbtMethods:
    """What both clients can do with the dbt project of a connection."""

    @method
    def get(self, connection: str) -> Steps[Dbt | DbtMissing]:
        """The dbt repository of a connection, or that it has none."""
        return (yield Request("GET", at("connections", (yield from connection_id(connection)), "dbt")))

    @method
    def update(self, connection: str, fields: Mapping[str, Any]) -> Steps[Changed]:
        """Link a dbt repository, or change what is set of it."""
        path = at("connections", (yield from connection_id(connection)), "dbt")
        return (yield Request("PUT", path, json=dict(fields)))

    @method
    def delete(self, connection: str) -> Steps[Changed]:
        """Unlink the dbt repository."""
        return (yield Request("DELETE", at("connections", (yield from connection_id(connection)), "dbt")))

    @listing
    def environments(self, connection: str) -> Steps[Pages[DbtEnvironment]]:
        """The dbt environments of a connection."""
        return pages(at("connections", (yield from connection_id(connection)), "dbt", "environments"))

    @method
    def create_environment(self, connection: str, fields: Mapping[str, Any]) -> Steps[DbtEnvironment]:
        """Add a dbt environment; name and targetSchema are required."""
        path = at("connections", (yield from connection_id(connection)), "dbt", "environments")
        return (yield Request("POST", path, json=dict(fields)))

    @method
    def update_environment(
        self, connection: str, environment_id: str, fields: Mapping[str, Any]
    ) -> Steps[DbtEnvironment]:
        """Replace a dbt environment. A secret variable that is sent without a value keeps its value."""
        path = at("connections", (yield from connection_id(connection)), "dbt", "environments", environment_id)
        return (yield Request("PUT", path, json=dict(fields)))

    @method
    def delete_environment(self, connection: str, environment_id: str) -> Steps[Changed]:
        """Delete a dbt environment."""
        path = at("connections", (yield from connection_id(connection)), "dbt", "environments", environment_id)
        return (yield Request("DELETE", path))


class Webhooks(WebhookMethods, Waits):
    """Webhooks, of `Client`."""


class AsyncWebhooks(WebhookMethods, Awaits):
    """Webhooks, of `AsyncClient`."""


class DbtProjects(DbtMethods, Waits):
    """dbt projects, of `Client`."""


class AsyncDbtProjects(DbtMethods, Awaits):
    """dbt projects, of `AsyncClient`."""
