"""Every published operation that is served: its id and tag, each query key taken, each required key in the answer."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.api.http import openapi
from moorings.app import ROUTES
from tests.conformance.published import OPERATIONS, Operation
from tests.conftest import TOKEN

DOCUMENT = openapi.document(ROUTES)
SOME = "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
KINDS: dict[str, Callable[[Any], bool]] = {
    "any": lambda value: value is not None,
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "instant": lambda value: isinstance(value, str) and INSTANT.fullmatch(value) is not None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
    "uuid": lambda value: isinstance(value, str) and UUID.fullmatch(value) is not None,
}
DBT = {"autogenRelationships": True, "branch": "main", "enableVirtualSchemas": False, "sshUrl": "git@host.example:o/r"}
DBT_ENVIRONMENT = {"targetSchema": "dev", "variables": [{"name": "A", "value": "1", "isSecret": False}]}
PLAN = {"schedule": "0 9 ? * MON-FRI *", "timezone": "Europe/Berlin"}
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Scene:
    """One of everything, so that each answer has rows; `new` makes what an operation deletes."""

    def __init__(self, service: Any) -> None:
        self.service = service
        self.base, self.environment, self.spare = (service.create(name=name) for name in ("base", "dev", "spare"))
        self.user, self.member = (self.new("POST", "/scim/v2/Users", self.person())["id"] for _ in range(2))
        self.group = self.new("POST", "/scim/v2/Groups", self.team())["id"]
        role = {"connectionId": self.base, "roleName": "QUERIER"}
        self.new("POST", f"/v1/user-groups/{self.group}/model-roles", role)
        self.new("POST", "/v1/user-attributes", {"name": "tenant", "default_value": "acme"})
        self.new("PUT", f"/v1/connections/{self.base}/dbt", DBT)
        self.dbt = self.dbt_environment()
        self.schedule = self.plan()
        self.attached = self.attach(self.environment)
        self.key = self.new_key()
        self.job = self.new("POST", f"/v1/connections/{self.base}/refresh", {})["job_id"]

    def send(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {TOKEN}"}
        return self.service.run(self.service.client.request(method, f"/api{path}", headers=headers, json=body))

    def new(self, method: str, path: str, body: Any) -> Any:
        answer = self.send(method, path, body)
        assert answer.is_success, answer.text
        return answer.json()

    def person(self) -> dict[str, Any]:
        return {"userName": f"{uuid.uuid4().hex}@example.com", "displayName": "Ann"}

    def team(self) -> dict[str, Any]:
        return {"displayName": uuid.uuid4().hex, "members": [{"value": self.member, "display": "Ann"}]}

    def dbt_environment(self) -> str:
        body = DBT_ENVIRONMENT | {"name": uuid.uuid4().hex}
        return self.new("POST", f"/v1/connections/{self.base}/dbt/environments", body)["id"]

    def plan(self) -> str:
        return self.new("POST", f"/v1/connections/{self.base}/schedules", PLAN)["scheduleId"]

    def attach(self, connection: str) -> str:
        body = {"baseConnectionId": self.base, "environmentConnectionIds": [connection]}
        return self.new("POST", "/v1/connection-environments", body)["data"][0]["id"]

    def new_key(self) -> str:
        name = uuid.uuid4().hex

        async def making(session: AsyncSession) -> None:
            await access.create_key(session, await access.the_organization(session), name)

        self.service.change(making)
        records = self.send("GET", "/v1/api-keys?pageSize=100").json()["records"]
        return next(record["id"] for record in records if record["name"] == name)

    def linked(self) -> str:
        connection = self.service.create(name="linked")
        self.new("PUT", f"/v1/connections/{connection}/dbt", DBT)
        return connection


Asked = tuple[dict[str, str], Any]
"""The ids in the path, and the body."""


def _group(scene: Scene) -> Asked:
    operation = {"op": "replace", "path": "members", "value": [{"value": scene.member}]}
    return {"miniUuid": scene.group}, {"schemas": [PATCH], "Operations": [operation]}


def _user(scene: Scene) -> Asked:
    operation = {"op": "replace", "value": {"active": True, "displayName": "Ben"}}
    return {"id": scene.user}, {"schemas": [PATCH], "Operations": [operation]}


BODIES: dict[str, Callable[[Scene], Asked]] = {
    "scimGroupsList": lambda scene: ({}, None),
    "scimGroupsCreate": lambda scene: ({}, scene.team()),
    "scimGroupsDelete": lambda scene: ({"miniUuid": scene.new("POST", "/scim/v2/Groups", scene.team())["id"]}, None),
    "scimGroupsGet": lambda scene: ({"miniUuid": scene.group}, None),
    "scimGroupsUpdate": _group,
    "scimGroupsReplace": lambda scene: ({"miniUuid": scene.group}, scene.team()),
    "scimUsersList": lambda scene: ({}, None),
    "scimUsersCreate": lambda scene: ({}, scene.person()),
    "scimUsersDelete": lambda scene: ({"id": scene.new("POST", "/scim/v2/Users", scene.person())["id"]}, None),
    "scimUsersGet": lambda scene: ({"id": scene.user}, None),
    "scimUsersUpdate": _user,
    "scimUsersReplace": lambda scene: ({"id": scene.user}, scene.person() | {"active": True}),
    "scimEmbedUsersList": lambda scene: ({}, None),
    "apiKeysList": lambda scene: ({}, None),
    "apiKeysDelete": lambda scene: ({"id": scene.new_key()}, None),
    "apiKeysGet": lambda scene: ({"id": scene.key}, None),
    "apiKeysUpdate": lambda scene: ({"id": scene.key}, {"enabled": True}),
    "connectionEnvironmentsList": lambda scene: ({}, None),
    "connectionEnvironmentsCreate": lambda scene: (
        {},
        {"baseConnectionId": scene.base, "environmentConnectionIds": [scene.spare]},
    ),
    "connectionEnvironmentsDelete": lambda scene: ({"id": scene.attach(scene.service.create())}, None),
    "connectionEnvironmentsUpdate": lambda scene: ({"id": scene.attached}, {"userAttributeValues": ["dev"]}),
    "connectionsList": lambda scene: ({}, None),
    "connectionsCreate": lambda scene: (
        {},
        {
            "dialect": "motherduck",
            "name": "n",
            "database": "d",
            "passwordUnencrypted": "p",
            "queryTimeoutSeconds": 60.0,
        },
    ),
    "connectionsDbtDelete": lambda scene: ({"connectionId": scene.linked()}, None),
    "connectionsDbtGet": lambda scene: ({"connectionId": scene.base}, None),
    "connectionsDbtUpdate": lambda scene: ({"connectionId": scene.base}, DBT | {"projectRootPath": ""}),
    "connectionsDbtEnvironmentsList": lambda scene: ({"connectionId": scene.base}, None),
    "connectionsDbtEnvironmentsCreate": lambda scene: ({"connectionId": scene.base}, DBT_ENVIRONMENT | {"name": "new"}),
    "connectionsDbtEnvironmentsDelete": lambda scene: (
        {"connectionId": scene.base, "environmentId": scene.dbt_environment()},
        None,
    ),
    "connectionsDbtEnvironmentsUpdate": lambda scene: (
        {"connectionId": scene.base, "environmentId": scene.dbt},
        DBT_ENVIRONMENT | {"name": "changed"},
    ),
    "connectionsSchedulesList": lambda scene: ({"connectionId": scene.base}, None),
    "connectionsSchedulesCreate": lambda scene: ({"connectionId": scene.base}, PLAN),
    "connectionsSchedulesDelete": lambda scene: ({"connectionId": scene.base, "scheduleId": scene.plan()}, None),
    "connectionsSchedulesGet": lambda scene: ({"connectionId": scene.base, "scheduleId": scene.schedule}, None),
    "connectionsSchedulesUpdate": lambda scene: ({"connectionId": scene.base, "scheduleId": scene.schedule}, PLAN),
    "connectionsUpdate": lambda scene: ({"id": scene.base}, {"baseRole": "QUERY_TOPICS"}),
    "jobsGetStatus": lambda scene: ({"jobId": scene.job}, None),
    "userAttributesList": lambda scene: ({}, None),
    "userGroupsGetModelRoles": lambda scene: ({"id": scene.group}, None),
    "userGroupsAssignModelRole": lambda scene: ({"id": scene.group}, {"modelId": scene.base, "roleName": "MODELER"}),
    "usersListEmailOnly": lambda scene: ({}, None),
    "usersGetModelRoles": lambda scene: ({"id": scene.member}, None),
    "usersAssignModelRole": lambda scene: ({"id": scene.member}, {"modelId": scene.base, "roleName": "QUERY_TOPICS"}),
}
"""What is sent for each operation; those that only answer 404, and queries, have tests of their own."""

NOT_HERE = {
    "scimEmbedUsersDelete": None,
    "scimEmbedUsersGet": None,
    "usersCreateEmailOnly": {"email": "ann@example.com", "userAttributes": {}},
    "usersCreateEmailOnlyBulk": {"users": [{"email": "ann@example.com"}]},
}
"""Operations on kinds of users that do not exist here, and a body for each."""

QUERIES = ("queryRun", "queryWait")
"""Operations that answer NDJSON; `test_query_jobs.py` has their tests."""

TEXTS = {
    "filter": 'displayName eq "nobody"',
    "connectionId": "{base}",
    "modelId": "{base}",
    "cursor": "",
    "dialect": "postgres",
}
"""Values of query keys that are texts; every other one is `a`."""


@pytest.fixture(scope="module")
def scene(serve: Any) -> Scene:
    return Scene(serve(worker=False))


def queries(operation: Operation) -> Iterator[str]:
    """No query, each published key with each of its values, and all keys at once."""
    keys = [key.partition("=") for key in operation.query.split()]
    pairs = [[f"{name}={value}" for value in (values or TEXTS.get(name, "a")).split("/")] for name, _, values in keys]
    yield ""
    yield from (f"?{pair}" for choices in pairs for pair in choices)
    if pairs:
        yield "?" + "&".join(choices[-1] for choices in pairs)


def values_at(answer: Any, path: list[str]) -> Iterator[Any]:
    """What is at a path of an answer, in each row; KeyError where it is absent."""
    if not path:
        yield answer
        return
    name, rest = path[0], path[1:]
    if name.endswith("[]"):
        for row in answer[name[:-2]]:
            yield from values_at(row, rest)
    else:
        yield from values_at(answer[name], rest)


def missing(operation: Operation, answer: Any) -> list[str]:
    """What is wrong with an answer, key by key."""
    wrong: list[str] = []
    for fact in operation.answer.split():
        path, _, kind = fact.partition(":")
        try:
            found = list(values_at(answer, path.split(".")))
        except KeyError:
            if not kind.endswith("*"):
                wrong.append(f"{path} is absent")
            continue
        right = KINDS[kind.rstrip("?*")]
        wrong += [f"{path} is {value!r}" for value in found if not (right(value) or (value is None and "?" in kind))]
    return wrong


def asked(scene: Scene, operation: Operation, query: str = "") -> Any:
    method, _, path = operation.route.partition(" ")
    ids, body = BODIES[operation.operation_id](scene)
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    return scene.send(method, path.removeprefix("/api") + query.format(base=scene.base), body)


SENT = [operation for operation in OPERATIONS if operation.operation_id in BODIES]


def named(operation: Operation) -> str:
    return operation.operation_id


class TestDocument:
    @pytest.mark.parametrize("operation", OPERATIONS, ids=named)
    def test_has_the_published_id_and_tag_and_query(self, operation: Operation) -> None:
        method, _, path = operation.route.partition(" ")
        found = DOCUMENT["paths"][path][method.lower()]
        assert (found["operationId"], found["tags"]) == (operation.operation_id, [operation.tag])
        published = {key.partition("=")[0] for key in operation.query.split()}
        assert published <= {each["name"] for each in found["parameters"] if each["in"] == "query"}

    def test_no_id_comes_twice(self) -> None:
        ids = [each["operationId"] for methods in DOCUMENT["paths"].values() for each in methods.values()]
        assert len(ids) == len(set(ids))

    def test_every_operation_has_its_requests_here(self) -> None:
        assert {named(each) for each in OPERATIONS} == {*BODIES, *NOT_HERE, *QUERIES}


class TestAnswers:
    @pytest.mark.parametrize("operation", SENT, ids=named)
    def test_have_every_required_key(self, scene: Scene, operation: Operation) -> None:
        answer = asked(scene, operation)
        assert answer.status_code == operation.status, answer.text
        if answer.content:
            assert missing(operation, answer.json()) == [], answer.text

    def test_have_rows_where_they_list(self, scene: Scene) -> None:
        """An empty list has every key that its rows lack."""
        listed, empty = 0, ("usersListEmailOnly", "scimEmbedUsersList")
        for operation in SENT:
            if operation.route.startswith("GET") and operation.operation_id not in empty:
                answer = asked(scene, operation).json()
                lists = [answer[key] for key in ("records", "results", "Resources", "connections") if key in answer]
                assert all(lists), operation.operation_id
                listed += len(lists)
        assert listed > 5

    @pytest.mark.parametrize("operation", [each for each in SENT if each.query], ids=named)
    def test_come_for_every_published_query_key(self, scene: Scene, operation: Operation) -> None:
        for query in queries(operation):
            answer = asked(scene, operation, query)
            assert answer.status_code == operation.status, (query, answer.text)
            if "excludedAttributes" not in query:
                assert missing(operation, answer.json()) == [], query

    def test_a_group_has_its_name_and_id_as_the_source_of_a_role(self, scene: Scene) -> None:
        (row,) = [
            row
            for row in scene.send("GET", f"/v1/users/{scene.member}/model-roles?modelId={scene.base}").json()["results"]
            if row["from"]["type"] == "User Group Role"
        ]
        assert (row["from"]["miniUuid"], row["from"]["depth"]) == (scene.group, 1)

    def test_a_group_without_members_has_an_empty_array(self, scene: Scene) -> None:
        made = scene.new("POST", "/scim/v2/Groups", {"displayName": uuid.uuid4().hex})
        assert made["members"] == []


class TestKindsOfUsersThatAreNotHere:
    @pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.operation_id in NOT_HERE], ids=named)
    def test_are_not_found_in_the_shape_of_their_api(self, scene: Scene, operation: Operation) -> None:
        method, _, path = operation.route.partition(" ")
        answer = scene.send(method, path.removeprefix("/api").format(id=SOME), NOT_HERE[operation.operation_id])
        body = answer.json()
        assert answer.status_code == 404, body
        assert body["status"] == ("404" if "scim" in path else 404)
        assert "do not exist here" in body["detail"]
