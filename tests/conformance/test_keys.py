"""CONTRACT section 2, /api-keys and /whoami."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.access.policy import Role
from moorings.access.service import token_hash
from tests.conftest import TOKEN

SOME = "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def new_key(service: Any, name: str, *, admin: bool = False) -> tuple[str, str]:
    """A new user's personal key; returns the token and the user's id."""

    async def making(session: AsyncSession) -> tuple[str, str]:
        organization = await access.the_organization(session)
        user = await access.create_user(session, organization, f"{uuid.uuid4()}@example.com", "U", admin=admin)
        return await access.create_key(session, organization, name, user.id), user.id

    return service.change(making)


def new_organization_key(service: Any, name: str) -> tuple[str, str]:
    """A new organization key; returns the token and the key's id."""

    async def making(session: AsyncSession) -> str:
        return await access.create_key(session, await access.the_organization(session), name)

    token = service.change(making)
    found = records(service, "?pageSize=100&type=organization")
    return token, next(record["id"] for record in found if record["name"] == name)


def records(service: Any, query: str = "", **how: Any) -> list[dict[str, Any]]:
    answer = service.request("GET", f"/api-keys{query}", **how)
    assert answer.status_code == 200, answer.text
    return answer.json()["records"]


def id_of(service: Any, token: str) -> str:
    """A key's id, as its own list of one tells."""
    (only,) = records(service, key=token)
    return only["id"]


class TestList:
    def test_each_in_the_published_shape_without_a_token(self, service: Any) -> None:
        token, user = new_key(service, "Laptop")
        answer = service.request("GET", "/api-keys", key=token)
        (record,) = answer.json()["records"]
        assert INSTANT.fullmatch(record.pop("createdAt"))
        assert record == {
            "id": record["id"],
            "name": "Laptop",
            "type": "personal",
            "enabled": True,
            "membershipId": user,
        }
        assert answer.json()["pageInfo"] == {
            "hasNextPage": False,
            "nextCursor": None,
            "pageSize": 20,
            "totalRecords": 1,
        }
        assert token not in answer.text
        assert token_hash(token).hex() not in answer.text

    def test_an_admin_sees_all_newest_first(self, service: Any) -> None:
        new_key(service, "older")
        new_key(service, "newer")
        names = [record["name"] for record in records(service)]
        assert names.index("newer") < names.index("older") < names.index("Bootstrap")
        assert {record["type"] for record in records(service)} == {"personal", "organization"}

    def test_pages_follow_each_other_whatever_comes_between(self, service: Any) -> None:
        for number in range(7):
            new_key(service, f"paged {number}")
        everything = [record["id"] for record in records(service, "?pageSize=100")]
        found: list[str] = []
        cursor = ""
        while True:
            page = service.request("GET", f"/api-keys?pageSize=3&cursor={cursor}").json()
            found += [record["id"] for record in page["records"]]
            assert page["pageInfo"]["hasNextPage"] == (page["pageInfo"]["nextCursor"] is not None)
            if not page["pageInfo"]["hasNextPage"]:
                break
            cursor = page["pageInfo"]["nextCursor"]
            new_key(service, "came between")
        assert found == everything

    @pytest.mark.parametrize(
        ("query", "detail"),
        [
            ("?pageSize=0", "pageSize: Number must be greater than or equal to 1"),
            ("?pageSize=101", "pageSize: Number must be less than or equal to 100"),
            ("?pageSize=x", "pageSize: Expected number, received string"),
            ("?cursor=x", "cursor: Invalid input"),
            ("?cursor=WzEsIDJd", "cursor: Invalid input"),
            ("?page=1", "formErrors: Unrecognized key(s) in object: 'page'"),
        ],
    )
    def test_faults(self, service: Any, query: str, detail: str) -> None:
        answer = service.request("GET", f"/api-keys{query}")
        assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {detail}", "status": 400})


class TestOne:
    def test_get_and_disable_and_enable(self, service: Any) -> None:
        token, key = new_organization_key(service, "switched")
        path = f"/api-keys/{key}"
        assert service.request("PUT", path, json={"enabled": False}).json()["enabled"] is False
        refused = service.request("GET", "/connections", key=token)
        assert (refused.status_code, refused.json()["detail"]) == (403, "Invalid bearer token")
        assert service.request("GET", path).json()["enabled"] is False
        assert service.request("PUT", path, json={"enabled": True}).json()["enabled"] is True
        assert service.request("GET", "/connections", key=token).status_code == 200

    def test_revoke(self, service: Any) -> None:
        token, _ = new_key(service, "revoked")
        path = f"/api-keys/{id_of(service, token)}"
        answer = service.request("DELETE", path)
        assert (answer.status_code, answer.json()) == (200, {"success": True, "message": "API token revoked"})
        assert service.request("GET", "/connections", key=token).status_code == 403
        assert service.request("DELETE", path).status_code == 404
        assert service.request("PUT", path, json={"enabled": True}).status_code == 404
        assert "revoked" not in [record["name"] for record in records(service, "?pageSize=100")]

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    def test_those_of_others_do_not_exist_for_a_user(self, service: Any, method: str) -> None:
        mine, _ = new_key(service, "mine")
        other = id_of(service, new_key(service, "another's")[0])
        body = {"enabled": False} if method == "PUT" else None
        answer = service.request(method, f"/api-keys/{other}", key=mine, json=body)
        assert (answer.status_code, answer.json()) == (404, {"detail": "API key not found", "status": 404})
        own = service.request(method, f"/api-keys/{id_of(service, mine)}", key=mine, json=body)
        assert own.status_code == (400 if method == "PUT" else 200)

    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            ({}, "enabled: Required"),
            ({"enabled": "false"}, "enabled: Expected boolean, received string"),
            ({"enabled": True, "name": "x"}, "formErrors: Unrecognized key(s) in object: 'name'"),
        ],
    )
    def test_faults(self, service: Any, body: Any, detail: str) -> None:
        _, key = new_organization_key(service, f"faulty {uuid.uuid4()}")
        answer = service.request("PUT", f"/api-keys/{key}", json=body)
        assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {detail}", "status": 400})

    def test_unknown_and_malformed(self, service: Any) -> None:
        assert service.request("GET", f"/api-keys/{SOME}").status_code == 404
        answer = service.request("GET", "/api-keys/x")
        assert answer.json() == {"detail": "Bad Request: id: Invalid uuid", "status": 400}


