"""The difference between what files want and what a service has, as a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from moorings.client.ascode.current import Current, read
from moorings.client.ascode.faults import FileFault
from moorings.client.ascode.items import KINDS, Item, Items, Secret
from moorings.client.ascode.plans import Action, Change, Plan
from moorings.client.ascode.references import Missing, resolved
from moorings.client.errors import ApiError

if TYPE_CHECKING:
    from moorings.client import Client

DESTINATIONS = frozenset(
    {
        *("host", "port", "hostOverride", "region", "database", "sslRootCert", "trustServerCertificate", "sslMode"),
        *("externalOauthAuthorizationUrl", "externalOauthTokenUrl"),
    }
)
"""A secret does not follow a new destination: a change of one of these sends the secrets along."""
PRUNED = {
    "connection": "archive",
    "environment": "delete",
    "schedule": "delete",
    "dbt environment": "delete",
    "webhook": "delete",
}
"""What `--prune` does with what no file has. Attributes and roles stay: people depend on them."""


ROUTES = ("routing", "environment")
"""The kinds that attribute values belong to."""


def plan(client: Client, wanted: Items, *, prune: bool = False) -> Plan:
    """The actions that make the service as the files want it."""
    current = read(client, wanted)
    actions = list(_changes(client, wanted, current))
    if prune:
        actions += _pruned(client, wanted, current)
    return Plan(client.url, prune, wanted, _ordered(actions, current.items))


def _changes(client: Client, wanted: Items, current: Current) -> Iterator[Action]:
    taken: set[str] = set()
    for item in wanted.values():
        found = current.items.get(item.address)
        if found is not None:
            taken.add(found.address)
    for item in wanted.values():
        found = current.items.get(item.address)
        if item.kind == "schedule" and found is None:
            found = _other_schedule(item, current.items, taken)
        if found is None:
            if item.id is not None:
                raise FileFault(f'connections."{item.name}".id: there is no connection {item.id}')
            yield _created(item, current)
        elif changes := list(_differences(client, item, found)):
            yield _updated(client, item, found, changes)


def _other_schedule(item: Item, items: Items, taken: set[str]) -> Item | None:
    """A schedule of the same connection that no file has: it becomes the wanted one."""
    for found in items.values():
        if found.kind == "schedule" and found.owner == item.owner and found.address not in taken:
            taken.add(found.address)
            return found
    return None


def _created(item: Item, current: Current) -> Action:
    changes = [Change(name, None, value) for name, value in item.fields.items()]
    facts = item.facts
    if item.kind == "connection":
        facts = facts | {"earlier": sorted(current.archived.get(item.name, []))}
    made = Item(item.kind, item.name, item.fields, None, None, item.owner, facts)
    return Action("create", made, changes, _concerns(made, current.items))


def _differences(client: Client, item: Item, found: Item) -> Iterator[Change]:
    secrets = {name: value for name, value in item.fields.items() if isinstance(value, Secret)}
    for name, value in item.fields.items():
        before = found.fields.get(name)
        if name not in secrets and not _equal(before, value):
            yield Change(name, before, value)
    if item.kind == "connection":
        yield from _changed_secrets(client, found, secrets)


def _equal(before: Any, after: Any) -> bool:
    """Whether two values are the same to the API: lists may be comma-separated, nothing may be empty."""
    if isinstance(before, list) or isinstance(after, list):
        return _listed(before) == _listed(after)
    if isinstance(before, dict) and isinstance(after, dict):  # variables of dbt; a secret one cannot be compared
        left, right = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
        hidden = {name for name in left if isinstance(left[name], Secret) and isinstance(right.get(name), Secret)}
        return {n: v for n, v in left.items() if n not in hidden} == {n: v for n, v in right.items() if n not in hidden}
    return before == after or (before in (None, "") and after in (None, ""))


def _listed(value: Any) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [str(each) for each in cast("list[Any]", value or [])]


def _changed_secrets(client: Client, found: Item, secrets: dict[str, Secret]) -> Iterator[Change]:
    """The secrets whose fingerprints differ from the stored ones. One that cannot be read here is not compared."""
    values: dict[str, str] = {}
    for name, secret in secrets.items():
        try:
            values[name] = resolved(secret.reference)
        except Missing:
            if name not in found.fields:
                yield Change(name, None, secret)
    prints = client.connections.fingerprints(found.id or "", values) if values else {}
    for name in values:
        stored = found.fields.get(name)
        if not isinstance(stored, Secret) or stored.reference != prints[name]:
            yield Change(name, stored, secrets[name])


def _updated(client: Client, item: Item, found: Item, changes: list[Change]) -> Action:
    changed = {change.field: change.after for change in changes}
    if "dialect" in changed:
        raise FileFault(
            f'connections."{item.name}".dialect: a connection keeps its dialect. Archive it, and make another'
        )
    fields = item.fields if item.kind != "connection" else changed | _followers(item, found, changed)
    updated = Item(item.kind, item.name, fields, found.id, found.etag, item.owner, found.facts | item.facts)
    if item.kind in ("attribute", "dbt"):
        updated.fields = found.fields | item.fields
    notes = _moves(item, found)
    if item.kind == "connection" and DESTINATIONS & set(changed):
        notes += _dependents(client, found)
    return Action("update", updated, changes, notes)


def _followers(item: Item, found: Item, changed: dict[str, Any]) -> dict[str, Any]:
    """The secrets that a change of the destination needs again."""
    if not DESTINATIONS & set(changed):
        return {}
    return {name: value for name, value in item.fields.items() if isinstance(value, Secret) and name in found.fields}


def _concerns(item: Item, items: Items) -> list[str]:
    if item.kind != "environment":
        return []
    return _moved(item, item.fields["userAttributeValues"], items, f"to {item.facts['connection']}")


def _moved(item: Item, values: list[str], items: Items, where: str) -> list[str]:
    routing = items.get(f"routing {item.owner}")
    attribute = routing.fields["attribute"] if routing else "the attribute"
    return [f"users with {attribute} = {value} move {where}" for value in values]


def _moves(item: Item, found: Item) -> list[str]:
    """The users that a change of an environment's values, or of the attribute, moves."""
    if item.kind == "routing" and item.fields["attribute"] != found.fields["attribute"]:
        return [f"all users of {item.name} are routed by {item.fields['attribute']} from now on"]
    field = {"environment": "userAttributeValues", "routing": "default"}.get(item.kind)
    if field is None:
        return []
    before, after = set(found.fields[field]), set(item.fields[field])
    where = item.facts.get("connection", item.name)
    gained = [f"users with the value {value} move to {where}" for value in sorted(after - before)]
    return gained + [f"users with the value {value} leave {where}" for value in sorted(before - after)]


