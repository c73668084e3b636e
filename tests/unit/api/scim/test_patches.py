"""PATCH: whatever its operations say, they are done or refused as a request's faults are."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from moorings.access.models import UserAttribute
from moorings.api.scim import bodies, patches
from moorings.api.scim.vocabulary import ATTRIBUTES, GROUPS, USERS, Resource
from moorings.errors import InvalidInput, UnknownKeys

ANN: dict[str, Any] = {
    "schemas": [],
    "id": "1",
    "userName": "ann@example.com",
    "displayName": "Ann",
    "name": {"givenName": "Ann"},
    "active": True,
    "emails": [{"value": "ann@example.com", "type": "work", "primary": True}],
    "roles": [{"value": "MEMBER", "primary": True}],
    ATTRIBUTES: {"region": "west"},
}
SALES: dict[str, Any] = {"schemas": [], "id": "2", "displayName": "Sales", "members": [{"value": "1"}, {"value": "2"}]}

REGION = UserAttribute(name="region", type="String", multiple_values=0)

PATHS = [
    None,
    "userName",
    "active",
    "name",
    "name.givenName",
    "emails",
    "emails.value",
    'emails[type eq "work"]',
    'emails[type eq "home"].value',
    "emails[not (type pr)]",
    "roles",
    'roles[primary eq "True"].value',
    "members",
    'members[value eq "1"]',
    'members[value eq "1" or value eq "9"].display',
    ATTRIBUTES,
    f"{ATTRIBUTES}.region",
    f"{ATTRIBUTES}:",
    "title",
    'phoneNumbers[type eq "work"].value',
    "addresses.country",
    "meta.version",
    "name[x",
    "name[]",
    "emails[]",
    "a.b.c",
    "[",
    " ",
]
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(max_size=5),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(some.sampled_from(["value", "Value", "region", "members", *filter(None, PATHS)]), inner)
    ),
    max_leaves=6,
)
OPERATION = some.fixed_dictionaries(
    {"op": some.sampled_from(["add", "Replace", "REMOVE"])},
    optional={"path": some.sampled_from(PATHS), "value": JSON},
)


def changed(shown: dict[str, Any], resource: Resource, *operations: dict[str, Any]) -> dict[str, Any]:
    return patches.patched(shown, resource, patches.read({"Operations": list(operations)}))


class TestAnything:
    @given(operations=some.lists(OPERATION, max_size=4))
    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @example(operations=[{"op": "add", "path": 'emails[type eq "work"]', "value": []}])
    @example(
        operations=[{"op": "add", "path": "name", "value": "x"}, {"op": "add", "path": "name.givenName", "value": 1}]
    )
    @pytest.mark.parametrize(("shown", "resource"), [(ANN, USERS), (SALES, GROUPS)], ids=["user", "group"])
    def test_is_read_or_refused(self, shown, resource, operations):
        before = copy.deepcopy(shown)
        with contextlib.suppress(InvalidInput, UnknownKeys):
            after = changed(shown, resource, *operations)
            if resource is USERS:
                bodies.user(after, None, [REGION])
            else:
                bodies.group(after)
        assert shown == before


class TestValuesThatAFilterChooses:
    def test_one_that_is_not_there_is_made_as_the_filter_says(self):
        operation = {"op": "add", "path": 'emails[type eq "home" and primary eq false].value', "value": "a@b.c"}
        assert changed(ANN, USERS, operation)["emails"][-1] == {"type": "home", "primary": False, "value": "a@b.c"}

    def test_others_stay(self):
        operation = {"op": "remove", "path": 'members[value eq "1"]'}
        assert changed(SALES, GROUPS, operation)["members"] == [{"value": "2"}]

    def test_a_part_of_all_of_them(self):
        operation = {"op": "replace", "path": "members.display", "value": "x"}
        assert [each["display"] for each in changed(SALES, GROUPS, operation)["members"]] == ["x", "x"]
