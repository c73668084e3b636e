"""What is stored of a table comes back, and differences between two states of one are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moorings.catalog.content import Difference, contents, differences, restored
from moorings.dialects.introspection import Column, ForeignKey, Table

ID, NAME = Column("id", 1, "INTEGER", "int32", nullable=False), Column("Straße", 2, "VARCHAR", None, comment="Wo?")
KEY = ForeignKey("k", ("id",), None, "sales", "orders", ("id",))
GOODS = Table("shop", "sales", "Goods", "table", "For sale", 7, 9, [ID, NAME], ("id",), [KEY])


def changed(**values: object) -> Table:
    return replace(GOODS, **values)


class TestContent:
    def test_what_is_stored_comes_back_without_the_estimates(self):
        (content,) = contents([GOODS])
        assert restored(content.place, content.document) == changed(row_count=None, size_bytes=None)

    def test_levels_that_an_engine_lacks_come_back_as_none(self):
        (content,) = contents([Table(None, None, "t")])
        assert content.place == ("", "", "t")
        assert restored(content.place, content.document) == Table(None, None, "t")

    def test_estimates_make_no_difference(self):
        first, second = contents([GOODS, changed(row_count=8, size_bytes=None)])
        assert first.digest == second.digest

    def test_the_order_in_which_an_engine_lists_keys_makes_none(self):
        other = replace(KEY, name="other")
        first, second = contents([changed(foreign_keys=[KEY, other]), changed(foreign_keys=[other, KEY])])
        assert first.digest == second.digest

    def test_names_and_comments_are_searched_in_any_case(self):
        (content,) = contents([GOODS])
        assert content.searched.splitlines() == ["goods", "for sale", "id", "strasse", "wo?"]

    def test_what_no_database_can_hold_is_left_out(self):
        (content,) = contents([changed(comment="a\0b\ud800")])
        assert content.searched.splitlines()[1] == "ab?"
        assert content.document.isascii()
        assert restored(content.place, content.document).comment == "a\0b\ud800"


DIFFERENCES = [
    (changed(kind="view"), [Difference("KIND_CHANGED", None, "table", "view")]),
    (changed(comment=None), [Difference("COMMENT_CHANGED", None, "For sale", None)]),
    (changed(columns=[ID]), [Difference("COLUMN_REMOVED", "Straße", "VARCHAR", None)]),
    (
        changed(columns=[ID, NAME, Column("x", 3, "DATE")]),
        [Difference("COLUMN_ADDED", "x", None, "DATE")],
    ),
    (
        changed(columns=[replace(ID, native_type="BIGINT", arrow_type="int64"), NAME]),
        [Difference("TYPE_CHANGED", "id", "INTEGER", "BIGINT")],
    ),
    (
        changed(columns=[replace(ID, nullable=True), NAME]),
        [Difference("NULLABILITY_CHANGED", "id", "NOT NULL", "NULL")],
    ),
    (
        changed(columns=[ID, replace(NAME, comment="Where?")]),
        [Difference("COMMENT_CHANGED", "Straße", "Wo?", "Where?")],
    ),
    (changed(primary_key=()), [Difference("PRIMARY_KEY_CHANGED", None, "id", None)]),
    (
        changed(foreign_keys=[replace(KEY, columns=("a", "b"), referred_columns=("c", "d"))]),
        [
            Difference("FOREIGN_KEY_REMOVED", None, "(id) REFERENCES sales.orders (id)", None),
            Difference("FOREIGN_KEY_ADDED", None, None, "(a, b) REFERENCES sales.orders (c, d)"),
        ],
    ),
    (changed(foreign_keys=[replace(KEY, name="renamed by the engine")]), []),
    (changed(columns=[replace(ID, position=2), replace(NAME, position=1)]), []),
    (changed(columns=[replace(ID, arrow_type="int64"), NAME]), []),
]


@pytest.mark.parametrize(("after", "expected"), DIFFERENCES)
def test_differences(after: Table, expected: list[Difference]):
    assert differences(GOODS, after) == expected
