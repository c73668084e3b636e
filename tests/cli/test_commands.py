"""The commands beside `serve`."""

from __future__ import annotations

import json
import socket

import httpx
import pytest

from tests.terminal import free_port

API = "/api/v1/connections"


class TestToken:
    def test_works_at_once_and_not_after_revocation(self, terminal):
        with terminal.serving() as serving:
            token = terminal.run("token", "create", "--name", "Nightly").stdout.strip()
            headers = {"Authorization": f"Bearer {token}"}
            assert token.startswith("moo_osk_")
            assert httpx.get(serving.url + API, headers=headers, trust_env=False).status_code == 200
            [made] = [
                key for key in json.loads(terminal.run("token", "list", "--json").stdout) if key["name"] == "Nightly"
            ]
            terminal.run("token", "revoke", made["id"])
            assert httpx.get(serving.url + API, headers=headers, trust_env=False).status_code == 403

    def test_personal_token_acts_as_its_user(self, terminal):
        with terminal.serving() as serving:
            terminal.run("user", "create", "ann@example.com")
            token = terminal.run("token", "create", "--personal", "ann@example.com").stdout.strip()
            assert token.startswith("moo_pat_")
            headers = {"Authorization": f"Bearer {token}"}
            listed = httpx.get(serving.url + API, headers=headers, trust_env=False).json()["connections"]
            assert [connection["name"] for connection in listed] == ["Sample"]
            refused = httpx.post(serving.url + API, headers=headers, json={}, trust_env=False)
            assert refused.status_code == 403

    def test_limits_and_rotation(self, terminal):
        with terminal.serving() as serving:

            def status(token: str, method: str = "GET") -> int:
                headers = {"Authorization": f"Bearer {token}"}
                return httpx.request(method, serving.url + API, headers=headers, trust_env=False).status_code

            limits = ("--scope", "read", "--connection", "Sample", "--expires", "90d")
            token = terminal.run("token", "create", "--name", "Limited", *limits).stdout.strip()
            assert (status(token), status(token, "POST")) == (200, 403)
            listed = {key["name"]: key for key in json.loads(terminal.run("token", "list", "--json").stdout)}
            assert listed["Limited"]["scopes"] == "read"
            assert listed["Limited"]["expires"]
            later = terminal.run("token", "rotate", listed["Limited"]["id"]).stdout.strip()
            assert (status(token), status(later)) == (200, 200)
            last = terminal.run("token", "rotate", listed["Limited"]["id"], "--overlap", "0").stdout.strip()
            assert [status(each) for each in (token, later, last)] == [403, 403, 200]

    def test_list_shows_no_token(self, terminal):
        terminal.make_database()
        token = terminal.run("token", "create").stdout.strip()
        listed = terminal.run("token", "list").stdout
        assert "works" in listed
        assert token not in listed


class TestUser:
    def test_role_on_a_connection(self, terminal):
        with terminal.serving() as serving:
            admin = {"Authorization": f"Bearer {serving.key}"}
            sample = httpx.get(serving.url + API, headers=admin, trust_env=False).json()["connections"][0]["id"]
            terminal.run("user", "create", "ann@example.com")
            token = terminal.run("token", "create", "--personal", "ann@example.com").stdout.strip()
            headers = {"Authorization": f"Bearer {token}"}
            change = {"baseRole": "VIEWER"}
            before = httpx.patch(f"{serving.url}{API}/{sample}", headers=headers, json=change, trust_env=False)
            assert terminal.run("user", "role", "ann@example.com", sample, "connection_admin").returncode == 0
            after = httpx.patch(f"{serving.url}{API}/{sample}", headers=headers, json=change, trust_env=False)
        assert (before.status_code, after.status_code) == (403, 200)

    def test_disabled_enabled_and_deleted(self, terminal):
        with terminal.serving() as serving:
            terminal.run("user", "create", "ann@example.com")
            token = terminal.run("token", "create", "--personal", "ann@example.com").stdout.strip()
            headers = {"Authorization": f"Bearer {token}"}

            def status(*command: str) -> int:
                assert terminal.run("user", *command).returncode == 0
                return httpx.get(serving.url + API, headers=headers, trust_env=False).status_code

            statuses = [status(command, "ANN@example.com") for command in ("disable", "enable", "delete")]
        assert statuses == [403, 200, 403]
        assert "Nothing yet" in terminal.run("user", "list").stdout
        assert terminal.run("user", "delete", "ann@example.com").returncode == 1

    def test_admin(self, terminal):
        terminal.make_database().run("user", "create", "ann@example.com")
        for command, admin in ((("admin",), True), (("admin", "--remove"), False)):
            terminal.run("user", *command, "ann@example.com")
            assert json.loads(terminal.run("user", "list", "--json").stdout)[0]["admin"] is admin


