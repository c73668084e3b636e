"""Which schemas are read: patterns that know `*`, in any case."""

from __future__ import annotations

import pytest

from moorings.dialects.introspection import Scope


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        ("sales", ["sales", "SALES"], ["sales_2", "my_sales", ""]),
        ("sales*", ["sales", "Sales_2"], ["my_sales"]),
        ("*sales", ["sales", "my_sales"], ["sales_2"]),
        ("*", ["", "anything\nat all"], []),
        ("a*b*c", ["abc", "aXbYc", "abbcbc"], ["ac", "abcd", "acb"]),
        ("*ab*ab", ["abab", "ab_ab", "xaabab"], ["ab", "aab"]),
        ("a**b", ["ab", "axb"], ["a", "b"]),
        ("a.c", ["a.c"], ["abc"]),
        ("[a]?", ["[A]?"], ["a", "ab"]),
    ],
)
def test_patterns(pattern: str, taken: list[str], left: list[str]) -> None:
    scope = Scope((pattern,))
    assert [name for name in (*taken, *left) if scope.takes(name)] == taken


def test_many_stars_do_not_keep_anybody_waiting() -> None:
    assert not Scope(("*a" * 500,)).takes("a" * 2000 + "b")
