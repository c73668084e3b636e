"""Connections as code, against a real process: files, plan, apply, drift, prune, export."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from moorings.client import Client
from moorings.client.ascode import applying, documents, exporting, planning, plans, schema, showing
from moorings.client.ascode.desired import items
from moorings.client.ascode.faults import ApplyFailed, FileFault, StalePlan
from tests.processes.conftest import TOKEN, Replica
from tests.terminal import MOORINGS

SECRET = "s3cret-of-the-files"

SHOP = """
version: 1
variables: {host: db.example.com, port: 5433}
attributes:
  region: {label: Region}
connections:
  Shop:
    dialect: postgres
    host: ${var:host}
    port: ${var:port}
    database: shop
    username: reader
    passwordUnencrypted: ${env:SHOP_PASSWORD}
    baseRole: QUERIER
    includeSchemas: sales,raw
    environments:
      attribute: region
      default: [eu]
      connections: {Shop US: [us]}
    schedules:
      - {schedule: "0 9 * * ? *", timezone: Europe/Berlin}
    roles:
      groups: {Analysts: MODELER}
      users: {ada@example.org: CONNECTION_ADMIN}
    dbt:
      sshUrl: git@example.com:shop/dbt.git
      branch: main
      environments:
        - {name: prod, targetSchema: analytics, variables: {mode: full, token: "${env:SHOP_PASSWORD}"}}
  Shop US:
    dialect: postgres
    host: us.${var:host}
    database: shop
    username: reader
    passwordUnencrypted: ${file:us.secret}
webhooks:
  https://hooks.example.org/moorings: {events: [connection.health]}
