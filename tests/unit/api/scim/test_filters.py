"""Filters: what each says of one user, that storage narrows them to nothing too small, and what cannot be read."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from moorings.api.scim import filters
from moorings.api.scim.grammar import OPERATORS, FilterError, parse
from moorings.api.scim.vocabulary import ATTRIBUTES, GROUPS, USERS

ANN: dict[str, Any] = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "id": "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11",
    "externalId": "AbC",
    "userName": "Ann@Example.com",
    "displayName": 'Ann "the" Ünal',
    "name": {"formatted": "Ann", "givenName": "Ann"},
    "active": True,
    "emails": [
        {"value": "ann@work.example", "type": "work", "primary": True},
        {"value": "ann@home.example", "type": "home"},
    ],
    "roles": [{"value": "MEMBER", "primary": True}],
    "groups": [{"value": "1", "display": "Sales"}, {"value": "2", "display": "Staff"}],
    ATTRIBUTES: {"Region": "West", "quota": 12.5, "tags": ["a", "b"]},
    "meta": {"resourceType": "User", "created": "2026-03-01T10:00:00.000Z", "lastModified": "2026-03-02T10:00:00.000Z"},
}

TABLE = {
    'userName eq "ann@example.COM"': True,
    'userName eq "ann"': False,
    'userName ne "ann"': True,
    'userName co "N@EX"': True,
    'userName sw "ann@"': True,
    'userName ew ".com"': True,
    'userName gt "ann"': True,
    'userName lt "ann"': False,
    'userName ge "ann@example.com" and userName le "ann@example.com"': True,
    'USERNAME EQ "ann@example.com" AND active EQ TRUE': True,
    'displayName eq "ann \\"the\\" ünal"': True,
    'displayName eq "ANN \\"THE\\" \\u00dcNAL"': True,
    'externalId eq "AbC"': True,
    'externalId eq "abc"': False,
    'id eq "0B3F7B52-6A0E-4A86-9D6C-6F2B1C9C1A11"': False,
    "active eq true": True,
    'active eq "True"': True,
    'active eq "no"': False,
    "active ne true": False,
    "active eq null": False,
    "title pr": False,
    "title eq null": True,
    "title ne null": False,
    'title eq "x"': False,
    'title ne "x"': True,
    "displayName pr": True,
    "groups pr and not (title pr)": True,
    'name.givenName eq "ann"': True,
    "name.familyName pr": False,
    'urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ann"': True,
    'urn:ietf:params:scim:schemas:core:2.0:User:name.givenName eq "ANN"': True,
    'emails eq "ANN@home.example"': True,
    'emails.value co "work"': True,
    'emails.type eq "other"': False,
    'emails ne "ann@home.example"': False,
    'emails[type eq "work"]': True,
    'emails[type eq "work" and value ew "home.example"]': False,
    'emails[type eq "home"].value eq "ann@home.example"': True,
    'emails[type eq "work"].value eq "ann@home.example"': False,
    'emails[not (type eq "work")]': True,
    'roles[primary eq "true"].value eq "MEMBER"': True,
    'groups.display eq "staff"': True,
    'groups[value eq "3"]': False,
    'meta.created gt "2026-01-01T00:00:00Z"': True,
    'meta.created gt "2026-03-01T12:00:00+01:00"': False,
    'meta.lastModified le "2026-03-02T10:00:00Z"': True,
    f'{ATTRIBUTES}:Region eq "WEST"': True,
    f'{ATTRIBUTES}.region eq "west"': True,
    f"{ATTRIBUTES}:quota gt 12": True,
    f"{ATTRIBUTES}:quota gt 12.75": False,
    f'{ATTRIBUTES}:quota gt "12"': False,
    f'{ATTRIBUTES}:tags eq "b"': True,
    f"{ATTRIBUTES}:other pr": False,
    f"{ATTRIBUTES} pr": True,
    'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "x"': False,
    # `and` binds closer than `or`, `not` closer than both
    "active eq true or active eq false and active eq false": True,
    "(active eq true or active eq false) and active eq false": False,
    "not (active eq false) and active eq true": True,
    "not (active eq true or title pr)": False,
    "not (not (active eq true))": True,
}

UNTABLE = [
    "",
    "userName",
    "userName eq",
    'userName is "x"',
    "userName eq x",
    "userName eq 'x'",
    'userName eq "x',
    'userName eq "\\x"',
    'userName eq "\\u0000"',
    'userName eq "\\ud800"',
    'userName eq "x" and',
    'and userName eq "x"',
    'userName eq "x" userName eq "y"',
    '(userName eq "x"',
    'userName eq "x")',
    'not userName eq "x"',
    'nowhere eq "x"',
    'name.nowhere eq "x"',
    'name eq "x"',
    "meta gt 5",
    f'{ATTRIBUTES} eq "x"',
    "active gt true",
    'meta.created gt "yesterday"',
    'userName[type eq "x"]',
    'emails[type eq "work"',
    'emails[nowhere eq "x"]',
    'emails[type eq "work"].nowhere eq "x"',
    "(" * 500 + "title pr" + ")" * 500,
    "not (" * 500 + "title pr" + ")" * 500,
    "emails[" * 50,
    "~",
]


def fits(text: str, resource: dict[str, Any] = ANN) -> bool:
    return filters.fits(parse(text, USERS), resource)


class TestWhatFits:
    @pytest.mark.parametrize(("text", "said"), TABLE.items())
    def test_as_the_table_says(self, text: str, said: bool):
        assert fits(text) is said

    @pytest.mark.parametrize("text", TABLE)
    def test_not_turns_it_round(self, text: str):
        assert fits(f"not ({text})") is not fits(text)

    def test_members_of_a_group(self):
        group = {"members": [{"value": "a"}, {"value": "b"}]}
        assert filters.fits(parse('members[value eq "B"] and members eq "a"', GROUPS), group)
        assert not filters.fits(parse('members eq "c"', GROUPS), group)


class TestWhatCannotBeRead:
    @pytest.mark.parametrize("text", UNTABLE, ids=range(len(UNTABLE)))
    def test_says_why(self, text: str):
        with pytest.raises(FilterError) as refused:
            parse(text, USERS)
        assert str(refused.value)


FIELDS = {"id": "id", "email": "userName", "name": "displayName", "external_id": "externalId"}
EXACT = ("id", "external_id")


class TestNarrowing:
    """Storage is asked for the alternatives only: whatever fits has to be among them."""

    def among(self, alternatives: list[dict[str, str]] | None) -> bool:
        def holds(field: str, value: str) -> bool:
            held = ANN[FIELDS[field]]
            return held == value if field in EXACT else held.casefold() == value.casefold()

        return alternatives is None or any(all(holds(*each) for each in one.items()) for one in alternatives)

    LEAVES = (
        'userName eq "ann@example.com"',
        'userName eq "nobody"',
        'externalId eq "AbC"',
        'externalId ne "AbC"',
        "title pr",
        "active eq true",
        'not (userName eq "nobody")',
    )

    @pytest.mark.parametrize(("one", "other"), list(itertools.product(LEAVES, LEAVES)))
    @pytest.mark.parametrize("word", ["and", "or"])
    def test_never_leaves_out_what_fits(self, one: str, other: str, word: str):
        text = f"({one}) {word} ({other})"
        if fits(text):
            assert self.among(filters.narrowed(parse(text, USERS)))

    @pytest.mark.parametrize(
        ("text", "alternatives"),
        [
            ('userName eq "a"', [{"email": "a"}]),
            ('emails[type eq "work"].value eq "a"', None),
            ('emails.value eq "a"', [{"email": "a"}]),
            ('userName eq "a" and active eq true', [{"email": "a"}]),
            ('userName eq "a" or id eq "b"', [{"email": "a"}, {"id": "b"}]),
            ('userName eq "a" or title pr', None),
            ('userName ne "a"', None),
            ('not (userName eq "a")', None),
            ('displayName eq "a"', [{"name": "a"}]),
            (" or ".join(f'id eq "{number}"' for number in range(100)), None),
        ],
    )
    def test_where_it_can(self, text: str, alternatives: Any):
        assert filters.narrowed(parse(text, USERS)) == alternatives


def test_every_operator_that_can_be_read_can_be_applied():
    assert filters.COMPARE.keys() == set(OPERATORS)
