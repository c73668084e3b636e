"""User attributes, and which environment they choose: for tests, queries, lists of tables, and as explained."""

from __future__ import annotations

import uuid
from typing import Any

import duckdb
import pytest
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.access.policy import Role
from tests.conftest import TOKEN
from tests.http.scim.test_scim import send

USED = "moorings-connection-id"


def file(service: Any, name: str) -> str:
    """A connection to a file whose table `place` holds the file's name."""
    with duckdb.connect(str(service.settings.duckdb_directory / f"{name}.duckdb")) as made:
        made.execute("CREATE OR REPLACE TABLE place AS SELECT ? AS name", [name])
    return service.create(dialect="duckdb", name=name, database=f"{name}.duckdb", baseRole="NO_ACCESS")


class Fleet:
    """A base connection with two environments, chosen by an attribute of its own."""

    def __init__(self, service: Any) -> None:
        self.service = service
        self.attribute = f"tenant_{uuid.uuid4().hex[:8]}"
        self.base, self.dev, self.prod = (file(service, f"{name}_{self.attribute}") for name in ("base", "dev", "prod"))
        body = {"baseConnectionId": self.base, "environmentConnectionIds": [self.dev, self.prod]}
        made = service.request("POST", "/connection-environments", json=body).json()["data"]
        self.environments = [each["id"] for each in made]
        for environment, values in zip(self.environments, (["dev", "test"], ["prod"]), strict=True):
            path = f"/connection-environments/{environment}"
            assert service.request("PUT", path, json={"userAttributeValues": values}).status_code == 200
        chooses = {"attributeName": self.attribute, "defaultValues": ["main"]}
        changed = service.request("PATCH", f"/connections/{self.base}", json={"environmentUserAttribute": chooses})
        assert changed.status_code == 200
        body = {"name": self.attribute, "multiple_values": True, "default_value": "prod"}
        defined = service.request("POST", "/user-attributes", json=body)
        assert defined.status_code == 201, defined.text
        self.attribute_id = defined.json()["id"]

    def give(self, user_id: str, values: Any, owners: str = "users") -> None:
        answer = self.service.request("PUT", f"/{owners}/{user_id}/attributes", json={self.attribute: values})
        assert (answer.status_code, answer.json()["success"]) == (200, True)
        assert answer.json().keys() <= {"success", "warnings"}

    def ask(self, key: str, query: str = "") -> Any:
        return self.service.request(
            "POST",
            f"/connections/{self.base}/query{query}",
            key=key,
            json={"sql": "SELECT name FROM place"},
            headers={"accept": "application/json"},
        )

    def place(self, key: str, query: str = "") -> str:
        """Which file answered: base, dev or prod."""
        answer = self.ask(key, query)
        assert answer.status_code == 200, answer.text
        used = {self.base: "base", self.dev: "dev", self.prod: "prod"}[answer.headers[USED]]
        assert answer.json()["rows"][0][0].startswith(used)
        return used


@pytest.fixture(scope="module")
def fleet(service: Any) -> Fleet:
    return Fleet(service)


@pytest.fixture(scope="module")
def strict(service: Any) -> Fleet:
    fleet = Fleet(service)
    answer = service.request("PATCH", f"/connections/{fleet.base}", json={"unmatched": "deny"})
    assert answer.json() == {"success": True, "message": "Updated connection settings."}
    return fleet


