"""Which connection somebody gets: the rule as a table."""

from __future__ import annotations

from typing import Any

import pytest

from moorings.environments.routing import Base, Candidate, Choice, choose

DEV, PROD = Candidate("e-dev", "dev", ("dev", "test")), Candidate("e-prod", "prod", ("prod",))
TENANT = Base("base", "tenant", ("main", "home"), (DEV, PROD))
NOBODYS = Base("base", None, ("main",), (DEV, PROD))
ALONE = Base("base", "tenant", ())

STRICT = Base("base", "tenant", ("main",), (DEV, PROD), denies=True)

AS_BASE = Choice("base", "base")
DENIED = Choice(None, "denied")


def own(connection: str, value: str, environment: str | None) -> Choice:
    return Choice(connection, "user attribute", value, environment)


def default(connection: str, value: str, environment: str | None) -> Choice:
    return Choice(connection, "attribute default", value, environment)


RULE: list[tuple[str, Base, Any, Any, Any, Choice]] = [
    # what, base, the user's own values, the attribute's default, explicit, who it is
    ("nothing is known", TENANT, None, (), None, AS_BASE),
    ("own value means an environment", TENANT, ("dev",), (), None, own("dev", "dev", "e-dev")),
    ("another value of the same one", TENANT, ("test",), (), None, own("dev", "test", "e-dev")),
    ("own value means the base", TENANT, ("home",), (), None, own("base", "home", None)),
    ("own value means nothing", TENANT, ("elsewhere",), (), None, AS_BASE),
    ("own value before the default", TENANT, ("prod",), ("dev",), None, own("prod", "prod", "e-prod")),
    ("own value of no meaning, no default instead", TENANT, ("elsewhere",), ("dev",), None, AS_BASE),
    ("no own value, the default", TENANT, None, ("dev",), None, default("dev", "dev", "e-dev")),
    ("no own value, a default that means the base", TENANT, None, ("main",), None, default("base", "main", None)),
    ("no own value, a default that means nothing", TENANT, None, ("elsewhere",), None, AS_BASE),
    ("own values, but none", TENANT, (), ("dev",), None, AS_BASE),
    (
        "of several the first that means something",
        TENANT,
        ("x", "prod", "dev"),
        (),
        None,
        own("prod", "prod", "e-prod"),
    ),
    ("case counts", TENANT, ("DEV",), (), None, AS_BASE),
    ("explicit before all", TENANT, ("dev",), ("dev",), PROD, Choice("prod", "explicit", None, "e-prod")),
    ("explicit without an attribute", NOBODYS, None, (), DEV, Choice("dev", "explicit", None, "e-dev")),
    ("no attribute chooses", NOBODYS, ("dev",), ("dev",), None, AS_BASE),
    ("the base itself, before all", TENANT, ("dev",), (), TENANT, Choice("base", "explicit")),
    ("a strict base: own value means nothing", STRICT, ("elsewhere",), ("dev",), None, DENIED),
    ("a strict base: no value at all", STRICT, None, (), None, DENIED),
    ("a strict base: a default that means nothing", STRICT, None, ("elsewhere",), None, DENIED),
    ("a strict base: a value that means it", STRICT, ("main",), (), None, own("base", "main", None)),
    ("a strict base: a value that means an environment", STRICT, ("dev",), (), None, own("dev", "dev", "e-dev")),
    ("a strict base, explicitly", STRICT, None, (), STRICT, Choice("base", "explicit")),
    (
        "a strict base that no attribute chooses on",
        Base("base", None, (), (DEV,), denies=True),
        ("dev",),
        (),
        None,
        DENIED,
    ),
    ("no environments", ALONE, ("dev",), ("dev",), None, AS_BASE),
]


@pytest.mark.parametrize(
    ("base", "values", "defaults", "explicit", "chosen"), [row[1:] for row in RULE], ids=[row[0] for row in RULE]
)
def test_rule(base: Base, values: Any, defaults: Any, explicit: Any, chosen: Choice) -> None:
    assert choose(base, values, defaults, explicit) == chosen
