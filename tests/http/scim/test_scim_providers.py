"""SCIM as identity providers speak it: requests that Okta and Microsoft Entra document, and those of bug reports."""

from __future__ import annotations

import unicodedata
import uuid
from typing import Any
from urllib.parse import quote

import pytest

from tests.http.scim.test_scim import PATCH, USER, email, found, key_of, new_group, new_user, patched, send

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


def searched(service: Any, path: str, expression: str) -> Any:
    return send(service, "GET", f"{path}?filter={quote(expression)}&startIndex=1&count=100").json()


class TestOkta:
    def test_a_user_from_the_first_look_to_deactivation(self, service: Any):
        name = email()
        none = searched(service, "/Users", f'userName eq "{name}"')
        assert (none["totalResults"], none["Resources"]) == (0, [])
        body = {
            "schemas": [USER],
            "userName": name,
            "name": {"givenName": "Test", "familyName": "User"},
            "emails": [{"primary": True, "value": name, "type": "work"}],
            "displayName": "Test User",
            "locale": "en-US",
            "externalId": "00ujl29u0le5T6Aj10h7",
            "groups": [],
            "password": "1mz050nq",
            "active": True,
        }
        made = send(service, "POST", "/Users", body)
        assert made.status_code == 201
        assert "1mz050nq" not in made.text
        (again,) = searched(service, "/Users", f'userName eq "{name}"')["Resources"]
        assert again == made.json()
        whole = again | {
            "schemas": [USER, ENTERPRISE],
            "name": {"givenName": "Another", "familyName": "User", "middleName": "E"},
            "phoneNumbers": [{"value": "1", "type": "mobile", "primary": True}],
            ENTERPRISE: {"department": "Sales", "manager": {"value": "x"}},
        }
        replaced = send(service, "PUT", f"/Users/{again['id']}", whole).json()
        assert replaced["name"]["givenName"] == "Another"
        assert replaced.keys() == again.keys()
        gone = {"op": "replace", "value": {"active": False}}
        assert patched(service, f"/Users/{again['id']}", gone)["active"] is False

    def test_deactivation_by_put_ends_keys(self, service: Any):
        made = new_user(service)
        key = key_of(service, made["id"])
        assert send(service, "PUT", f"/Users/{made['id']}", made | {"active": False}).json()["active"] is False
        assert service.request("GET", "/whoami", key=key).status_code == 403

    def test_a_group_that_is_pushed(self, service: Any):
        ann, bob = new_user(service), new_user(service)
        name = f"Test SCIMv2 {uuid.uuid4()}"
        made = send(service, "POST", "/Groups", {"schemas": [GROUP], "displayName": name, "members": []}).json()
        assert made["members"] == []
        path = f"/Groups/{made['id']}"
        renamed = {"op": "replace", "value": {"id": made["id"], "displayName": f"{name}!"}}
        assert patched(service, path, renamed)["displayName"] == f"{name}!"
        added = {"op": "add", "path": "members", "value": [{"value": ann["id"], "display": ann["userName"]}]}
        removed = {"op": "remove", "path": f'members[value eq "{bob["id"]}"]'}
        assert [each["value"] for each in patched(service, path, removed, added)["members"]] == [ann["id"]]
        both = [{"value": each["id"], "display": each["userName"]} for each in (ann, bob)]
        put = send(service, "PUT", path, {"schemas": [GROUP], "displayName": name, "members": both}).json()
        assert {each["value"] for each in put["members"]} == {ann["id"], bob["id"]}


