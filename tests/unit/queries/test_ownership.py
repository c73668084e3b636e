"""Whose query it is: the key's that asked, and every key's of the same user."""

from __future__ import annotations

from typing import Any

import pytest

from moorings.access.actor import Actor
from moorings.queries.models import RunningQuery
from moorings.queries.registry import owns


def actor(**changed: Any) -> Actor:
    return Actor(**{"organization_id": "o", "key_id": "k", "user_id": "u", "admin": False, "roles": {}, **changed})


def query(**changed: Any) -> RunningQuery:
    return RunningQuery(**{"organization_id": "o", "key_id": "k", "user_id": "u", **changed})


@pytest.mark.parametrize(
    ("asking", "running", "own"),
    [
        ({}, {}, True),
        ({"key_id": "another"}, {}, True),
        ({"key_id": "another", "user_id": "another"}, {}, False),
        ({"user_id": None}, {"user_id": None}, True),
        ({"user_id": None, "key_id": "another"}, {"user_id": None}, False),
        ({"user_id": None, "key_id": "another"}, {}, False),
        ({"organization_id": "another"}, {}, False),
        ({"key_id": "another", "user_id": "another", "admin": True}, {}, False),
    ],
)
def test_owns(asking: dict[str, Any], running: dict[str, Any], own: bool):
    assert owns(actor(**asking), query(**running)) is own
