"""The fields that a form asks for are those that the service requires."""

from __future__ import annotations

import json

import pytest

from moorings import dialects
from moorings.api.resources import dialects as resource
from moorings.client.cli import forms
from moorings.client.cli.exits import UsageError
from moorings.errors import InvalidInput

SHOWN = {each["name"]: each for each in json.loads(resource._rendered())["dialects"]}
LOGINS = [
    (name, method["name"]) for name, each in SHOWN.items() for method in each["authenticationTypes"] or [{"name": None}]
]


class TestRequired:
    @pytest.mark.parametrize(("name", "method"), LOGINS, ids=str)
    def test_is_what_the_service_requires(self, name, method):
        given = {"dialect": name, "name": "x"} | ({"authenticationType": method} if method else {})
        config = dialects.named(name).Config
        with pytest.raises(InvalidInput) as refused:
            config.read({**given, "port": "no number"})  # which is refused in any case
        faults = {config.wire_name(fault.field) for fault in refused.value.faults}
        assert {*forms.missing(SHOWN[name], given)} == faults - {"port"}

    def test_a_field_that_tells_the_login(self):
        assert "privateKey" in forms.required(SHOWN["snowflake"], {"privateKey": "x"})
        assert "passwordUnencrypted" not in forms.required(SHOWN["snowflake"], {"privateKey": "x"})
        assert "host" not in forms.required(SHOWN["snowflake"], {"hostOverride": "h"})


class TestAssigned:
    def test_values_by_their_kind(self, tmp_path):
        (tmp_path / "secret").write_text("p\n")
        found = forms.assigned(
            SHOWN["postgres"],
            ["port=1", "readOnly=false", "defaultSchema=null", "host=a=b"],
            files=[f"passwordUnencrypted={tmp_path / 'secret'}"],
        )
        assert found == {
            "port": 1,
            "readOnly": False,
            "defaultSchema": None,
            "host": "a=b",
            "passwordUnencrypted": "p",
        }

    @pytest.mark.parametrize("text", ["port=x", "readOnly=maybe", "nope=1", "host", "passwordUnencrypted=hunter2"])
    def test_refuses(self, text):
        with pytest.raises(UsageError) as refused:
            forms.assigned(SHOWN["postgres"], [text])
        assert "hunter2" not in str(refused.value)
