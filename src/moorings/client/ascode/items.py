"""Items: what files want and what a service has, in the same form, so that the two can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KINDS = (
    "attribute",
    "connection",
    "routing",
    "environment",
    "schedule",
    "dbt",
    "dbt environment",
    "role",
    "webhook",
)
"""In the order in which items depend on each other."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of a file: where it is, never what it is."""

    reference: str

    def __str__(self) -> str:
        return "(secret)"


@dataclass(slots=True)
class Item:
    """One thing, with the fields that are compared."""

    kind: str
    name: str
    """Unique in its kind: `Shop`, `Shop / Shop US`."""
    fields: dict[str, Any]
    id: str | None = None
    etag: str | None = None
    owner: str | None = None
    """The name of the connection that it belongs to."""
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    """What its requests need beside its fields."""

    @property
    def address(self) -> str:
        """`connection Shop`: unique among all."""
        return f"{self.kind} {self.name}"

    @property
    def order(self) -> int:
        """Its place among what it depends on."""
        return KINDS.index(self.kind)


Items = dict[str, Item]


def keyed(items: list[Item]) -> Items:
    """Items by their addresses."""
    return {item.address: item for item in items}