class TestUnmatched:
    """Of a base connection that is for those only whose values mean something on it."""

    def test_who_means_nothing_is_refused_everywhere(self, service: Any, strict: Fleet):
        key, user = service.new_user(**{strict.base: Role.QUERIER})
        strict.give(user, "elsewhere")
        says = f'None of your values of the user attribute "{strict.attribute}" means an environment of this connection'
        for method, path in (("POST", "query"), ("POST", "test"), ("GET", "tables")):
            body = {"json": {"sql": "SELECT 1"}} if path == "query" else {}
            answer = service.request(method, f"/connections/{strict.base}/{path}", key=key, **body)
            assert (answer.status_code, answer.json()) == (403, {"detail": says, "status": 403})
            assert USED not in answer.headers
        strict.give(user, "dev")
        assert strict.place(key) == "dev"
        strict.give(user, "main")
        assert strict.place(key) == "base"

    def test_the_base_itself_is_for_its_admins_to_ask_for(self, service: Any, strict: Fleet):
        query = f"?environment={strict.base}"
        key, user = service.new_user(**{strict.base: Role.MODELER})
        strict.give(user, "elsewhere")
        assert (strict.ask(key, query).status_code, strict.ask(key, query).json()["detail"]) == (
            403,
            "Permission denied",
        )
        admin, user = service.new_user(**{strict.base: Role.CONNECTION_ADMIN})
        strict.give(user, "elsewhere")
        assert strict.ask(admin).status_code == 403
        assert strict.place(admin, query) == "base"

    def test_without_an_attribute_it_is_for_nobody(self, service: Any):
        fleet = Fleet(service)
        service.request("PATCH", f"/connections/{fleet.base}", json={"unmatched": "deny"})
        service.request("PATCH", f"/connections/{fleet.base}", json={"environmentUserAttribute": None})
        key, user = service.new_user(**{fleet.base: Role.QUERIER})
        fleet.give(user, "dev")
        answer = fleet.ask(key)
        says = "No user attribute means an environment of this connection"
        assert (answer.status_code, answer.json()["detail"]) == (403, says)

    def test_the_base_may_be_named_by_whom_it_is_for(self, service: Any, strict: Fleet):
        key, user = service.new_user(**{strict.base: Role.QUERIER})
        strict.give(user, "main")
        assert strict.place(key, f"?environment={strict.base}") == "base"
        strict.give(user, "dev")
        assert strict.ask(key, f"?environment={strict.base}").status_code == 403

    def test_is_explained(self, service: Any, strict: Fleet):
        key, user = service.new_user(**{strict.base: Role.QUERIER})
        strict.give(user, "elsewhere")
        answered = service.request("GET", f"/connections/{strict.base}/route", key=key).json()
        assert (answered["connectionId"], answered["source"], answered["value"]) == (None, "denied", None)
        strict.give(user, "dev")
        answered = service.request("GET", f"/connections/{strict.base}/route", key=key).json()
        assert (answered["connectionId"], answered["otherwise"][-1]) == (
            strict.dev,
            {"value": None, "connectionId": None},
        )

    def test_is_shown_and_taken_back(self, service: Any):
        connection = service.create(unmatched="deny")
        for sent, shown in ((None, "deny"), ({"unmatched": None}, "base"), ({"unmatched": "deny"}, "deny")):
            if sent is not None:
                assert service.request("PATCH", f"/connections/{connection}", json=sent).status_code == 200
            found = service.request("GET", f"/connections/{connection}").json()["connection"]
            assert found["settings"]["unmatched"] == shown
        refused = service.request("PATCH", f"/connections/{connection}", json={"unmatched": "all"})
        assert (refused.status_code, refused.json()["detail"]) == (
            400,
            "Bad Request: unmatched: Invalid enum value. Expected 'base' | 'deny', received 'all'",
        )


class TestRouting:
    def test_the_users_value_chooses_at_once(self, service: Any, fleet: Fleet):
        key, user = service.new_user(**{fleet.base: Role.QUERIER})
        assert fleet.place(key) == "prod", "the attribute's default"
        fleet.give(user, "dev")
        assert fleet.place(key) == "dev"
        fleet.give(user, ["main"])
        assert fleet.place(key) == "base"
        fleet.give(user, ["elsewhere"])
        assert fleet.place(key) == "base"
        fleet.give(user, None)
        assert fleet.place(key) == "prod"

    def test_the_role_on_the_base_connection_counts(self, service: Any, fleet: Fleet):
        key, user = service.new_user(**{fleet.dev: Role.CONNECTION_ADMIN})
        fleet.give(user, "dev")
        assert fleet.ask(key).status_code == 404

    def test_an_organization_key_has_values_too(self, service: Any, fleet: Fleet):
        async def making(session: AsyncSession) -> str:
            return await access.create_key(session, await access.the_organization(session), "of a tool")

        key = service.change(making)
        (found,) = [
            each for each in service.request("GET", "/api-keys").json()["records"] if each["name"] == "of a tool"
        ]
        fleet.give(found["id"], "dev", "api-keys")
        assert fleet.place(key) == "dev"
        stored = service.request("GET", f"/api-keys/{found['id']}/attributes").json()
        assert stored == {"attributes": {fleet.attribute: ["dev"]}}

    def test_tests_and_tables_go_where_queries_go(self, service: Any, fleet: Fleet):
        key, user = service.new_user(**{fleet.base: Role.QUERIER})
        fleet.give(user, "dev")
        tested = service.request("POST", f"/connections/{fleet.base}/test", key=key)
        assert (tested.json()["success"], tested.headers[USED]) == (True, fleet.dev)
        listed = service.request("GET", f"/connections/{fleet.base}/tables", key=key)
        assert listed.headers[USED] == fleet.dev
        assert listed.json()["tables"][0]["catalog"].startswith("dev")

    def test_an_archived_environment_is_not_replaced_by_another(self, service: Any):
        fleet = Fleet(service)
        key, user = service.new_user(**{fleet.base: Role.QUERIER})
        fleet.give(user, "dev")
        service.archive(fleet.dev)
        assert (fleet.ask(key).status_code, fleet.ask(key).json()["detail"]) == (410, "Connection is archived")

    def test_a_system_attribute_chooses_too(self, service: Any):
        fleet = Fleet(service)
        chooses = {"attributeName": "omni_is_org_admin", "defaultValues": ["true"]}
        service.request("PATCH", f"/connections/{fleet.base}", json={"environmentUserAttribute": chooses})
        path = f"/connection-environments/{fleet.environments[0]}"
        service.request("PUT", path, json={"userAttributeValues": "false"})
        key, _ = service.new_user(**{fleet.base: Role.QUERIER})
        assert fleet.place(key) == "dev"


