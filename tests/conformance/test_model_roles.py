"""CONTRACT section 2, /users/{id}/model-roles and /user-groups/{id}/model-roles."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import groups
from moorings.access import service as access
from moorings.access.policy import Role

OTHER = "5d1c7f0e-8d55-4a0b-9b0c-2f6f0b6d9c55"
SOME = "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"


def new_group(service: Any, *members: str) -> tuple[str, str]:
    """A group; returns its id and name."""

    async def making(session: AsyncSession) -> tuple[str, str]:
        organization = await access.the_organization(session)
        group = await groups.add(session, organization, f"Group {uuid.uuid4()}", None, members)
        return group.id, group.name

    return service.change(making)


def assign(service: Any, path: str, connection: str, role: str = "QUERIER", **how: Any) -> Any:
    return service.request("POST", f"{path}/model-roles", json={"roleName": role, "connectionId": connection}, **how)


def results(service: Any, path: str, connection: str | None = None, **how: Any) -> list[dict[str, Any]]:
    query = f"?connectionId={connection}" if connection else ""
    answer = service.request("GET", f"{path}/model-roles{query}", **how)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


class TestOfUser:
    def test_every_source_in_the_published_shape_the_highest_first(self, service: Any) -> None:
        connection = service.create(baseRole="VIEWER")
        _, user = service.new_user()
        group, name = new_group(service, user)
        for path, role in ((f"/users/{user}", "MODELER"), (f"/user-groups/{group}", "QUERIER")):
            assert assign(service, path, connection, role).status_code == 200
        answer = service.request("GET", f"/users/{user}/model-roles?connectionId={connection}")
        common = {"connectionId": connection, "modelId": connection}
        assert answer.json() == {
            "membershipId": user,
            "userId": user,
            "results": [
                common
                | {
                    "roleName": "MODELER",
                    "baseRole": "MODELER",
                    "from": {"type": "User Role", "depth": 0},
                    "priority": 350,
                    "resolved": True,
                },
                common
                | {
                    "roleName": "QUERIER",
                    "baseRole": "QUERIER",
                    "from": {"type": "User Group Role", "depth": 1, "name": name, "miniUuid": group},
                    "priority": 250,
                    "resolved": False,
                },
                common
                | {
                    "roleName": "VIEWER",
                    "baseRole": "VIEWER",
                    "from": {"type": "Connection Base Role", "depth": 2},
                    "priority": 50,
                    "resolved": False,
                },
            ],
        }

    def test_the_base_role_is_a_floor(self, service: Any) -> None:
        connection = service.create(baseRole="QUERIER")
        key, user = service.new_user()
        assert assign(service, f"/users/{user}", connection, "NO_ACCESS").status_code == 200
        first, second = results(service, f"/users/{user}", connection)
        assert (first["from"]["type"], first["roleName"], first["resolved"]) == (
            "Connection Base Role",
            "QUERIER",
            True,
        )
        assert (second["roleName"], second["resolved"], second["priority"]) == ("NO_ACCESS", False, 0)
        assert service.request("GET", f"/connections/{connection}", key=key).status_code == 200

    def test_without_a_connection_all_that_the_caller_sees(self, service: Any) -> None:
        hidden, seen = service.create(baseRole="NO_ACCESS"), service.create(baseRole="NO_ACCESS")
        key, user = service.new_user(**{seen: Role.VIEWER})
        own = {each["connectionId"] for each in results(service, f"/users/{user}", key=key)}
        assert seen in own
        assert hidden not in own
        by_admin = {each["connectionId"] for each in results(service, f"/users/{user}")}
        assert {hidden, seen} <= by_admin

    @pytest.mark.parametrize(
        ("asker", "about_them", "status"),
        [
            ("themselves", True, 200),
            ("CONNECTION_ADMIN", False, 200),
            ("MODELER", False, 403),
            ("NO_ACCESS", False, 404),
        ],
    )
    def test_who_may_ask(self, service: Any, asker: str, about_them: bool, status: int) -> None:
        connection = service.create(baseRole="VIEWER" if about_them else "NO_ACCESS")
        other, user = service.new_user()
        key = other if about_them else service.new_user(**{connection: Role[asker]})[0]
        path = f"/users/{user}/model-roles"
        answer = service.request("GET", f"{path}?connectionId={connection}", key=key)
        assert answer.status_code == status
        everywhere = service.request("GET", path, key=key)
        assert everywhere.status_code == (200 if about_them else 403)


class TestOfGroup:
    def test_in_the_published_shape(self, service: Any) -> None:
        connection = service.create(baseRole="QUERIER")
        group, name = new_group(service)
        assert results(service, f"/user-groups/{group}", connection) == []
        assign(service, f"/user-groups/{group}", connection, "VIEWER")
        answer = service.request("GET", f"/user-groups/{group}/model-roles?connectionId={connection}").json()
        assert (answer["userGroupId"], answer["membershipId"]) == (group, group)
        assert answer["results"] == [
            {
                "roleName": "VIEWER",
                "connectionId": connection,
                "modelId": connection,
                "baseRole": "VIEWER",
                "from": {"type": "User Group Role", "depth": 1, "name": name, "miniUuid": group},
                "priority": 50,
                "resolved": True,
            }
        ]

    def test_a_member_may_not_ask(self, service: Any) -> None:
        key, user = service.new_user()
        group, _ = new_group(service, user)
        assert service.request("GET", f"/user-groups/{group}/model-roles", key=key).status_code == 403


class TestAssign:
    def test_answers_what_was_assigned(self, service: Any) -> None:
        connection = service.create()
        _, user = service.new_user()
        group, _ = new_group(service)
        common = {"connectionId": connection, "modelId": connection, "roleName": "QUERIER"}
        assert assign(service, f"/users/{user}", connection.upper()).json() == common | {
            "userId": user,
            "membershipId": user,
        }
        assert assign(service, f"/user-groups/{group}", connection).json() == common | {"userGroupId": group}

    def test_the_newest_is_the_one(self, service: Any) -> None:
        connection = service.create(baseRole="NO_ACCESS")
        key, user = service.new_user()
        for role in ("CONNECTION_ADMIN", "QUERY_TOPICS", "NO_ACCESS"):
            assert assign(service, f"/users/{user}", connection, role).status_code == 200
            assert results(service, f"/users/{user}", connection)[0]["roleName"] == role
        assert service.request("GET", f"/connections/{connection}", key=key).status_code == 404

    @pytest.mark.parametrize("kind", ["users", "user-groups"])
    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            ({}, "roleName: Required; connectionId: Required"),
            (
                {"roleName": "KING", "connectionId": "x"},
                (
                    'roleName: Unknown role "KING". Use one of NO_ACCESS, VIEWER, RESTRICTED_QUERIER, QUERIER, '
                    "MODELER, CONNECTION_ADMIN. Custom roles are not supported; connectionId: Invalid uuid"
                ),
            ),
            (
                {"roleName": 5, "connectionId": 5},
                "roleName: Expected string, received number; connectionId: Expected string, received number",
            ),
            (
                {"roleName": "VIEWER", "connectionId": SOME, "modelId": OTHER},
                "modelId: This is the model of another connection than connectionId names",
            ),
            (
                {"roleName": "VIEWER", "connectionId": SOME, "role": "x"},
                "formErrors: Unrecognized key(s) in object: 'role'",
            ),
        ],
    )
    def test_faults(self, service: Any, kind: str, body: Any, fault: str) -> None:
        owner = service.new_user()[1] if kind == "users" else new_group(service)[0]
        answer = service.request("POST", f"/{kind}/{owner}/model-roles", json=body)
        assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {fault}", "status": 400})

    def test_what_does_not_exist(self, service: Any) -> None:
        connection = service.create()
        _, user = service.new_user()
        for path, target, detail in (
            (f"/users/{user}", SOME, "Connection not found"),
            (f"/users/{SOME}", connection, "User not found"),
            (f"/user-groups/{SOME}", connection, "User group not found"),
        ):
            answer = assign(service, path, target)
            assert (answer.status_code, answer.json()["detail"]) == (404, detail)
        for path, query in ((f"/users/{SOME}", ""), (f"/users/{user}", f"?connectionId={SOME}")):
            assert service.request("GET", f"{path}/model-roles{query}").status_code == 404
        answer = service.request("GET", f"/users/{user}/model-roles?connectionId=x")
        assert answer.json()["detail"] == "Bad Request: connectionId: Invalid uuid"
        answer = service.request("GET", f"/users/{user}/model-roles?modelId={SOME}")
        assert (answer.status_code, answer.json()["detail"]) == (404, "Connection not found")

    def test_a_model_stands_for_its_connection(self, service: Any) -> None:
        connection, other = service.create(), service.create()
        _, user = service.new_user()
        model = results(service, f"/users/{user}", connection)[0]["modelId"]
        path = f"/users/{user}/model-roles"
        for body in ({"modelId": model.upper()}, {"modelId": model, "connectionId": connection}):
            answer = service.request("POST", path, json=body | {"roleName": "MODELER"})
            assert (answer.status_code, answer.json()["connectionId"]) == (200, connection)
        found = service.request("GET", f"{path}?modelId={model}").json()["results"]
        assert {each["connectionId"] for each in found} == {connection}
        assert results(service, f"/users/{user}", other)[0]["roleName"] == "VIEWER"

    def test_an_archived_connection(self, service: Any) -> None:
        connection = service.create()
        _, user = service.new_user()
        service.archive(connection)
        answer = assign(service, f"/users/{user}", connection)
        assert (answer.status_code, answer.json()["detail"]) == (410, "Connection is archived")

    @pytest.mark.parametrize(("role", "status"), [("CONNECTION_ADMIN", 200), ("MODELER", 403), ("NO_ACCESS", 404)])
    @pytest.mark.parametrize("to", ["users", "user-groups"])
    def test_who_may(self, service: Any, to: str, role: str, status: int) -> None:
        connection = service.create(baseRole="NO_ACCESS")
        key, _ = service.new_user(**{connection: Role[role]})
        target = service.new_user()[1] if to == "users" else new_group(service)[0]
        assert assign(service, f"/{to}/{target}", connection, key=key).status_code == status

    def test_a_connection_admin_elsewhere_may_not(self, service: Any) -> None:
        connection, other = service.create(), service.create()
        key, user = service.new_user(**{other: Role.CONNECTION_ADMIN})
        assert assign(service, f"/users/{user}", connection, "CONNECTION_ADMIN", key=key).status_code == 403
