"""The files of deploy/ name only what exists: settings, commands, ports, paths of HTTP and of this repository.

No container engine runs here. Helm renders the chart where it is installed (`HELM`).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import typer.main
import yaml

from moorings.api.resources import pages
from moorings.app import ROUTES
from moorings.cli import app
from moorings.distribution import CONTAINER_MARK
from moorings.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "moorings"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and "secrets" not in path.parts)
PORT = Settings.model_fields["port"].default
COMMANDS = {*typer.main.get_command(app).commands}
PATHS = {*pages.pages(ROUTES)}
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEPLOY)))


class TestEveryFile:
    @every_file
    def test_names_settings_that_exist(self, path):
        named = set(re.findall(r"MOORINGS_([A-Z][A-Z0-9_]*)", path.read_text()))
        assert named <= {name.upper() for name in Settings.model_fields}

    @every_file
    def test_names_paths_that_exist(self, path):
        """Of probes, of what a proxy leaves out, and of what Prometheus asks for."""
        named = set(
            re.findall(r"(?<=[\s\"'])(/(?:livez|readyz|health|metrics|docs|openapi\.json)\b[\w./]*)", path.read_text())
        )
        named |= set(re.findall(r"http://127\.0\.0\.1:8000(/[\w./]+)", path.read_text()))
        assert named <= PATHS

    @every_file
    def test_names_the_port_that_the_service_has(self, path):
        for port in re.findall(r"127\.0\.0\.1:(\d+)|containerPort: (\d+)|EXPOSE (\d+)", path.read_text()):
            assert str(PORT) in port

    def test_has_no_other_scripts_than_those_that_a_shell_can_read(self):
        for path in FILES:
            if path.suffix == ".sh":
                assert subprocess.run(["sh", "-n", path], check=False).returncode == 0


def instructions() -> Iterator[tuple[str, str]]:
    """Each instruction of the Dockerfile, with its lines joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name, rest.strip()