class TestExplicitChoice:
    def test_an_admin_of_the_base_may_choose(self, service: Any, fleet: Fleet):
        key, _ = service.new_user(**{fleet.base: Role.CONNECTION_ADMIN})
        assert fleet.place(key, f"?environment={fleet.environments[0]}") == "dev"
        assert fleet.place(key, f"?environment={fleet.prod.upper()}") == "prod"

    def test_so_may_who_may_query_that_connection_itself(self, service: Any, fleet: Fleet):
        key, _ = service.new_user(**{fleet.base: Role.QUERIER, fleet.dev: Role.QUERIER})
        assert fleet.place(key, f"?environment={fleet.dev}") == "dev"

    def test_nobody_else(self, service: Any, fleet: Fleet):
        key, user = service.new_user(**{fleet.base: Role.QUERIER, fleet.dev: Role.RESTRICTED_QUERIER})
        fleet.give(user, "dev")
        answer = fleet.ask(key, f"?environment={fleet.dev}")
        assert (answer.status_code, answer.json()["detail"]) == (403, "Permission denied")

    def test_what_is_none_of_its_environments(self, service: Any, fleet: Fleet):
        other = service.create()
        answer = fleet.ask(TOKEN, f"?environment={other}")
        detail = f"Connection environment with id {other} does not exist"
        assert (answer.status_code, answer.json()["detail"]) == (404, detail)
        answer = fleet.ask(TOKEN, "?environment=x")
        assert answer.json()["detail"] == "Bad Request: environment: Invalid uuid"


class TestExplanation:
    def explain(self, service: Any, fleet: Fleet, query: str = "", **how: Any) -> Any:
        return service.request("GET", f"/connections/{fleet.base}/route{query}", **how)

    def test_everything_that_decided(self, service: Any, fleet: Fleet):
        key, user = service.new_user(**{fleet.base: Role.QUERIER})
        fleet.give(user, ["test"])
        expected: dict[str, Any] = {
            "connectionId": fleet.dev,
            "environmentId": fleet.environments[0],
            "source": "user attribute",
            "attribute": fleet.attribute,
            "value": "test",
            "role": "QUERIER",
            "otherwise": [
                {"value": "dev", "connectionId": fleet.dev},
                {"value": "main", "connectionId": fleet.base},
                {"value": "prod", "connectionId": fleet.prod},
                {"value": None, "connectionId": fleet.base},
            ],
        }
        assert self.explain(service, fleet, f"?userId={user.upper()}").json() == expected
        own = expected | {"otherwise": expected["otherwise"][-1:]}
        assert self.explain(service, fleet, key=key).json() == own, "the values of others are not theirs to know"

    def test_only_admins_ask_about_others(self, service: Any, fleet: Fleet):
        key, _ = service.new_user(**{fleet.base: Role.MODELER})
        _, other = service.new_user()
        answer = self.explain(service, fleet, f"?userId={other}", key=key)
        assert (answer.status_code, answer.json()["detail"]) == (403, "Permission denied")

    def test_the_base_alone(self, service: Any):
        connection = service.create()
        answer = service.request("GET", f"/connections/{connection}/route")
        assert answer.json() == {
            "connectionId": connection,
            "environmentId": None,
            "source": "base",
            "attribute": None,
            "value": None,
            "role": "CONNECTION_ADMIN",
            "otherwise": [],
        }

    def test_faults(self, service: Any, fleet: Fleet):
        assert self.explain(service, fleet, "?userId=x").json()["detail"] == "Bad Request: userId: Invalid uuid"
        unknown = self.explain(service, fleet, f"?userId={uuid.uuid4()}")
        assert (unknown.status_code, unknown.json()["detail"]) == (404, "User not found")


