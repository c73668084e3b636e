from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorings.api.http.bodies import decode
from moorings.errors import InvalidJson, NotAnObject

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class TestDecode:
    @given(st.dictionaries(st.text(), values, max_size=5))
    def test_gives_what_json_says(self, value: dict[str, Any]) -> None:
        assert decode(json.dumps(value).encode()) == value

    @given(
        st.binary(max_size=200)
        | st.text(alphabet='{}[]",:0eN\\u\ud800', max_size=60).map(lambda text: text.encode("utf-8", "replace"))
    )
    def test_never_raises_anything_else(self, raw: bytes) -> None:
        with contextlib.suppress(InvalidJson, NotAnObject):
            decode(raw)

    @pytest.mark.parametrize("bracket", ["[", '{"a":', '[{"a":'])
    def test_a_megabyte_of_brackets_is_no_json(self, bracket: str) -> None:
        with pytest.raises(InvalidJson):
            decode((bracket * (1024 * 1024 // len(bracket))).encode())

    @pytest.mark.parametrize(("depth", "accepted"), [(64, True), (65, False)])
    def test_nesting(self, depth: int, accepted: bool) -> None:
        raw = b'{"a": ' * depth + b"1" + b"}" * depth
        if accepted:
            assert decode(raw)
        else:
            with pytest.raises(InvalidJson):
                decode(raw)

    @pytest.mark.parametrize("raw", [b"", b" "])
    def test_nothing_is_no_json(self, raw: bytes) -> None:
        with pytest.raises(InvalidJson):
            decode(raw)