class TestWho:
    def test_an_organization_key(self, service: Any) -> None:
        answer = service.request("GET", "/whoami", key=TOKEN)
        found = answer.json()
        assert (found["keyScope"], found["orgRole"], found["rolesByModelTruncated"]) == (
            "organization",
            "ORG_ADMIN",
            False,
        )
        assert found["user"]["id"] == found["user"]["membershipId"]
        assert service.request("GET", "/whoami", key=TOKEN).json()["user"] == found["user"]

    def test_a_user(self, service: Any) -> None:
        connection = service.create()
        member = service.member(**{connection: Role.QUERIER})
        found = service.request("GET", "/whoami", key=member).json()
        assert found["keyScope"] == "user"
        assert found["orgRole"] == "MEMBER"
        assert found["rolesByModel"][connection] == {
            "roleName": "QUERIER",
            "baseRole": "QUERIER",
            "connectionId": connection,
            "permissions": ["QUERY_SQL", "VIEW_SQL"],
        }
        assert found["user"]["id"] == found["user"]["membershipId"]

    def test_only_the_models_that_were_named(self, service: Any) -> None:
        first, second, other = (service.create() for _ in range(3))
        path = f"/whoami?modelId={first},%20{second.upper()}"
        assert set(service.request("GET", path).json()["rolesByModel"]) == {first, second}
        hidden = service.create(baseRole="NO_ACCESS")
        member = service.member(**{other: Role.MODELER})
        answer = service.request("GET", f"/whoami?modelId={other},{hidden}", key=member)
        assert (answer.status_code, answer.json()["detail"]) == (404, "Connection not found")
        answer = service.request("GET", "/whoami?modelId=x")
        assert (answer.status_code, answer.json()["detail"]) == (400, "Bad Request: modelId: Invalid uuid")

    def test_a_role_has_the_name_that_was_written(self, service: Any) -> None:
        connection = service.create(baseRole="QUERY_TOPICS")
        found = service.request("GET", f"/whoami?modelId={connection}", key=service.member()).json()
        assert found["rolesByModel"][connection]["roleName"] == "QUERY_TOPICS"

    def test_an_admin(self, service: Any) -> None:
        token, user = new_key(service, "admin's", admin=True)
        found = service.request("GET", "/whoami", key=token).json()
        assert (found["keyScope"], found["orgRole"], found["user"]["id"]) == ("user", "ORG_ADMIN", user)


class TestPersonalKeys:
    def test_are_revoked_and_not_disabled(self, service: Any) -> None:
        first, second = (service.member() for _ in range(2))
        (mine,) = service.request("GET", "/api-keys", key=first).json()["records"]
        path = f"/api-keys/{mine['id']}"
        detail = "Only organization keys can be enabled or disabled. Delete the personal key to revoke it"
        for enabled in (False, True):
            for key in (first, TOKEN):
                answer = service.request("PUT", path, key=key, json={"enabled": enabled})
                assert (answer.status_code, answer.json()) == (400, {"detail": detail, "status": 400})
        assert service.request("PUT", path, key=second, json={"enabled": False}).status_code == 404
        assert service.request("GET", "/connections", key=first).status_code == 200


class TestOrder:
    def test_each_field_in_each_direction_in_pages(self, service: Any) -> None:
        for name in ("zulu", "alpha", "Mike"):
            new_organization_key(service, name)
        for query in ("sortField=name&sortDirection=asc", "sortField=name", "sortField=createdAt&sortDirection=asc"):
            whole = records(service, f"?pageSize=100&{query}")
            by = "name" if "name" in query else "createdAt"
            assert [each[by] for each in whole] == sorted((each[by] for each in whole), reverse="asc" not in query)
            paged: list[dict[str, Any]] = []
            cursor = ""
            while cursor is not None:
                page = service.request("GET", f"/api-keys?pageSize=2.0&cursor={cursor}&{query}").json()
                paged += page["records"]
                cursor = page["pageInfo"]["nextCursor"]
            assert paged == whole

    def test_a_cursor_of_another_order_is_refused(self, service: Any) -> None:
        cursor = service.request("GET", "/api-keys?pageSize=1").json()["pageInfo"]["nextCursor"]
        answer = service.request("GET", f"/api-keys?sortField=name&cursor={cursor}")
        assert (answer.status_code, answer.json()["detail"]) == (400, "Bad Request: cursor: Invalid input")

    def test_only_those_of_a_type(self, service: Any) -> None:
        service.member()
        for kind in ("organization", "personal"):
            assert {each["type"] for each in records(service, f"?type={kind}")} == {kind}
        assert records(service, "?type=mcp") == []
