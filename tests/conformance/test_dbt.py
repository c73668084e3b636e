"""CONTRACT section 2, /connections/{id}/dbt and /connections/{id}/dbt/environments."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import structlog

from moorings.access.policy import Role


@pytest.fixture(scope="module")
def service(serve: Any) -> Any:
    """A service whose operator enabled profiles with secrets."""
    return serve(dbt_secrets=True)


SOME = "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"
NEEDED = {
    "autogenRelationships": True,
    "branch": "main",
    "enableVirtualSchemas": False,
    "sshUrl": "git@github.com:org/repo.git",
}
SHOWN = {
    "autogenRelationships": True,
    "branch": "main",
    "dbtVersion": "Auto",
    "enableSemanticLayer": False,
    "enableVirtualSchemas": False,
    "projectRootPath": None,
    "sshUrl": "git@github.com:org/repo.git",
    "supportsDbt": True,
    "message": "dbt is configured for this connection",
}
MISSING = {"supportsDbt": True, "message": "dbt not configured for this connection"}
CONFIGURED = {"success": True, "message": "dbt configuration updated successfully"}
DEV = {"name": "Development", "targetSchema": "dev"}
NONE_OF_ITS_OWN: dict[str, Any] = {
    "isDeferralEnabled": False,
    "ownerId": None,
    "targetDatabase": None,
    "targetName": None,
    "targetRole": None,
    "variables": [],
}

ADDRESS = "sshUrl: Expected git@host:path or ssh://host/path"
FAULTS: list[tuple[Any, str]] = [
    ({}, "autogenRelationships: Required; branch: Required; enableVirtualSchemas: Required; sshUrl: Required"),
    (NEEDED | {"autogenRelationships": "yes"}, "autogenRelationships: Expected boolean, received string"),
    (NEEDED | {"branch": ""}, "branch: String must contain at least 1 character(s)"),
    (NEEDED | {"branch": "--upload-pack=x"}, "branch: Invalid input"),
    (NEEDED | {"branch": "a..b"}, "branch: Invalid input"),
    (NEEDED | {"branch": "a b"}, "branch: Invalid input"),
    (NEEDED | {"sshUrl": "https://github.com/org/repo.git"}, ADDRESS),
    (NEEDED | {"sshUrl": "git@-oProxyCommand=x:repo"}, ADDRESS),
    (NEEDED | {"sshUrl": "ssh://-oProxyCommand=x/repo"}, ADDRESS),
    (NEEDED | {"sshUrl": "git@host:-repo"}, ADDRESS),
    (NEEDED | {"sshUrl": "git@host:a b"}, ADDRESS),
    (NEEDED | {"sshUrl": "git@host:a\n"}, ADDRESS),
    (
        NEEDED | {"dbtVersion": "1.9"},
        "dbtVersion: Invalid enum value. Expected 'Auto' | '1.10' | '1.11', received '1.9'",
    ),
    (NEEDED | {"enableSemanticLayer": None}, "enableSemanticLayer: Expected boolean, received null"),
    (NEEDED | {"projectRootPath": "/abs"}, "projectRootPath: Invalid input"),
    (NEEDED | {"projectRootPath": "a/../../b"}, "projectRootPath: Invalid input"),
    (NEEDED | {"projectRootPath": "a\n"}, "projectRootPath: Invalid input"),
    (NEEDED | {"rotateKeys": 1}, "rotateKeys: Expected boolean, received number"),
    (NEEDED | {"a": 1}, "formErrors: Unrecognized key(s) in object: 'a'"),
]

NO_VARIABLE = "Unknown variable id. Leave the id out to add a variable"
ENVIRONMENT_FAULTS: list[tuple[Any, str]] = [
    (
        {"name": 5, "targetSchema": ""},
        "name: Expected string, received number; targetSchema: String must contain at least 1 character(s)",
    ),
    (DEV | {"name": None}, "name: Expected string, received null"),
    (DEV | {"targetRole": 5}, "targetRole: Expected string, received number"),
    (DEV | {"ownerId": "x"}, "ownerId: Invalid uuid"),
    (DEV | {"ownerId": SOME}, "ownerId: User not found"),
    (DEV | {"variables": {}}, "variables: Expected array, received object"),
    (
        DEV | {"variables": [{"name": f"A{n}", "value": "1"} for n in range(1001)]},
        "variables: Expected at most 1000 variables",
    ),
    (DEV | {"variables": [5]}, "variables.0: Expected object, received number"),
    (
        DEV | {"variables": [{"name": "A", "value": "1"}, {"value": 2}]},
        "variables.1.name: Required; variables.1.value: Expected string, received number",
    ),
    (DEV | {"variables": [{"name": "A-B", "value": "1"}]}, "variables.0.name: Invalid input"),
    (DEV | {"variables": [{"name": "A", "value": "\x1b[2J"}]}, "variables.0.value: Invalid input"),
    (DEV | {"variables": [{"name": "A", "value": None}]}, "variables.0.value: Required"),
    (DEV | {"variables": [{"name": "A", "isSecret": True}]}, "variables.0.value: Required"),
    (
        DEV | {"variables": [{"name": "A", "value": "1", "isSecret": "no"}]},
        "variables.0.isSecret: Expected boolean, received string",
    ),
    (
        DEV | {"variables": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
        "variables.1.name: Another variable has this name. Names must be unique",
    ),
    (DEV | {"variables": [{"id": SOME, "name": "A", "value": "1"}]}, f"variables.0.id: {NO_VARIABLE}"),
    (DEV | {"variables": [{"id": "x", "name": "A", "value": "1"}]}, "variables.0.id: Invalid uuid"),
    (
        DEV | {"variables": [{"name": "A", "value": "1", "x": 1}]},
        "formErrors: Unrecognized key(s) in object: 'variables.0.x'",
    ),
    (DEV | {"a": 1}, "formErrors: Unrecognized key(s) in object: 'a'"),
]  # a row a line


def dbt(service: Any, method: str, connection: str, path: str = "", body: Any = None, **how: Any) -> Any:
    return service.request(method, f"/connections/{connection}/dbt{path}", json=body, **how)


def configured(service: Any, **body: Any) -> str:
    connection = service.create()
    answer = dbt(service, "PUT", connection, body=NEEDED | body)
    assert (answer.status_code, answer.json()) == (200, CONFIGURED)
    return connection


def add(service: Any, connection: str, **body: Any) -> dict[str, Any]:
    answer = dbt(service, "POST", connection, "/environments", DEV | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def change(service: Any, connection: str, environment: str, **body: Any) -> Any:
    return dbt(service, "PUT", connection, f"/environments/{environment}", body)


class TestRepository:
    def test_there_is_none_at_first(self, service: Any) -> None:
        connection = service.create()
        assert dbt(service, "GET", connection).json() == MISSING
        answer = dbt(service, "DELETE", connection)
        assert (answer.status_code, answer.json()) == (404, {"detail": MISSING["message"], "status": 404})

    def test_is_linked_shown_and_unlinked(self, service: Any) -> None:
        connection = configured(service)
        shown = dbt(service, "GET", connection).json()
        assert re.fullmatch("ssh-ed25519 [A-Za-z0-9+/=]+ moorings", shown.pop("publicKey"))
        assert shown == SHOWN
        answer = dbt(service, "DELETE", connection)
        message = "dbt repository unlinked successfully"
        assert (answer.status_code, answer.json()) == (200, {"success": True, "message": message})
        assert dbt(service, "GET", connection).json() == MISSING

    def test_everything_optional(self, service: Any) -> None:
        given = {"dbtVersion": "1.11", "enableSemanticLayer": True, "projectRootPath": "dbt/my project"}
        connection = configured(service, **given, rotateKeys=False, sshUrl="ssh://git@host.example:22/org/repo")
        shown = dbt(service, "GET", connection).json()
        assert {name: shown[name] for name in given} == given
        assert dbt(service, "PUT", connection, body=NEEDED | {"dbtVersion": None}).status_code == 200
        again = dbt(service, "GET", connection).json()
        assert again == SHOWN | {"publicKey": shown["publicKey"]}, "what is left out takes its default"
        assert dbt(service, "PUT", connection, body=NEEDED | {"projectRootPath": ""}).status_code == 200
        assert dbt(service, "GET", connection).json()["projectRootPath"] is None

    def test_the_key_stays_until_it_is_rotated(self, service: Any) -> None:
        connection = configured(service)
        first = dbt(service, "GET", connection).json()["publicKey"]
        dbt(service, "PUT", connection, body=NEEDED | {"branch": "next"})
        assert dbt(service, "GET", connection).json()["publicKey"] == first
        dbt(service, "PUT", connection, body=NEEDED | {"rotateKeys": True})
        assert dbt(service, "GET", connection).json()["publicKey"] != first

    @pytest.mark.parametrize(("body", "detail"), FAULTS, ids=lambda given: json.dumps(given)[:80])
    def test_faults(self, service: Any, body: Any, detail: str) -> None:
        connection = service.create()
        answer = dbt(service, "PUT", connection, body=body)
        assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {detail}", "status": 400})
        assert dbt(service, "GET", connection).json() == MISSING

    def test_where_dbt_has_no_adapter(self, service: Any) -> None:
        connection = service.create(dialect="mysql")
        assert dbt(service, "GET", connection).json() == MISSING | {"supportsDbt": False}
        for method, path, body in (("PUT", "", NEEDED), ("POST", "/environments", DEV), ("GET", "/profile", None)):
            answer = dbt(service, method, connection, path, body)
            detail = "dbt has no adapter for this connection's dialect"
            assert (answer.status_code, answer.json()["detail"]) == (400, detail), path


class TestEnvironments:
    def test_create_answers_the_bare_object(self, service: Any) -> None:
        connection = service.create()
        made = add(service, connection)
        assert made == {"id": made["id"], "isDefaultEnvironment": True, **NONE_OF_ITS_OWN, **DEV}
        full = {"targetDatabase": "db", "targetName": "ci", "targetRole": "builder", "name": "CI"}
        second = add(service, connection, **full)
        assert second == {"id": second["id"], "isDefaultEnvironment": False, **NONE_OF_ITS_OWN, **DEV, **full}

    def test_list_has_pages(self, service: Any) -> None:
        connection = service.create()
        made = [add(service, connection, name=str(number)) for number in range(3)]
        first = dbt(service, "GET", connection, "/environments?pageSize=2").json()
        info = {"hasNextPage": True, "nextCursor": first["pageInfo"]["nextCursor"], "pageSize": 2, "totalRecords": 3}
        assert first["pageInfo"] == info
        rest = dbt(service, "GET", connection, f"/environments?pageSize=2&cursor={info['nextCursor']}").json()
        assert rest["pageInfo"] == info | {"hasNextPage": False, "nextCursor": None}
        found = first["records"] + rest["records"]
        assert found == made[::-1]
        ordered = dbt(service, "GET", connection, "/environments?sortField=name&sortDirection=asc").json()["records"]
        assert ordered == made

    def test_what_a_put_leaves_out_takes_its_default(self, service: Any) -> None:
        connection = service.create()
        given = {"targetRole": "r", "isDeferralEnabled": True, "variables": [{"name": "A", "value": "1"}]}
        made = add(service, connection, **given)
        assert (made["targetRole"], made["isDeferralEnabled"]) == ("r", True)
        answer = change(service, connection, made["id"], name="Next", targetSchema="next")
        left = made | NONE_OF_ITS_OWN | {"name": "Next", "targetSchema": "next"}
        assert (answer.status_code, answer.json()) == (200, left)
        answer = change(service, connection, made["id"])
        assert (answer.status_code, answer.json()["detail"]) == (
            400,
            "Bad Request: name: Required; targetSchema: Required",
        )

    def test_remove(self, service: Any) -> None:
        connection = service.create()
        made = add(service, connection, variables=[{"name": "A", "value": "1"}])
        path = f"/environments/{made['id']}"
        answer = dbt(service, "DELETE", connection, path)
        message = "dbt environment deleted successfully"
        assert (answer.status_code, answer.json()) == (200, {"success": True, "message": message})
        for method in ("DELETE", "PUT"):
            answer = dbt(service, method, connection, path, DEV if method == "PUT" else None)
            assert (answer.status_code, answer.json()) == (404, {"detail": "dbt environment not found", "status": 404})

    def test_one_of_another_connection_does_not_exist_here(self, service: Any) -> None:
        made, other = add(service, service.create()), service.create()
        assert change(service, other, made["id"], **DEV).status_code == 404
        assert dbt(service, "GET", other, f"/profile?environment={made['id']}").status_code == 404

    @pytest.mark.parametrize(("body", "detail"), ENVIRONMENT_FAULTS, ids=lambda given: json.dumps(given)[:80])
    def test_faults(self, service: Any, body: Any, detail: str) -> None:
        connection = service.create()
        made = add(service, connection)
        for answer in (
            dbt(service, "POST", connection, "/environments", body),
            change(service, connection, made["id"], **body),
        ):
            assert (answer.status_code, answer.json()) == (400, {"detail": f"Bad Request: {detail}", "status": 400})
        assert dbt(service, "GET", connection, "/environments").json()["records"] == [made]

    def test_required(self, service: Any) -> None:
        answer = dbt(service, "POST", service.create(), "/environments", {})
        assert answer.json()["detail"] == "Bad Request: name: Required; targetSchema: Required"

    def test_a_users_own_key_makes_the_users_own(self, service: Any) -> None:
        connection = service.create()
        key = service.member(**{connection: Role.CONNECTION_ADMIN})
        me = service.request("GET", "/whoami", key=key).json()["user"]["id"]
        mine = dbt(service, "POST", connection, "/environments", DEV, key=key).json()
        assert mine["ownerId"] == me
        other = service.request("GET", "/whoami", key=service.member()).json()["user"]["id"]
        answer = dbt(service, "POST", connection, "/environments", DEV | {"ownerId": other}, key=key)
        detail = "Bad Request: ownerId: Only an organization key can set the owner of an environment"
        assert (answer.status_code, answer.json()["detail"]) == (400, detail)
        assert add(service, connection, ownerId=other.upper())["ownerId"] == other


class TestVariables:
    def test_secrets_are_not_shown(self, service: Any) -> None:
        connection = service.create()
        given = [{"name": "DBT_TARGET", "value": "dev"}, {"name": "DBT_KEY", "value": "s3cret", "isSecret": True}]
        made = add(service, connection, variables=given)
        shown = made["variables"]
        assert [list(each) for each in shown] == [["id", "name", "value", "isSecret"]] * 2
        assert [(each["name"], each["value"], each["isSecret"]) for each in shown] == [
            ("DBT_TARGET", "dev", False),
            ("DBT_KEY", None, True),
        ]
        assert dbt(service, "GET", connection, "/environments").json()["records"] == [made]

    def test_what_was_read_can_be_sent_back(self, service: Any) -> None:
        connection = service.create()
        given = [{"name": "A", "value": "1"}, {"name": "B", "value": "2", "isSecret": True}]
        made = add(service, connection, variables=given)
        assert change(service, connection, made["id"], **DEV, variables=made["variables"]).json() == made
        assert "export B=2" in profile(service, connection, method="POST")

    def test_one_with_an_id_is_changed_one_without_added_the_rest_removed(self, service: Any) -> None:
        connection = service.create()
        given = [{"name": name, "value": name.lower()} for name in ("A", "B", "C")]
        first, second, _ = (made := add(service, connection, variables=given))["variables"]
        swapped = [first | {"name": "B"}, second | {"name": "A", "value": "9"}, {"name": "D", "value": ""}]
        shown = change(service, connection, made["id"], **DEV, variables=swapped).json()["variables"]
        assert shown[:2] == swapped[:2]
        assert [(each["name"], each["value"]) for each in shown] == [("B", "a"), ("A", "9"), ("D", "")]

    def test_one_with_an_id_keeps_the_name_and_value_that_are_left_out(self, service: Any) -> None:
        connection = service.create()
        given = [{"name": "A", "value": "1"}, {"name": "B", "value": "s3cret", "isSecret": True}]
        made = add(service, connection, variables=given)
        plain, secret = made["variables"]
        kept = [{"id": plain["id"], "isSecret": False}, {"id": secret["id"], "isSecret": True}]
        assert change(service, connection, made["id"], **DEV, variables=kept).json() == made
        assert "export B=s3cret" in profile(service, connection, method="POST")
        hidden = [{"id": plain["id"], "isSecret": True}, {"id": secret["id"], "isSecret": True, "value": "new"}]
        shown = change(service, connection, made["id"], **DEV, variables=hidden).json()["variables"]
        assert [(each["name"], each["value"]) for each in shown] == [("A", None), ("B", None)]
        told = profile(service, connection, method="POST")
        assert "export A=1" in told
        assert "export B=new" in told

    def test_a_name_that_stays_is_taken(self, service: Any) -> None:
        connection = service.create()
        made = add(service, connection, variables=[{"name": "A", "value": "1"}])
        both = [{"id": made["variables"][0]["id"]}, {"name": "A", "value": "2"}]
        answer = change(service, connection, made["id"], **DEV, variables=both)
        detail = "Bad Request: variables.1.name: Another variable has this name. Names must be unique"
        assert (answer.status_code, answer.json()["detail"]) == (400, detail)

    def test_a_secret_that_is_not_listed_is_named_as_removed(self, service: Any) -> None:
        connection = service.create()
        given = [{"name": "A", "value": "1"}, {"name": "B", "value": "s3cret", "isSecret": True}]
        made = add(service, connection, variables=given)
        changed = change(service, connection, made["id"], **DEV, variables=made["variables"][:1]).json()
        assert changed["warnings"] == ["These secret variables were not listed and are removed: B"]
        assert "warnings" not in change(service, connection, made["id"], **DEV).json()

    def test_a_secret_is_not_laid_open_by_a_change(self, service: Any) -> None:
        connection = service.create()
        made = add(service, connection, variables=[{"name": "A", "value": "s3cret", "isSecret": True}])
        opened = [made["variables"][0] | {"isSecret": False}]
        answer = change(service, connection, made["id"], **DEV, variables=opened)
        assert (answer.status_code, answer.json()["detail"]) == (400, "Bad Request: variables.0.value: Required")


def profile(service: Any, connection: str, query: str = "", method: str = "GET", **how: Any) -> str:
    answer = dbt(service, method, connection, f"/profile{query}", **how)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/yaml"
    return answer.text


class TestProfile:
    def test_of_the_connection_alone(self, service: Any) -> None:
        connection = service.create(name="Sales\nöst", defaultSchema="public", passwordUnencrypted="s3cret")
        assert profile(service, connection) == (
            '# For `profile: moorings` of a dbt_project.yml: the connection "Sales\\n\\u00f6st".\n'
            "# dbt reads from its environment: DBT_ENV_SECRET_PASSWORD.\n"
            "moorings:\n"
            '  target: "default"\n'
            "  outputs:\n"
            '    "default":\n'
            '      type: "postgres"\n'
            '      host: "h"\n'
            "      port: 5432\n"
            '      user: "u"\n'
            "      password: \"{{ env_var('DBT_ENV_SECRET_PASSWORD') }}\"\n"
            '      dbname: "d"\n'
            '      schema: "public"\n'
            '      sslmode: "prefer"\n'
            "      threads: 4\n"
        )

    def test_of_an_environment(self, service: Any) -> None:
        connection = service.create()
        variables = [{"name": "A", "value": "it's\n2"}, {"name": "B", "value": "s3cret", "isSecret": True}]
        made = add(service, connection, targetName="ci", targetDatabase="db", targetRole="r", variables=variables)
        other = add(service, connection, targetSchema="other")
        text = profile(service, connection)
        assert "# export A='it'\"'\"'s\n# 2'\n# export B=\n" in text
        for line in ('  target: "ci"', '    "ci":', '      dbname: "db"', '      schema: "dev"', '      role: "r"'):
            assert f"{line}\n" in text
        assert 'schema: "other"' in profile(service, connection, f"?environment={other['id'].upper()}")
        assert text == profile(service, connection, f"?environment={made['id']}")

    def test_without_a_schema(self, service: Any) -> None:
        answer = dbt(service, "GET", service.create(), "/profile")
        detail = "dbt needs a schema to build in. Choose a dbt environment, or give the connection a defaultSchema"
        assert (answer.status_code, answer.json()["detail"]) == (400, detail)

    def test_faults(self, service: Any) -> None:
        answer = dbt(service, "GET", service.create(), "/profile?environment=x")
        assert (answer.status_code, answer.json()["detail"]) == (400, "Bad Request: environment: Invalid uuid")

    def test_no_get_answers_secrets(self, service: Any) -> None:
        answer = dbt(service, "GET", service.create(defaultSchema="s"), "/profile?secrets=true")
        detail = "Bad Request: formErrors: Unrecognized key(s) in object: 'secrets'"
        assert (answer.status_code, answer.json()["detail"]) == (400, detail)

    def test_secrets_are_disabled_unless_the_operator_enables_them(self, serve: Any) -> None:
        default = serve()
        connection = default.create(defaultSchema="s", passwordUnencrypted="s3cret")
        answer = dbt(default, "POST", connection, "/profile")
        detail = "Profiles with secrets are disabled here. The operator can enable them with MOORINGS_DBT_SECRETS=true"
        assert (answer.status_code, answer.json()["detail"]) == (403, detail)

    def test_secrets_are_for_admins_who_ask_and_each_call_is_logged(self, service: Any) -> None:
        connection = service.create(defaultSchema="s", passwordUnencrypted="s3cret", baseRole="NO_ACCESS")
        admin, modeler, viewer = (
            service.member(**{connection: role}) for role in (Role.CONNECTION_ADMIN, Role.MODELER, Role.VIEWER)
        )
        with structlog.testing.capture_logs() as logged:
            assert 'password: "s3cret"' in profile(service, connection, method="POST", key=admin)
        user = service.request("GET", "/whoami", key=admin).json()["user"]["id"]
        noted = next(line for line in logged if line["event"] == "dbt_secrets_read")
        assert (noted["connection"], noted["user"]) == (connection, user)
        assert "s3cret" not in str(logged)
        assert "s3cret" not in profile(service, connection, key=admin)
        assert "s3cret" not in profile(service, connection, key=modeler)
        for key, method in ((modeler, "POST"), (viewer, "GET")):
            answer = dbt(service, method, connection, "/profile", key=key)
            assert (answer.status_code, answer.json()["detail"]) == (403, "Permission denied")


class TestRoles:
    @pytest.mark.parametrize("role", ["MODELER", "NO_ACCESS"])
    def test_connection_admins_only(self, service: Any, role: str) -> None:
        connection = service.create(baseRole="NO_ACCESS")
        made = add(service, connection)
        key = service.member(**{connection: Role[role]})
        for method, path, body in (
            ("GET", "", None),
            ("PUT", "", NEEDED),
            ("DELETE", "", None),
            ("GET", "/environments", None),
            ("POST", "/environments", DEV),
            ("PUT", f"/environments/{made['id']}", DEV),
            ("DELETE", f"/environments/{made['id']}", None),
        ):
            answer = dbt(service, method, connection, path, body, key=key)
            assert answer.status_code == (403 if role == "MODELER" else 404), (method, path)


class TestArchived:
    def test_can_be_read_but_has_no_secrets_any_more(self, service: Any) -> None:
        connection = configured(service)
        before = dbt(service, "GET", connection).json()
        made = add(service, connection, variables=[{"name": "A", "value": "s3cret", "isSecret": True}])
        answer = service.request("GET", f"/connections/{connection}/dependents")
        assert answer.json()["dbt"] is True
        assert service.request("DELETE", f"/connections/{connection}").status_code == 200
        assert dbt(service, "GET", connection).json() == before | {"publicKey": None}
        assert dbt(service, "GET", connection, "/environments").json()["records"] == [made]
        assert profile(service, connection)
        for method, path, body in (
            ("PUT", "", NEEDED),
            ("DELETE", "", None),
            ("POST", "/environments", DEV),
            ("PUT", f"/environments/{made['id']}", DEV),
            ("DELETE", f"/environments/{made['id']}", None),
        ):
            answer = dbt(service, method, connection, path, body)
            assert (answer.status_code, answer.json()["detail"]) == (410, "Connection is archived")
        assert service.request("POST", f"/connections/{connection}/restore").status_code == 200
        assert "s3cret" not in profile(service, connection, method="POST")
        assert dbt(service, "PUT", connection, body=NEEDED).status_code == 200
        assert dbt(service, "GET", connection).json()["publicKey"] not in (None, before["publicKey"])