def _dependents(client: Client, found: Item) -> list[str]:
    """What depends on a connection that goes elsewhere, or away."""
    try:
        depends = client.connections.dependents(found.id or "")
    except ApiError:
        return []
    counts = {
        "environment": len(depends["environments"]),
        "base connection": len(depends["environmentOf"]),
        "schedule": len(depends["schedules"]),
        "role of users": depends["userRoles"],
        "role of groups": depends["groupRoles"],
        "running query": depends["runningQueries"],
    }
    return [f"concerns {_count(number, what)}" for what, number in counts.items() if number]


def _count(number: int, what: str) -> str:
    words: Callable[[str], str] = lambda text: {  # noqa: E731
        "running query": "running queries",
        "role of users": "roles of users",
        "role of groups": "roles of groups",
    }.get(text, f"{text}s")
    return f"{number} {what if number == 1 else words(what)}"


def _pruned(client: Client, wanted: Items, current: Current) -> Iterator[Action]:
    """What no file has: connections, and what belongs to those that files have. Webhooks if the files have any."""
    has_webhooks = any(item.kind == "webhook" for item in wanted.values())
    kept = {item.id for item in wanted.values() if item.kind == "connection" and item.id}
    for found in current.items.values():
        verb = PRUNED.get(found.kind)
        if verb is None or found.address in wanted or found.id in kept:
            continue
        if found.kind == "webhook" and not has_webhooks:
            continue
        if found.kind not in ("connection", "webhook") and f"connection {found.owner}" not in wanted:
            continue
        notes = _dependents(client, found) if found.kind == "connection" else []
        yield Action(verb, found, [], notes)


def _values(item: Item) -> list[str]:
    """The attribute values that mean an item."""
    return item.fields.get("userAttributeValues") or item.fields.get("default") or []


def _ordered(actions: list[Action], items: Items) -> list[Action]:
    """Creations and changes by what they depend on, then deletions the other way round.

    A value of an attribute means one connection: what gives a value away comes before what takes it.
    """
    updated = {action.address for action in actions if action.verb == "update"}
    held = {value: item.address for item in items.values() if item.kind in ROUTES for value in _values(item)}

    def takes(action: Action) -> bool:
        others = {held.get(value) for value in _values(action.item)} - {action.address, None}
        return bool(others & updated)

    def place(action: Action) -> tuple[int, int, bool, int]:
        order = action.item.order
        if action.verb in ("archive", "delete"):
            return (1 if action.item.kind != "environment" else -1, -order, False, 0)
        if action.item.kind in ROUTES:
            return (0, min(KINDS.index(kind) for kind in ROUTES), takes(action), order)
        return (0, order, False, 0)

    return sorted(actions, key=place)
