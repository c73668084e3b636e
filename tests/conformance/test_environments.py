"""CONTRACT section 2, POST and PUT of /connection-environments."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moorings.access.policy import Role

SOME = "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"
BASE = "baseConnectionId: Base connection ID must be a valid UUID"
OTHERS = "environmentConnectionIds: All environment connection IDs must be valid UUIDs"
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({}, "baseConnectionId: Required; environmentConnectionIds: Required"),
    ({"baseConnectionId": "x", "environmentConnectionIds": SOME}, BASE),
    ({"baseConnectionId": "", "environmentConnectionIds": SOME}, BASE),
    ({"baseConnectionId": SOME, "environmentConnectionIds": "x"}, OTHERS),
    ({"baseConnectionId": SOME, "environmentConnectionIds": f"{SOME},x"}, OTHERS),
    ({"baseConnectionId": SOME, "environmentConnectionIds": [SOME, "x"]}, OTHERS),
    ({"baseConnectionId": "x", "environmentConnectionIds": "y"}, f"{BASE}; {OTHERS}"),
    ({"baseConnectionId": SOME}, "environmentConnectionIds: Required"),
    ({"a": 1}, "formErrors: Unrecognized key(s) in object: 'a'"),
]


def post(service: Any, base: str, others: Any, **sent: Any) -> Any:
    body = {"baseConnectionId": base, "environmentConnectionIds": others}
    return service.request("POST", "/connection-environments", json=body, **sent)


def put(service: Any, environment: str, values: Any) -> Any:
    return service.request("PUT", f"/connection-environments/{environment}", json={"userAttributeValues": values})


class TestCreate:
    @pytest.mark.parametrize("as_list", [False, True])
    def test_both_published_shapes(self, service: Any, as_list: bool) -> None:
        base, *others = (service.create() for _ in range(3))
        answer = post(service, base, others if as_list else ",".join(others))
        assert answer.status_code == 201
        made = answer.json()
        ids = [environment["id"] for environment in made["data"]]
        assert made == {
            "success": True,
            "data": [{"id": own, "environmentConnectionId": other} for own, other in zip(ids, others, strict=True)],
            "connectionEnvironments": [
                {"id": own, "baseConnectionId": base, "connectionId": other, "userAttributeValues": []}
                for own, other in zip(ids, others, strict=True)
            ],
        }

    @pytest.mark.parametrize(("body", "detail"), FAULTS, ids=lambda given: json.dumps(given)[:60])
    def test_faults(self, service: Any, body: dict[str, Any], detail: str) -> None:
        answer = service.request("POST", "/connection-environments", json=body)
        assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {detail}", "status": 400})

    def test_unknown_base(self, service: Any) -> None:
        answer = post(service, SOME, SOME)
        detail = f"Connection with id {SOME} does not exist"
        assert (answer.status_code, answer.json()) == (404, {"detail": detail, "status": 404})

    def test_misfits_are_named(self, service: Any) -> None:
        base, twice, archived, fine = (service.create() for _ in range(4))
        foreign = service.create(dialect="mysql")
        service.archive(archived)
        post(service, base, twice)
        answer = post(service, base, [base, SOME, fine, foreign, twice, archived])
        named = ", ".join([base, SOME, foreign, twice, archived])
        detail = f"The following environment connection IDs are not valid for this connection: {named}"
        assert (answer.status_code, answer.json()) == (400, {"detail": detail, "status": 400})

    def test_needs_connection_admin(self, service: Any) -> None:
        base, other = service.create(), service.create()
        key = service.member(**{base: Role.MODELER, other: Role.CONNECTION_ADMIN})
        answer = post(service, base, other, key=key)
        assert (answer.status_code, answer.json()) == (403, {"detail": "Permission denied", "status": 403})


class TestUpdate:
    @pytest.mark.parametrize("values", ["dev,staging", ["dev", "staging"]])
    def test_both_spellings(self, service: Any, values: Any) -> None:
        base, other = service.create(), service.create()
        environment = post(service, base, other).json()["data"][0]["id"]
        for _ in range(2):
            answer = put(service, environment, values)
            assert (answer.status_code, answer.json()) == (200, {"success": True})

    def test_values_are_unique_within_a_base(self, service: Any) -> None:
        base, *others = (service.create() for _ in range(3))
        first, second = (made["id"] for made in post(service, base, others).json()["data"])
        attribute = {"attributeName": "env", "defaultValues": ["prod"]}
        service.request("PATCH", f"/connections/{base}", json={"environmentUserAttribute": attribute})
        put(service, first, "dev")
        for value in ("dev", "prod"):
            answer = put(service, second, f"qa,{value}")
            detail = f'User attribute value "{value}" is already in use'
            assert (answer.status_code, answer.json()) == (400, {"detail": detail, "status": 400})
        assert put(service, second, "qa").status_code == 200

    def test_unknown_environment(self, service: Any) -> None:
        answer = put(service, SOME, "dev")
        detail = f"Connection environment with id {SOME} does not exist"
        assert (answer.status_code, answer.json()) == (404, {"detail": detail, "status": 404})

    def test_id_is_no_uuid(self, service: Any) -> None:
        answer = put(service, "x", "dev")
        assert (answer.status_code, answer.json()) == (400, {"detail": "Bad Request: id: Invalid uuid", "status": 400})


class TestListAndRemove:
    def listed(self, service: Any, **how: Any) -> list[dict[str, Any]]:
        answer = service.request("GET", "/connection-environments", **how)
        assert answer.status_code == 200
        assert list(answer.json()) == ["connectionEnvironments"]
        return answer.json()["connectionEnvironments"]

    def test_each_has_its_values(self, service: Any) -> None:
        base, other = service.create(), service.create()
        environment = post(service, base, other).json()["data"][0]["id"]
        put(service, environment, "dev,staging")
        assert [each for each in self.listed(service) if each["id"] == environment] == [
            {
                "id": environment,
                "baseConnectionId": base,
                "connectionId": other,
                "userAttributeValues": ["dev", "staging"],
            }
        ]

    def test_a_user_sees_those_of_connections_that_they_see(self, service: Any) -> None:
        hidden, seen, other = (service.create(baseRole=role) for role in ("NO_ACCESS", "NO_ACCESS", "VIEWER"))
        post(service, hidden, other)
        post(service, seen, other)
        member = service.member(**{seen: Role.VIEWER})
        assert {each["baseConnectionId"] for each in self.listed(service, key=member)} & {hidden, seen} == {seen}

    def test_others_environments_are_listed_to_the_bases_admins_only(self, service: Any) -> None:
        base, other = service.create(), service.create(baseRole="NO_ACCESS")
        post(service, base, other)
        seen = [
            base in {each["baseConnectionId"] for each in self.listed(service, key=service.member(**{base: role}))}
            for role in (Role.QUERIER, Role.CONNECTION_ADMIN)
        ]
        assert seen == [False, True]

    def test_those_of_an_archived_base_are_not_listed(self, service: Any) -> None:
        base, other = service.create(), service.create()
        post(service, base, other)
        service.archive(base)
        assert base not in {each["baseConnectionId"] for each in self.listed(service)}

    def test_remove(self, service: Any) -> None:
        base, other, another = (service.create() for _ in range(3))
        first, second = (each["id"] for each in post(service, base, [other, another]).json()["data"])
        put(service, first, "dev")
        answer = service.request("DELETE", f"/connection-environments/{first}")
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        assert put(service, second, "dev").status_code == 200
        assert service.request("GET", f"/connections/{other}").status_code == 200
        again = service.request("DELETE", f"/connection-environments/{first}")
        detail = f"Connection environment with id {first} does not exist"
        assert (again.status_code, again.json()) == (404, {"detail": detail, "status": 404})

    def test_remove_needs_the_base_connections_admin(self, service: Any) -> None:
        base, other = service.create(baseRole="MODELER"), service.create()
        environment = post(service, base, other).json()["data"][0]["id"]
        answer = service.request("DELETE", f"/connection-environments/{environment}", key=service.member())
        assert (answer.status_code, answer.json()["detail"]) == (403, "Permission denied")
        admin = service.member(**{base: Role.CONNECTION_ADMIN})
        assert service.request("DELETE", f"/connection-environments/{environment}", key=admin).status_code == 200

    def test_remove_with_a_malformed_id(self, service: Any) -> None:
        answer = service.request("DELETE", "/connection-environments/x")
        assert (answer.status_code, answer.json()["detail"]) == (400, "Bad Request: id: Invalid uuid")