class TestGroup:
    def test_gives_its_members_a_role(self, terminal):
        with terminal.serving() as serving:
            admin = {"Authorization": f"Bearer {serving.key}"}
            sample = httpx.get(serving.url + API, headers=admin, trust_env=False).json()["connections"][0]["id"]
            for name in ("ann", "bob"):
                terminal.run("user", "create", f"{name}@example.com", "--name", name)
            assert terminal.run("group", "create", "Analysts").returncode == 0
            assert terminal.run("group", "role", "ANALYSTS", sample, "modeler").returncode == 0
            assert terminal.run("group", "add", "Analysts", "ann@example.com", "bob@example.com").returncode == 0
            assert terminal.run("group", "remove", "Analysts", "bob@example.com").returncode == 0
            members = json.loads(terminal.run("group", "members", "Analysts", "--json").stdout)
            assert [each["name"] for each in members] == ["ann"]
            assert json.loads(terminal.run("group", "list", "--json").stdout)[0]["members"] == 1
            roles = json.loads(terminal.run("user", "roles", "ann@example.com", "--json").stdout)
            assert roles[0] | {"connection": "Sample"} == {
                "connection": "Sample",
                "id": sample,
                "role": "MODELER",
                "from": "group Analysts",
                "counts": True,
            }
            token = terminal.run("token", "create", "--personal", "ann@example.com").stdout.strip()
            who = f"{serving.url}/api/v1/whoami"
            headers = {"Authorization": f"Bearer {token}"}
            found = httpx.get(who, headers=headers, trust_env=False).json()["rolesByModel"]
            assert found[sample]["roleName"] == "MODELER"
            assert terminal.run("group", "delete", "Analysts").returncode == 0
            found = httpx.get(who, headers=headers, trust_env=False).json()["rolesByModel"]
            assert found[sample]["roleName"] == "QUERIER"  # of the connection itself


@pytest.fixture(scope="module")
def database(terminal_in, tmp_path_factory):
    """A terminal whose database exists already, for tests that leave nothing that others see."""
    return terminal_in(tmp_path_factory.mktemp("made")).make_database()


class TestNoDatabase:
    @pytest.mark.parametrize(
        "command",
        [
            ("token", "create"),
            ("group", "list"),
            ("migrate",),
            ("worker",),
        ],
        ids=" ".join,
    )
    def test_no_command_makes_one(self, terminal, command):
        refused = terminal.run(*command, "--data-dir", str(terminal.folder / "elsewhere"))
        assert refused.returncode == 1
        assert len(refused.stderr.splitlines()) == 1
        assert refused.stderr.startswith(f"moorings: the database {terminal.folder}/elsewhere/moorings.db")
        assert "--data-dir" in refused.stderr
        assert list(terminal.folder.iterdir()) == []

    def test_nor_the_file_of_an_address(self, terminal):
        refused = terminal.run("token", "create", DATABASE_URL=f"sqlite:///{terminal.folder}/other.db")
        assert "MOORINGS_DATABASE_URL" in refused.stderr
        assert list(terminal.folder.iterdir()) == []

    def test_nor_the_tables_in_an_empty_postgresql(self, terminal, new_database):
        url = new_database()
        refused = terminal.run("token", "create", DATABASE_URL=url)
        assert "holds no tables of Moorings. Start the service once" in refused.stderr
        assert url.rpartition("/")[2] in refused.stderr
        assert terminal.run("migrate", DATABASE_URL=url).returncode == 0