def moves_of(answer: Any) -> list[tuple[Any, ...]]:
    keys = ("baseConnectionId", "connectionIdBefore", "connectionIdAfter", "users", "apiKeys")
    return [tuple(each[key] for key in keys) for each in answer.json()["moved"]]


class TestDependents:
    """An attribute that decides an environment, or has values, is not deleted by accident."""

    @pytest.fixture
    def fleet(self, service: Any) -> Fleet:
        """One whose attribute has no default: only own values move anybody."""
        fleet = Fleet(service)
        body = {"name": fleet.attribute, "multiple_values": True}
        assert service.request("PUT", f"/user-attributes/{fleet.attribute_id}", json=body).status_code == 200
        return fleet

    def test_one_that_decides_an_environment_is_kept(self, service: Any, fleet: Fleet):
        (name,) = [
            each["name"]
            for each in service.request("GET", "/connections").json()["connections"]
            if each["id"] == fleet.base
        ]
        path = f"/user-attributes/{fleet.attribute_id}"
        key, user = service.new_user(**{fleet.base: Role.QUERIER})
        fleet.give(user, "dev")
        for query in ("", "?force=false", "?force=0", "?force="):
            refused = service.request("DELETE", path + query)
            detail = (
                f'User attribute "{fleet.attribute}" is in use: it decides the environment of "{name}", and 1 user has '
                "values. Send force=true to delete it anyway"
            )
            assert (refused.status_code, refused.json()) == (409, {"detail": detail, "status": 409})
        assert fleet.place(key) == "dev"

    def test_so_is_one_with_values_alone(self, service: Any):
        made = service.request("POST", "/user-attributes", json={"name": f"a_{uuid.uuid4().hex}"}).json()
        path = f"/user-attributes/{made['id']}"
        owners = [service.new_user()[1], service.new_user()[1]]
        for owner in owners:
            service.request("PUT", f"/users/{owner}/attributes", json={made["name"]: "x"})
        refused = service.request("DELETE", path)
        detail = f'User attribute "{made["name"]}" is in use: 2 users have values. Send force=true to delete it anyway'
        assert (refused.status_code, refused.json()["detail"]) == (409, detail)
        for owner in owners:
            service.request("PUT", f"/users/{owner}/attributes", json={made["name"]: None})
        assert service.request("DELETE", path).json() == {"success": True}

    def test_a_value_that_is_cleared_is_a_warning(self, service: Any, fleet: Fleet):
        key, user = service.new_user(**{fleet.base: Role.QUERIER})
        path = f"/users/{user}/attributes"
        assert service.request("PUT", path, json={fleet.attribute: ["dev"]}).json() == {"success": True}
        assert service.request("PUT", path, json={fleet.attribute: ["prod"]}).json() == {"success": True}
        (warning,) = service.request("PUT", path, json={fleet.attribute: None}).json()["warnings"]
        assert warning.startswith("1 user now gets ")
        assert fleet.place(key) == "base"

    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_a_value_that_an_identity_provider_clears_is_logged(self, service: Any, fleet: Fleet, method: str):
        _, user = service.new_user(**{fleet.base: Role.QUERIER})
        fleet.give(user, "dev")
        extension = "urn:omni:params:1.0:UserAttribute"
        found = send(service, "GET", f"/Users/{user}").json()
        cleared = {"op": "replace", "path": f"{extension}:{fleet.attribute}", "value": None}
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [cleared]}
        if method == "PUT":
            body = found | {extension: {fleet.attribute: None}}
        with structlog.testing.capture_logs() as lines:
            answer = send(service, method, f"/Users/{user}", body)
        assert answer.status_code == 200, answer.text
        (line,) = [each for each in lines if each["event"] == "user_without_environment"]
        assert (line["user"], line["base_connection"], line["after"]) == (user, fleet.base, fleet.base)

    @pytest.mark.parametrize("force", ["true", "True", "1"])
    def test_force_says_whom_it_moves(self, service: Any, fleet: Fleet, force: str):
        key, user = service.new_user(**{fleet.base: Role.QUERIER})
        for values, owner in ((["dev"], user), (["prod"], service.new_user()[1]), (["test"], service.new_user()[1])):
            fleet.give(owner, values)
        fleet.give(service.new_user()[1], "main")
        answer = service.request("DELETE", f"/user-attributes/{fleet.attribute_id}?force={force}")
        assert answer.status_code == 200
        assert moves_of(answer) == [
            (fleet.base, fleet.dev, fleet.base, 2, 0),
            (fleet.base, fleet.prod, fleet.base, 1, 0),
        ]
        answered = answer.json()
        assert (answered["success"], answered["usersWithValues"], answered["apiKeysWithValues"]) == (True, 4, 0)
        base, dev = (f"{name}_{fleet.attribute}" for name in ("base", "dev"))
        assert answered["warnings"][0] == f'2 users now get "{base}" through "{base}", and no longer "{dev}"'
        assert fleet.place(key) == "base"

    def test_who_had_the_default_is_moved_too_or_gets_nothing(self, service: Any):
        fleet = Fleet(service)
        service.request("PATCH", f"/connections/{fleet.base}", json={"unmatched": "deny"})
        key, _ = service.new_user(**{fleet.base: Role.QUERIER})
        assert fleet.place(key) == "prod"
        answer = service.request("DELETE", f"/user-attributes/{fleet.attribute_id}?force=true")
        ((base, before, after, users, api_keys),) = moves_of(answer)
        assert (base, before, after) == (fleet.base, fleet.prod, None)
        assert (users > 0, api_keys > 0) == (True, True)
        assert fleet.ask(key).status_code == 403

    def test_a_new_name_is_refused_likewise(self, service: Any, fleet: Fleet):
        path, body = f"/user-attributes/{fleet.attribute_id}", {"name": f"{fleet.attribute}_2"}
        refused = service.request("PUT", path, json=body)
        assert (refused.status_code, "Send force=true to rename it anyway" in refused.json()["detail"]) == (409, True)
        assert service.request("PUT", f"{path}?force=true", json=body).json()["name"] == body["name"]

    def test_an_unclear_force_is_refused(self, service: Any, fleet: Fleet):
        answer = service.request("DELETE", f"/user-attributes/{fleet.attribute_id}?force=yes")
        detail = "Bad Request: force: Expected boolean, received string"
        assert (answer.status_code, answer.json()["detail"]) == (400, detail)