"""


@pytest.fixture(scope="module")
def replica(start: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    with start(tmp_path_factory.mktemp("as-code")) as running:
        yield running


@pytest.fixture(scope="module")
def client(replica: Replica) -> Iterator[Client]:
    with Client(replica.serving.url, TOKEN) as made:
        made.groups.create("Analysts")
        made.users.create("ada@example.org")
        yield made


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)


@pytest.fixture
def files(tmp_path: Path):
    """Write files, and give what they want."""

    def written(*texts: str, **variables: str) -> Any:
        (tmp_path / "us.secret").write_text(f"{SECRET}-us\n")
        for number, text in enumerate(texts):
            (tmp_path / f"{number}.yaml").write_text(text)
        return documents.load([tmp_path], variables)

    return written


@pytest.fixture
def make(client: Client, files: Any):
    """The plan for some files."""

    def made(*texts: str, prune: bool = False, **variables: str) -> plans.Plan:
        return planning.plan(client, items(files(*texts, **variables), client.dialects.list()), prune=prune)

    return made


def verbs(plan: plans.Plan) -> list[str]:
    return [f"{action.verb} {action.address}" for action in plan.actions]


def apply(client: Client, plan: plans.Plan) -> list[str]:
    return [showing.done(action) for action, _ in applying.apply(client, plan)]


def connection(name: str, **fields: Any) -> str:
    given = {"dialect": "postgres", "host": "h", "database": "d", "username": "u"}
    wanted = given | {"passwordUnencrypted": "${env:SHOP_PASSWORD}"} | fields
    return yaml.safe_dump({"connections": {name: wanted}})


class TestTheFlow:
    """In order: each test goes on from the one before it."""

    def test_a_plan_creates_what_is_missing_in_the_order_of_dependencies_and_shows_no_secret(self, client, make):
        plan = make(SHOP)
        assert verbs(plan) == [
            "create attribute region",
            "create connection Shop",
            "create connection Shop US",
            "create routing Shop",
            "create environment Shop / Shop US",
            "create schedule Shop / 0 9 * * ? * Europe/Berlin",
            "create dbt Shop",
            "create dbt environment Shop / prod",
            "create role Shop / group Analysts",
            "create role Shop / user ada@example.org",
            "create webhook https://hooks.example.org/moorings",
        ]
        shown = "\n".join(showing.lines(plan))
        assert "passwordUnencrypted: (secret ${env:SHOP_PASSWORD})" in shown
        assert "11 to create." in shown
        assert SECRET not in shown + json.dumps(plan.to_json())
        assert not client.connections.list(name="Shop")

    def test_a_saved_plan_is_applied(self, client, make, tmp_path):
        path = tmp_path / "plan.json"
        plans.save(make(SHOP), path)
        assert SECRET not in path.read_text()
        assert len(apply(client, applying.checked(client, plans.load(path)))) == 11
        assert client.connections.get("Shop")["settings"]["port"] == 5433
        assert client.connections.route("Shop", user="ada@example.org")["role"] == "CONNECTION_ADMIN"

    def test_a_second_run_changes_nothing(self, make):
        assert verbs(make(SHOP)) == []
        assert verbs(make(SHOP, prune=True)) == []

    def test_a_plan_that_was_applied_is_stale(self, client, make, tmp_path):
        plan = make(SHOP, host="elsewhere.example.com")
        assert verbs(plan) == ["update connection Shop", "update connection Shop US"]
        assert any(note == "concerns 1 environment" for note in plan.actions[0].notes)
        plans.save(plan, tmp_path / "plan.json")
        apply(client, plan)
        with pytest.raises(StalePlan):
            applying.checked(client, plans.load(tmp_path / "plan.json"))

    def test_a_change_of_somebody_else_stops_the_plan_there(self, client, make):
        plan = make(SHOP)  # back to the first host
        client.connections.update("Shop US", {"queryTimeoutSeconds": 60})
        with pytest.raises(ApplyFailed, match="1 done, 0 not begun") as failed:
            apply(client, plan)
        assert "plan` again" in failed.value.next_step
        apply(client, make(SHOP))

    def test_a_secret_that_differs_is_seen_by_its_fingerprint(self, client, make, monkeypatch):
        monkeypatch.setenv("SHOP_PASSWORD", "another one")
        plan = make(SHOP)
        assert [change.field for change in plan.actions[0].changes] == ["passwordUnencrypted"]
        assert verbs(plan) == ["update connection Shop"]
        apply(client, plan)
        assert verbs(make(SHOP)) == []
        client.connections.update("Shop", {"passwordUnencrypted": "changed by hand"})
        assert verbs(make(SHOP)) == ["update connection Shop"]
        monkeypatch.setenv("SHOP_PASSWORD", SECRET)
        apply(client, make(SHOP))

    def test_a_secret_that_cannot_be_read_here_is_not_compared(self, make, monkeypatch):
        monkeypatch.delenv("SHOP_PASSWORD")
        assert verbs(make(SHOP)) == []

    def test_a_plan_says_whom_it_moves(self, client, make):
        changed = SHOP.replace("Shop US: [us]", "Shop US: [eu]").replace("default: [eu]", "default: [us]")
        plan = make(SHOP.replace("Shop US: [us]", "Shop US: [us, ca]"))
        assert plan.actions[0].notes == ["users with the value ca move to Shop US"]
        assert len(make(changed).actions) == 2

    def test_values_move_from_one_to_another(self, client, make):
        moved = SHOP.replace("default: [eu]", "default: []").replace("Shop US: [us]", "Shop US: [us, eu]")
        apply(client, make(moved))
        apply(client, make(SHOP))
        assert verbs(make(SHOP)) == []

    def test_prune_archives_only_on_request(self, client, make):
        client.connections.create(yaml.safe_load(connection("x"))["connections"]["x"] | {"name": "By hand"})
        without = SHOP.replace('      - {schedule: "0 9 * * ? *", timezone: Europe/Berlin}', "      []")
        assert verbs(make(without)) == []
        plan = make(without, prune=True)
        assert verbs(plan) == ["delete schedule Shop / 0 9 * * ? * Europe/Berlin", "archive connection By hand"]
        apply(client, plan)
        assert client.connections.list(name="By hand") == []
        apply(client, make(SHOP))
        assert verbs(make(SHOP)) == []  # what was deleted is there again

    def test_what_is_exported_plans_to_nothing(self, client, make, tmp_path, monkeypatch):
        text = exporting.export(client)
        assert SECRET not in text
        found = yaml.safe_load(text)
        assert found["connections"]["Shop"]["passwordUnencrypted"] == "${env:SHOP_PASSWORD}"
        assert found["connections"]["Shop"]["environments"]["connections"] == {"Shop US": ["us"]}
        assert "queryTimezone" not in found["connections"]["Shop"]  # it is the default
        monkeypatch.setenv("SHOP_US_PASSWORD", f"{SECRET}-us")
        assert verbs(make(text, prune=True)) == []
        jsonschema_rs.validate(schema.schema(client.dialects.list()), found)


class TestCommands:
    @pytest.fixture
    def run(self, replica: Replica, tmp_path: Path):
        """Run `moorings` in a folder, as a CI job does."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MOORINGS_")}
        config = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "NO_COLOR": "1"}

        def running(*arguments: str, url: str = replica.serving.url, code: int = 0, given: str = "") -> str:
            found = subprocess.run(
                [*MOORINGS, *arguments],
                env=clean | config | {"MOORINGS_URL": url, "MOORINGS_KEY": TOKEN},
                cwd=tmp_path,
                input=given,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert found.returncode == code, found.stdout + found.stderr
            assert SECRET not in found.stdout + found.stderr
            return found.stdout + found.stderr

        return running

    def test_plan_apply_and_plan_again(self, run, tmp_path):
        (tmp_path / "moorings.yaml").write_text(connection("Command"))
        assert "+ create connection Command" in run("plan", "--out", "plan.json", "--check", code=1)
        assert "created connection Command" in run("apply", "--plan", "plan.json")
        assert "No changes" in run("plan", "--check")
        assert "is not as it was" in run("apply", "--plan", "plan.json", code=1)

    def test_apply_asks_first(self, run, tmp_path):
        (tmp_path / "moorings.yaml").write_text(connection("Asked"))
        assert "Add --yes" in run("apply", code=2)
        assert "Applied: 1 action." in run("apply", "--yes")

    def test_a_fault_is_one_line(self, run, tmp_path):
        (tmp_path / "moorings.yaml").write_text(connection("x", hots="h"))
        assert run("plan", code=1).count("\n") == 1
        assert "there is no such file" in run("plan", "-f", "nowhere.yaml", code=1)

    def test_export_and_schema(self, client, make, run, tmp_path):
        apply(client, make(SHOP))
        (tmp_path / "0.yaml").unlink()
        run("export", "--out", "all.yaml")
        run("schema", "--out", "schema.json")
        found = yaml.safe_load((tmp_path / "all.yaml").read_text())
        jsonschema_rs.validate(json.loads((tmp_path / "schema.json").read_text()), found)
        assert "Shop" in found["connections"]

    def test_import_from_omni(self, client, make, run, replica, tmp_path):
        """The service speaks Omni's API, so it stands in for an Omni."""
        apply(client, make(SHOP))
        (tmp_path / "omni.key").write_text(TOKEN)
        options = ("import", "omni", "--url", f"{replica.serving.url}/api/v1", "--key-file", "omni.key")
        run(*options, "--out", "omni.yaml", "--map", "ids.json")
        found = yaml.safe_load((tmp_path / "omni.yaml").read_text())["connections"]["Shop"]
        assert found["host"] == "${var:shop_host}"
        assert found["passwordUnencrypted"] == "${env:SHOP_PASSWORD}"
        assert found["environments"] == {"attribute": "region", "default": ["eu"], "connections": {"Shop US": ["us"]}}
        assert found["dbt"]["environments"][0]["name"] == "prod"
        names = {each["name"]: each["id"] for each in json.loads((tmp_path / "ids.json").read_text()).values()}
        assert names["Shop"]
        assert "There is no variable" in run("plan", "-f", "omni.yaml", code=1)


class TestTwoAppliesAtOnce:
    def test_create_once(self, client, make):
        plan = make(connection("Once"))
        both = [threading.Thread(target=lambda: list(applying.apply(client, plan))) for _ in range(2)]
        for each in both:
            each.start()
        for each in both:
            each.join()
        assert len(client.connections.list(name="Once")) == 1

    def test_an_archived_one_is_made_again(self, client, make):
        for _ in range(2):
            apply(client, make(connection("Again")))
            client.connections.archive("Again")
        assert verbs(make(connection("Again"))) == ["create connection Again"]


class TestRename:
    def test_by_its_id(self, client, make):
        apply(client, make(connection("Old name")))
        found = client.connections["Old name"].id()
        plan = make(connection("New name", id=found))
        assert verbs(plan) == ["update connection New name"]
        apply(client, plan)
        assert client.connections.get(found)["name"] == "New name"


class TestFaultsOfFiles:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (connection("x", passwordUnencrypted="plain"), "a secret does not belong in a file"),
            (connection("x", passwordUnencrypted="x${env:SHOP_PASSWORD}"), "a secret does not belong in a file"),
            (connection("x", hots="h"), 'connections."x": "hots" is unknown. Did you mean "host"?'),
            (connection("x", dialect="postgresql"), "'postgresql' is unknown. Use one of postgres"),
            (connection("x", host="${var:nothing}"), 'There is no variable "nothing"'),
            (connection("x", host="${env:NOT_THERE}"), "NOT_THERE is not set"),
            (connection("x", host="${vault:x}"), "no such kind of reference"),
            (connection("x", schedules=[{"schedule": "0 9 * * *"}]), "six fields"),
            ("connections: {a: {dialect: duckdb}, a: {dialect: duckdb}}", 'the key "a" is there twice'),
            ("connection: {}", '"connection" is unknown. Use one of'),
            ("version: 2", "version: 2 is unknown"),
            ("- a", "a mapping is expected"),
            ("a: [", "cannot be read"),
        ],
    )
    def test_are_found_before_anything_is_asked(self, client, files, text, words):
        with pytest.raises(FileFault) as fault:
            items(files(text), client.dialects.list())
        assert words in fault.value.message

    def test_a_key_in_two_files_names_both(self, files):
        with pytest.raises(FileFault, match=r'1\.yaml: connections\."x" is in .*0\.yaml already'):
            files(connection("x"), connection("x"))

    def test_a_doubled_dollar_is_none(self, client, files):
        found = items(files(connection("x", database="a$${env:b}")), client.dialects.list())
        assert found["connection x"].fields["database"] == "a${env:b}"

    def test_a_plan_for_another_service_is_refused(self, client, make):
        plan = make(connection("x"))
        plan.url = "https://elsewhere.example"
        with pytest.raises(StalePlan, match=r"elsewhere\.example"):
            applying.checked(client, plan)

    def test_a_failure_says_what_is_done_and_what_is_not(self, client, make):
        with pytest.raises(ApplyFailed, match=r"create connection Faulty: .*port.*0 done, 1 not begun"):
            apply(client, make(connection("Faulty", port=99999, schedules=[{"schedule": "0 9 * * ? *"}])))
