"""Webhooks: added, told of what they asked for, signed, tried again, looked at and sent again."""

from __future__ import annotations

import base64
import hmac
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import update

from moorings import clock
from moorings.access import service as access
from moorings.engine import egress
from moorings.engine.service import Engine
from moorings.jobs import leases, refresh
from moorings.jobs.models import Job
from moorings.jobs.refresh import RetryPolicy
from moorings.secrets import Keyset
from moorings.webhooks import service as webhooks
from moorings.webhooks.delivery import Deliverer
from moorings.webhooks.models import WebhookEndpoint, WebhookMessage
from tests.http.test_health import Receiver, make_due, probe, well


@pytest.fixture(scope="module")
def service(serve: Callable[..., Any], storage: Callable[[], dict[str, Any]]) -> Any:
    """A service without a worker: what is due happens when a test says so."""
    return serve(**storage(), worker=False, health_probe_seconds=300)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def add(service: Any, url: str, **body: Any) -> dict[str, Any]:
    answer = service.request("POST", "/webhooks", json={"url": url, **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


def deliver(service: Any) -> None:
    keyset = Keyset.read(service.settings.keyset_path)
    service.run(Deliverer(service.database, keyset, egress.for_callers(service.settings)).deliver_due())


def execute(service: Any, statement: Any) -> None:
    async def executing(session: Any) -> None:
        await session.execute(statement)

    service.change(executing)


def announce(service: Any) -> None:
    async def announcing(session: Any) -> None:
        organization = await access.the_organization(session)
        await webhooks.announce(session, organization, "job.failed", '{"type":"job.failed"}', clock.now())

    service.change(announcing)


def due(service: Any) -> None:
    pending = update(WebhookMessage).where(WebhookMessage.status == "pending").values(next_at=0)
    execute(service, pending)


def deliveries(service: Any, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    return service.request("GET", f"/webhooks/{webhook['id']}/deliveries").json()["records"]


def messages(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in receiver.received]


class TestIncidents:
    def test_a_change_that_repairs_the_connection_is_told(self, service: Any, receiver: Receiver) -> None:
        webhook = add(service, receiver.url, events=["connection.health"])
        made = well(service, "mended.duckdb")
        well(service, "other.duckdb")
        probe(service)
        (service.settings.duckdb_directory / "mended.duckdb").write_bytes(b"no database")
        make_due(service)
        probe(service)
        # An edit that is still wrong says nothing new; the one that repairs it does.
        for body in ({"queryTimeoutSeconds": 9}, {"database": "other.duckdb"}):
            assert service.request("PATCH", f"/connections/{made}", json=body).status_code == 200
            make_due(service)
            probe(service)
        deliver(service)
        told = [each["data"]["status"] for each in messages(receiver) if each["data"]["connectionId"] == made]
        assert sorted(told) == ["failing", "healthy"]
        service.request("DELETE", f"/webhooks/{webhook['id']}")


class TestFailedJobs:
    @pytest.mark.parametrize(("scheduled", "event"), [(False, "job.failed"), (True, "schedule.failed")])
    def test_each_webhook_gets_what_it_asked_for(
        self, service: Any, receiver: Receiver, scheduled: bool, event: str
    ) -> None:
        mine = add(service, receiver.url, events=[event])
        other = add(service, receiver.url, events=["connection.health"])
        made = service.create(dialect="duckdb", database="absent/none.duckdb", readOnly=True)
        schedule = {"schedule": "0 9 * * ? *", "timezone": "UTC"}
        service.request("POST", f"/connections/{made}/schedules", json=schedule)
        job = service.request("POST", f"/connections/{made}/refresh", json={}).json()["jobId"]
        if scheduled:
            (listed,) = service.request("GET", f"/connections/{made}/schedules").json()["schedules"]
            of_schedule = update(Job).where(Job.id == job).values(schedule_id=listed["scheduleId"])
            execute(service, of_schedule)
        service.run(_attempt(service))
        deliver(service)
        (message,) = messages(receiver)
        assert (message["type"], message["data"]["jobId"], message["data"]["connectionId"]) == (event, job, made)
        assert message["data"]["error"]["code"]
        assert [each["event"] for each in deliveries(service, mine)] == [event]
        assert deliveries(service, other) == []
        for webhook in (mine, other):
            service.request("DELETE", f"/webhooks/{webhook['id']}")


async def _attempt(service: Any) -> None:
    engine, keyset = Engine(service.settings), Keyset.read(service.settings.keyset_path)
    leased = await leases.take(service.database, "tests", 60, 1, webhook=False)
    assert leased is not None
    assert await refresh.attempt(service.database, engine, keyset, leased, RetryPolicy(1, 1), webhook=False) == "failed"
    await engine.close()


class TestDeliveries:
    @pytest.fixture(autouse=True)
    def known(self, service: Any) -> None:
        """Whatever other tests left is announced before."""
        probe(service)

    def announced(self, service: Any) -> None:
        name = f"{uuid.uuid4()}.duckdb"
        made = well(service, name)
        probe(service)
        (service.settings.duckdb_directory / name).write_bytes(b"no database")
        make_due(service)
        probe(service)
        service.request("DELETE", f"/connections/{made}")

    def test_is_signed_tried_again_and_sent_again_under_one_id(self, service: Any, receiver: Receiver) -> None:
        webhook = add(service, receiver.url)
        self.announced(service)
        receiver.statuses = [500]
        deliver(service)
        deliver(service)
        (pending,) = deliveries(service, webhook)
        assert (pending["status"], pending["attempts"], pending["answer"]) == ("pending", 1, "status 500")
        assert pending["nextAttemptAt"]
        due(service)
        deliver(service)
        (delivered,) = deliveries(service, webhook)
        assert (delivered["status"], delivered["answer"]) == ("delivered", "status 204")
        assert delivered["nextAttemptAt"] is None
        path = f"/webhooks/{webhook['id']}/deliveries/{delivered['id']}/resend"
        assert service.request("POST", path).json()["status"] == "pending"
        deliver(service)
        assert len(receiver.received) == 3
        for headers, body in receiver.received:
            assert headers["webhook-id"] == delivered["id"]
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            key = base64.b64decode(webhook["secret"].removeprefix("whsec_"))
            expected = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
            assert headers["webhook-signature"] == f"v1,{expected}"
            assert body.decode() == delivered["body"]
        service.request("DELETE", f"/webhooks/{webhook['id']}")

    def test_one_that_does_not_answer_holds_up_no_other(self, service: Any, receiver: Receiver) -> None:
        dead = add(service, "http://127.0.0.1:9/")
        live = add(service, receiver.url)
        self.announced(service)
        deliver(service)
        assert [each["status"] for each in deliveries(service, dead)] == ["pending"]
        assert [each["status"] for each in deliveries(service, live)] == ["delivered"]
        for webhook in (dead, live):
            service.request("DELETE", f"/webhooks/{webhook['id']}")

    def test_a_disabled_one_is_told_nothing(self, service: Any, receiver: Receiver) -> None:
        webhook = add(service, receiver.url)
        changed = service.request("PATCH", f"/webhooks/{webhook['id']}", json={"enabled": False})
        assert changed.json()["enabled"] is False
        self.announced(service)
        assert deliveries(service, webhook) == []
        service.request("DELETE", f"/webhooks/{webhook['id']}")


class TestManagement:
    def test_the_secret_is_shown_once_and_stored_sealed(self, service: Any) -> None:
        webhook = add(service, "https://hooks.example.com/services/T0/token")
        assert webhook["events"] == ["connection.health", "job.failed", "schedule.failed", "key.expiring"]
        shown = service.request("GET", f"/webhooks/{webhook['id']}").json()
        assert "secret" not in shown
        assert shown["url"] == webhook["url"]
        assert service.request("GET", "/webhooks").json()["records"][-1] == shown

        async def stored(session: Any) -> Any:
            return await session.get_one(WebhookEndpoint, webhook["id"])

        row = service.change(stored)
        assert "token" not in repr((row.url, row.secret))
        assert service.request("DELETE", f"/webhooks/{webhook['id']}").json() == {"success": True}
        assert service.request("GET", f"/webhooks/{webhook['id']}").status_code == 404

    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            ({}, "url: Required"),
            ({"url": "ftp://x/y"}, "url: Invalid url"),
            ({"url": "https://u:p@x/y"}, "url: Remove the user name and password"),
            ({"url": "https://x/", "events": ["nonsense"]}, "events.0: Must be one of"),
            ({"url": "https://x/", "events": [1]}, "events.0: Must be one of"),
            ({"url": "https://x/", "secret": "short"}, "secret: Must be whsec_"),
            ({"url": "https://x/", "evnets": []}, "Unrecognized key(s)"),
        ],
    )
    def test_faults(self, service: Any, body: dict[str, Any], detail: str) -> None:
        answer = service.request("POST", "/webhooks", json=body)
        assert (answer.status_code, detail in answer.json()["detail"]) == (400, True), answer.text

    def test_only_organization_admins(self, service: Any) -> None:
        key = service.member()
        assert service.request("GET", "/webhooks", key=key).status_code == 403
        assert service.request("POST", "/webhooks", json={"url": "https://x/"}, key=key).status_code == 403

    def test_a_delivery_of_another_webhook_is_not_found(self, service: Any) -> None:
        webhook = add(service, "https://hooks.example.com/")
        path = f"/webhooks/{webhook['id']}/deliveries/{webhook['id']}/resend"
        answer = service.request("POST", path)
        assert (answer.status_code, answer.json()["detail"]) == (404, "Delivery not found")


class TestRotation:
    NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()

    def signatures(self, receiver: Receiver, secret: str) -> tuple[str, list[str]]:
        """What the secret makes of the last message, and the signatures that came with it."""
        headers, body = receiver.received[-1]
        text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        digest = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), text, "sha256")
        return "v1," + base64.b64encode(digest).decode(), headers["webhook-signature"].split(" ")

    def resent(self, service: Any, webhook: dict[str, Any]) -> None:
        (delivery,) = deliveries(service, webhook)
        service.request("POST", f"/webhooks/{webhook['id']}/deliveries/{delivery['id']}/resend")
        deliver(service)

    def test_both_secrets_sign_for_a_while(self, service: Any, receiver: Receiver) -> None:
        webhook = add(service, receiver.url)
        announce(service)
        changed = service.request("PATCH", f"/webhooks/{webhook['id']}", json={"secret": self.NEW}).json()
        assert changed["previousSecretExpiresAt"] > changed["updatedAt"]
        deliver(service)
        new, sent = self.signatures(receiver, self.NEW)
        assert sent == [new, self.signatures(receiver, webhook["secret"])[0]]
        execute(service, update(WebhookEndpoint).values(previous_secret_until=1))
        self.resent(service, webhook)
        new, sent = self.signatures(receiver, self.NEW)
        assert sent == [new]
        assert service.request("GET", f"/webhooks/{webhook['id']}").json()["previousSecretExpiresAt"] is None
        service.request("DELETE", f"/webhooks/{webhook['id']}")

    def test_without_an_overlap_the_previous_secret_ends_at_once(self, service: Any, receiver: Receiver) -> None:
        webhook = add(service, receiver.url)
        announce(service)
        body = {"secret": self.NEW, "secretOverlapSeconds": 0}
        assert service.request("PATCH", f"/webhooks/{webhook['id']}", json=body).status_code == 200
        deliver(service)
        new, sent = self.signatures(receiver, self.NEW)
        assert sent == [new]
        service.request("DELETE", f"/webhooks/{webhook['id']}")


def test_a_url_that_is_gone_disables_its_webhook(service: Any, receiver: Receiver) -> None:
    webhook = add(service, receiver.url)
    for _ in range(2):
        announce(service)
    receiver.statuses = [410, 410]
    deliver(service)
    assert {(each["status"], each["answer"]) for each in deliveries(service, webhook)} == {("failed", "status 410")}
    shown = service.request("GET", f"/webhooks/{webhook['id']}").json()
    assert (shown["enabled"], shown["disabledReason"]) == (False, "The URL answered 410")
    announce(service)
    assert len(deliveries(service, webhook)) == 2
    enabled = service.request("PATCH", f"/webhooks/{webhook['id']}", json={"enabled": True}).json()
    assert (enabled["enabled"], enabled["disabledReason"]) == (True, None)
    announce(service)
    deliver(service)
    assert deliveries(service, webhook)[0]["status"] == "delivered"
    service.request("DELETE", f"/webhooks/{webhook['id']}")
