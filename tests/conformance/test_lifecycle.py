"""A connection's life: shown in full, guarded by its etag, archived, restored."""

from __future__ import annotations

import re
from typing import Any

import pytest

from moorings.access.policy import Role

SOME = "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"
MEMORY = {"dialect": "duckdb", "name": "memory", "database": ":memory:", "readOnly": False}


def shown(service: Any, connection_id: str) -> dict[str, Any]:
    answer = service.request("GET", f"/connections/{connection_id}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == answer.json()["connection"]["etag"]
    return answer.json()["connection"]


def delete(service: Any, connection_id: str, **sent: Any) -> Any:
    return service.request("DELETE", f"/connections/{connection_id}", **sent)


def restore(service: Any, connection_id: str, body: Any = None) -> Any:
    return service.request("POST", f"/connections/{connection_id}/restore", json=body)


class TestSettings:
    def test_every_field_is_there_but_no_secret(self, service: Any) -> None:
        made = service.create(port=5433, includeSchemas="a,b", passwordUnencrypted="s3nt1nel")
        settings = shown(service, made)["settings"]
        assert {key: settings[key] for key in ("host", "port", "database", "username", "includeSchemas")} == {
            "host": "h",
            "port": 5433,
            "database": "d",
            "username": "u",
            "includeSchemas": "a,b",
        }
        assert (settings["queryTimeoutSeconds"], settings["readOnly"], settings["region"]) == (900, True, None)
        assert not {"passwordUnencrypted", "privateKey", "oauthClientSecretUnencrypted"} & set(settings)
        assert "s3nt1nel" not in service.request("GET", f"/connections/{made}").text

    def test_what_is_shown_can_be_sent_back_and_changes_nothing(self, service: Any) -> None:
        made = service.create(offloadedSchemas="a,b", includeSchemas="x")
        before = shown(service, made)
        answer = service.patch(made, before["settings"])
        assert answer.json() == {"success": True, "message": "No updates were made to the connection."}
        assert shown(service, made) == before


class TestCredentials:
    def fingerprint(self, service: Any, connection_id: str) -> str:
        return shown(service, connection_id)["credentials"]["passwordUnencrypted"]["fingerprint"]

    def test_what_is_set_and_since_when(self, service: Any) -> None:
        (name, credential), *others = shown(service, service.create())["credentials"].items()
        assert (name, others, credential["set"]) == ("passwordUnencrypted", [], True)
        assert re.fullmatch("[0-9a-f]{24}", credential["fingerprint"])
        assert credential["updatedAt"].endswith("Z")

    def test_fingerprints_tell_whether_two_are_the_same(self, service: Any) -> None:
        first, second, third = (service.create(passwordUnencrypted=each) for each in ("same", "same", "other"))
        assert self.fingerprint(service, first) == self.fingerprint(service, second)
        assert self.fingerprint(service, first) != self.fingerprint(service, third)
        service.patch(third, {"passwordUnencrypted": "same"})
        assert self.fingerprint(service, first) == self.fingerprint(service, third)

    def test_they_are_keyed(self, serve: Any) -> None:
        """Another installation makes other ones, so that no table of them helps."""
        first, second = serve(), serve()
        assert self.fingerprint(first, first.create()) != self.fingerprint(second, second.create())


class TestEtag:
    def test_it_changes_with_everything_that_is_shown(self, service: Any) -> None:
        made = service.create()
        seen = {shown(service, made)["etag"]}
        for body in (
            {"name": "other"},
            {"port": 5433, "passwordUnencrypted": "p"},
            {"passwordUnencrypted": "other"},
            {"baseRole": "QUERIER"},
            {"environmentUserAttribute": {"attributeName": "a", "defaultValues": ["b"]}},
        ):
            assert service.patch(made, body).status_code == 200
            seen.add(shown(service, made)["etag"])
        assert len(seen) == 6
        assert shown(service, made)["etag"] == shown(service, made)["etag"]

    @pytest.mark.parametrize("form", ["{}", "*", '"other", {}'])
    def test_a_change_that_matches_is_made(self, service: Any, form: str) -> None:
        made = service.create()
        headers = {"if-match": form.format(shown(service, made)["etag"])}
        assert service.patch(made, {"name": "other"}, headers=headers).status_code == 200

    @pytest.mark.parametrize("form", ['"other"', "W/{}", "", "{}x"])
    def test_a_change_that_does_not_match_is_not(self, service: Any, form: str) -> None:
        made = service.create()
        etag = shown(service, made)["etag"]
        service.patch(made, {"port": 5433, "passwordUnencrypted": "p"})
        headers = {"if-match": form.format(etag)}
        for answer in (
            service.patch(made, {"name": "lost"}, headers=headers),
            delete(service, made, headers=headers),
        ):
            assert answer.status_code == 412
            assert answer.json()["status"] == 412
        assert shown(service, made)["name"] == "base"

    def test_of_two_who_read_the_same_one_changes(self, service: Any) -> None:
        made = service.create()
        headers = {"if-match": shown(service, made)["etag"]}
        answers = [service.patch(made, {"name": name}, headers=headers) for name in ("first", "second")]
        assert [answer.status_code for answer in answers] == [200, 412]


class TestArchive:
    def test_it_leaves_the_lists_and_its_secrets_are_gone(self, service: Any) -> None:
        made = service.create(name="leaving")
        answer = delete(service, made)
        assert (answer.status_code, answer.json()) == (200, {"success": True, "message": "Connection moved to trash."})
        assert service.request("GET", "/connections?name=leaving").json() == {"connections": []}
        (listed,) = service.request("GET", "/connections?name=leaving&includeDeleted=true").json()["connections"]
        assert listed["deletedAt"] is not None
        found = shown(service, made)
        assert (found["credentials"], found["needsCredentials"]) == ({}, True)

    def test_again(self, service: Any) -> None:
        made = service.create()
        delete(service, made)
        answer = delete(service, made)
        assert (answer.status_code, answer.json()) == (410, {"detail": "Connection is already archived", "status": 410})

    def test_nothing_else_is_done_with_it(self, service: Any) -> None:
        made = service.create(**MEMORY)
        delete(service, made)
        for method, path, body in (
            ("PATCH", "", {"baseRole": "QUERIER"}),
            ("POST", "/test", None),
            ("POST", "/query", {"sql": "SELECT 1"}),
        ):
            answer = service.request(method, f"/connections/{made}{path}", json=body)
            assert (answer.status_code, answer.json()["detail"]) == (410, "Connection is archived")

    @pytest.mark.parametrize("role", [Role.MODELER, Role.CONNECTION_ADMIN])
    def test_the_connections_admin_does_it(self, service: Any, role: Role) -> None:
        made = service.create()
        answer = delete(service, made, key=service.member(**{made: role}))
        assert answer.status_code == (200 if role is Role.CONNECTION_ADMIN else 403)

    def test_unknown_and_malformed(self, service: Any) -> None:
        answer = delete(service, SOME)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Connection not found", "status": 404})
        assert delete(service, "x").json() == {"detail": "Bad Request: id: Invalid uuid", "status": 400}


class TestRestore:
    def test_with_its_credentials_it_is_as_before(self, service: Any) -> None:
        made = service.create(host="kept", passwordUnencrypted="same")
        before = shown(service, made)
        delete(service, made)
        answer = restore(service, made, {"passwordUnencrypted": "same"})
        assert answer.status_code == 200
        after = answer.json()["connection"]
        assert after == shown(service, made)
        assert (after["deletedAt"], after["needsCredentials"], after["settings"]) == (None, False, before["settings"])
        fingerprints = [each["credentials"]["passwordUnencrypted"]["fingerprint"] for each in (before, after)]
        assert fingerprints[0] == fingerprints[1]
        assert made in {each["id"] for each in service.request("GET", "/connections").json()["connections"]}

    def test_without_them_it_needs_them(self, service: Any) -> None:
        made = service.create()
        delete(service, made)
        assert restore(service, made).json()["connection"]["needsCredentials"] is True
        for path, body in (("test", None), ("query", {"sql": "SELECT 1"})):
            answer = service.request("POST", f"/connections/{made}/{path}", json=body)
            assert (answer.status_code, answer.json()["detail"]) == (
                400,
                "This connection was restored without its credentials. Send them with PATCH /connections/{id}",
            )
        assert service.patch(made, {"passwordUnencrypted": "p"}).status_code == 200
        assert shown(service, made)["needsCredentials"] is False

    def test_one_that_needs_none_works_at_once(self, service: Any) -> None:
        made = service.create(**MEMORY)
        delete(service, made)
        assert restore(service, made).status_code == 200
        answer = service.request("POST", f"/connections/{made}/query", json={"sql": "SELECT 1"})
        assert answer.status_code == 200

    def test_only_what_is_archived(self, service: Any) -> None:
        answer = restore(service, service.create())
        assert (answer.status_code, answer.json()) == (400, {"detail": "Connection is not archived", "status": 400})

    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            ({"passwordUnencrypted": ""}, "passwordUnencrypted: String must contain at least 1 character(s)"),
            ({"host": "h"}, "formErrors: Unrecognized key(s) in object: 'host'"),
        ],
    )
    def test_faults_leave_it_archived(self, service: Any, body: Any, detail: str) -> None:
        made = service.create()
        delete(service, made)
        answer = restore(service, made, body)
        assert (answer.status_code, answer.json()["detail"]) == (400, f"Bad Request: {detail}")
        assert shown(service, made)["deletedAt"] is not None