class TestDockerfile:
    KNOWN = frozenset(
        ["ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "USER", "VOLUME", "WORKDIR"]
    )

    def test_has_known_instructions_in_two_stages(self):
        found = [*instructions()]
        assert {name for name, _ in found} <= self.KNOWN
        assert [rest.partition(" AS ")[2] for name, rest in found if name == "FROM"] == ["build", ""]

    def test_copies_what_is_there_and_nothing_else_is_sent(self):
        copied = {
            part
            for name, rest in instructions()
            if name == "COPY" and "--from" not in rest
            for part in rest.split()[:-1]
        }
        ignored = (DEPLOY / "Dockerfile.dockerignore").read_text()
        assert {line[1:] for line in ignored.splitlines() if line.startswith("!")} == copied
        assert all((ROOT / part).exists() for part in copied)

    def test_every_size_has_its_lock(self):
        [run] = [rest for name, rest in instructions() if name == "RUN" and "$lock.lock" in rest]
        for size, lock in (("base", "base"), ("default", "serve"), ("all", "all"), ("some", None)):
            choice = run.partition("&&")[0] + '; echo "$lock"'
            chosen = subprocess.run(
                ["sh", "-c", choice], env={"EXTRAS": size}, capture_output=True, text=True, check=False
            )
            assert chosen.stdout.strip() == (lock or "")
            assert lock is None or (ROOT / "requirements" / f"{lock}.lock").exists()

    def test_runs_a_command_that_exists_without_root(self):
        last = dict(instructions())
        assert json.loads(last["ENTRYPOINT"]) == ["moorings"]
        assert json.loads(last["CMD"])[0] in COMMANDS
        assert last["USER"].split(":")[0].isdigit()
        assert last["USER"] != "0"
        assert f"/opt/moorings/{CONTAINER_MARK}" in (DEPLOY / "Dockerfile").read_text()

    def test_shell_of_each_step_is_one(self):
        for name, rest in instructions():
            if name == "RUN":
                assert subprocess.run(["sh", "-n", "-c", rest], check=False).returncode == 0

    def test_health_check_asks_the_service(self, monkeypatch):
        [check] = [rest for name, rest in instructions() if name == "HEALTHCHECK"]
        python, option, script = json.loads(check.partition("CMD ")[2])
        assert (python, option) == ("python", "-c")
        compile(script, "health check", "exec")
        assert "/livez" in script


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yml").read_text())


class TestCompose:
    def test_runs_commands_that_exist(self, compose):
        ours = {name: each for name, each in compose["services"].items() if each["image"].startswith("moorings:")}
        assert {name: each["command"][0] for name, each in ours.items()} == {"moorings": "serve", "worker": "worker"}
        assert {each["command"][0] for each in ours.values()} <= COMMANDS
        assert all(each["read_only"] and each["cap_drop"] == ["ALL"] for each in ours.values())
        assert ours["moorings"]["deploy"]["replicas"] == 2

    def test_settings_are_valid(self, compose, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        given = compose["services"]["moorings"]["environment"]
        fields = {name.removeprefix("MOORINGS_").lower(): value for name, value in given.items()}
        settings = Settings(_env_file=None, **fields)
        drained = settings.drain_seconds + settings.shutdown_seconds
        assert drained < int(compose["services"]["moorings"]["stop_grace_period"].removesuffix("s"))
        [network] = compose["networks"]["inside"]["ipam"]["config"]
        assert settings.trusted_proxies == network["subnet"]

    def test_names_are_declared(self, compose):
        for service in compose["services"].values():
            assert {*service.get("secrets", [])} <= {*compose["secrets"]}
            assert {*service["networks"]} <= {*compose["networks"]}
            assert {*service.get("depends_on", [])} <= {*compose["services"]}
            mounted = {each.partition(":")[0] for each in service.get("volumes", [])}
            assert {each for each in mounted if not each.startswith(".")} <= {*compose["volumes"]}
            assert all((DEPLOY / each).exists() for each in mounted if each.startswith("."))

    def test_secrets_are_made_once_for_their_owner(self, compose, tmp_path):
        shutil.copy(DEPLOY / "make-secrets.sh", tmp_path)
        assert subprocess.run(["sh", tmp_path / "make-secrets.sh"], check=False).returncode == 0
        made = tmp_path / "secrets"
        named = {Path(each["file"]).name for each in compose["secrets"].values()} | {"moorings.env"}
        assert {path.name for path in made.iterdir()} == named
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        before = (made / "first-key").read_text()
        assert len(before.strip()) == 64
        password = (made / "postgres-password").read_text()
        name, _, url = (made / "moorings.env").read_text().strip().partition("=")
        settings = Settings(_env_file=None, **{name.removeprefix("MOORINGS_").lower(): url})
        assert password in settings.database
        assert subprocess.run(["sh", tmp_path / "make-secrets.sh"], capture_output=True, check=False).returncode == 1
        assert (made / "first-key").read_text() == before


class TestSystemd:
    UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
    named = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)

    def directives(self, unit: Path) -> list[tuple[str, str]]:
        lines = [line for line in unit.read_text().splitlines() if "=" in line and not line.startswith("#")]
        return [(line.partition("=")[0], line.partition("=")[2]) for line in lines]

    @named
    def test_runs_a_command_that_exists(self, unit):
        program, command = shlex.split(dict(self.directives(unit))["ExecStart"])
        assert program == "/opt/moorings/bin/moorings"
        assert command in COMMANDS

    @named
    def test_writes_to_its_own_directory_only(self, unit):
        given = dict(self.directives(unit))
        assert given["ProtectSystem"] == "strict"
        assert f"/var/lib/{given['StateDirectory']}" == given["WorkingDirectory"]
        assert ("Environment", f"MOORINGS_DATA_DIR=/var/lib/{given['StateDirectory']}") in self.directives(unit)

    @named
    def test_has_no_directive_that_systemd_does_not_know(self, unit, tmp_path):
        if not shutil.which("systemd-analyze"):
            pytest.skip("apt-get install -y systemd")
        text = unit.read_text().replace("/opt/moorings/bin/moorings", "/bin/true")
        (tmp_path / unit.name).write_text(text)
        checked = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", tmp_path / unit.name], capture_output=True, text=True, check=False
        )
        assert unit.name not in checked.stderr, checked.stderr


