"""Where statements end, and what Tab offers."""

from __future__ import annotations

import pytest

from moorings.client.cli.sql.completion import Known, candidates
from moorings.client.cli.sql.statements import is_whole, split

KNOWN = Known(
    [("main", "orders"), ("main", "Order Items"), ("archive", "orders")],
    {
        ("main", "orders"): ["order_id", "ordered_at"],
        ("main", "Order Items"): ["item"],
        ("archive", "orders"): ["old_id"],
    },
)


class TestStatements:
    @pytest.mark.parametrize(
        ("text", "statements", "rest"),
        [
            ("SELECT 1;", ["SELECT 1"], ""),
            ("SELECT ';'; SELECT \"a;b\"; x", ["SELECT ';'", 'SELECT "a;b"'], " x"),
            ("SELECT 'it''s;' -- no; end\n;", ["SELECT 'it''s;' -- no; end"], ""),
            ("SELECT /* ; */ $tag$ ; $tag$, $$;$$;", ["SELECT /* ; */ $tag$ ; $tag$, $$;$$"], ""),
            ("SELECT `a;b`;;", ["SELECT `a;b`"], ""),
            ("SELECT $1 + 2 - 3 / 4;", ["SELECT $1 + 2 - 3 / 4"], ""),
            ("SELECT 'open;", [], "SELECT 'open;"),
            ("\\d orders;", [], "\\d orders;"),
        ],
    )
    def test_split(self, text, statements, rest):
        assert split(text) == (statements, rest)

    @pytest.mark.parametrize("text", ["", "  \n", "SELECT 1;", "\\d it's", "SELECT 1; -- done", "SELECT 1; \\x"])
    def test_enter_runs_what_is_whole(self, text):
        assert is_whole(text)

    @pytest.mark.parametrize("text", ["SELECT 1", "SELECT ';", "SELECT 1; SELECT", "SELECT $$ ; "])
    def test_enter_goes_on_with_the_rest(self, text):
        assert not is_whole(text)


class TestCompletion:
    @pytest.mark.parametrize(
        ("text", "offered"),
        [
            ("SELECT * FROM ord", ["orders", '"Order Items"']),
            ("SELECT * FROM archive.", ["orders"]),
            ("SELECT * FROM arch", ["archive"]),
            ("SELECT ordered| FROM main.orders", ["ordered_at"]),
            ("SELECT o.| FROM main.orders o", ["order_id", "ordered_at"]),
            ('SELECT o.| FROM "Order Items" AS o', []),
            ("sel", ["select"]),
            ("SEL", ["SELECT"]),
            ("", []),
        ],
    )
    def test_offers(self, text, offered):
        before, _, after = text.partition("|")
        prefix = before.split(" ")[-1] if before else ""
        assert [name for name, _ in candidates(KNOWN, before + after, before, prefix)] == offered