class TestDependents:
    def test_environments_both_ways_and_roles(self, service: Any) -> None:
        base, other = service.create(baseRole="NO_ACCESS"), service.create()
        body = {"baseConnectionId": base, "environmentConnectionIds": [other]}
        assert service.request("POST", "/connection-environments", json=body).status_code == 201
        service.member(**{other: Role.QUERIER})
        expected = {base: ([other], [], 0), other: ([], [base], 1)}
        for connection, (environments, bases, roles) in expected.items():
            answer = service.request("GET", f"/connections/{connection}/dependents")
            assert answer.json() == {
                "environments": environments,
                "environmentOf": bases,
                "schedules": [],
                "dbt": False,
                "userRoles": roles,
                "groupRoles": 0,
                "runningQueries": 0,
            }
        assert service.request("GET", f"/connections/{other}/dependents", key=service.member()).status_code == 403


class TestWhoSeesWhat:
    def test_fingerprints_are_for_the_connections_admins_and_the_etag_is_everybodys(self, service: Any) -> None:
        made = service.create(baseRole="RESTRICTED_QUERIER")
        seen = [
            service.request("GET", f"/connections/{made}", key=key)
            for key in (service.member(), service.member(**{made: Role.CONNECTION_ADMIN}))
        ]
        prints = [answer.json()["connection"]["credentials"]["passwordUnencrypted"]["fingerprint"] for answer in seen]
        assert (prints[0], bool(prints[1])) == (None, True)
        assert seen[0].headers["etag"] == seen[1].headers["etag"]

    @pytest.mark.parametrize("sent", ["x*y", "*x", '"a" *', "*, *", "a b"])
    def test_a_malformed_if_match_lets_nothing_through(self, service: Any, sent: str) -> None:
        made = service.create()
        answer = service.request("DELETE", f"/connections/{made}", headers={"if-match": sent})
        assert answer.status_code == 412

    @pytest.mark.parametrize("mask", ["****", " **** ", "●●●", "••••\n"])
    def test_masks_are_no_secrets(self, service: Any, mask: str) -> None:
        answer = service.request("PATCH", f"/connections/{service.create()}", json={"passwordUnencrypted": mask})
        assert answer.status_code == 400

    def test_a_private_key_where_none_belongs_is_refused_at_a_restore_and_taken_away_by_null(
        self, service: Any
    ) -> None:
        made = service.create(privateKey="junk")
        assert service.request("PATCH", f"/connections/{made}", json={"privateKey": None}).status_code == 200
        service.request("DELETE", f"/connections/{made}")
        body = {"passwordUnencrypted": "p", "privateKey": "junk"}
        answer = service.request("POST", f"/connections/{made}/restore", json=body)
        detail = "Bad Request: privateKey: Only Snowflake connections have a private key"
        assert (answer.status_code, answer.json()["detail"]) == (400, detail)

    def test_what_hung_on_an_archived_one_can_be_read(self, service: Any) -> None:
        made = service.create()
        service.request("DELETE", f"/connections/{made}")
        assert service.request("GET", f"/connections/{made}/dependents").status_code == 200


