"""A plan: the actions that make a service as the files want it. It can be read, saved and loaded; it has no secrets."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from moorings.client.ascode.faults import FileFault
from moorings.client.ascode.items import Item, Items, Secret

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Change:
    """One field: what it is, and what it will be."""

    field: str
    before: Any
    after: Any


@dataclass(slots=True)
class Action:
    """One thing to do."""

    verb: str
    """`create`, `update`, `delete` or, of connections, `archive`."""
    item: Item
    """As it will be; of a deletion as it is."""
    changes: list[Change] = field(default_factory=list[Change])
    notes: list[str] = field(default_factory=list[str])
    """The users that it moves, and other people that it concerns."""

    @property
    def address(self) -> str:
        """The item's."""
        return self.item.address


@dataclass(slots=True)
class Plan:
    """Actions in their order, for one service."""

    url: str
    prune: bool
    wanted: Items
    actions: list[Action]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Two applies of one plan create things once."""

    def to_json(self) -> dict[str, Any]:
        """As it is saved."""
        return {
            "format": FORMAT,
            "id": self.id,
            "url": self.url,
            "prune": self.prune,
            "actions": [_action(action) for action in self.actions],
            "wanted": [_item(item) for item in self.wanted.values()],
        }


def same(ours: Plan, theirs: Plan) -> bool:
    """Whether two plans do the same things to the same state."""

    def essence(plan: Plan) -> Any:
        return [{name: value for name, value in _action(each).items() if name != "notes"} for each in plan.actions]

    return bool(essence(ours) == essence(theirs))


def save(plan: Plan, path: Path) -> None:
    """Write a plan to a file."""
    path.write_text(json.dumps(plan.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load(path: Path) -> Plan:
    """Read a plan from a file; raises FileFault."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise FileFault(f"{path}: this version of Moorings reads plans of format {FORMAT}")
        wanted = [_read_item(each) for each in found["wanted"]]
        actions = [_read_action(each) for each in found["actions"]]
        return Plan(found["url"], found["prune"], {item.address: item for item in wanted}, actions, found["id"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failed:
        raise FileFault(f"{path} is no plan: {failed}") from failed


def _action(action: Action) -> dict[str, Any]:
    changes = [_plain({"field": each.field, "before": each.before, "after": each.after}) for each in action.changes]
    return {"verb": action.verb, "changes": changes, "notes": action.notes, "item": _item(action.item)}


def _item(item: Item) -> dict[str, Any]:
    return _plain(
        {
            "kind": item.kind,
            "name": item.name,
            "fields": item.fields,
            "id": item.id,
            "etag": item.etag,
            "owner": item.owner,
            "facts": item.facts,
        }
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return {"$secret": value.reference}
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        return {name: _plain(each) for name, each in found.items()}
    return value


def _rich(value: Any) -> Any:
    if isinstance(value, list):
        return [_rich(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        return Secret(found["$secret"]) if set(found) == {"$secret"} else {n: _rich(each) for n, each in found.items()}
    return value


def _read_item(found: Mapping[str, Any]) -> Item:
    return Item(**_rich(dict(found)))


def _read_action(found: Mapping[str, Any]) -> Action:
    changes = [Change(**_rich(each)) for each in found["changes"]]
    return Action(found["verb"], _read_item(found["item"]), changes, found["notes"])