class TestChangesAreLogged:
    def test_with_the_database_and_the_service_that_runs_on_it(self, terminal):
        with terminal.serving(SAMPLE="false") as serving:
            made = terminal.run("token", "create", "--name", "Nightly", DATA_DIR="elsewhere", LOG_FORMAT="json")
            assert made.returncode == 1
            made = terminal.run(
                "token", "create", "--name", "Nightly", "--data-dir", "data", DATA_DIR="elsewhere", LOG_FORMAT="json"
            )
            line = json.loads(made.stderr)
            listed = json.loads(terminal.run("token", "list", "--json").stdout)
            assert line["key_id"] in {key["id"] for key in listed}
            assert (line["event"], line["name"], line["database"], line["service_pid"]) == (
                "key_created",
                "Nightly",
                f"SQLite {terminal.data / 'moorings.db'}",
                str(serving.process.pid),
            )
            assert made.stdout.strip() not in made.stderr

    def test_whatever_it_is_and_nothing_that_only_reads(self, terminal):
        terminal.make_database()
        for command, event in (
            (("user", "create", "ann@example.com"), "user_created"),
            (("group", "create", "Analysts"), "group_created"),
            (("group", "add", "Analysts", "ann@example.com"), "group_changed"),
            (("migrate",), "migrated"),
        ):
            said = terminal.run(*command).stderr
            assert event in said
            assert str(terminal.data / "moorings.db") in said
        assert terminal.run("user", "list").stderr == ""


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("token", "revoke", "nope"), "There is no key with id nope"),
            (("token", "create", "--personal", "nobody@example.com"), "There is no user nobody@example.com"),
            (("token", "create", "--scope", "write"), "--scope is 'write'. Use one of read, query, manage, scim, mcp"),
            (("token", "create", "--connection", "Nowhere"), "There is no connection Nowhere"),
            (("token", "create", "--expires", "soon"), "--expires is 'soon'. Use a period such as 90d or 12h"),
            (("token", "rotate", "nope", "--overlap", "90d"), "--overlap is '90d'. Use 0"),
            (("user", "role", "nobody@example.com", "x", "boss"), "unknown role boss"),
            (("user", "create", ""), "an email address needs"),
            (("user", "create", "ann"), "an email address needs"),
            (("user", "create", "a b@example.com"), "an email address needs"),
            (("user", "create", "a\n@example.com"), "an email address needs"),
            (("user", "create", "\udcff@example.com"), "an email address needs"),
            (("user", "create", "x" * 250 + "@example.com"), "an email address needs"),
            (("user", "create", "ann@example.com", "--name", "x" * 256), "a name needs"),
            (("user", "delete", "nobody@example.com"), "There is no user nobody@example.com"),
            (("group", "create", ""), "a name needs"),
            (("group", "add", "Nobodies", "ann@example.com"), "There is no group Nobodies"),
            (("group", "role", "Nobodies", "x", "boss"), "unknown role boss"),
        ],
    )
    def test_are_one_line(self, database, arguments, message):
        refused = database.run(*arguments)
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"moorings: {message}")
        assert len(refused.stderr.splitlines()) == 1

    def test_same_user_twice(self, database):
        database.run("user", "create", "ann@example.com")
        assert "already" in database.run("user", "create", "ann@example.com").stderr


