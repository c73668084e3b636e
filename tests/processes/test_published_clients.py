"""Clients of Omni's API from the package registry, unchanged, against a running service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omni_python_sdk import OmniAPI
from omni_sync.api.omni_client import OmniClient

from tests.processes.conftest import TOKEN


@pytest.fixture(scope="module")
def replica(start: Any) -> Iterator[Any]:
    with start() as running:
        yield running


@pytest.fixture(scope="module")
def attribute(replica: Any) -> str:
    body = {"name": "tenant", "multiple_values": True}
    assert replica.request("POST", "/user-attributes", json=body).status_code == 201
    return body["name"]


class TestOmniPythonSdk:
    @pytest.fixture
    def api(self, replica: Any) -> OmniAPI:
        return OmniAPI(TOKEN, f"{replica.serving.url}/api/v1")

    def test_a_query_comes_as_a_table(self, replica: Any, api: OmniAPI):
        body = {"dialect": "duckdb", "database": ":memory:", "readOnly": False, "name": "memory"}
        model = replica.request("POST", "/connections", json=body).json()["data"]
        found = api.run_query_blocking({"query": {"modelId": model, "userEditedSQL": "SELECT 1 AS n, 'ä' AS label"}})
        assert found is not None
        table, fields = found
        assert table.to_pylist() == [{"n": 1, "label": "ä"}]
        assert set(fields) == {"n", "label"}

    def test_users_come_change_and_go(self, replica: Any, api: OmniAPI, attribute: str):
        email = f"{uuid.uuid4().hex}@example.com"
        for name, values in (("Ann", ["a"]), ("Ann Lee", ["a", "b"])):
            api.upsert_user(email, name, {attribute: values})
            found = api.return_user_by_email(email)
            assert (found["displayName"], found["userName"]) == (name, email)
            assert found["urn:omni:params:1.0:UserAttribute"] == {attribute: values}
        assert api.delete_user(email).status_code == 204
        assert api.return_user_by_email(email) is None


class TestOmniUserManager:
    @pytest.fixture
    def client(self, replica: Any) -> OmniClient:
        return OmniClient(f"{replica.serving.url}/api", TOKEN)

    def test_users_and_groups(self, client: OmniClient):
        email = f"{uuid.uuid4().hex}@example.com"
        made = client.create_user({"userName": email, "displayName": "Ben"})
        assert client.get_user(email)["id"] == made["id"]
        changed = client.update_user({"userName": email, "displayName": "Ben Ray"})
        assert (changed["id"], changed["displayName"]) == (made["id"], "Ben Ray")
        client.delete_user(made["id"])
        assert client.get_user(email) is None

    def test_a_synchronization_from_a_file(self, replica: Any, client: OmniClient, attribute: str, tmp_path: Path):
        name = f"{uuid.uuid4().hex}@example.com"
        client.create_user({"userName": name, "displayName": "Cleo"})
        user = {
            "userName": name,
            "displayName": "Cleo",
            "active": True,
            "urn:omni:params:1.0:UserAttribute": {attribute: ["x"]},
            "groups": [],
        }
        source = tmp_path / "users.json"
        source.write_text(json.dumps({"Resources": [user]}))
        environment = os.environ | {"OMNI_BASE_URL": f"{replica.serving.url}/api", "OMNI_API_KEY": TOKEN}
        command = [sys.executable, "-m", "omni_sync.cli", "sync", "--source", "json", "--users", str(source)]
        ran = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert client.get_user(name)["urn:omni:params:1.0:UserAttribute"] == {attribute: ["x"]}
