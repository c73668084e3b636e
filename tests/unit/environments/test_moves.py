"""What the refusal to delete a user attribute in use says."""

from __future__ import annotations

import pytest

from moorings.access.models import UserAttribute
from moorings.connections.models import Connection
from moorings.environments.moves import NAMED, Dependents, require_unused
from moorings.errors import AttributeHasDependents

REGION = UserAttribute(name="region")


def refusal(bases: int = 0, users: int = 0, api_keys: int = 0) -> str:
    connections = tuple(Connection(name=f"c{number}") for number in range(bases))
    with pytest.raises(AttributeHasDependents) as refused:
        require_unused(REGION, Dependents(connections, users, api_keys), "delete")
    return refused.value.message


def test_nothing_depends_on_it():
    require_unused(REGION, Dependents((), 0, 0), "delete")


@pytest.mark.parametrize(
    ("users", "api_keys", "said"),
    [
        (1, 0, "1 user has values"),
        (0, 1, "1 API key has values"),
        (2, 0, "2 users have values"),
        (1, 1, "1 user and 1 API key have values"),
        (3, 2, "3 users and 2 API keys have values"),
    ],
)
def test_counts_agree_with_their_nouns(users: int, api_keys: int, said: str):
    assert said in refusal(users=users, api_keys=api_keys)


def test_names_five_connections_and_counts_the_others():
    assert NAMED == 5
    assert '"c4"' in refusal(bases=5)
    assert "more" not in refusal(bases=5)
    assert '"c4" and 2 more' in refusal(bases=7)
    assert '"c5"' not in refusal(bases=7)
