"""How secrets are hidden in the words of drivers."""

from __future__ import annotations

import pytest

from moorings.dialects.redaction import redact
from moorings.testing.engines import SENTINEL


class TestRedaction:
    @pytest.mark.parametrize(
        "text",
        [
            SENTINEL,
            "s3nt%21nel%2Fp%40ss%20w%2Brd%25%26%27%22",
            "s3nt%21nel/p%40ss%20w%2Brd%25%26%27%22",
            "s3nt%21nel%2Fp%40ss+w%2Brd%25%26%27%22",
            "s3nt!nel/p@ss w+rd%&'\\\"",
            repr(SENTINEL),
            SENTINEL.replace("'", "''"),
        ],
    )
    def test_every_spelling_is_hidden(self, text: str) -> None:
        assert "s3nt" not in redact(f"login with {text} failed", [SENTINEL])

    def test_a_short_secret_is_hidden_only_where_it_stands_alone(self) -> None:
        assert redact("password ab is wrong for abel", ["ab"]) == "password *** is wrong for abel"

    def test_no_secret_hides_nothing(self) -> None:
        assert redact("as it was", ["", "  "]) == "as it was"

    def test_lines_of_a_key_are_hidden_alone(self) -> None:
        assert "MIIE" not in redact("bad line MIIEabc", ["-----BEGIN-----\nMIIEabc\n-----END-----"])