class TestEntra:
    def test_the_test_of_the_connection(self, service: Any):
        assert searched(service, "/Users", f'userName eq "{uuid.uuid4()}"')["totalResults"] == 0

    def test_a_user_is_found_by_each_attribute_that_matching_offers(self, service: Any):
        made = new_user(service, externalId=uuid.uuid4().hex)
        for expression in (
            f'userName eq "{made["userName"]}"',
            f'externalId eq "{made["externalId"]}"',
            f'emails[type eq "work"].value eq "{made["userName"]}"',
            f'emails[type eq "work"].value eq "{made["userName"].upper()}"',
        ):
            assert found(service, expression) == [made["id"]]

    def test_updates_of_attributes_that_are_and_are_not_stored(self, service: Any):
        made = new_user(service, displayName="Old", name={"givenName": "Old", "familyName": "Lee"})
        changed = patched(
            service,
            f"/Users/{made['id']}",
            {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "updatedEmail@example.com"},
            {"op": "Add", "path": 'addresses[type eq "work"].formatted', "value": "1 Street"},
            {"op": "Replace", "path": 'phoneNumbers[type eq "work"].value', "value": "1"},
            {"op": "Replace", "path": f"{ENTERPRISE}:department", "value": "Sales"},
            {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": [{"$ref": "x", "value": "y"}]},
            {"op": "Replace", "path": "name.givenName", "value": "Ann"},
            {"op": "Replace", "path": "displayName", "value": [{"$ref": None, "value": "Ann Lee"}]},
            {"op": "Add", "value": {"title": "CEO", "name.familyName": "Smith", f"{ENTERPRISE}:division": "x"}},
        )
        assert changed["displayName"] == "Ann Lee"
        assert changed["name"] == {"formatted": "Ann Lee", "givenName": "Ann", "familyName": "Smith"}
        assert changed["emails"] == made["emails"]

    @pytest.mark.parametrize(
        "value", ["False", "FALSE", "false", False, ["False"], [{"value": "False"}], [{"$ref": None, "value": "false"}]]
    )
    def test_deactivation(self, service: Any, value: Any):
        made = new_user(service)
        key = key_of(service, made["id"])
        operation = {"op": "Replace", "path": "active", "value": value}
        assert patched(service, f"/Users/{made['id']}", operation)["active"] is False
        assert service.request("GET", "/whoami", key=key).status_code == 403

    @pytest.mark.parametrize(
        ("operation", "role"),
        [
            ({"op": "Add", "path": 'roles[primary eq "True"].value', "value": "ORG_ADMIN"}, "ORG_ADMIN"),
            (
                {
                    "op": "Add",
                    "path": "roles",
                    "value": [
                        {
                            "primary": False,
                            "type": "WindowsAzureActiveDirectoryRole",
                            "display": "A",
                            "value": "ORG_ADMIN",
                        }
                    ],
                },
                "ORG_ADMIN",
            ),
            ({"op": "Replace", "value": {"roles": ["ORG_ADMIN"]}}, "ORG_ADMIN"),
        ],
    )
    def test_roles(self, service: Any, operation: Any, role: str):
        made = new_user(service)
        changed = patched(service, f"/Users/{made['id']}", operation)
        assert changed["roles"] == [{"value": role, "primary": True}]

    def test_members_of_a_group(self, service: Any):
        ann, bob = (new_user(service)["id"] for _ in range(2))
        made = new_group(service)
        path = f"/Groups/{made['id']}"
        named = quote('displayName eq "' + made["displayName"] + '"')
        (one,) = send(service, "GET", f"/Groups?excludedAttributes=members&filter={named}").json()["Resources"]
        assert "members" not in one
        added = {"op": "Add", "path": "members", "value": [{"$ref": None, "value": ann}, {"$ref": None, "value": bob}]}
        assert len(patched(service, path, added)["members"]) == 2
        expression = f'id eq "{made["id"]}" and members eq "{ann}"'
        assert found(service, expression, "/Groups", attributes="id") == [made["id"]]
        removed = {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": ann}]}
        assert [each["value"] for each in patched(service, path, removed)["members"]] == [bob]
        removed = {"op": "Remove", "path": f'members[value eq "{bob}"]'}
        assert patched(service, path, removed)["members"] == []


class TestReportsOfBugs:
    def test_an_operation_with_a_name(self, service: Any):
        ann, made = new_user(service)["id"], new_group(service)
        operation = {"name": "addMember", "op": "add", "path": "members", "value": [{"value": ann}]}
        assert [each["value"] for each in patched(service, f"/Groups/{made['id']}", operation)["members"]] == [ann]

    def test_an_empty_path_is_none(self, service: Any):
        made = new_user(service)
        operation = {"op": "replace", "path": "", "value": {"displayName": "New"}}
        assert patched(service, f"/Users/{made['id']}", operation)["displayName"] == "New"

    def test_wrong_schemas_of_a_patch(self, service: Any):
        made = new_user(service)
        for schemas in (["urn:scim:schemas:core:1.0"], "x", None, []):
            body = {"schemas": schemas, "Operations": [{"op": "replace", "path": "displayName", "value": "New"}]}
            assert send(service, "PATCH", f"/Users/{made['id']}", body).json()["displayName"] == "New"

    @pytest.mark.parametrize("operations", [{"Operations": []}, {"Operations": None}, {"operations": []}, {}])
    def test_no_operations_change_nothing(self, service: Any, operations: Any):
        for kind, made in (("Users", new_user(service)), ("Groups", new_group(service))):
            answer = send(service, "PATCH", f"/{kind}/{made['id']}", {"schemas": [PATCH], **operations})
            assert (answer.status_code, answer.json()) == (200, made)

    @pytest.mark.parametrize("operations", [{}, "x", 5, True])
    def test_what_is_no_list_of_operations_is_refused(self, service: Any, operations: Any):
        made = new_user(service)
        body = {"schemas": [PATCH], "Operations": operations}
        assert send(service, "PATCH", f"/Users/{made['id']}", body).status_code == 400

    @pytest.mark.parametrize("unknown", ["unknown-id", "1", "Ann", "%20", "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"])
    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_an_unknown_id_of_any_form_is_not_found(self, service: Any, unknown: str, method: str):
        for kind in ("Users", "Groups"):
            assert send(service, method, f"/{kind}/{unknown}").status_code == 404

    def test_each_schema_and_resource_type_is_found_by_its_id(self, service: Any):
        for path in ("/Schemas", "/ResourceTypes"):
            for each in send(service, "GET", path).json()["Resources"]:
                answer = send(service, "GET", f"{path}/{each['id']}")
                assert (answer.status_code, answer.json()["id"]) == (200, each["id"])

    def test_two_spellings_of_one_character_are_one_name(self, service: Any):
        name = f"Équipe {uuid.uuid4()}"
        composed, decomposed = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
        assert composed != decomposed
        made = new_group(service, displayName=decomposed)
        assert made["displayName"] == decomposed
        assert send(service, "POST", "/Groups", {"displayName": composed.upper()}).status_code == 409
        assert found(service, f'displayName eq "{composed}"', "/Groups") == [made["id"]]

    def test_paths_in_lower_case(self, service: Any):
        made = send(service, "POST", "/users", {"userName": email()}).json()
        assert send(service, "GET", f"/USERS/{made['id'].upper()}").json() == made
        assert send(service, "GET", "/serviceproviderconfig").status_code == 200
        assert send(service, "POST", "/users/.search", {"filter": f'id eq "{made["id"]}"'}).json()["totalResults"] == 1

    def test_an_optional_attribute_of_the_schema_may_be_null(self, service: Any):
        made = new_user(service, externalId="1", displayName="Ann")
        body = {"userName": made["userName"], "displayName": None, "externalId": None, "name": None, "active": None}
        replaced = send(service, "PUT", f"/Users/{made['id']}", body).json()
        assert (replaced["displayName"], replaced["active"]) == (made["userName"], True)


class TestVersions:
    def test_a_client_may_skip_what_it_has_and_change_only_what_it_knows(self, service: Any):
        made = new_user(service)
        path, version = f"/Users/{made['id']}", made["meta"]["version"]

        def sent(method: str, header: str, value: str, body: Any = None) -> int:
            headers = {"authorization": f"Bearer {service.settings.bootstrap_token.get_secret_value()}", header: value}
            return service.run(
                service.client.request(method, f"/api/scim/v2{path}", headers=headers, json=body)
            ).status_code

        body = {"Operations": [{"op": "replace", "path": "displayName", "value": "New"}]}
        assert sent("GET", "if-none-match", version) == 304
        assert sent("PATCH", "if-match", 'W/"other"', body) == 412
        assert sent("PATCH", "if-match", version, body) == 200
        assert sent("GET", "if-none-match", version) == 200
        assert sent("PUT", "if-match", version, {"userName": made["userName"]}) == 412
        assert sent("DELETE", "if-match", version) == 412

    def test_a_group_that_a_user_joins_is_another_version_of_both(self, service: Any):
        user, group = new_user(service), new_group(service)
        operation = {"op": "add", "path": "members", "value": [{"value": user["id"]}]}
        assert patched(service, f"/Groups/{group['id']}", operation)["meta"]["version"] != group["meta"]["version"]
        again = send(service, "GET", f"/Users/{user['id']}").json()
        assert again["meta"]["version"] != user["meta"]["version"]


class TestMe:
    def test_is_the_user_whose_key_it_is(self, service: Any):
        made = new_user(service, roles=["ORG_ADMIN"])
        key = key_of(service, made["id"])
        shown = send(service, "GET", "/Me", key=key)
        assert (shown.json(), shown.headers["location"]) == (made, made["meta"]["location"])
        operation = {"Operations": [{"op": "replace", "path": "displayName", "value": "Me"}]}
        assert send(service, "PATCH", "/Me", operation, key=key).json()["displayName"] == "Me"
        assert send(service, "DELETE", "/Me", key=key).status_code == 405
        assert send(service, "GET", "/Me").status_code == 404


class TestSearching:
    def test_by_a_body(self, service: Any):
        mark = uuid.uuid4().hex
        made = [new_user(service, displayName=f"{mark} {number}") for number in range(3)]
        body = {"filter": f'displayName sw "{mark}"', "sortBy": "displayName", "sortOrder": "descending", "count": 2}
        answer = send(service, "POST", "/Users/.search", body | {"attributes": ["displayName"]}).json()
        assert (answer["totalResults"], answer["itemsPerPage"]) == (3, 2)
        assert answer["Resources"] == [
            {name: each[name] for name in ("schemas", "id", "displayName")} for each in made[:0:-1]
        ]

    def test_of_users_and_groups_at_once(self, service: Any):
        mark = uuid.uuid4().hex
        users = [new_user(service, displayName=f"{mark} {number}")["id"] for number in range(2)]
        groups = [new_group(service, displayName=f"{mark} {number}")["id"] for number in range(2)]
        everybody = f'displayName sw "{mark}"'
        assert found(service, everybody, "") == users + groups
        assert found(service, everybody, "", startIndex=2, count=2) == [users[1], groups[0]]
        assert found(service, everybody, "", startIndex=4) == groups[1:]
        assert found(service, f"{everybody} and active eq true", "") == users
        body = {"filter": everybody, "count": 1}
        assert send(service, "POST", "/.search", body).json()["totalResults"] == 4


class TestBulk:
    def test_operations_refer_to_what_others_make_and_fail_alone(self, service: Any):
        name = f"Bulk {uuid.uuid4()}"
        body = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [
                {
                    "method": "POST",
                    "path": "/Groups",
                    "bulkId": "g",
                    "data": {"displayName": name, "members": [{"value": "bulkId:u"}]},
                },
                {"method": "POST", "path": "/Users", "bulkId": "u", "data": {"userName": email(), "title": "CEO"}},
                {"method": "DELETE", "path": f"/Users/{uuid.uuid4()}"},
            ],
        }
        answer = send(service, "POST", "/Bulk", body)
        assert answer.status_code == 200, answer.text
        group, user, gone = answer.json()["Operations"]
        assert [each["status"] for each in (group, user, gone)] == ["201", "201", "404"]
        made = send(service, "GET", group["location"].removeprefix("/api/scim/v2")).json()
        assert [each["$ref"] for each in made["members"]] == [user["location"]]

    def test_is_bounded(self, service: Any):
        operation = {"method": "DELETE", "path": f"/Users/{uuid.uuid4()}"}
        assert send(service, "POST", "/Bulk", {"Operations": [operation] * 101}).status_code == 413