class TestDoctor:
    def test_json_says_the_same_and_settings_at_fault_are_one_finding(self, terminal):
        looked = terminal.run("doctor", "--json", PORT="none")
        [found] = json.loads(looked.stdout)["checks"]
        assert (looked.returncode, found["check"], found["state"]) == (1, "settings", "fail")

    def test_of_postgresql_valkey_and_webhooks(self, terminal, new_database, valkey_url):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            hook = f"http://127.0.0.1:{listening.getsockname()[1]}/hook?token=s3cret"
            looked = terminal.run(
                "doctor",
                "--json",
                DATABASE_URL=new_database(),
                RATE_LIMIT_URL=valkey_url,
                WEBHOOK_URL=hook,
                WORKERS="64",
            )
        assert looked.stdout, looked.stderr
        report = json.loads(looked.stdout)
        found = {each["check"]: (each["state"], each["message"]) for each in report["checks"]}
        assert (looked.returncode, report["ok"]) == (0, True), looked.stdout
        assert found["database"][1].endswith("will be made at the first start")
        assert found["rate limits"] == ("ok", "the store on 127.0.0.1 answers")
        assert found["webhooks"] == ("ok", "the address on 127.0.0.1 can be reached")
        assert found["workers"][0] == "note"
        assert "s3cret" not in looked.stdout

    def test_of_stored_webhooks(self, terminal):
        with socket.create_server(("127.0.0.1", 0)) as listening, terminal.serving() as serving:
            key = terminal.run("token", "create").stdout.strip()
            port, closed = listening.getsockname()[1], free_port()
            for place in (port, closed):
                url = f"http://127.0.0.1:{place}/hook?token=s3cret"
                headers = {"Authorization": f"Bearer {key}"}
                made = httpx.post(f"{serving.url}/api/v1/webhooks", json={"url": url}, headers=headers, trust_env=False)
                assert made.status_code == 201, made.text
            looked = terminal.run("doctor", "--json", PORT=free_port())
        report = json.loads(looked.stdout)
        found = {each["check"]: (each["state"], each["message"]) for each in report["checks"]}
        state, message = found["stored webhooks"]
        assert state == "note"
        assert message.startswith("1 of 2 addresses cannot be reached: webhook ")
        assert "s3cret" not in looked.stdout

    def test_what_does_not_answer_is_named(self, terminal):
        closed_port = free_port()
        looked = terminal.run(
            "doctor",
            RATE_LIMIT_URL=f"valkey://:s3cret@127.0.0.1:{closed_port}",
            WEBHOOK_URL=f"https://127.0.0.1:{closed_port}/s3cret",
            DATABASE_URL=f"postgresql://u:s3cret@127.0.0.1:{closed_port}/d",
            HTTPS_PROXY=f"http://u:s3cret@127.0.0.1:{closed_port}",
        )
        assert looked.returncode == 1
        for check in ("database", "rate limits", "webhooks", "proxy"):
            assert f"FAIL  {check}: " in looked.stdout
        assert "s3cret" not in looked.stdout + looked.stderr

    def test_changes_nothing_on_a_bare_machine(self, terminal):
        looked = terminal.run("doctor")
        assert looked.returncode == 0, looked.stdout
        assert not terminal.data.exists()

    def test_all_is_well_beside_the_running_service(self, terminal):
        with terminal.serving():
            looked = terminal.run("doctor")
        assert looked.returncode == 0, looked.stdout
        assert "is served by Moorings" in looked.stdout

    def test_sees_a_port_in_use(self, terminal):
        with terminal.serving():
            looked = terminal.run("doctor", DATA_DIR=terminal.folder / "other")
        assert looked.returncode == 1
        assert "FAIL  port" in looked.stdout

    def test_sees_another_keyset(self, terminal):
        with terminal.serving():
            pass
        other = terminal.folder / "other.json"
        with terminal.serving(DATA_DIR=terminal.folder / "third", KEYSET=other):
            pass
        looked = terminal.run("doctor", KEYSET=other)
        assert looked.returncode == 1
        assert "FAIL  keyset: the secrets in this database are encrypted with keyset" in looked.stdout

    def test_sees_a_directory_that_others_can_read(self, terminal):
        terminal.data.mkdir(mode=0o755)
        assert "FAIL  data directory: others can read" in terminal.run("doctor").stdout