class TestWarnings:
    """Whoever falls back to the base connection by a change is counted in its answer."""

    @pytest.fixture
    def fleet(self, service: Any) -> Fleet:
        fleet = Fleet(service)
        service.request(
            "PUT", f"/user-attributes/{fleet.attribute_id}", json={"name": fleet.attribute, "multiple_values": True}
        )
        fleet.give(service.new_user()[1], "dev")
        return fleet

    def warning(self, fleet: Fleet) -> list[str]:
        base, dev = (f"{name}_{fleet.attribute}" for name in ("base", "dev"))
        return [f'1 user now gets "{base}" through "{base}", and no longer "{dev}"']

    def test_of_an_environment_that_is_removed(self, service: Any, fleet: Fleet):
        answer = service.request("DELETE", f"/connection-environments/{fleet.environments[0]}")
        assert answer.json() == {"success": True, "warnings": self.warning(fleet)}
        again = service.request("DELETE", f"/connection-environments/{fleet.environments[1]}")
        assert again.json() == {"success": True}

    def test_of_values_that_are_taken_away(self, service: Any, fleet: Fleet):
        path = f"/connection-environments/{fleet.environments[0]}"
        answer = service.request("PUT", path, json={"userAttributeValues": ["test"]})
        assert answer.json() == {"success": True, "warnings": self.warning(fleet)}

    def test_of_an_attribute_that_decides_no_longer(self, service: Any, fleet: Fleet):
        answer = service.request("PATCH", f"/connections/{fleet.base}", json={"environmentUserAttribute": None})
        assert answer.json()["warnings"] == self.warning(fleet)