class TestHelm:
    def templates(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in (CHART / "templates").iterdir()}

    def test_values_fit_their_schema(self):
        schema = json.loads((CHART / "values.schema.json").read_text())
        values = yaml.safe_load((CHART / "values.yaml").read_text())
        jsonschema_rs.validate(schema, values)
        for wrong in ({"replicas": 0}, {"replica": 2}, {"settings": {"MOORINGS_PORT": 1}}):
            assert not jsonschema_rs.is_valid(schema, values | wrong)

    def test_every_value_is_used_and_every_used_value_exists(self):
        values = yaml.safe_load((CHART / "values.yaml").read_text())
        used = {each for text in self.templates().values() for each in re.findall(r"\.Values\.([\w.]+)", text)}
        for name in used:
            found: Any = values
            for part in name.split("."):
                assert part in found, name
                found = found[part]
        leaves = {
            f"{name}.{inner}" if isinstance(value, dict) and value and name not in {"settings", "resources"} else name
            for name, value in values.items()
            for inner in (value if isinstance(value, dict) and value else [""])
        }
        assert leaves <= used

    def test_blocks_are_closed(self):
        for name, text in self.templates().items():
            opened = len(re.findall(r"\{\{-? *(?:if|with|range|define)\b", text))
            assert opened == len(re.findall(r"\{\{-? *end\b", text)), name

    def test_runs_commands_and_names_that_exist(self):
        text = "\n".join(self.templates().values())
        assert {*re.findall(r"args: \[(\w+)\]", text)} == {"serve", "worker"} <= COMMANDS
        assert {*re.findall(r'include "([\w.]+)"', text)} == {*re.findall(r'define "([\w.]+)"', text)}

    def test_ingress_shows_every_page_but_metrics(self):
        [listed] = re.findall(r"range list ([^}]+) \}\}", self.templates()["ingress.yaml"])
        shown = [each.strip('"') for each in listed.split()]
        hidden = {path for path in PATHS if not path.startswith(tuple(shown)) and path != "/"}
        assert hidden == {"/metrics"}

    def test_renders(self, tmp_path):
        helm = os.environ.get("HELM") or shutil.which("helm")
        if not helm:
            pytest.skip("go install helm.sh/helm/v3/cmd/helm@v3.16.4, and set HELM to its path")
        given = [
            "--set",
            "image.repository=r/m",
            "--set",
            "ingress.enabled=true",
            "--set",
            "serviceMonitor.enabled=true",
        ]
        given += ["--set-string", "settings.RATE_LIMIT=500/minute"]
        assert subprocess.run([helm, "lint", "--strict", *given, CHART], check=False).returncode == 0
        made = subprocess.run([helm, "template", "m", CHART, *given], capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        objects = [each for each in yaml.safe_load_all(made.stdout) if each]
        assert sorted(each["kind"] for each in objects) == [
            "Deployment", "Deployment", "Ingress", "PodDisruptionBudget", "Service", "ServiceMonitor",
        ]  # fmt: skip
        service = next(
            each for each in objects if each["kind"] == "Deployment" and "worker" not in each["metadata"]["name"]
        )
        [container] = service["spec"]["template"]["spec"]["containers"]
        env = {each["name"]: each.get("value") for each in container["env"]}
        assert env["MOORINGS_RATE_LIMIT"] == "500/minute"
        assert env["MOORINGS_WORKER"] == "false"
        fields = {name.removeprefix("MOORINGS_").lower(): value for name, value in env.items() if value}
        Settings(_env_file=None, **fields)
        assert all(isinstance(value, str | None) for value in env.values())


class TestProxies:
    def test_guide_shows_the_sample_of_nginx(self):
        assert (DEPLOY / "nginx" / "moorings.conf").read_text() in (ROOT / "docs" / "operate" / "proxy.md").read_text()

    @pytest.mark.parametrize("name", ["nginx/moorings.conf", "caddy/Caddyfile"])
    def test_braces_are_closed(self, name):
        text = (DEPLOY / name).read_text()
        assert text.count("{") == text.count("}")

    @pytest.mark.parametrize("name", ["nginx/moorings.conf", "caddy/Caddyfile"])
    def test_waits_longer_than_the_longest_query(self, name):
        [seconds] = re.findall(r"read_timeout (\d+)s", (DEPLOY / name).read_text())
        assert int(seconds) > 3600
