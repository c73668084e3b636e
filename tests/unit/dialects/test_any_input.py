"""No input makes reading raise anything but our own errors, or accept what cannot be stored."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from moorings import dialects
from moorings.api.http import wording
from moorings.errors import MooringsError

WIRES = sorted({fact.wire for name in dialects.names() for fact in dialects.named(name).Config.fields()} - {"dialect"})
LOGINS = [login.name for name in dialects.names() for login in dialects.named(name).Config.LOGINS if login.name]

texts = st.text(max_size=20) | st.sampled_from(
    [
        "",
        "\0",
        "\ud800",
        "https://x/y",
        "http://[",
        "UTC",
        "NONE",
        "7",
        "a,b",
        "disable",
        "VIEWER",
        "s3://abc/x",
        *LOGINS,
    ]
)
values = (
    st.none()
    | st.booleans()
    | st.integers(-1, 70_000)
    | st.floats(allow_nan=False)
    | texts
    | st.lists(texts | st.integers(), max_size=3)
    | st.dictionaries(texts, texts, max_size=2)
)
bodies = st.dictionaries(st.sampled_from(WIRES), values, max_size=12)


class TestAnyInput:
    @settings(max_examples=600, deadline=None)
    @given(st.sampled_from(dialects.names()), bodies)
    def test_is_read_or_refused_in_words(self, dialect: str, body: dict[str, Any]) -> None:
        usual = {"name": "n", "passwordUnencrypted": "p", "host": "h", "username": "u", "database": "d", "region": "r"}
        try:
            config = dialects.read({"dialect": dialect} | usual | body)
        except MooringsError as refused:
            wording.detail(refused).encode()
        else:
            stored = json.loads(json.dumps(config.public() | config.secrets(), ensure_ascii=False).encode())
            assert "\0" not in json.dumps(stored, ensure_ascii=False)
            assert type(config).restore(config.public(), config.secrets()) == config
