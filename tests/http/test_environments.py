"""Connection environments: what may be attached, and that a value means one connection only."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from moorings.access.policy import Role

SOME = "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"


def attach(service: Any, base: str, connections: Any) -> Any:
    body = {"baseConnectionId": base, "environmentConnectionIds": connections}
    return service.request("POST", "/connection-environments", json=body)


def claim(service: Any, environment_id: str, values: Any) -> Any:
    return service.request("PUT", f"/connection-environments/{environment_id}", json={"userAttributeValues": values})


def environment(service: Any, base: str) -> str:
    return attach(service, base, service.create()).json()["data"][0]["id"]


def in_use(value: str) -> dict[str, Any]:
    return {"detail": f'User attribute value "{value}" is already in use', "status": 400}


class TestAttach:
    @pytest.mark.parametrize("spelled", [",".join, ", ".join, list])
    def test_answers_in_both_published_shapes(self, service, spelled):
        base, first, second = (service.create() for _ in range(3))
        answer = attach(service, base.upper(), spelled([first, second]))
        assert answer.status_code == 201
        body = answer.json()
        ids = [each["id"] for each in body["data"]]
        assert len(set(ids)) == 2
        assert body == {
            "success": True,
            "data": [
                {"id": ids[0], "environmentConnectionId": first},
                {"id": ids[1], "environmentConnectionId": second},
            ],
            "connectionEnvironments": [
                {"id": ids[0], "baseConnectionId": base, "connectionId": first, "userAttributeValues": []},
                {"id": ids[1], "baseConnectionId": base, "connectionId": second, "userAttributeValues": []},
            ],
        }

    def test_misfits_are_named_together_and_nothing_is_attached(self, service):
        base, taken, fine, archived = (service.create() for _ in range(4))
        other_dialect = service.create(dialect="mysql")
        unknown = str(uuid.uuid4())
        assert attach(service, base, taken).status_code == 201
        service.archive(archived)
        misfits = [base, taken, archived, other_dialect, unknown]
        answer = attach(service, base, [*misfits, fine])
        sentence = "The following environment connection IDs are not valid for this connection: "
        assert (answer.status_code, answer.json()["detail"]) == (400, sentence + ", ".join(misfits))
        assert attach(service, base, fine).status_code == 201

    def test_unknown_base(self, service):
        unknown = str(uuid.uuid4())
        answer = attach(service, unknown, service.create())
        assert answer.json() == {"detail": f"Connection with id {unknown} does not exist", "status": 404}

    @pytest.mark.parametrize(
        ("base", "connections", "detail"),
        [
            ("x", SOME, "baseConnectionId: Base connection ID must be a valid UUID"),
            (
                SOME,
                "x",
                "environmentConnectionIds: All environment connection IDs must be valid UUIDs",
            ),
            (
                SOME,
                [],
                "environmentConnectionIds: All environment connection IDs must be valid UUIDs",
            ),
            (
                "",
                [SOME, 5],
                (
                    "baseConnectionId: Base connection ID must be a valid UUID; "
                    "environmentConnectionIds: All environment connection IDs must be valid UUIDs"
                ),
            ),
            (
                5,
                "",
                (
                    "baseConnectionId: Expected string, received number; "
                    "environmentConnectionIds: All environment connection IDs must be valid UUIDs"
                ),
            ),
        ],
    )
    def test_faults(self, service, base, connections, detail):
        answer = attach(service, base, connections)
        assert answer.json() == {"detail": f"Bad Request: {detail}", "status": 400}

    def test_required(self, service):
        answer = service.request("POST", "/connection-environments", json={})
        assert answer.json()["detail"] == (
            "Bad Request: baseConnectionId: Required; environmentConnectionIds: Required"
        )

    def test_the_same_connection_attached_twice_at_once_is_attached_once(self, service, at_once):
        base, other = service.create(), service.create()
        body = {"baseConnectionId": base, "environmentConnectionIds": other}
        answers = at_once(service, [("POST", "/connection-environments", body)] * 6)
        assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400, 400, 400]

    def test_an_environment_has_no_environments_and_a_base_is_none(self, service):
        base, middle, below = (service.create() for _ in range(3))
        assert attach(service, base, middle).status_code == 201
        sentence = "The following environment connection IDs are not valid for this connection: "
        for refused, environment in ((middle, below), (middle, base), (below, base)):
            answer = attach(service, refused, environment)
            assert (answer.status_code, answer.json()["detail"]) == (400, sentence + environment)

    def test_one_that_was_removed_is_free_to_be_a_base(self, service):
        base, other, below = (service.create() for _ in range(3))
        made = attach(service, base, other).json()["data"][0]["id"]
        assert service.request("DELETE", f"/connection-environments/{made}").status_code == 200
        assert attach(service, other, [below, base]).status_code == 201

    def test_one_of_two_bases_stays_an_environment_when_one_lets_go(self, service):
        first, second, other = (service.create() for _ in range(3))
        made = [attach(service, base, other).json()["data"][0]["id"] for base in (first, second)]
        assert service.request("DELETE", f"/connection-environments/{made[0]}").status_code == 200
        assert attach(service, other, service.create()).status_code == 400

    def test_of_a_cycle_attached_at_once_one_half_stands(self, service, at_once):
        for _ in range(5):
            ring = [service.create() for _ in range(3)]
            pairs = [(ring[place], ring[place - 1]) for place in range(3)]
            bodies = [{"baseConnectionId": base, "environmentConnectionIds": other} for base, other in pairs]
            answers = at_once(service, [("POST", "/connection-environments", body) for body in bodies])
            assert sorted(answer.status_code for answer in answers) == [201, 400, 400]

    def test_removed_twice_at_once_it_is_removed_once(self, service, at_once):
        made = environment(service, service.create())
        answers = at_once(service, [("DELETE", f"/connection-environments/{made}", None)] * 4)
        assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]


class TestWarnings:
    def test_archiving_an_environment_says_so(self, service):
        base, other = service.create(name="Warehouse"), service.create()
        attach(service, base, other)
        says = (
            'This connection is an environment of "Warehouse": users who are routed to it get 410 until it is restored'
        )
        answer = service.request("DELETE", f"/connections/{other}")
        archived = {"success": True, "message": "Connection moved to trash."}
        assert answer.json() == archived | {"warnings": [says]}
        assert service.request("DELETE", f"/connections/{base}").json() == archived

    def test_pointing_one_elsewhere_says_so(self, service):
        base, other = service.create(name="Warehouse"), service.create()
        attach(service, base, other)
        answer = service.request(
            "PATCH", f"/connections/{other}", json={"host": "elsewhere", "passwordUnencrypted": "p"}
        ).json()
        assert (answer["message"], len(answer["warnings"])) == ("Updated connection settings and credentials.", 1)
        assert 'an environment of "Warehouse"' in answer["warnings"][0]
        for harmless in ({"name": "Another"}, {"baseRole": "QUERIER"}, {"host": "elsewhere"}):
            assert "warnings" not in service.request("PATCH", f"/connections/{other}", json=harmless).json()

    def test_a_base_that_the_caller_does_not_see_is_not_named(self, service):
        base, other = service.create(name="Hidden", baseRole="NO_ACCESS"), service.create()
        attach(service, base, other)
        key = service.member(**{other: Role.CONNECTION_ADMIN})
        answer = service.request("DELETE", f"/connections/{other}", key=key).json()
        assert "an environment of another connection" in answer["warnings"][0]


class TestValues:
    @pytest.mark.parametrize("values", ["dev,staging", "dev, staging", ["dev", "staging"]])
    def test_are_claimed(self, service, values):
        base = service.create()
        first, second = environment(service, base), environment(service, base)
        answer = claim(service, first, values)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        assert claim(service, second, ["staging"]).json() == in_use("staging")
        assert claim(service, first, values).status_code == 200, "its own values stay its own"
        assert claim(service, first, ["dev"]).status_code == 200
        assert claim(service, second, ["staging"]).status_code == 200, "what was given up is free"

    @pytest.mark.parametrize("none", ["", [], None])
    def test_can_be_given_up(self, service, none):
        base = service.create()
        first, second = environment(service, base), environment(service, base)
        assert claim(service, first, "dev").status_code == 200
        assert claim(service, first, none).status_code == 200
        assert claim(service, second, "dev").status_code == 200

    def test_the_bases_own_default_values_count(self, service):
        base = service.create()
        defaults = {"environmentUserAttribute": {"attributeName": "env", "defaultValues": ["prod"]}}
        assert service.request("PATCH", f"/connections/{base}", json=defaults).status_code == 200
        assert claim(service, environment(service, base), "prod").json() == in_use("prod")

    def test_another_base_has_values_of_its_own(self, service):
        for base in (service.create(), service.create()):
            assert claim(service, environment(service, base), "dev").status_code == 200

    @pytest.mark.parametrize(
        ("values", "detail"),
        [
            (["a,b"], "userAttributeValues.0: Invalid input"),
            (["a", "a"], "userAttributeValues.1: Invalid input"),
            ("a,,b", "userAttributeValues.1: String must contain at least 1 character(s)"),
            ([1], "userAttributeValues.0: Expected string, received number"),
            ({}, "userAttributeValues: Expected array, received object"),
            (["x" * 256], "userAttributeValues.0: String must contain at most 255 character(s)"),
        ],
    )
    def test_faults(self, service, values, detail):
        answer = claim(service, environment(service, service.create()), values)
        assert answer.json() == {"detail": f"Bad Request: {detail}", "status": 400}

    def test_required(self, service):
        environment_id = environment(service, service.create())
        answer = service.request("PUT", f"/connection-environments/{environment_id}", json={})
        assert answer.json()["detail"] == "Bad Request: userAttributeValues: Required"

    def test_unknown_environment(self, service):
        unknown = str(uuid.uuid4())
        answer = claim(service, unknown, "a")
        assert answer.json() == {"detail": f"Connection environment with id {unknown} does not exist", "status": 404}

    def test_malformed_id(self, service):
        assert claim(service, "x", "a").json() == {"detail": "Bad Request: id: Invalid uuid", "status": 400}

    def test_a_value_claimed_at_once_by_three_has_one_owner(self, service, at_once):
        base = service.create()
        rivals = [environment(service, base) for _ in range(3)]
        for value in (f"value {number}" for number in range(8)):
            claims = [
                ("PUT", f"/connection-environments/{rival}", {"userAttributeValues": [value]}) for rival in rivals
            ]
            defaults = {"environmentUserAttribute": {"attributeName": "env", "defaultValues": [value]}}
            answers = at_once(service, [*claims, ("PATCH", f"/connections/{base}", defaults)])
            lost = [answer.json() for answer in answers if answer.status_code != 200]
            assert lost == [in_use(value)] * 3, json.dumps(lost)
