"""A plan, done: action after action, and no further than the first that fails."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from moorings.client.ascode import planning
from moorings.client.ascode.faults import ApplyFailed, StalePlan
from moorings.client.ascode.items import Item, Secret
from moorings.client.ascode.plans import Action, Plan, same
from moorings.client.ascode.references import mapped, resolved
from moorings.client.errors import ChangedMeanwhile, ClientError
from moorings.client.steps import at

if TYPE_CHECKING:
    from moorings.client import Client


def checked(client: Client, plan: Plan) -> Plan:
    """The saved plan as it is now. Raises StalePlan unless it still does exactly what was reviewed."""
    if plan.url != client.url:
        raise StalePlan(f"The plan is for {plan.url}, and this is {client.url}", "Use the profile of that service.")
    again = planning.plan(client, plan.wanted, prune=plan.prune)
    if not same(plan, again):
        raise StalePlan("The service, or a secret, is not as it was when the plan was made")
    again.id = plan.id
    return again


def apply(client: Client, plan: Plan) -> Iterator[tuple[Action, list[str]]]:
    """Do the actions of a plan; yields each that is done, with the service's warnings. Raises ApplyFailed."""
    ids = {item["name"]: item["id"] for item in client.connections.list()}
    ids |= {action.item.name: action.item.id for action in plan.actions if action.item.kind == "connection"}
    doing = _Doing(client, plan.id, {name: id_ for name, id_ in ids.items() if id_})
    for number, action in enumerate(plan.actions, 1):
        try:
            answer = doing.act(action)
        except ClientError as failed:
            left = len(plan.actions) - number
            step = (
                "Somebody else changed it. Run `moorings plan` again." if isinstance(failed, ChangedMeanwhile) else None
            )
            raise ApplyFailed(
                f"{action.verb} {action.address}: {failed.message}. {number - 1} done, {left} not begun",
                step or failed.next_step,
            ) from failed
        yield action, _warnings(answer)


def _warnings(answer: Any) -> list[str]:
    return cast("dict[str, list[str]]", answer).get("warnings", []) if isinstance(answer, dict) else []


def _opened(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields with their secrets: this is what goes to the service."""
    return {name: resolved(value.reference) if isinstance(value, Secret) else value for name, value in fields.items()}


class _Doing:
    def __init__(self, client: Client, plan_id: str, ids: dict[str, str]) -> None:
        self._client = client
        self._plan_id = plan_id
        self._ids = ids
        self._acts: dict[str, Callable[[str, Item], Any]] = {
            "attribute": self._attribute,
            "connection": self._connection,
            "routing": self._routing,
            "environment": self._environment,
            "schedule": self._schedule,
            "dbt": self._dbt,
            "dbt environment": self._dbt_environment,
            "role": self._role,
            "webhook": self._webhook,
        }

    def act(self, action: Action) -> Any:
        """Do one action; returns the service's answer."""
        return self._acts[action.item.kind](action.verb, action.item)

    def _send(self, method: str, path: str, body: Any = None, *, etag: str | None = None, seed: Any = None) -> Any:
        """A request. Two applies of the same plan at once send the same Idempotency-Key, so one of them creates."""
        headers = {"If-Match": etag} if etag else {}
        if method == "POST":
            digest = hashlib.sha256(json.dumps([path, body, seed], sort_keys=True).encode()).hexdigest()
            headers["Idempotency-Key"] = f"apply-{digest}"
        return self._client.request(method, path, json=body, headers=headers)

    def _id(self, name: str | None) -> str:
        """The id of a connection, which may be new."""
        known = self._ids.get(name or "")
        return known or self._client.connections[name or ""].id()

    def _attribute(self, verb: str, item: Item) -> Any:
        body = item.fields | {"name": item.name}
        if verb == "create":
            return self._send("POST", "/user-attributes", body, seed=self._plan_id)
        return self._send("PUT", at("user-attributes", item.id or ""), body)

    def _connection(self, verb: str, item: Item) -> Any:
        path = at("connections", item.id or "")
        if verb == "create":
            answer = self._send("POST", "/connections", _opened(item.fields), seed=item.facts["earlier"])
            self._ids[item.name] = answer["data"]
            return answer
        if verb == "archive":
            return self._send("DELETE", path, etag=item.etag)
        return self._send("PATCH", path, _opened(item.fields), etag=item.etag)

    def _routing(self, verb: str, item: Item) -> Any:
        setting = {"attributeName": item.fields["attribute"], "defaultValues": item.fields["default"] or None}
        return self._send("PATCH", at("connections", self._id(item.name)), {"environmentUserAttribute": setting})

    def _environment(self, verb: str, item: Item) -> Any:
        if verb == "delete":
            return self._send("DELETE", at("connection-environments", item.id or ""))
        found = item.id
        if found is None:
            base, connection = self._id(item.facts["base"]), self._id(item.facts["connection"])
            body = {"baseConnectionId": base, "environmentConnectionIds": [connection]}
            made = self._send("POST", "/connection-environments", body, seed=self._plan_id)
            found = made["connectionEnvironments"][0]["id"]
        values = {"userAttributeValues": item.fields["userAttributeValues"]}
        return self._send("PUT", at("connection-environments", found), values)

    def _schedule(self, verb: str, item: Item) -> Any:
        path = at("connections", self._id(item.owner), "schedules")
        if verb == "create":
            return self._send("POST", path, item.fields, seed=self._plan_id)
        return self._send("DELETE" if verb == "delete" else "PUT", path + at(item.id or ""), _body(verb, item.fields))

    def _dbt(self, verb: str, item: Item) -> Any:
        return self._send("PUT", at("connections", self._id(item.name), "dbt"), item.fields)

    def _dbt_environment(self, verb: str, item: Item) -> Any:
        path = at("connections", self._id(item.owner), "dbt", "environments")
        ids = item.facts.get("variables", {})
        variables = [_variable(name, value, ids.get(name)) for name, value in item.fields.get("variables", {}).items()]
        body = item.fields | {"variables": variables}
        if verb == "create":
            return self._send("POST", path, body, seed=self._plan_id)
        return self._send("DELETE" if verb == "delete" else "PUT", path + at(item.id or ""), _body(verb, body))

    def _role(self, verb: str, item: Item) -> Any:
        connection, name = self._id(item.owner), item.facts["name"]
        resource = self._client.groups if item.facts["kind"] == "groups" else self._client.users
        return resource.assign_role(name, connection, item.fields["roleName"])

    def _webhook(self, verb: str, item: Item) -> Any:
        if verb == "create":
            secret = item.facts.get("secret")
            body = {"url": item.name} | {name: value for name, value in item.fields.items() if name != "enabled"}
            made = self._client.request(
                "POST", "/webhooks", json=body | ({"secret": resolved(secret)} if secret else {})
            )
            if item.fields.get("enabled", True):
                return made
            return self._send("PATCH", at("webhooks", made["id"]), {"enabled": False})
        path = at("webhooks", item.id or "")
        return self._send("DELETE" if verb == "delete" else "PATCH", path, _body(verb, item.fields))


def _body(verb: str, fields: dict[str, Any]) -> dict[str, Any] | None:
    return None if verb == "delete" else fields


def _variable(name: str, value: Any, known: str | None) -> dict[str, Any]:
    """A variable of dbt, as the API takes it."""
    secret = isinstance(value, Secret)
    shown = resolved(value.reference) if isinstance(value, Secret) else mapped(value, resolved)
    return {"name": name, "value": shown if shown is None else str(shown), "isSecret": secret} | (
        {"id": known} if known else {}
    )