class TestAttributes:
    def test_those_of_the_system_come_first_without_an_id(self, service: Any):
        records = service.request("GET", "/user-attributes").json()["records"]
        assert [record["name"] for record in records[:7]] == [
            "omni_is_org_admin",
            "omni_user_email",
            "omni_user_embed_entity",
            "omni_user_groups",
            "omni_user_id",
            "omni_user_name",
            "omni_user_timezone",
        ]
        assert {(record["id"], record["system"]) for record in records[:7]} == {("", True)}

    def test_define_change_and_remove(self, service: Any):
        body = {"name": "region", "label": "Region", "type": "Number", "default_value": 7}
        made = service.request("POST", "/user-attributes", json=body)
        assert made.status_code == 201
        assert made.json() == {
            "id": made.json()["id"],
            "name": "region",
            "label": "Region",
            "description": None,
            "type": "Number",
            "multiple_values": False,
            "default_value": "7",
            "system": False,
        }
        path = f"/user-attributes/{made.json()['id']}"
        body = {"name": "area", "multiple_values": True, "default_value": ["a", "b", "a"]}
        changed = service.request("PUT", path, json=body).json()
        assert (changed["name"], changed["label"], changed["default_value"]) == ("area", "area", "a,b")
        assert changed in service.request("GET", "/user-attributes").json()["records"]
        assert service.request("DELETE", path).json() == {"success": True}
        gone = service.request("DELETE", path)
        assert (gone.status_code, gone.json()["detail"]) == (404, "User attribute not found")

    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            ({}, "Bad Request: name: Required"),
            ({"name": ""}, "Bad Request: name: String must contain at least 1 character(s)"),
            (
                {"name": "a", "type": "Date"},
                "Bad Request: type: Invalid enum value. Expected 'String' | 'Number', received 'Date'",
            ),
            (
                {"name": "a", "default_value": ["x", "y"]},
                "Bad Request: default_value: This attribute takes one value. Send a single string",
            ),
            ({"name": "a", "default_value": "x,y"}, "Bad Request: default_value: Invalid input"),
            ({"name": "a", "default_value": {}}, "Bad Request: default_value: Expected string, received object"),
            (
                {"name": "a", "type": "Number", "default_value": "seven"},
                "Bad Request: default_value: Expected number, received string",
            ),
            ({"name": "omni_user_id"}, 'User attribute "omni_user_id" exists already'),
            ({"name": "a", "Name": "b"}, "Bad Request: formErrors: Unrecognized key(s) in object: 'Name'"),
        ],
    )
    def test_faults(self, service: Any, body: Any, detail: str):
        answer = service.request("POST", "/user-attributes", json=body)
        assert (answer.status_code, answer.json()) == (400, {"detail": detail, "status": 400})

    def test_a_name_is_taken_once_also_at_once(self, service: Any, at_once: Any):
        body = {"name": f"twice_{uuid.uuid4().hex}"}
        answers = at_once(service, [("POST", "/user-attributes", body)] * 4)
        assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400]

    def test_only_organization_admins_define_and_give(self, service: Any, fleet: Fleet):
        key, user = service.new_user(**{fleet.base: Role.CONNECTION_ADMIN})
        for method, path, body in (
            ("POST", "/user-attributes", {"name": "mine"}),
            ("PUT", f"/user-attributes/{fleet.attribute_id}", {"name": "mine"}),
            ("DELETE", f"/user-attributes/{fleet.attribute_id}", None),
            ("PUT", f"/users/{user}/attributes", {fleet.attribute: "prod"}),
            ("GET", f"/users/{user}/attributes", None),
        ):
            assert service.request(method, path, key=key, json=body).status_code == 403, (method, path)
        assert service.request("GET", "/user-attributes", key=key).status_code == 200

    def test_giving_what_is_not_defined(self, service: Any):
        _, user = service.new_user()
        answer = service.request("PUT", f"/users/{user}/attributes", json={"nowhere": "x"})
        assert answer.json()["detail"] == "Bad Request: formErrors: Unrecognized key(s) in object: 'nowhere'"
        unknown = service.request("PUT", f"/users/{uuid.uuid4()}/attributes", json={})
        assert (unknown.status_code, unknown.json()["detail"]) == (404, "User not found")
