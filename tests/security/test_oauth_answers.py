"""What a malicious OAuth server answers is a refused login, never a header, a log line or a fault without a name."""

from __future__ import annotations

import logging

import pytest

from moorings import errors
from moorings.dialects.network.dialing import Network
from moorings.dialects.oauth import Client
from tests.security.servers.redirecting import answering


def token(body: bytes) -> str:
    with answering(200, body, {"Content-Type": "application/json"}) as server:
        url = f"http://127.0.0.1:{server.port}/token"
        return Client(url, "id", "secret", ("username",), ("host",), Network(), 5.0).token()


@pytest.mark.parametrize(
    "body",
    [
        b'{"access_token": "a\\r\\nX-Other: b"}',
        b'{"access_token": "a b"}',
        b'{"access_token": "\\u2028"}',
        b'{"access_token": "\\ud800"}',
        b'{"access_token": ""}',
        b'{"access_token": ["a"]}',
        b'{"access_token": 123456}',
        b'{"access_token": true}',
        b'{"access_token": "%b"}' % (b"a" * 40_000),
        b'{"access_token": "a", "expires_in": "soon"}',
        b'{"access_token": "a", "expires_in": {"b": 1}}',
        b'{"access_token": "a", "expires_in": 1e999}',
        b'{"access_token": "a", "expires_in": NaN}',
        b'{"access_token": "a", "expires_in": %b}' % (b"9" * 400),
        b'{"access_token": "a", "expires_in": %b}' % (b"9" * 5_000),
        b'[["access_token", "a"]]',
        b'"access_token"',
        b"[" * 100_000,
        b"\xff\xfe",
        b"",
    ],
)
def test_what_is_no_token_is_refused(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(errors.LoginRefused):
        token(body)
    assert "X-Other" not in caplog.text


@pytest.mark.parametrize("expires", [b"3600", b'"3600"', b"3600.5", b"null", b"0"])
def test_tokens_as_servers_give_them(expires: bytes) -> None:
    assert token(b'{"access_token": "a.b-c_d~e+f/g==", "expires_in": %b}' % expires) == "a.b-c_d~e+f/g=="
