"""The client's commands against one served process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import tomllib
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from moorings.cli import app
from moorings.client.cli import exits
from tests.cli.pty_session import PtySession
from tests.terminal import MOORINGS

SLOW = "SELECT count(*) FROM range(100000000000) AS a WHERE range % 7 = 3"
"""Runs for longer than any test waits."""


@dataclass
class Ran:
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


class Shell:
    """Runs the client's commands with one folder of profiles."""

    def __init__(self, folder: Path, url: str, key: str) -> None:
        self.folder, self.url, self.key = folder, url, key
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MOORINGS_", "XDG_"))}
        self.environment = kept | {
            "XDG_CONFIG_HOME": str(folder / "config"),
            "MOORINGS_URL": url,
            "MOORINGS_KEY": key,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "PAGER": "cat",
        }

    def variables(self, changed: dict[str, str | None]) -> dict[str, str]:
        return {name: value for name, value in (self.environment | changed).items() if value is not None}

    def run(self, *arguments: str, stdin: str = "", **changed: str | None) -> Ran:
        """Run a command in this process: a process each would take most of the time."""
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        with (
            mock.patch.dict(os.environ, self.variables(changed), clear=True),
            mock.patch.object(sys, "stdin", io.StringIO(stdin)),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            app([*arguments], prog_name="moorings")
        code = ended.value.code
        return Ran(code if isinstance(code, int) else 0, *(each.buffer.getvalue().decode() for each in (out, err)))

    def run_alone(self, *arguments: str, stdin: str = "", **changed: str | None) -> Ran:
        """Run a command in a process of its own."""
        found = subprocess.run(
            [*MOORINGS, *arguments],
            env=self.variables(changed),
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ran(found.returncode, found.stdout, found.stderr)

    def ok(self, *arguments: str, stdin: str = "", **variables: str | None) -> str:
        found = self.run(*arguments, stdin=stdin, **variables)
        assert found.returncode == 0, found.stderr
        return found.stdout

    def json(self, *arguments: str) -> object:
        return json.loads(self.ok(*arguments, "--json"))

    @contextlib.contextmanager
    def terminal(self, *arguments: str, **variables: str | None):
        session = PtySession([*MOORINGS, *arguments], self.variables(variables), self.folder)
        try:
            yield session
        finally:
            session.close()


@pytest.fixture(scope="module")
def shell(terminal_in, tmp_path_factory):
    terminal = terminal_in(tmp_path_factory.mktemp("served"))
    with terminal.serving(RATE_LIMIT="0", POOL_SIZE="4") as serving:
        yield Shell(tmp_path_factory.mktemp("client"), serving.url, serving.key)


@pytest.fixture
def scratch(shell):
    """A connection for one test, by its name."""
    name = f"Scratch {os.urandom(4).hex()}"
    shell.ok("connections", "create", "--dialect", "duckdb", "--name", name, "--set", "database=sample.duckdb")
    return name


class TestLogin:
    def test_asks_without_echo_and_keeps_the_key_in_a_private_file(self, shell, tmp_path):
        variables = {"XDG_CONFIG_HOME": str(tmp_path), "MOORINGS_URL": None, "MOORINGS_KEY": None}
        with shell.terminal("login", **variables) as session:
            session.until("Address of the service [http://127.0.0.1:8000]: ")
            session.type(f"{shell.url}\r")
            session.until("Key: ")
            session.type(f"{shell.key}\r")
            session.until("Logged in to")
            assert session.end() == 0
        assert shell.key not in session.screen
        file = tmp_path / "moorings" / "profiles.json"
        assert file.stat().st_mode & 0o777 == 0o600
        assert json.loads(file.read_text())["profiles"]["default"]["key"] == shell.key
        assert shell.ok("connections", "list", "-o", "name", **variables).splitlines() >= ["Sample"]

    def test_reads_the_key_from_stdin_or_a_file_and_keeps_several_profiles(self, shell, tmp_path):
        variables = {"XDG_CONFIG_HOME": str(tmp_path), "MOORINGS_URL": None, "MOORINGS_KEY": None}
        (tmp_path / "key").write_text(shell.key + "\n")
        shell.ok("login", "--url", shell.url, stdin=shell.key, **variables)
        shell.ok("login", "--url", shell.url, "--profile", "second", "--key-file", str(tmp_path / "key"), **variables)
        assert shell.ok("profiles", "list", "-o", "name", **variables).split() == ["default", "second"]
        shell.ok("profiles", "use", "second", **variables)
        shell.ok("logout", "--profile", "default", **variables)
        assert json.loads(shell.ok("profiles", "list", "--json", **variables))[0]["default"] is True
        assert "organization key" in shell.ok("whoami", **variables)
        shell.ok("logout", **variables)
        assert shell.run("whoami", **variables).returncode == exits.LOGIN

    def test_uses_the_keyring_where_there_is_one(self, shell, tmp_path):
        (tmp_path / "rings.py").write_text(
            "import json, pathlib\n"
            "from keyring.backend import KeyringBackend\n"
            "file = pathlib.Path(__file__).with_name('ring.json')\n"
            "class Ring(KeyringBackend):\n"
            "    priority = 5\n"
            "    def get_password(self, service, name): return self.all().get(f'{service}/{name}')\n"
            "    def set_password(self, service, name, value):\n"
            "        file.write_text(json.dumps(self.all() | {f'{service}/{name}': value}))\n"
            "    def delete_password(self, service, name): file.write_text('{}')\n"
            "    def all(self): return json.loads(file.read_text()) if file.exists() else {}\n"
        )
        variables = {"XDG_CONFIG_HOME": str(tmp_path), "MOORINGS_URL": None, "MOORINGS_KEY": None}
        variables |= {"PYTHONPATH": str(tmp_path), "PYTHON_KEYRING_BACKEND": "rings.Ring"}
        assert "system's keyring" in shell.run_alone("login", "--url", shell.url, stdin=shell.key, **variables).stdout
        assert shell.key not in (tmp_path / "moorings" / "profiles.json").read_text()
        assert json.loads((tmp_path / "ring.json").read_text()) == {"moorings/default": shell.key}
        assert shell.run_alone("whoami", **variables).returncode == 0
        assert shell.run_alone("logout", **variables).returncode == 0
        assert (tmp_path / "ring.json").read_text() == "{}"

    def test_stores_no_key_that_the_service_refuses(self, shell, tmp_path):
        refused = shell.run("login", "--url", shell.url, stdin="moo_osk_wrong", XDG_CONFIG_HOME=str(tmp_path))
        assert refused.returncode == exits.LOGIN
        assert not (tmp_path / "moorings").exists()

    def test_warns_before_a_key_leaves_unencrypted(self, shell, tmp_path):
        found = shell.run("login", "--url", "http://198.51.100.1:1", stdin="", XDG_CONFIG_HOME=str(tmp_path))
        assert "is not encrypted" in found.stderr


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "variables", "code", "words"),
        [
            (("connections", "get", "No such"), {}, exits.NOT_FOUND, "No such"),
            (("connections", "list", "--nope"), {}, exits.USAGE, "--nope"),
            (("query", "Sample", "SELECT nothing_here"), {}, exits.WAREHOUSE, "nothing_here"),
            (("query", "Sample", "SELECT 1", "--numeric-as", "wrong"), {}, exits.REFUSED, "numericAs"),
            (("whoami",), {"MOORINGS_KEY": "moo_osk_wrong"}, exits.LOGIN, "moorings login"),
            (("whoami",), {"MOORINGS_URL": "http://127.0.0.1:1"}, exits.UNREACHABLE, "127.0.0.1:1"),
            (("jobs", "get", "00000000-0000-4000-8000-000000000000"), {}, exits.NOT_FOUND, "not found"),
            (("connections", "archive", "Sample"), {}, exits.USAGE, "--yes"),
            (("query", "Sample", "SELECT 1", "--to", "no/such/folder/x.csv"), {}, exits.FAILED, "No such file"),
        ],
        ids=str,
    )
    def test_one_line_on_stderr_and_a_code_of_its_own(self, shell, arguments, variables, code, words):
        found = shell.run(*arguments, **variables)
        assert (found.returncode, found.stdout) == (code, "")
        assert words in found.stderr
        assert len(found.stderr.splitlines()) == 1
        assert found.stderr.startswith("moorings: ")

    def test_suggests_a_command(self, shell):
        assert "Did you mean 'query'" in shell.run("qeury").stderr

    def test_a_result_in_a_pipe_that_closes_is_no_error(self, shell):
        command = (
            f"'{MOORINGS[0]}' query Sample 'SELECT * FROM range(3000000)' -o ndjson | head -1; exit ${{PIPESTATUS[0]}}"
        )
        found = subprocess.run(
            ["bash", "-c", command], env=shell.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert found.stdout == '{"range":0}\n'
        assert (found.returncode, found.stderr) == (0, "")


class TestOutput:
    def test_json_is_the_apis_own_object(self, shell):
        [sample] = [each for each in shell.json("connections", "list") if each["name"] == "Sample"]
        assert sample["dialect"] == "duckdb"
        assert shell.json("connections", "get", "Sample")["id"] == sample["id"]
        assert shell.ok("connections", "get", sample["id"], "-o", "name") == "Sample\n"
        assert shell.ok("connections", "get", "Sample", "-o", "id") == f"{sample['id']}\n"

    def test_has_no_colours_in_a_pipe_or_with_no_color(self, shell):
        assert "\x1b" not in shell.ok("connections", "list")
        for variables, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
            with shell.terminal("connections", "list", **variables) as session:
                assert session.end() == 0
            if "TERM" not in variables:
                assert ("\x1b[1m" in session.raw) is coloured

    def test_lets_no_name_steer_the_terminal(self, shell):
        shell.ok(
            *("connections", "create", "--dialect", "duckdb", "--name", "Evil \x1b]0;owned\x07"),
            *("--set", "database=sample.duckdb"),
        )
        assert "Evil \\x1b]0;owned\\x07" in shell.ok("connections", "list")
        assert "\\x1b[31m" in shell.ok("query", "Sample", "SELECT chr(27) || '[31m' AS red")

    def test_version_and_help(self, shell):
        assert re.fullmatch(r"moorings \d+\.\d+\.\d+\n", shell.ok("--version"))
        for command in ((), ("query",), ("connections", "create"), ("serve",)):
            assert shell.ok(*command, "-h") == shell.ok(*command, "--help")

    @pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
    def test_completion_script(self, shell, name):
        assert "_MOORINGS_COMPLETE" in shell.ok("completion", name)

    def test_completes_commands_and_names_of_connections(self, shell):
        def complete(line: str) -> list[str]:
            variables = {"_MOORINGS_COMPLETE": "complete_bash", "COMP_WORDS": line}
            variables["COMP_CWORD"] = str(len(line.split(" ")) - 1)
            return shell.run(**variables).stdout.split("\n")

        assert {"connections", "completion"} <= set(complete("moorings con") + complete("moorings com"))
        assert "Sample" in complete("moorings query Sam")
        assert complete("moorings connections route Sample --us") == ["--user", ""]


class TestQuery:
    def test_table(self, shell):
        table = shell.ok("query", "Sample", "SELECT 1 AS one, NULL AS nothing, 'é' AS text, 12.50 AS price")
        assert table == "one  nothing  text  price\n---  -------  ----  -----\n  1  NULL     é     12.50\n"

    @pytest.mark.parametrize("form", ["csv", "json", "ndjson", "parquet", "arrow", "xlsx"])
    def test_formats(self, shell, tmp_path, form):
        import pyarrow as pa
        from pyarrow import parquet

        file = tmp_path / f"result.{form}"
        shell.ok("query", "Sample", "SELECT 7 AS n", "--to", str(file))
        read = {
            "csv": lambda: file.read_text() == '"n"\n7\n',
            "json": lambda: json.loads(file.read_text())["rows"] == [[7]],
            "ndjson": lambda: file.read_text() == '{"n":7}\n',
            "parquet": lambda: parquet.read_table(file).to_pylist() == [{"n": 7}],
            "arrow": lambda: pa.ipc.open_stream(file.read_bytes()).read_all().to_pylist() == [{"n": 7}],
            "xlsx": lambda: file.read_bytes().startswith(b"PK"),
        }
        assert read[form]()
        assert [path.name for path in tmp_path.iterdir()] == [file.name]

    def test_from_a_file_stdin_or_an_option_with_parameters(self, shell, tmp_path):
        (tmp_path / "q.sql").write_text("SELECT $1::INT + 1 AS n")
        options = ("-o", "csv", "-p", "41")
        expected = '"n"\r\n42\r\n'
        assert shell.ok("query", "Sample", "-f", str(tmp_path / "q.sql"), *options) == expected
        assert shell.ok("query", "Sample", "-", *options, stdin="SELECT $1::INT + 1 AS n") == expected
        assert shell.ok("query", "Sample", *options, stdin="SELECT $1::INT + 1 AS n") == expected
        assert shell.ok("query", "Sample", "-e", "SELECT $1::INT + 1 AS n", *options) == expected
        nulls = shell.ok("query", "Sample", "SELECT $1 IS NULL AS a, $2 AS b", "--parameters", '[null, "x"]')
        assert nulls.splitlines()[-1].split() == ["true", "x"]

    def test_the_connection_of_the_profile(self, shell, tmp_path):
        variables = {"XDG_CONFIG_HOME": str(tmp_path), "MOORINGS_URL": None, "MOORINGS_KEY": None}
        shell.ok("login", "--url", shell.url, "--connection", "Sample", stdin=shell.key, **variables)
        assert shell.ok("query", "-e", "SELECT 5 AS five", "-o", "csv", **variables) == '"five"\r\n5\r\n'

    def test_says_when_the_limit_cut_it(self, shell):
        found = shell.run("query", "Sample", "SELECT * FROM range(10)", "--limit", "3")
        assert found.stdout.count("\n") == 5
        assert found.stderr == "3 rows, cut by the row limit\n"
        assert "3" in shell.run("query", "Sample", "SELECT * FROM range(10)", "--limit", "3", "-o", "csv").stderr

    def test_plan(self, shell):
        assert "range" in shell.ok("query", "Sample", "SELECT * FROM range(10)", "--dry-run").casefold()

    def test_writes_no_binary_to_a_terminal(self, shell):
        with shell.terminal("query", "Sample", "SELECT 1", "-o", "parquet") as session:
            assert session.end() == exits.USAGE
        assert "--to FILE" in session.screen

    def test_shows_rows_and_rate_on_stderr(self, shell, tmp_path):
        target = str(tmp_path / "rows.csv")
        with shell.terminal("query", "Sample", "SELECT * FROM range(100000)", "--to", target) as session:
            session.until("100,000 rows")
            session.until("rows/s")
            assert session.end() == 0

    def test_ctrl_c_cancels_it_in_the_database(self, shell, scratch):
        with shell.terminal("query", scratch, SLOW) as session:
            session.until("Ctrl-C cancels")
            _until_running(shell, scratch, 1)
            session.type("\x03")
            assert session.end() == exits.INTERRUPTED
        _until_running(shell, scratch, 0)

    def test_leaves_no_file_when_it_is_stopped(self, shell, scratch, tmp_path):
        command = [*MOORINGS, "query", scratch, SLOW, "--to", str(tmp_path / "x.csv")]
        process = subprocess.Popen(command, env=shell.environment, stderr=subprocess.PIPE, text=True)
        _until_running(shell, scratch, 1)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == exits.INTERRUPTED
        assert process.stderr is not None
        assert process.stderr.read() == "moorings: stopped.\n"
        process.stderr.close()
        assert list(tmp_path.iterdir()) == []


def _until_running(shell: Shell, connection: str, count: int) -> None:
    """Wait until so many queries of a connection run in the service."""
    reached = threading.Event()
    for _ in range(200):
        if shell.json("connections", "dependents", connection)["runningQueries"] == count:
            return
        reached.wait(0.05)
    raise AssertionError(f"never {count} running queries")


class TestConnections:
    def test_create_takes_options_and_tests(self, shell, scratch):
        found = shell.json("connections", "get", scratch)
        assert (found["dialect"], found["settings"]["database"]) == ("duckdb", "sample.duckdb")

    def test_create_stores_nothing_that_fails_its_test(self, shell):
        arguments = ("connections", "create", "postgresql://reader@127.0.0.1:1/shop", "--name", "Dead")
        failed = shell.run(*arguments, "--file", "passwordUnencrypted=-", stdin="secret")
        assert failed.returncode == exits.WAREHOUSE
        assert "--no-test" in failed.stderr
        assert shell.run("connections", "get", "Dead").returncode == exits.NOT_FOUND
        shell.ok(*arguments, "--file", "passwordUnencrypted=-", "--no-test", stdin="secret")
        settings = shell.json("connections", "get", "Dead")["settings"]
        assert (settings["host"], settings["port"], settings["username"]) == ("127.0.0.1", 1, "reader")

    def test_create_takes_no_secret_as_argument(self, shell):
        for arguments in (
            ("postgresql://reader:hunter2@127.0.0.1/shop",),
            ("--dialect", "postgres", "--set", "passwordUnencrypted=hunter2"),
        ):
            refused = shell.run("connections", "create", *arguments)
            assert refused.returncode == exits.USAGE
            assert "hunter2" not in refused.stderr

    def test_create_says_which_fields_are_missing(self, shell):
        refused = shell.run("connections", "create", "--dialect", "snowflake", "--name", "Cold")
        assert refused.returncode == exits.USAGE
        for option in ("--set warehouse=…", "--set username=…", "--file passwordUnencrypted=FILE"):
            assert option in refused.stderr

    def test_create_from_a_profile_of_dbt(self, shell, tmp_path):
        (tmp_path / "profiles.yml").write_text(
            "shop:\n  target: dev\n  outputs:\n    dev:\n      type: postgres\n      host: db.example.com\n"
            "      port: 5433\n      user: reader\n      password: \"{{ env_var('DBT_PASSWORD') }}\"\n"
            "      dbname: shop\n      schema: public\n      threads: 4\n"
        )
        (tmp_path / ".env").write_text("export DBT_PASSWORD='it is secret'\n")
        arguments = ("connections", "create", "--dbt", str(tmp_path), "--name", "From dbt", "--no-test")
        assert "DBT_PASSWORD" in shell.run(*arguments).stderr
        shell.ok(*arguments, "--env-file", str(tmp_path / ".env"))
        found = shell.json("connections", "get", "From dbt")
        assert (found["settings"]["port"], found["defaultSchema"]) == (5433, "public")
        assert found["credentials"]["passwordUnencrypted"]["set"] is True

    def test_create_asks_for_the_fields_of_the_dialect_and_again_for_what_failed(self, shell, postgres_server):
        with shell.terminal("connections", "create", "--dialect", "postgres") as session:
            session.until("host: ")
            session.type("127.0.0.1\r")
            session.until("port [5432]: ")
            session.type("1\r")
            session.until("database: ")
            session.type("postgres\r")
            session.until("username: ")
            session.type("postgres\r")
            session.until("passwordUnencrypted: ")
            session.type("wrong\r")
            session.until("name [postgres]: ")
            session.type("Asked\r")
            session.until("connect")
            session.until("Next [again]: ")
            session.type("\r")
            session.until("host [127.0.0.1]: ")
            session.type(f"{postgres_server.host}\r")
            session.until("port [1]: ")
            session.type(f"{postgres_server.port}\r")
            session.until("Next [again]: ")
            session.type("save\r")
            session.until("Created Asked")
            assert session.end() == 0
        settings = shell.json("connections", "get", "Asked")["settings"]
        assert settings["port"] == postgres_server.port

    def test_edit(self, shell, scratch):
        shell.ok("connections", "edit", scratch, "--set", "queryTimeoutSeconds=60", "--set", "baseRole=QUERIER")
        found = shell.json("connections", "get", scratch)
        assert (found["settings"]["queryTimeoutSeconds"], found["baseRole"]) == (60, "QUERIER")
        shell.ok("connections", "edit", scratch, "--unset", "queryTimeoutSeconds")
        assert shell.json("connections", "get", scratch)["settings"]["queryTimeoutSeconds"] == 900

    def test_edit_of_a_host_needs_the_secret_again(self, shell):
        shell.ok(
            *("connections", "create", "postgresql://reader@db.example.com/shop", "--name", "Moving", "--no-test"),
            *("--file", "passwordUnencrypted=-"),
            stdin="secret",
        )
        refused = shell.run("connections", "edit", "Moving", "--set", "host=db2.example.com")
        assert refused.returncode == exits.REFUSED
        assert "--file passwordUnencrypted=FILE" in refused.stderr
        arguments = ("connections", "edit", "Moving", "--set", "host=db2.example.com")
        shell.ok(*arguments, "--file", "passwordUnencrypted=-", stdin="secret")
        assert shell.json("connections", "get", "Moving")["settings"]["host"] == "db2.example.com"

    def test_rotate_tests_the_new_secret(self, shell):
        shell.ok(
            *("connections", "create", "postgresql://reader@127.0.0.1:1/shop", "--name", "Rotating", "--no-test"),
            *("--file", "passwordUnencrypted=-"),
            stdin="secret",
        )
        before = shell.json("connections", "get", "Rotating")["credentials"]["passwordUnencrypted"]["fingerprint"]
        assert shell.run("connections", "rotate", "Rotating", stdin="new").returncode == exits.WAREHOUSE
        shell.ok("connections", "rotate", "Rotating", "--no-test", stdin="new")
        after = shell.json("connections", "get", "Rotating")["credentials"]["passwordUnencrypted"]["fingerprint"]
        assert before != after

    def test_test(self, shell):
        assert shell.ok("connections", "test", "Sample").splitlines()[-1].startswith("ok      query")
        failed = shell.run("connections", "test", "Rotating")
        assert failed.returncode == exits.WAREHOUSE
        assert "FAIL    connect" in failed.stdout

    def test_archive_and_restore(self, shell, scratch):
        shell.ok("connections", "archive", scratch, "--yes")
        assert scratch not in shell.ok("connections", "list", "-o", "name").splitlines()
        assert scratch in shell.ok("connections", "list", "--archived", "-o", "name").splitlines()
        shell.ok("connections", "restore", scratch)
        assert scratch in shell.ok("connections", "list", "-o", "name").splitlines()

    def test_two_of_one_name_are_told_apart_by_id(self, shell):
        for _ in range(2):
            shell.ok(
                *("connections", "create", "--dialect", "duckdb", "--name", "Twin", "--set", "database=sample.duckdb")
            )
        refused = shell.run("connections", "get", "Twin")
        ids = [each["id"] for each in shell.json("connections", "list") if each["name"] == "Twin"]
        assert refused.returncode == exits.NOT_FOUND
        assert all(each in refused.stderr for each in ids)
        assert shell.ok("connections", "get", ids[0], "-o", "name") == "Twin\n"


class TestOtherGroups:
    def test_environments_and_route(self, shell):
        for name in ("Base", "Tenant"):
            shell.ok("connections", "create", "--dialect", "duckdb", "--name", name, "--set", "database=sample.duckdb")
        shell.ok("environments", "create", "Base", "Tenant")
        shell.ok("environments", "edit", "Tenant", "acme", "acme-test")
        assert "acme, acme-test" in shell.ok("environments", "list", "--base", "Base")
        assert shell.json("connections", "route", "Base")["source"] == "base"
        shell.ok("environments", "delete", "Tenant", "--yes")
        assert shell.json("environments", "list", "--base", "Base") == []

    def test_schedules(self, shell, scratch):
        made = shell.json("schedules", "create", scratch, "@daily", "--timezone", "Europe/Berlin")
        assert shell.ok("schedules", "list", scratch, "-o", "id").strip() == made["scheduleId"]
        shell.ok("schedules", "edit", scratch, made["scheduleId"], "0 6 * * *", "--hard")
        assert shell.json("schedules", "get", scratch, made["scheduleId"])["hardRefresh"] is True
        shell.ok("schedules", "delete", scratch, made["scheduleId"], "--yes")
        assert shell.json("schedules", "list", scratch) == []

    def test_users_roles_and_attributes(self, shell, scratch):
        shell.ok("users", "create", "ada@example.com", "--name", "Ada")
        shell.ok("roles", "assign", scratch, "modeler", "--user", "ada@example.com")
        assert shell.ok("roles", "list", "--user", "ada@example.com", "--connection", scratch).splitlines()[
            1
        ].removeprefix(scratch).split() == ["MODELER", "User", "Role", "yes"]
        assert shell.run("roles", "assign", scratch, "QUERIER").returncode == exits.USAGE
        assert "Ada" in shell.ok("users", "get", "ada@example.com")
        shell.ok("users", "attributes", "ada@example.com")
        shell.ok("users", "delete", "ada@example.com", "--yes")

    def test_catalog_jobs_and_changes(self, shell, scratch):
        started = shell.json("connections", "refresh", scratch, "--wait")
        assert "COMPLETED" in shell.ok("jobs", "get", started["jobId"])
        assert shell.ok("jobs", "list", scratch, "-o", "id").split() == [started["jobId"]]
        assert "COMPLETED" in shell.ok("jobs", "wait", started["jobId"])
        assert "customers" in shell.ok("catalog", "tables", scratch)
        assert "customers" in shell.ok("catalog", "tables", scratch, "--fresh")
        assert shell.ok("catalog", "tables", scratch, "order*", "-o", "name").split() == ["order_items", "orders"]
        assert "customer_id" in shell.ok("catalog", "get", scratch, "customers")
        assert scratch in shell.ok("catalog", "search", "customers")
        assert shell.json("catalog", "changes", scratch) == []

    def test_keys(self, shell):
        assert "First key" in shell.ok("keys", "list", "-o", "name").splitlines()
        assert shell.json("keys", "get", "First key")["type"] == "organization"
        limits = ("--scope", "read", "--connection", "Sample", "--expires", "2099-01-31")
        token = shell.ok("keys", "create", "Limited", *limits).strip()
        assert shell.ok("connections", "list", "-o", "name", MOORINGS_KEY=token) == "Sample\n"
        forbidden = shell.run("query", "Sample", "SELECT 1", MOORINGS_KEY=token)
        assert forbidden.returncode == exits.FORBIDDEN
        rotated = shell.ok("keys", "rotate", "Limited", "--overlap", "0").strip()
        assert shell.run("whoami", MOORINGS_KEY=token).returncode == exits.LOGIN
        shell.ok("keys", "edit", "Limited", "--scope", "read", "--scope", "query", "--unlimited")
        assert shell.json("keys", "get", "Limited").get("expiresAt") is None
        assert shell.run("query", "Sample", "SELECT 1", MOORINGS_KEY=rotated).returncode == exits.OK
        shell.ok("keys", "revoke", "Limited", "--yes")
        assert shell.run("whoami", MOORINGS_KEY=rotated).returncode == exits.LOGIN

    def test_profile_of_adbc(self, shell):
        assert tomllib.loads(shell.ok("connections", "profile", "Sample"))["driver"] == "flightsql"

    def test_health_has_a_code_for_what_fails(self, shell):
        shell.run("connections", "test", "Sample")
        assert shell.run("health", "Sample").returncode == exits.OK
        shell.ok(
            *("connections", "create", "postgresql://reader@127.0.0.1:1/shop", "--name", "Sick", "--no-test"),
            *("--file", "passwordUnencrypted=-"),
            stdin="secret",
        )
        shell.run("connections", "test", "Sick")
        failed = shell.run("health", "Sick")
        assert failed.returncode == exits.WAREHOUSE
        assert "failing" in failed.stdout

    def test_health_watches_until_ctrl_c(self, shell):
        process = subprocess.Popen(
            [*MOORINGS, "health", "--watch", "--every", "0.1", "Sample"],
            env=shell.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert "Sample" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == exits.INTERRUPTED


class TestSql:
    def test_runs_the_statements_of_stdin_and_stops_at_the_first_that_fails(self, shell):
        script = "SELECT 1 AS one; \\timing on\nSELECT ';' AS text;\n-- end\nSELECT nope; SELECT 2 AS two;"
        found = shell.run("sql", "Sample", stdin=script)
        assert found.returncode == exits.WAREHOUSE
        assert "(1 row)" in found.stdout
        assert "Timing is on." in found.stdout
        assert "Time: " in found.stdout
        assert "two" not in found.stdout
        assert "nope" in found.stderr

    def test_a_session(self, shell, tmp_path):
        shell.ok("connections", "refresh", "Sample", "--wait")
        with shell.terminal("sql", "Sample", XDG_CONFIG_HOME=str(tmp_path)) as session:
            session.until("Sample=>")
            session.type("SELECT 40 + 2\r")
            session.until("..>")
            session.type("AS answer;\r")
            session.until("42")
            session.until("(1 row)")
            session.until("Sample=>")
            session.type("\\d customers\r")
            session.until("customer_id")
            session.until("Sample=>")
            session.type("SELECT count(*) FROM order_it\t")
            session.until("ems")  # what completes order_it
            session.type(";\r")
            session.until("count_star()")
            session.until("(1 row)")
            session.until("Sample=>")
            session.type("\\x\r")
            session.until("Expanded display is on.")
            session.until("Sample=>")
            session.type("SELECT nope;\r")
            session.until("nope")
            session.until("Sample=>")
            session.type("\\q\r")
            assert session.end() == 0
        history = tmp_path / "moorings" / "sql_history"
        assert history.stat().st_mode & 0o777 == 0o600
        assert "AS answer" in history.read_text()

    def test_ctrl_c_cancels_the_statement_and_keeps_the_shell(self, shell, scratch, tmp_path):
        with shell.terminal("sql", scratch, XDG_CONFIG_HOME=str(tmp_path)) as session:
            session.until("=>")
            session.type(f"{SLOW};\r")
            _until_running(shell, scratch, 1)
            session.type("\x03")
            session.until("Cancelled.")
            session.until("=>")
            session.type("\x04")
            assert session.end() == 0
        _until_running(shell, scratch, 0)
