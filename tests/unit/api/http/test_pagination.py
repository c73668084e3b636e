"""Cursors: what comes back from one, and what is refused as one."""

from __future__ import annotations

import base64
import json

import pytest

from moorings.api.http import pagination
from moorings.api.http.fields import Fields
from moorings.errors import InvalidInput

NAMES = (str, str, str)


def page_request(cursor: str, places: tuple[type, ...] = NAMES) -> pagination.PageRequest:
    fields = Fields({"cursor": cursor}, ("cursor", "pageSize"))
    page = pagination.page_request(fields, places)
    fields.done()
    return page


def cursor(place: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


class TestCursor:
    def test_the_place_of_the_last_record_comes_back(self):
        places = [("", "Größe", "a" * 200), ("", "b", "c")]
        info = pagination.info(places, pagination.PageRequest(None, 1), 2)
        assert info.next_cursor is not None
        assert page_request(info.next_cursor).after == places[0]

    def test_the_last_page_has_none(self):
        assert pagination.info([("a", "b", "c")], pagination.PageRequest(None, 1), 1).next_cursor is None

    @pytest.mark.parametrize(
        "place",
        [
            [1, "b", "c"],
            ["a", "b"],
            ["a", "b", "c", "d"],
            {"a": 1},
            "abc",
            None,
            ["a", "\0", "c"],
            ["a", "\ud800", "c"],
        ],
        ids=str,
    )
    def test_another_place_is_refused(self, place: object):
        with pytest.raises(InvalidInput):
            page_request(cursor(place))

    @pytest.mark.parametrize("place", [[2**53, "a"], [True, "a"], [1.5, "a"], ["1", "a"]], ids=str)
    def test_no_instant_is_refused(self, place: object):
        with pytest.raises(InvalidInput):
            page_request(cursor(place), pagination.BY_INSTANT)

    @pytest.mark.parametrize("text", ["x", "%%%", "ä", "W10", "[" * 1000])
    def test_what_is_no_cursor_is_refused(self, text: str):
        with pytest.raises(InvalidInput):
            page_request(text)
