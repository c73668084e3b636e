"""User names and passwords in every script, in logins that travel in headers."""

from __future__ import annotations

import base64

import pytest
import requests

from moorings import dialects, errors
from moorings.dialects.base import SessionContext
from moorings.dialects.network.dialing import Network
from moorings.dialects.trino.wire import Wire
from tests.conformance.test_create import VALID


@pytest.mark.parametrize(("user", "password"), [("u", "пароль"), ("юзер", "p"), ("ü", "😀"), ("u", "p")])
def test_trino_gets_utf8(user: str, password: str) -> None:
    import ssl

    wire = Wire(Network(), ("trino.example.com", 443), ssl.create_default_context(), (user, password))
    request = requests.Request("POST", "https://trino.example.com/v1/statement", headers={"X-Trino-User": user})
    sent = wire.prepare_request(request)
    wire.close()
    expected = base64.b64encode(f"{user}:{password}".encode()).decode()
    assert sent.headers["Authorization"] == f"Basic {expected}"
    named = sent.headers["X-Trino-User"]
    assert (named if isinstance(named, bytes) else named.encode()) == user.encode()


@pytest.mark.parametrize("token", ["😀", "токен", "a\nb"])
def test_databricks_refuses_what_is_no_token(token: str) -> None:
    named = dialects.named("databricks")
    config = named.Config.read({"dialect": "databricks", **VALID["databricks"], "passwordUnencrypted": token})
    with pytest.raises(errors.LoginRefused) as refused:
        named.connect(config, SessionContext())
    assert refused.value.fields == ("password",)