class TestFingerprints:
    def ask(self, service: Any, connection_id: str, body: Any, **more: Any) -> Any:
        return service.request("POST", f"/connections/{connection_id}/fingerprints", json=body, **more)

    def test_of_equal_secrets_are_equal_and_nothing_is_stored(self, service: Any) -> None:
        made = service.create(passwordUnencrypted="the one")
        before = shown(service, made)
        for password, equal in (("the one", True), ("another", False)):
            found = self.ask(service, made, {"passwordUnencrypted": password}).json()["fingerprints"]
            assert (
                found == {"passwordUnencrypted": before["credentials"]["passwordUnencrypted"]["fingerprint"]}
            ) is equal
        assert shown(service, made) == before

    def test_without_secrets_there_are_none(self, service: Any) -> None:
        assert self.ask(service, service.create(), {}).json() == {"fingerprints": {}}

    def test_other_fields_are_refused(self, service: Any) -> None:
        answer = self.ask(service, service.create(), {"host": "h"})
        detail = "Bad Request: formErrors: Unrecognized key(s) in object: 'host'"
        assert (answer.status_code, answer.json()["detail"]) == (400, detail)

    def test_a_member_gets_none(self, service: Any) -> None:
        body = {"passwordUnencrypted": "guess"}
        assert self.ask(service, service.create(baseRole="QUERIER"), body, key=service.member()).status_code == 403
