"""SCIM 2.0: users and groups, as identity providers and published clients keep them."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.access.policy import Role
from tests.conftest import TOKEN

SCIM = "/api/scim/v2"
ATTRIBUTES = "urn:omni:params:1.0:UserAttribute"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SOME = "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"


def send(service: Any, method: str, path: str, body: Any = None, *, key: str = TOKEN, kind: str = "scim+json") -> Any:
    sent = {} if body is None else {"json": body}
    headers = {"authorization": f"Bearer {key}", "content-type": f"application/{kind}"}
    return service.run(service.client.request(method, SCIM + path, headers=headers, **sent))


def email() -> str:
    return f"Ann.{uuid.uuid4().hex[:8]}@Example.com"


def new_user(service: Any, **body: Any) -> dict[str, Any]:
    answer = send(service, "POST", "/Users", {"userName": email()} | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def new_group(service: Any, *members: str, **body: Any) -> dict[str, Any]:
    given = {"displayName": f"Group {uuid.uuid4()}", "members": [{"value": each} for each in members]}
    answer = send(service, "POST", "/Groups", given | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def patch(service: Any, path: str, *operations: dict[str, Any]) -> Any:
    return send(service, "PATCH", path, {"schemas": [PATCH], "Operations": list(operations)})


def patched(service: Any, path: str, *operations: dict[str, Any]) -> dict[str, Any]:
    answer = patch(service, path, *operations)
    assert answer.status_code == 200, answer.text
    return answer.json()


def found(service: Any, expression: str, path: str = "/Users", **query: Any) -> list[str]:
    """The ids of what a filter lets through."""
    encoded = "&".join(f"{name}={quote(str(value))}" for name, value in ({"filter": expression} | query).items())
    answer = send(service, "GET", f"{path}?{encoded}")
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["Resources"]]


def key_of(service: Any, user_id: str) -> str:
    async def making(session: AsyncSession) -> str:
        return await access.create_key(session, await access.the_organization(session), "k", user_id)

    return service.change(making)


def detail(answer: Any) -> tuple[int, str]:
    body = answer.json()
    assert body.keys() - {"scimType"} == {"schemas", "detail", "status"}
    assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert (body["status"], answer.headers["content-type"]) == (str(answer.status_code), "application/scim+json")
    return answer.status_code, body["detail"]


class TestUser:
    def test_is_shown_as_the_standard_has_it(self, service: Any):
        name = email()
        body = {
            "schemas": [USER],
            "userName": name,
            "name": {"givenName": "Ann", "familyName": "Lee"},
            "emails": [{"primary": True, "value": name, "type": "work"}],
            "displayName": "Ann Lee",
            "locale": "en-US",
            "externalId": "00ujl29u0le5T6Aj10h7",
            "groups": [],
            "password": "1mz050nq",
            "active": True,
        }
        answer = send(service, "POST", "/Users", body)
        made = answer.json()
        place = f"{SCIM}/Users/{made['id']}"
        assert (answer.status_code, answer.headers["location"]) == (201, place)
        assert answer.headers["content-type"] == "application/scim+json"
        assert made == {
            "schemas": [USER],
            "id": made["id"],
            "externalId": "00ujl29u0le5T6Aj10h7",
            "userName": name,
            "displayName": "Ann Lee",
            "name": {"formatted": "Ann Lee", "givenName": "Ann", "familyName": "Lee"},
            "active": True,
            "emails": [{"value": name, "type": "work", "primary": True}],
            "roles": [{"value": "MEMBER", "primary": True}],
            "meta": {
                "resourceType": "User",
                "created": made["meta"]["created"],
                "lastModified": made["meta"]["created"],
                "location": place,
                "version": answer.headers["etag"],
            },
        }
        assert made["meta"]["version"].startswith('W/"')
        assert send(service, "GET", f"/Users/{made['id']}").json() == made

    @pytest.mark.parametrize("kind", ["scim+json", "json", "scim+json; charset=utf-8"])
    def test_both_content_types_are_taken(self, service: Any, kind: str):
        assert send(service, "POST", "/Users", {"userName": email()}, kind=kind).status_code == 201

    def test_no_other_is(self, service: Any):
        assert send(service, "POST", "/Users", {"userName": email()}, kind="xml").status_code == 415

    def test_the_spelling_of_published_clients_is_served_too(self, service: Any):
        made = send(service, "POST", "/users", {"userName": email(), "displayName": "Ann"}).json()
        assert send(service, "GET", f"/users/{made['id']}").json() == made
        assert send(service, "DELETE", f"/users/{made['id']}").status_code == 204

    @pytest.mark.parametrize(
        ("path", "method", "status"),
        [
            ("/Users/", "GET", 404),
            ("/Nothing", "GET", 404),
            ("/", "GET", 404),
            (f"/Users/{SOME}/more", "GET", 404),
            ("/Users", "DELETE", 405),
            (f"/Users/{SOME}", "POST", 405),
            ("/Schemas", "POST", 405),
            ("", "PATCH", 405),
        ],
    )
    def test_unknown_paths_and_methods(self, service: Any, path: str, method: str, status: int):
        for key in (TOKEN, "of nobody"):
            answer = send(service, method, path, key=key)
            assert detail(answer)[0] == status
        assert (status == 405) is ("allow" in answer.headers)

    def test_refusals_before_the_protocol_have_its_form(self, service: Any):
        member = new_user(service)
        assert detail(send(service, "GET", "/Users", key="nobody")) == (403, "Invalid bearer token")
        assert detail(send(service, "GET", "/Users", key=key_of(service, member["id"]))) == (403, "Permission denied")
        without = service.run(service.client.get(SCIM + "/Users"))
        assert (detail(without), without.headers["www-authenticate"]) == ((401, "Authentication required"), "Bearer")

    def test_a_name_without_a_display_name(self, service: Any):
        assert new_user(service, name={"givenName": "Ann", "familyName": "Lee"})["displayName"] == "Ann Lee"
        assert new_user(service, name={"formatted": "Dr. Lee"})["displayName"] == "Dr. Lee"
        bare = new_user(service)
        assert bare["displayName"] == bare["userName"]

    def test_names_of_attributes_are_no_matter_of_case(self, service: Any):
        made = send(service, "POST", "/Users", {"USERNAME": email(), "Name": {"GivenName": "Ann"}}).json()
        assert made["name"]["givenName"] == "Ann"

    def test_an_email_is_taken_once_in_any_case(self, service: Any):
        made = new_user(service)
        answer = send(service, "POST", "/Users", {"userName": made["userName"].upper()})
        assert detail(answer) == (409, "A user with this email exists already")
        other = new_user(service)
        for refused in (
            send(service, "PUT", f"/Users/{other['id']}", {"userName": made["userName"].lower()}),
            patch(service, f"/Users/{other['id']}", {"op": "replace", "path": "userName", "value": made["userName"]}),
        ):
            assert detail(refused) == (409, "A user with this email exists already")
        same = send(service, "PUT", f"/Users/{made['id']}", {"userName": made["userName"].lower()})
        assert same.json()["userName"] == made["userName"].lower()

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            ({}, "Field 'userName' is required but value is missing, null or empty"),
            ({"userName": " ann"}, "userName: Expected a user name without blanks and invisible characters"),
            ({"userName": ""}, "userName: String must contain at least 1 character(s)"),
            ({"userName": "a" * 255}, "userName: String must contain at most 254 character(s)"),
            ({"userName": 5}, "Input should be a valid string: userName"),
            (
                {"userName": "", "displayName": 1, "name": "Ann", "active": "perhaps"},
                (
                    "Input should be a valid string: displayName; "
                    "Input should be a valid dictionary or instance of Name: name; "
                    "Input should be a valid boolean, unable to interpret input: active"
                ),
            ),
            (
                {"userName": "a@b.c", "roles": [5]},
                "Input should be a valid dictionary or instance of Role: roles[0]",
            ),
            (
                {"userName": "a@b.c", "roles": [{}]},
                "Field 'value' is required but value is missing, null or empty: roles[0]",
            ),
            (
                {"userName": "a@b.c", "roles": ["KING"]},
                "roles.0.value: Invalid enum value. Expected 'MEMBER' | 'ORG_ADMIN', received 'KING'",
            ),
            ({"userName": "a@b.c", "nick": 1}, "Extra inputs are not permitted: nick"),
            ({"userName": "a@b.c", "name": {"nick": 1}}, "Extra inputs are not permitted: name.nick"),
            ({"userName": "a@b.c", "USERNAME": "x"}, "Unrecognized key(s) in object: 'USERNAME'"),
            (
                {"userName": "a@b.c", ATTRIBUTES: []},
                f"Input should be a valid dictionary or instance of UserAttribute: {ATTRIBUTES}",
            ),
            ({"userName": "a@b.c", ATTRIBUTES: {"no": "x"}}, f"Extra inputs are not permitted: {ATTRIBUTES}:no"),
        ],
    )
    def test_faults(self, service: Any, body: Any, fault: str):
        define(service)
        assert detail(send(service, "POST", "/Users", body)) == (400, fault)

    def test_unknown_and_malformed_ids(self, service: Any):
        for method, body in (("GET", None), ("PUT", {"userName": email()}), ("DELETE", None)):
            assert detail(send(service, method, f"/Users/{SOME}", body)) == (404, "User not found")
        assert detail(send(service, "GET", "/Users/x")) == (404, "User not found")


class TestReplace:
    def test_what_is_left_out_is_gone_but_for_what_decides_on_access(self, service: Any):
        attribute = define(service)
        made = new_user(
            service,
            displayName="Ann",
            externalId="1",
            name={"givenName": "Ann"},
            active=False,
            roles=[{"value": "ORG_ADMIN"}],
            **{ATTRIBUTES: {attribute: "x"}},
        )
        replaced = send(service, "PUT", f"/Users/{made['id']}", {"userName": made["userName"]}).json()
        assert replaced["displayName"] == made["userName"]
        assert replaced.keys().isdisjoint({"name", "externalId"})
        preserved = ("roles", ATTRIBUTES)
        assert {name: replaced[name] for name in preserved} == {name: made[name] for name in preserved}

    def test_without_active_activates(self, service: Any):
        made = new_user(service, active=False)
        assert send(service, "PUT", f"/Users/{made['id']}", {"userName": made["userName"]}).json()["active"] is True

    def test_what_get_shows_can_be_sent_back_and_changes_nothing(self, service: Any):
        made = new_user(service, displayName="Ann", name={"familyName": "Lee"}, externalId="7")
        assert send(service, "PUT", f"/Users/{made['id']}", made).json() == made
        group = new_group(service, made["id"])
        assert send(service, "PUT", f"/Groups/{group['id']}", group).json() == group

    def test_attributes_that_are_sent_are_all_there_is(self, service: Any):
        one, other = define(service), define(service)
        made = new_user(service, **{ATTRIBUTES: {one: "x", other: "y"}})
        body = {"userName": made["userName"], ATTRIBUTES: {one: "z"}}
        assert send(service, "PUT", f"/Users/{made['id']}", body).json()[ATTRIBUTES] == {one: "z"}


def define(service: Any, **body: Any) -> str:
    name = f"a_{uuid.uuid4().hex[:8]}"
    assert service.request("POST", "/user-attributes", json={"name": name} | body).status_code == 201
    return name


class TestAttributes:
    def test_values_are_shown_as_they_were_sent(self, service: Any):
        text, several, number = define(service), define(service, multiple_values=True), define(service, type="Number")
        values = {text: "west", several: ["a"], number: 7}
        made = new_user(service, **{ATTRIBUTES: values})
        assert made[ATTRIBUTES] == values
        known = service.request("GET", f"/users/{made['id']}/attributes").json()["attributes"]
        assert known == {text: ["west"], several: ["a"], number: ["7"]}

    def test_one_is_changed_by_its_path_in_both_spellings(self, service: Any):
        name, other = define(service), define(service)
        made = new_user(service, **{ATTRIBUTES: {name: "a", other: "o"}})
        path = f"/Users/{made['id']}"
        for separator, value in ((".", "b"), (":", "c")):
            operation = {"op": "replace", "path": f"{ATTRIBUTES}{separator}{name}", "value": value}
            assert patched(service, path, operation)[ATTRIBUTES] == {name: value, other: "o"}
        whole = {"op": "Replace", "value": {ATTRIBUTES: {name: "d"}}}
        assert patched(service, path, whole)[ATTRIBUTES] == {name: "d", other: "o"}
        cleared = {"op": "replace", "path": f"{ATTRIBUTES}.{name}", "value": None}
        assert patched(service, path, cleared)[ATTRIBUTES] == {other: "o"}
        assert ATTRIBUTES not in patched(service, path, {"op": "remove", "path": ATTRIBUTES})

    def test_a_change_of_something_else_does_not_look_at_them(self, service: Any):
        name = define(service, multiple_values=True)
        made = new_user(service, **{ATTRIBUTES: {name: ["a", "b"]}})
        (record,) = [
            each for each in service.request("GET", "/user-attributes").json()["records"] if each["name"] == name
        ]
        service.request("PUT", f"/user-attributes/{record['id']}", json={"name": name})
        renamed = patched(service, f"/Users/{made['id']}", {"op": "replace", "path": "displayName", "value": "New"})
        assert (renamed["displayName"], renamed[ATTRIBUTES]) == ("New", {name: ["a", "b"]})


class TestPatchAsProvidersSpellIt:
    @pytest.mark.parametrize(
        "operation",
        [
            {"op": "replace", "path": "active", "value": False},
            {"op": "Replace", "path": "active", "value": "False"},
            {"op": "replace", "value": {"active": False}},
            {"op": "Replace", "path": f"{USER}:active", "value": "False"},
            {"op": "add", "value": {"Active": "false"}},
        ],
    )
    def test_deactivation(self, service: Any, operation: dict[str, Any]):
        made = new_user(service)
        key = key_of(service, made["id"])
        assert service.request("GET", "/whoami", key=key).status_code == 200
        assert patched(service, f"/Users/{made['id']}", operation)["active"] is False
        refused = service.request("GET", "/whoami", key=key)
        assert (refused.status_code, refused.json()["detail"]) == (403, "Invalid bearer token")
        patched(service, f"/Users/{made['id']}", {"op": "replace", "path": "active", "value": "True"})
        assert service.request("GET", "/whoami", key=key).status_code == 200

    def test_a_profile_in_several_steps(self, service: Any):
        made = new_user(service, displayName="Old", name={"givenName": "Old", "familyName": "Name"})
        changed = patched(
            service,
            f"/Users/{made['id']}",
            {"op": "Add", "path": 'emails[type eq "work"].value', "value": "other@example.com"},
            {"op": "Add", "path": "name.givenName", "value": "Ann"},
            {"op": "Replace", "path": "displayName", "value": "Ann Lee"},
            {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "1"},
            {"op": "Add", "path": 'addresses[type eq "work"].country', "value": "NZ"},
            {
                "op": "Add",
                "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
                "value": "Sales",
            },
            {"op": "Replace", "value": {"externalId": "9", "name.familyName": "Lee", "title": "CEO"}},
        )
        assert (changed["displayName"], changed["externalId"]) == ("Ann Lee", "9")
        assert changed["name"] == {"formatted": "Ann Lee", "givenName": "Ann", "familyName": "Lee"}
        assert changed["emails"][0]["value"] == changed["userName"] == made["userName"]
        assert changed["meta"]["lastModified"] >= made["meta"]["created"]

    def test_a_formatted_name_is_the_display_name(self, service: Any):
        made = new_user(service, displayName="Old")
        operation = {"op": "replace", "path": "name.formatted", "value": "New"}
        assert patched(service, f"/Users/{made['id']}", operation)["displayName"] == "New"

    def test_removal(self, service: Any):
        made = new_user(service, externalId="1", name={"givenName": "Ann", "familyName": "Lee"})
        changed = patched(
            service,
            f"/Users/{made['id']}",
            {"op": "remove", "path": "externalId"},
            {"op": "Remove", "path": "name.givenName"},
        )
        assert "externalId" not in changed
        assert "givenName" not in changed["name"]

    @pytest.mark.parametrize(
        ("operation", "role"),
        [
            ({"op": "replace", "path": "roles", "value": [{"value": "ORG_ADMIN"}]}, "ORG_ADMIN"),
            ({"op": "Add", "path": 'roles[primary eq "True"].value', "value": "ORG_ADMIN"}, "ORG_ADMIN"),
            ({"op": "add", "path": "roles", "value": "ORG_ADMIN"}, "ORG_ADMIN"),
            ({"op": "remove", "path": "roles"}, "MEMBER"),
        ],
    )
    def test_the_organization_role(self, service: Any, operation: dict[str, Any], role: str):
        made = new_user(service)
        key = key_of(service, made["id"])
        changed = patched(service, f"/Users/{made['id']}", operation)
        assert changed["roles"] == [{"value": role, "primary": True}]
        assert service.request("GET", "/whoami", key=key).json()["orgRole"] == role

    def test_all_or_nothing(self, service: Any):
        made = new_user(service, displayName="Before")
        answer = patch(
            service,
            f"/Users/{made['id']}",
            {"op": "replace", "path": "displayName", "value": "After"},
            {"op": "replace", "path": "nowhere", "value": "x"},
        )
        assert detail(answer) == (400, "'nowhere' is not an attribute of the schema")
        assert send(service, "GET", f"/Users/{made['id']}").json() == made

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            ({}, "operations attribute is required"),
            ({"Operations": {}}, "Input should be a valid list: Operations"),
            ({"Operations": [{}]}, "Field required: Operations[0].op"),
            (
                {"Operations": [{"op": "move", "path": "active"}]},
                "'move' is not a PATCH operation: add, remove or replace",
            ),
            ({"Operations": [{"op": "remove"}]}, "Remove operation requires a path"),
            ({"Operations": [{"op": "add", "path": "active"}]}, "value is required for add operations"),
            ({"Operations": [{"op": "add", "value": "x"}]}, "the value written to '' must be an object"),
            (
                {"Operations": [{"op": "add", "path": "name", "value": "x"}]},
                "Input should be a valid dictionary or instance of Name: name",
            ),
            (
                {"Operations": [{"op": "add", "path": "roles", "value": [5]}]},
                "Input should be a valid dictionary or instance of Role: roles[1]",
            ),
            ({"Operations": [{"op": "replace", "path": "roles[value]", "value": "x"}]}, "invalid syntax at column 12"),
            (
                {"Operations": [{"op": "replace", "path": "userName", "value": 5}]},
                "Input should be a valid string: user_name",
            ),
            ({"Operations": [{"op": "remove", "path": "userName"}]}, "required attribute cannot be removed"),
            ({"Operations": [{"op": "replace", "path": "id", "value": SOME}]}, "'id' is read-only"),
            ({"Operations": [], "x": 1}, "Unrecognized key(s) in object: 'x'"),
            ({"Operations": [{"op": "add", "x": 1}]}, "Extra inputs are not permitted: Operations[0].x"),
            (
                {"Operations": [{"op": "add", "path": f"{ATTRIBUTES}.no", "value": "x"}]},
                f"'{ATTRIBUTES}:no' is not an attribute of the schema",
            ),
        ],
    )
    def test_faults(self, service: Any, body: Any, fault: str):
        define(service)
        made = new_user(service)
        assert detail(send(service, "PATCH", f"/Users/{made['id']}", body)) == (400, fault)

    def test_what_is_read_only_is_left_alone(self, service: Any):
        made = new_user(service)
        operation = {"op": "replace", "value": {"id": SOME, "schemas": ["x"], "meta": {"version": "1"}}}
        assert patched(service, f"/Users/{made['id']}", operation) == made


class TestDeleting:
    def test_a_user_who_is_deleted_is_gone_and_so_is_what_they_could_do(self, service: Any):
        connection = service.create(baseRole="NO_ACCESS")
        made = new_user(service)
        group = new_group(service, made["id"])
        key = key_of(service, made["id"])
        body = {"roleName": "QUERIER", "connectionId": connection}
        assert service.request("POST", f"/users/{made['id']}/model-roles", json=body).status_code == 200
        answer = send(service, "DELETE", f"/Users/{made['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert "content-type" not in answer.headers
        for method in ("GET", "DELETE"):
            assert detail(send(service, method, f"/Users/{made['id']}")) == (404, "User not found")
        assert found(service, f'userName eq "{made["userName"]}"') == []
        assert send(service, "GET", f"/Groups/{group['id']}").json()["members"] == []
        assert service.request("GET", "/whoami", key=key).json()["detail"] == "Invalid bearer token"
        assert service.request("GET", f"/users/{made['id']}/attributes").status_code == 404
        assert service.request("GET", f"/connections/{connection}/dependents").json()["userRoles"] == 0

    def test_the_email_can_be_taken_again_by_somebody_without_the_rights_of_before(self, service: Any):
        made = new_user(service, roles=["ORG_ADMIN"])
        key = key_of(service, made["id"])
        send(service, "DELETE", f"/Users/{made['id']}")
        again = new_user(service, userName=made["userName"])
        assert again["id"] != made["id"]
        assert again["roles"][0]["value"] == "MEMBER"
        assert service.request("GET", "/whoami", key=key).status_code == 403

    def test_their_keys_stay_in_the_history(self, service: Any):
        from sqlalchemy import select

        from moorings.access.models import ApiKey, User

        made = new_user(service, displayName="Secretly Ann")
        key_of(service, made["id"])
        send(service, "DELETE", f"/Users/{made['id']}")

        async def looking(session: AsyncSession) -> tuple[Any, Any]:
            key = (await session.scalars(select(ApiKey).where(ApiKey.user_id == made["id"]))).one()
            return key.revoked_at, (await session.get_one(User, made["id"])).name

        revoked, name = service.change(looking)
        assert revoked is not None
        assert name == "Deleted user"


class TestGroups:
    def test_is_shown_as_the_standard_has_it(self, service: Any):
        ann = new_user(service, displayName="Ann")
        name = f"Analysts {uuid.uuid4()}"
        answer = send(service, "POST", "/Groups", {"displayName": name, "members": [{"value": ann["id"].upper()}]})
        made = answer.json()
        assert (answer.status_code, answer.headers["location"]) == (201, f"{SCIM}/Groups/{made['id']}")
        assert made["displayName"] == name
        place = f"{SCIM}/Users/{ann['id']}"
        assert made["members"] == [{"value": ann["id"], "type": "User", "$ref": place, "display": "Ann"}]
        response = send(service, "GET", f"/Groups/{made['id']}?attributes=members.value,members.display").json()
        assert response["members"] == [{"value": ann["id"], "display": "Ann"}]
        shown = send(service, "GET", f"/Users/{ann['id']}").json()["groups"]
        assert shown == [
            {"value": made["id"], "display": name, "type": "direct", "$ref": f"{SCIM}/Groups/{made['id']}"}
        ]

    def test_members_come_and_go_as_providers_say_it(self, service: Any):
        ann, bob, eve = (new_user(service)["id"] for _ in range(3))
        path = f"/Groups/{new_group(service)['id']}"

        def members(*operations: dict[str, Any]) -> set[str]:
            return {each["value"] for each in patched(service, path, *operations)["members"]}

        both = [{"value": ann}, {"value": bob, "display": "Bob"}]
        assert members({"op": "Add", "path": "members", "value": both}) == {ann, bob}
        assert members({"op": "add", "path": "members", "value": [{"value": ann}, {"value": eve}]}) == {ann, bob, eve}
        assert members({"op": "remove", "path": f'members[value eq "{ann}"]'}) == {bob, eve}
        assert members({"op": "Remove", "path": "members", "value": [{"value": bob}]}) == {eve}
        assert members({"op": "add", "value": {"members": [{"value": ann}]}}) == {ann, eve}
        assert members({"op": "replace", "path": "members", "value": [{"value": bob}]}) == {bob}
        assert members({"op": "remove", "path": "members"}) == set()

    def test_a_name_as_one_provider_changes_it(self, service: Any):
        made = new_group(service)
        name = f"Renamed {uuid.uuid4()}"
        operation = {"op": "replace", "value": {"id": made["id"], "displayName": name}}
        assert patched(service, f"/Groups/{made['id']}", operation)["displayName"] == name

    def test_put_says_who_is_in_it_or_leaves_them(self, service: Any):
        ann, bob = (new_user(service)["id"] for _ in range(2))
        made = new_group(service, ann)
        path, name = f"/Groups/{made['id']}", made["displayName"]
        preserved = send(service, "PUT", path, {"displayName": name}).json()
        assert [each["value"] for each in preserved["members"]] == [ann]
        other = send(service, "PUT", path, {"displayName": name, "members": [{"value": bob}]}).json()
        assert [each["value"] for each in other["members"]] == [bob]
        assert send(service, "PUT", path, {"displayName": name, "members": []}).json()["members"] == []

    def test_a_name_is_taken_once_in_any_case(self, service: Any):
        made = new_group(service)
        answer = send(service, "POST", "/Groups", {"displayName": made["displayName"].upper()})
        assert detail(answer) == (409, "A group with this name exists already")

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            ({}, "Field 'displayName' is required but value is missing, null or empty"),
            ({"displayName": "x", "members": [{"value": "x"}]}, "members.0.value: Invalid uuid"),
            ({"displayName": "x", "members": [{}]}, "members.0.value: Required"),
            (
                {"displayName": "x", "members": [{"value": SOME}]},
                f"The following user IDs are not valid for this group: {SOME}",
            ),
            ({"displayName": "x", "nick": 1}, "Extra inputs are not permitted: nick"),
        ],
    )
    def test_faults(self, service: Any, body: Any, fault: str):
        assert detail(send(service, "POST", "/Groups", body)) == (400, fault)

    def test_delete(self, service: Any):
        connection = service.create(baseRole="NO_ACCESS")
        ann = new_user(service)["id"]
        made = new_group(service, ann)
        body = {"roleName": "QUERIER", "connectionId": connection}
        assert service.request("POST", f"/user-groups/{made['id']}/model-roles", json=body).status_code == 200
        key = key_of(service, ann)
        assert service.request("GET", f"/connections/{connection}", key=key).status_code == 200
        assert send(service, "DELETE", f"/Groups/{made['id']}").status_code == 204
        assert detail(send(service, "GET", f"/Groups/{made['id']}")) == (404, "User group not found")
        assert service.request("GET", f"/connections/{connection}", key=key).status_code == 404
        assert send(service, "GET", f"/Users/{ann}").status_code == 200


class TestListing:
    def test_pages(self, service: Any):
        made = [new_user(service)["id"] for _ in range(5)]
        first = send(service, "GET", "/Users?startIndex=1&count=2").json()
        assert (first["startIndex"], first["itemsPerPage"], len(first["Resources"])) == (1, 2, 2)
        everything: list[str] = []
        while len(everything) < first["totalResults"]:
            page = send(service, "GET", f"/Users?startIndex={len(everything) + 1}&count=3").json()
            everything += [each["id"] for each in page["Resources"]]
        assert everything[-5:] == made
        assert len(set(everything)) == first["totalResults"]
        none = send(service, "GET", "/Users?count=0").json()
        assert (none["totalResults"], none["Resources"]) == (first["totalResults"], [])
        assert send(service, "GET", "/Users?startIndex=-5&count=-1").json()["startIndex"] == 1
        beyond = send(service, "GET", "/Users?startIndex=99999").json()
        assert (beyond["totalResults"], beyond["itemsPerPage"]) == (first["totalResults"], 0)

    def test_of_what_a_filter_leaves(self, service: Any):
        mark = uuid.uuid4().hex
        made = [new_user(service, displayName=f"{mark} {number}")["id"] for number in range(3)]
        assert found(service, f'displayName sw "{mark}"') == made
        assert found(service, f'displayName sw "{mark}"', startIndex=2, count=1) == made[1:2]
        assert found(service, f'displayName sw "{mark}"', sortBy="displayName", sortOrder="descending") == made[::-1]

    def test_sorting_keeps_what_has_no_value_last(self, service: Any):
        mark = uuid.uuid4().hex
        named = [new_user(service, displayName=mark, externalId=each)["id"] for each in ("b", "a")]
        bare = new_user(service, displayName=mark)["id"]
        assert found(service, f'displayName eq "{mark}"', sortBy="externalId") == [*named[::-1], bare]

    def test_which_attributes_are_shown(self, service: Any):
        ann = new_user(service, name={"givenName": "Ann", "familyName": "Lee"})
        group = new_group(service, ann["id"])

        def shown(path: str) -> Any:
            return send(service, "GET", path).json()

        query = quote(f'displayName eq "{group["displayName"]}"')
        (listed,) = shown(f"/Groups?excludedAttributes=members&filter={query}")["Resources"]
        assert listed.keys() == {"schemas", "id", "displayName", "meta"}
        only = shown(f"/Users/{ann['id']}?attributes=userName,name.givenName")
        assert only == {
            "schemas": ann["schemas"],
            "id": ann["id"],
            "userName": ann["userName"],
            "name": {"givenName": "Ann"},
        }
        left = shown(f"/Users/{ann['id']}?excludedAttributes=id,{USER}:meta,name.formatted,emails.type")
        assert left.keys() == {*ann.keys(), "groups"} - {"meta"}
        assert left["name"] == {"givenName": "Ann", "familyName": "Lee"}
        assert left["emails"] == [{"value": ann["userName"], "primary": True}]

    @pytest.mark.parametrize(
        ("query", "fault"),
        [
            ("filter=userName", "invalid syntax at column 1"),
            ("filter=nowhere%20pr", "Field not found: nowhere"),
            ("filter=active%20gt%20true", f"operator 'gt' cannot be applied to the boolean attribute '{USER}:active'"),
            ("startIndex=x", "Input should be a valid integer, unable to parse string as an integer: startIndex"),
            ("count=1.5", "Input should be a valid integer, unable to parse string as an integer: count"),
            ("sortBy=nowhere", "Cannot sort on 'nowhere'"),
            ("sortBy=groups", f"Resources cannot be sorted by {USER}:groups.value"),
            ("sortOrder=up", "Input should be 'ascending' or 'descending': sortOrder"),
            (
                "attributes=id&excludedAttributes=id",
                "Value error, 'attributes' and 'excluded_attributes' are mutually exclusive",
            ),
        ],
    )
    def test_faults(self, service: Any, query: str, fault: str):
        assert detail(send(service, "GET", f"/Users?{query}")) == (400, fault)

    @pytest.mark.parametrize("query", ["cursor=1", "unknown=", "filter=", "count=&startIndex=", "aadOptscim062020"])
    def test_what_nobody_knows_or_fills_in_is_as_if_absent(self, service: Any, query: str):
        new_user(service)
        assert send(service, "GET", f"/Users?{query}").json()["itemsPerPage"] > 0

    def test_unknown_attributes_are_not_shown(self, service: Any):
        made = new_user(service)
        shown = send(service, "GET", f"/Users/{made['id']}?attributes=nowhere,userName").json()
        assert shown == {name: made[name] for name in ("schemas", "id", "userName")}


class TestFilters:
    @pytest.mark.parametrize(
        "expression",
        [
            'userName eq "{user}"',
            'USERNAME Eq "{upper}"',
            'emails.value eq "{user}"',
            'emails[type eq "work"].value eq "{user}"',
            'emails[type eq "work" and value co "{user}"]',
            'emails eq "{upper}"',
            'externalId eq "{external}"',
            'id eq "{id}"',
            'displayName eq "ÄNN {external}"',
            'groups.display eq "{group}"',
            'groups.value eq "{group_id}" and active eq true',
            '{attributes}:{attribute} eq "WEST {external}"',
            'userName eq "nobody@example.com" or externalId eq "{external}"',
            'not (externalId ne "{external}")',
            'externalId eq "{external}" and meta.created gt "2020-01-01T00:00:00Z"',
        ],
    )
    def test_each_way_to_look_for_somebody(self, service: Any, expression: str):
        external = uuid.uuid4().hex
        attribute = define(service)
        new_user(service)
        ann = new_user(
            service, displayName=f"Änn {external}", externalId=external, **{ATTRIBUTES: {attribute: f"West {external}"}}
        )
        group = new_group(service, ann["id"])
        text = expression.format(
            user=ann["userName"],
            upper=ann["userName"].upper(),
            external=external,
            id=ann["id"],
            group=group["displayName"],
            group_id=group["id"],
            attributes=ATTRIBUTES,
            attribute=attribute,
        )
        assert found(service, text) == [ann["id"]]

    def test_groups_by_member(self, service: Any):
        ann = new_user(service)["id"]
        group = new_group(service, ann)["id"]
        new_group(service)
        assert found(service, f'members eq "{ann}"', "/Groups") == [group]
        assert found(service, f'id eq "{group}" and members[value eq "{ann}"]', "/Groups") == [group]
        assert found(service, f'id eq "{group}" and members eq "{SOME}"', "/Groups") == []


class TestAtOnce:
    def test_the_same_email_is_taken_once(self, service: Any):
        body = {"userName": email()}

        async def together() -> list[int]:
            headers = {"authorization": f"Bearer {TOKEN}"}
            answers = await asyncio.gather(
                *(service.client.post(f"{SCIM}/Users", json=body, headers=headers) for _ in range(4))
            )
            return sorted(answer.status_code for answer in answers)

        assert service.run(together()) == [201, 409, 409, 409]

    def test_members_that_are_added_at_once_are_all_there(self, service: Any):
        users = [new_user(service)["id"] for _ in range(12)]
        group = new_group(service)["id"]

        async def together() -> list[int]:
            headers = {"authorization": f"Bearer {TOKEN}"}
            bodies = [{"Operations": [{"op": "add", "path": "members", "value": [{"value": each}]}]} for each in users]
            answers = await asyncio.gather(
                *(service.client.patch(f"{SCIM}/Groups/{group}", json=body, headers=headers) for body in bodies)
            )
            return [answer.status_code for answer in answers]

        assert service.run(together()) == [200] * 12
        members = send(service, "GET", f"/Groups/{group}").json()["members"]
        assert {each["value"] for each in members} == set(users)


class TestDiscovery:
    def test_what_is_offered(self, service: Any):
        config = send(service, "GET", "/ServiceProviderConfig").json()
        offered = {name: config[name]["supported"] for name in ("patch", "bulk", "filter", "sort", "etag")}
        assert offered == {"patch": True, "bulk": True, "filter": True, "sort": True, "etag": True}

    def test_every_attribute_that_is_shown_is_described(self, service: Any):
        ann = new_user(service, externalId="1", name={"givenName": "A"})
        group = new_group(service, ann["id"])
        shown = [send(service, "GET", f"/Users/{ann['id']}").json(), group]
        schemas = {each["id"]: each for each in send(service, "GET", "/Schemas").json()["Resources"]}
        for resource in shown:
            described = {each["name"] for each in schemas[resource["schemas"][0]]["attributes"]}
            common = {"schemas", "id", "externalId", "meta"}  # RFC 7643, 3.1: of every resource, and in no schema
            assert resource.keys() <= described | common | {ATTRIBUTES}
        types = send(service, "GET", "/ResourceTypes").json()["Resources"]
        assert [(each["name"], each["endpoint"]) for each in types] == [("User", "/Users"), ("Group", "/Groups")]
        assert {each["schema"] for each in types} <= schemas.keys()


class TestGroupsRoute:
    def test_an_environment_can_be_chosen_by_a_group(self, service: Any):
        base, other = (service.create(dialect="duckdb", database=":memory:", readOnly=False) for _ in range(2))
        made = service.request(
            "POST", "/connection-environments", json={"baseConnectionId": base, "environmentConnectionIds": [other]}
        ).json()["data"][0]["id"]
        ann = new_user(service)["id"]
        group = new_group(service, ann)
        chooses = {"attributeName": "omni_user_groups", "defaultValues": []}
        assert service.request("PATCH", f"/connections/{base}", json={"environmentUserAttribute": chooses}).is_success
        values = {"userAttributeValues": [group["displayName"]]}
        assert service.request("PUT", f"/connection-environments/{made}", json=values).is_success
        explained = service.request("GET", f"/connections/{base}/route?userId={ann}").json()
        assert (explained["connectionId"], explained["value"]) == (other, group["displayName"])


class TestRolesOfGroups:
    def test_count_at_once_and_end_at_once(self, service: Any):
        connection = service.create(baseRole="NO_ACCESS")
        ann = new_user(service)["id"]
        key = key_of(service, ann)
        group = new_group(service)["id"]
        path = f"/user-groups/{group}/model-roles"
        assert service.request("GET", f"/connections/{connection}", key=key).status_code == 404
        body = {"roleName": "QUERIER", "connectionId": connection}
        assert service.request("POST", path, json=body).status_code == 200
        assert service.request("GET", f"/connections/{connection}", key=key).status_code == 404
        patched(service, f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": ann}]})
        assert service.request("GET", f"/connections/{connection}", key=key).status_code == 200
        assert role_on(service, connection, key) == "QUERIER"
        service.change(lambda session: lower(session, ann, connection))
        assert role_on(service, connection, key) == "QUERIER"
        service.request("POST", path, json=body | {"roleName": "MODELER"})
        assert role_on(service, connection, key) == "MODELER"
        patched(service, f"/Groups/{group}", {"op": "remove", "path": "members"})
        assert service.request("GET", f"/connections/{connection}", key=key).status_code == 403


def role_on(service: Any, connection: str, key: str) -> str:
    found = service.request("GET", f"/whoami?modelId={connection}", key=key).json()["rolesByModel"]
    return found[connection]["roleName"]


async def lower(session: AsyncSession, user_id: str, connection_id: str) -> None:
    organization = await access.the_organization(session)
    user = await access.find_user(session, organization, user_id)
    await access.assign_role(session, user, connection_id, Role.VIEWER)
