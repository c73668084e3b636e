"""What a form needs to know of each dialect."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from moorings import dialects


@pytest.fixture(scope="module")
def listed(service: Any) -> dict[str, Any]:
    answer = service.request("GET", "/dialects", key=service.member())
    assert answer.status_code == 200
    return {dialect["name"]: dialect for dialect in answer.json()["dialects"]}


class TestDialects:
    def test_each_is_there_in_order(self, listed: dict[str, Any]):
        assert tuple(listed) == dialects.names()

    def test_fields_of_snowflake(self, listed: dict[str, Any]):
        fields = {field["name"]: field for field in listed["snowflake"]["fields"]}
        assert fields["privateKey"] == {
            "name": "privateKey",
            "kind": "string",
            "secret": True,
            "required": "when authenticationType is `snowflake-keypair`",
            "default": None,
            "allowed": [],
            "description": "The private key to log in with, instead of a password.",
        }
        assert fields["baseRole"]["allowed"][0] == "NO_ACCESS"
        assert listed["snowflake"]["authenticationTypes"][1] == {
            "name": "snowflake-keypair",
            "requires": ["warehouse", "username", "privateKey"],
            "default": False,
        }

    def test_abilities_and_defaults(self, listed: dict[str, Any]):
        postgres, duckdb = listed["postgres"], listed["duckdb"]
        assert (postgres["connects"], postgres["own"], postgres["defaultPort"]) == (True, False, 5432)
        assert (postgres["supportsDbt"], listed["mysql"]["supportsDbt"]) == (True, False)
        assert (postgres["extra"], postgres["parameters"]) == ("postgres", "$1, $2")
        assert (duckdb["own"], duckdb["defaultPort"], duckdb["extra"]) == (True, None, None)

    @pytest.mark.parametrize("name", dialects.names())
    def test_the_schema_is_one(self, listed: dict[str, Any], name: str):
        validator = jsonschema_rs.validator_for(listed[name]["schema"])
        assert not validator.is_valid({"dialect": "another"})
        secrets = {field["name"] for field in listed[name]["fields"] if field["secret"]}
        hidden = {key for key, shape in listed[name]["schema"]["properties"].items() if shape.get("writeOnly")}
        assert secrets == hidden

    def test_a_key_is_needed(self, service: Any):
        assert service.request("GET", "/dialects", key=None).status_code == 401
