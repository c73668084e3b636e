"""A client that declares what should be, as Terraform does: create, read, plan, change in place, read, destroy.

`Resource` is such a client's model of one connection: it knows what was declared and what it last read, plans the
difference, and must never find one that nobody made.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.test_create import ACCOUNT, VALID

SECRETS = {"passwordUnencrypted", "privateKey", "oauthClientSecretUnencrypted"}
ELSEWHERE = {
    "host": "elsewhere",
    "database": "another",
    "region": "eu-west-1",
    "warehouse": "other",
    "defaultSchema": "s",
    "port": 7777,
}
FURTHER: dict[str, Any] = {
    "includeSchemas": "sales,stage_*",
    "offloadedSchemas": ["raw", "old"],
    "queryTimeoutSeconds": 60,
    "systemTimezone": "Europe/Berlin",
    "baseRole": "QUERIER",
    "unmatched": "deny",
    "probeHealth": False,
}


class Resource:
    def __init__(self, service: Any, dialect: str, declared: dict[str, Any]) -> None:
        self._service = service
        self.declared = {"dialect": dialect} | declared
        answer = service.request("POST", "/connections", json=self.declared)
        assert answer.status_code == 201, answer.text
        self.id = answer.json()["data"]
        self._known: dict[str, str] = {}
        self.read()

    def read(self) -> dict[str, Any]:
        answer = self._service.request("GET", f"/connections/{self.id}")
        assert answer.status_code == 200, answer.text
        self.state = answer.json()["connection"]
        return self.state

    def plan(self) -> dict[str, Any]:
        """What differs between what is declared and what is there; of secrets, only that one was changed elsewhere."""
        shown = self.state["settings"]
        differing = {key: value for key, value in self.declared.items() if key not in SECRETS and shown[key] != value}
        prints = {key: each["fingerprint"] for key, each in self.state["credentials"].items()}
        drifted = {key: self.declared[key] for key in self._known if prints.get(key) != self._known[key]}
        self._known = prints
        return differing | drifted

    def apply(self, **again: Any) -> str:
        """Send what differs, and `again`: secrets that have to be sent with a new destination."""
        sent = self.plan() | again
        answer = self._service.request(
            "PATCH", f"/connections/{self.id}", json=sent, headers={"if-match": self.state["etag"]}
        )
        assert answer.status_code == 200, answer.text
        self.read()
        return answer.json()["message"]

    def destroy(self) -> None:
        assert self._service.request("DELETE", f"/connections/{self.id}").status_code == 200
        assert self.read()["deletedAt"] is not None


@pytest.mark.parametrize("dialect", VALID)
class TestCycle:
    def test_without_drift(self, service: Any, dialect: str) -> None:
        resource = Resource(service, dialect, VALID[dialect] | FURTHER)
        assert resource.plan() == {}
        identity, created = resource.id, resource.state["createdAt"]
        moved = {key: value for key, value in ELSEWHERE.items() if key in VALID[dialect]} | {"port": 7777, "name": "m"}
        resource.declared |= moved
        assert resource.plan() == moved
        secrets = {key: value for key, value in VALID[dialect].items() if key in SECRETS}
        message = "Updated connection settings and credentials." if secrets else "Updated connection settings."
        assert resource.apply(**secrets) == message
        assert resource.plan() == {}
        assert (resource.id, resource.state["createdAt"]) == (identity, created)
        resource.destroy()

    def test_what_is_read_can_be_declared_and_changes_nothing(self, service: Any, dialect: str) -> None:
        resource = Resource(service, dialect, VALID[dialect])
        before = resource.read()
        answer = service.request("PATCH", f"/connections/{resource.id}", json=before["settings"])
        assert answer.json() == {"success": True, "message": "No updates were made to the connection."}
        assert resource.read() == before


@pytest.mark.parametrize("dialect", [dialect for dialect, body in VALID.items() if "passwordUnencrypted" in body])
class TestSecrets:
    def test_a_new_one_is_drift_and_the_declared_one_mends_it(self, service: Any, dialect: str) -> None:
        resource = Resource(service, dialect, VALID[dialect])
        assert resource.plan() == {}
        other = json.dumps(ACCOUNT | {"private_key_id": "3"}) if dialect == "bigquery" else "another"
        service.request("PATCH", f"/connections/{resource.id}", json={"passwordUnencrypted": other})
        resource.read()
        drift = resource.plan()
        assert drift == {"passwordUnencrypted": VALID[dialect]["passwordUnencrypted"]}
        answer = service.request("PATCH", f"/connections/{resource.id}", json=drift)
        assert answer.json()["message"] == "Updated connection credentials."


class TestWhatChangedBetweenPlanAndApply:
    def test_is_not_overwritten(self, service: Any) -> None:
        resource = Resource(service, "postgres", VALID["postgres"])
        service.request("PATCH", f"/connections/{resource.id}", json={"host": "by-hand", "passwordUnencrypted": "p"})
        body, headers = {"queryTimeoutSeconds": 7}, {"if-match": resource.state["etag"]}
        answer = service.request("PATCH", f"/connections/{resource.id}", json=body, headers=headers)
        assert answer.status_code == 412
        assert resource.read()["settings"]["host"] == "by-hand"
        assert resource.plan() == {"host": "h"}
