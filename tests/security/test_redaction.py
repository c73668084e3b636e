"""No run of 12 characters of a secret survives in an error's text, in whatever spelling a server or a driver chose."""

from __future__ import annotations

import base64
import gc
import html
import json
import string
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorings import dialects, errors
from moorings.dialects.redaction import HIDDEN, redact
from tests.conformance.test_create import ACCOUNT, PEM

RUN = 12
SECRET = "S3ntinel/p@ss w+rd&é'\"\\x<y>=z"

Spelling = Callable[[str], str]

BY_CHARACTER: dict[str, Spelling] = {
    "as it is": str,
    "URL": lambda text: quote(text, safe=""),
    "URL in lower case": lambda text: quote(text, safe="").replace("%C3", "%c3").replace("%2F", "%2f"),
    "URL, every character": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "form": quote_plus,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in Unicode": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON with slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "\\u, every character": lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
    "\\u in upper case": lambda text: "".join(f"\\u{ord(each):04X}" for each in text),
    "\\x, every byte": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "repr": lambda text: repr(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "HTML": html.escape,
    "HTML in decimal": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "HTML in hexadecimal": lambda text: "".join(f"&#x{ord(each):x};" for each in text),
    "HTML in upper case": lambda text: "".join(f"&#X{ord(each):X};" for each in text),
    "HTML by name": lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace("é", "&eacute;"),
    "SQL": lambda text: text.replace("'", "''"),
    "SQL with backslashes": lambda text: text.replace("\\", "\\\\").replace("'", "''"),
    "libpq": lambda text: text.replace("\\", "\\\\").replace("'", "\\'"),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal in upper case": lambda text: text.encode().hex().upper(),
    "hexadecimal with colons": lambda text: text.encode().hex(":"),
    "hexadecimal with blanks": lambda text: text.encode().hex(" ").upper(),
    "hexadecimal with dashes": lambda text: text.encode().hex("-"),
    "hexadecimal as a list": lambda text: text.encode().hex("#").replace("#", ", 0x"),
    "\\x in upper case": lambda text: "".join(f"\\x{byte:02X}" for byte in text.encode()),
    "JSON in a URL": lambda text: quote(json.dumps(text)[1:-1], safe=""),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
}
"""Spellings that spell each character by itself: what is found of a run's spelling was made of that run."""


def in_base64(data: bytes, *, url_safe: bool, padded: bool) -> str:
    coded = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(data).decode()
    return coded if padded else coded.rstrip("=")


def runs(secret: str) -> list[str]:
    return [secret[at : at + RUN] for at in range(len(secret) - RUN + 1)]


def assert_hidden(redacted: str, secret: str) -> None:
    """No spelling of any run is left."""
    for run in runs(secret):
        for name, spell in BY_CHARACTER.items():
            assert spell(run) not in redacted, name
        for shift in range(3):
            for url_safe in (False, True):
                coded = in_base64(b"\0" * shift + run.encode(), url_safe=url_safe, padded=False)
                whole = coded[(shift * 8 + 5) // 6 : (shift + len(run.encode())) * 8 // 6]
                assert whole not in redacted


characters = st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=("Cs", "Cc", "Zs", "Cf"))
letters = st.sampled_from(string.ascii_letters + string.digits + "'\"\\&%+/=<")
secrets = st.text(st.one_of(letters, characters), min_size=RUN, max_size=60)
quickly = settings(max_examples=40, deadline=None)


WORST = [
    "a",
    "%61",
    "%",
    "\\",
    "\\u0061",
    "&#x61;",
    "&",
    "&#",
    "''",
    "'",
    "YWFh",
    "61",
    "61:",
    "0x61, ",
    "MFQWC",
    " ",
    "+",
    "\\'%27&#39;''",
    "=",
]
WORST += [SECRET, SECRET[:11]]
MAX_GROWTH = 3.2
"""How much longer twice the text may take: 2 if it is linear, 4 if it is quadratic; short times tell nothing."""


class TestSpellings:
    @pytest.mark.parametrize("name", BY_CHARACTER)
    def test_of_a_whole_secret(self, name: str) -> None:
        redacted = redact(f"login with {BY_CHARACTER[name](SECRET)} failed", [SECRET])
        assert redacted == f"login with {HIDDEN} failed"

    @pytest.mark.parametrize("name", BY_CHARACTER)
    @quickly
    @given(secret=secrets, data=st.data())
    def test_of_any_run(self, name: str, secret: str, data: st.DataObject) -> None:
        begin = data.draw(st.integers(0, len(secret) - RUN))
        run = secret[begin : data.draw(st.integers(begin + RUN, len(secret)))]
        redacted = redact(f"x[{BY_CHARACTER[name](run)}]x", [secret])
        assert HIDDEN in redacted
        assert_hidden(redacted, secret)

    @pytest.mark.parametrize("padded", [True, False])
    @pytest.mark.parametrize("url_safe", [True, False])
    @quickly
    @given(secret=secrets, user=st.text(string.ascii_letters, min_size=4, max_size=6), cut=st.integers(0, 5))
    def test_of_base64_at_every_alignment(self, url_safe: bool, padded: bool, secret: str, user: str, cut: int) -> None:
        for text_with_secret in (secret, f"{user}:{secret}", f"{user}:{secret}:more", quote_plus(f"{user}:{secret}")):
            coded = in_base64(text_with_secret.encode(), url_safe=url_safe, padded=padded)
            for text in (
                f"Basic {coded}",
                coded if text_with_secret is secret else f"cut {coded[cut:]}",
                quote(coded, safe=""),
            ):
                assert HIDDEN in redact(text, [secret])
            assert_hidden(redact(coded, [secret]), secret)

    @quickly
    @given(secret=secrets, before=st.text(string.ascii_letters, max_size=7), cut=st.integers(0, 8), lower=st.booleans())
    def test_of_base32_at_every_alignment(self, secret: str, before: str, cut: int, lower: bool) -> None:
        coded = base64.b32encode(f"{before}{secret}".encode()).decode()
        coded = coded.lower() if lower else coded
        for text in (coded, coded.rstrip("="), f"token {coded} refused"):
            redacted = redact(text, [secret])
            assert HIDDEN in redacted
            for run in runs(secret):
                for shift in range(5):
                    whole = base64.b32encode(b"\0" * shift + run.encode()).decode().rstrip("=")
                    part = whole[-(-8 * shift // 5) : 8 * (shift + len(run.encode())) // 5]
                    assert (part.lower() if lower else part) not in redacted
        twice = base64.b32encode(f"{before}{secret * 2}".encode()).decode()
        assert HIDDEN in redact(twice[cut:], [secret])

    @pytest.mark.parametrize("name", BY_CHARACTER)
    def test_backwards(self, name: str) -> None:
        redacted = redact(f"login with {BY_CHARACTER[name](SECRET[::-1])} failed", [SECRET])
        assert redacted == f"login with {HIDDEN} failed"

    def test_of_base64_in_lines(self) -> None:
        coded = base64.encodebytes(f"user:{SECRET * 5}".encode()).decode()
        assert len(coded.splitlines()) > 1
        assert_hidden(redact(coded, [SECRET]), SECRET)

    def test_of_a_secret_shorter_than_a_run(self) -> None:
        for spell in BY_CHARACTER.values():
            assert redact(f"<{spell('p@ss&w')}>", ["p@ss&w"]) == f"<{HIDDEN}>"
        coded = base64.b64encode(b"user:hunter22").decode()
        assert "aHVudGVyMj" not in redact(coded, ["hunter22"])
        assert base64.b64encode(b"xhunter22").decode()[2:-2] not in redact(
            base64.b64encode(b"xhunter22").decode(), ["hunter22"]
        )

    def test_of_utf_16(self) -> None:
        coded = base64.b64encode(SECRET.encode("utf-16-le")).decode()
        assert HIDDEN in redact(coded, [SECRET])


class TestKeys:
    def test_lines_and_runs_of_a_private_key(self) -> None:
        lines = PEM.splitlines()
        for line in lines[1:-1]:
            assert redact(f"<{line}>", [PEM]) == f"<{HIDDEN}>"
            assert line[5:30] not in redact(f"<{line[5:30]}>", [PEM])
        for text_with_secret in (PEM, PEM.replace("\n", "\\n"), PEM.replace("\n", ""), json.dumps(PEM), quote(PEM)):
            assert_hidden(redact(text_with_secret, [PEM]), "".join(lines[1:-1])[:200])

    def test_of_a_service_account_the_secret_members(self) -> None:
        account = ACCOUNT | {
            "private_key": PEM,
            "private_key_id": "0123456789abcdef",
            "project_id": "my-project-of-reports",
        }
        text_with_secret = f"project my-project-of-reports: key 0123456789abcdef, {PEM.splitlines()[2]}"
        assert (
            redact(text_with_secret, [json.dumps(account)]) == f"project my-project-of-reports: key {HIDDEN}, {HIDDEN}"
        )


class TestText:
    def test_keeps_the_rest(self) -> None:
        text_with_secret = 'FATAL: password authentication failed for user "etl" at 10.0.0.1:5432 (100% of café & co)\n'
        assert redact(text_with_secret, [SECRET]) == text_with_secret

    def test_a_secret_at_the_cut_is_not_cut_in_half(self) -> None:
        for secret in ("hunter22", SECRET, "s" * 11):
            for before in range(3_950, 4_010):
                redacted = redact("." * before + secret + "." * 3_000, [secret])
                left = redacted.rstrip("…").lstrip(".").removesuffix(".")
                assert secret[:4] not in redacted, before
                assert len(redacted) <= 4_000 + len(HIDDEN) + 1, left

    @pytest.mark.parametrize("secret", [SECRET, "a" * 5_000, PEM, "ab", "hunter22", json.dumps(ACCOUNT)])
    @pytest.mark.parametrize("worst", WORST)
    def test_takes_time_in_proportion_to_the_text(self, worst: str, secret: str) -> None:
        def seconds(size: int) -> float:
            text = worst * (size // len(worst))
            began = time.thread_time()
            gc.disable()  # a look at all of the tests' objects takes longer than the text
            try:
                redact(text, [secret, f"{secret}2", secret[::-1]])
            finally:
                gc.enable()
            return time.thread_time() - began

        whole = seconds(500_000)
        assert whole < 0.5 or whole < MAX_GROWTH * seconds(250_000)

    def test_what_is_no_unicode_is_kept(self) -> None:
        assert redact("\ud800 and p@ssword", ["p@ssword"]) == f"\ud800 and {HIDDEN}"


@pytest.mark.parametrize("name", dialects.names())
class TestErrorsOfOurs:
    def test_are_found_in_what_a_driver_makes_of_them(self, name: str) -> None:
        ours = errors.ConnectTimeout("host", message="The host is silent.")
        wrapped = RuntimeError("connection failed")
        wrapped.__cause__ = ours
        assert dialects.named(name).translate(wrapped, ()) is ours
