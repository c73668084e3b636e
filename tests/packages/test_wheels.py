"""The wheels: what is in them, that anybody gets the same bytes, and that one runs where there is nothing else."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import httpx
import pytest

import moorings
from moorings import dialects, distribution
from tests.terminal import free_port

ROOT = Path(__file__).parents[2]
UV = ROOT / ".uv" / "bin" / "uv"
VERSION = moorings.__version__
SERVER, CLIENT = f"moorings-{VERSION}-py3-none-any.whl", f"moorings_client-{VERSION}-py3-none-any.whl"
BILLS = {
    "moorings.cdx.json": "base",
    "moorings-all.cdx.json": "all",
    "moorings-client.cdx.json": "client",
}
PARTS = ("src", "packages", "scripts", "requirements", "pyproject.toml", "README.md", "LICENSE")
EPOCH = {"SOURCE_DATE_EPOCH": "1767225600"}
MEGABYTE = 1024 * 1024

pytestmark = pytest.mark.skipif(not UV.exists(), reason="the wheels are built by uv, which `make test` installs")


@pytest.fixture(scope="module")
def signing_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = tmp_path_factory.mktemp("key") / "signing"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return key


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory, signing_key: Path) -> Path:
    """What `make release` makes."""
    folder = tmp_path_factory.mktemp("release") / "dist"
    environment = os.environ | EPOCH | {"SIGNING_KEY": str(signing_key)}
    subprocess.run(["sh", ROOT / "scripts" / "release.sh", folder], env=environment, check=True, capture_output=True)
    return folder


def names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


def locked(name: str) -> dict[str, str]:
    """Package → version of a lock; of several for different Pythons, the last."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements" / f"{name}.lock").read_text(), re.MULTILINE))


class TestRelease:
    def test_somebody_else_builds_the_same_bytes(self, release, tmp_path):
        """From another folder, with new times of files and another umask."""
        for part in PARTS:
            source, target = ROOT / part, tmp_path / "copy" / part
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, target, copy_function=shutil.copyfile, ignore=ignored)
            else:
                shutil.copyfile(source, target)
        for part in (".venv", ".uv"):
            (tmp_path / "copy" / part).symlink_to(ROOT / part)
        script = tmp_path / "copy" / "scripts" / "wheel.sh"
        subprocess.run(["sh", script, tmp_path / "again"], env=os.environ | EPOCH, check=True, umask=0o077)
        for name in (SERVER, CLIENT, *BILLS):
            assert (tmp_path / "again" / name).read_bytes() == (release / name).read_bytes(), name

    def test_signature_covers_every_file(self, release, signing_key, tmp_path):
        listed = dict(reversed(line.split("  ", 1)) for line in (release / "SHA256SUMS").read_text().splitlines())
        assert {*listed} == {path.name for path in release.iterdir()} - {"SHA256SUMS", "SHA256SUMS.sig"}
        assert (
            subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=release, check=False).returncode == 0
        )
        (tmp_path / "signers").write_text(f"moorings {signing_key.with_suffix('.pub').read_text()}")

        def verified(content: bytes) -> bool:
            command = ["ssh-keygen", "-Y", "verify", "-f", tmp_path / "signers", "-I", "moorings"]
            command += ["-n", "moorings-release", "-s", release / "SHA256SUMS.sig"]
            return subprocess.run(command, input=content, capture_output=True, check=False).returncode == 0

        content = (release / "SHA256SUMS").read_bytes()
        assert verified(content)
        assert not verified(content.replace(b"a", b"b", 1))

    @pytest.mark.parametrize(("bill", "lock"), BILLS.items())
    def test_bill_of_materials_lists_what_the_lock_installs(self, release, bill, lock):
        found = json.loads((release / bill).read_text())
        assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
        libraries = {each["name"]: each["version"] for each in found["components"] if "pypi" in each["purl"]}
        assert libraries == locked(lock)
        graph = {each["ref"]: each["dependsOn"] for each in found["dependencies"]}
        reached, asked = set[str](), [found["metadata"]["component"]["bom-ref"]]
        while asked:
            reference = asked.pop()
            asked += [each for each in graph.get(reference, []) if each not in reached]
            reached.add(reference)
        assert {each["bom-ref"] for each in found["components"]} <= reached


class TestFiles:
    def test_of_the_server(self, release):
        found = names(release / SERVER)
        source = {
            str(path.relative_to(ROOT / "src"))
            for path in (ROOT / "src" / "moorings").rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert {name for name in found if ".dist-info/" not in name} == source
        assert "moorings/api/browser/viewer/swagger-ui-bundle.js" in found
        assert {"moorings/py.typed", f"moorings-{VERSION}.dist-info/licenses/LICENSE"} <= {*found}
        assert (release / SERVER).stat().st_size < 3 * MEGABYTE

    def test_of_the_client(self, release):
        """Nothing but the client: both wheels have these files, so that one installs one of the two."""
        found = {name for name in names(release / CLIENT) if ".dist-info/" not in name}
        shared = {name for name in names(release / SERVER) if name.startswith("moorings/client/")}
        assert found == shared | {"moorings/__init__.py", "moorings/py.typed"}
        assert (release / CLIENT).stat().st_size < MEGABYTE

    def test_installed_size_of_the_server(self):
        """Of the packages of the lock, as they are installed here with bytecode, and of our own."""
        size = sum(map(_size, (ROOT / "src" / "moorings").rglob("*")))
        size += sum(_installed_size(name, bytecode=True) for name in locked("base"))
        assert 200 < size / MEGABYTE < 400

    def test_installed_size_of_the_client(self):
        size = sum(map(_size, (ROOT / "src" / "moorings" / "client").rglob("*")))
        size += sum(_installed_size(name, bytecode=False) for name in locked("client"))
        assert 10 < size / MEGABYTE < 25

    @pytest.mark.parametrize("lock", ["base", "client"])
    def test_needs_no_numpy_and_no_pandas(self, lock):
        assert not {"numpy", "pandas"} & {*locked(lock)}

    def test_client_needs_what_the_server_needs_in_the_same_versions(self):
        ours = {*(importlib.metadata.requires("moorings") or [])}
        project = tomllib.loads((ROOT / "packages" / "client" / "pyproject.toml").read_text())["project"]
        needed = [*project["dependencies"], *project["optional-dependencies"]["arrow"]]
        assert {each.partition(";")[0] for each in needed} <= ours


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _installed_size(name: str, *, bytecode: bool) -> int:
    """The bytes of a package's files; 0 for one of another platform."""
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        return 0
    paths = {Path(str(file.locate())) for file in files if "__pycache__" not in file.parts}
    if bytecode:
        tag = sys.implementation.cache_tag
        paths |= {path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc" for path in paths if path.suffix == ".py"}
    return sum(_size(path) for path in paths)


class Elsewhere:
    """An empty environment in an empty folder, with the wheel and what it needs, and nothing of this checkout."""

    def __init__(self, folder: Path, wheel: Path, lock: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.bin = folder / "venv" / "bin"
        self.environment = {"HOME": str(self.home), "PATH": os.defpath}
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
        self._install("--require-hashes", "--requirements", str(ROOT / "requirements" / f"{lock}.lock"))
        self._install("--no-deps", str(wheel))

    def _install(self, *what: str) -> None:
        """From uv's cache, which has what the checkout was installed from; else from the registry."""
        command = [UV, "pip", "install", "--quiet", "--python", self.bin / "python", *what]
        if subprocess.run([*command, "--offline"], capture_output=True, check=False).returncode:
            subprocess.run(command, check=True)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        program = [self.bin / command[0], *command[1:]]
        return subprocess.run(
            program, env=self.environment, cwd=self.folder, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def elsewhere(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    return Elsewhere(tmp_path_factory.mktemp("elsewhere"), release / SERVER, "base")


class TestElsewhere:
    def test_serve_does_what_make_serve_does(self, elsewhere):
        """With nothing set: it makes its data directory where the platform has such."""
        port = free_port()
        with (elsewhere.folder / "out").open("w") as out:
            service = subprocess.Popen(
                [elsewhere.bin / "moorings", "serve", "--port", str(port)],
                env=elsewhere.environment, cwd=elsewhere.folder, stdout=out, stderr=out,
            )  # fmt: skip
        try:
            data = elsewhere.home / ".local" / "share" / "moorings"
            transport = httpx.HTTPTransport(retries=30)  # with a backoff of its own
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=30) as client:
                while service.poll() is None:
                    try:
                        assert client.get("/health").status_code == 200
                        break
                    except httpx.TransportError:
                        continue
                assert service.poll() is None, (elsewhere.folder / "out").read_text()
                assert "swagger-ui" in client.get("/docs").text
                key = {"Authorization": f"Bearer {(data / 'first-key').read_text().strip()}"}
                [sample] = client.get("/api/v1/connections", headers=key).json()["connections"]
                query = client.post(
                    f"/api/v1/connections/{sample['id']}/query",
                    headers=key | {"Accept": "application/json"},
                    json={"sql": "SELECT count(*) AS n FROM orders"},
                )
                assert query.status_code == 200
        finally:
            service.terminate()
            service.wait(30)
        assert f"Data     {data}" in (elsewhere.folder / "out").read_text()
        assert not (elsewhere.folder / ".moorings").exists()

    def test_says_its_version(self, elsewhere):
        assert elsewhere.run("moorings", "--version").stdout == f"moorings {VERSION}\n"

    def test_a_missing_driver_is_named_with_a_command_that_fits(self, elsewhere):
        printed = elsewhere.run("moorings", "doctor", "--port", str(free_port())).stdout
        assert "oracledb is missing: pip install 'oracledb>=" in printed
        assert "moorings[" not in printed
        assert "psycopg" in printed

    def test_a_folder_of_data_in_the_working_directory_is_used(self, elsewhere):
        (elsewhere.folder / ".moorings").mkdir(mode=0o700)
        printed = elsewhere.run("moorings", "doctor", "--port", str(free_port())).stdout
        (elsewhere.folder / ".moorings").rmdir()
        assert f"{elsewhere.folder}/.moorings is private" in printed


class TestClientElsewhere:
    def test_has_the_client_commands_and_nothing_of_the_service(self, release, tmp_path):
        client = Elsewhere(tmp_path, release / CLIENT, "client")
        assert client.run("moorings", "--version").stdout == f"moorings {VERSION}\n"
        listed = client.run("moorings", "--help").stdout
        assert re.search(r"^\W*query\b", listed, re.MULTILINE)
        assert not re.search(r"^\W*serve\b", listed, re.MULTILINE)
        refused = client.run("moorings", "connections", "list")
        assert refused.returncode != 0
        assert "Traceback" not in refused.stderr
        imported = client.run("python", "-c", "import moorings.client, moorings.client.cli.sql.shell, moorings.app")
        assert "No module named 'moorings.app'" in imported.stderr


class TestInstallCommand:
    """Never `moorings` from an index, whoever owns that name there."""

    EXTRAS = sorted({*(importlib.metadata.metadata("moorings").get_all("Provides-Extra") or [])} - {"all", "default"})

    @pytest.mark.parametrize("extra", EXTRAS)
    def test_of_a_wheel_installs_what_the_extra_needs(self, extra):
        command = distribution.install_command(extra, "wheel")
        assert "moorings" not in command
        assert distribution.requirements(extra) or extra in {"duckdb", "motherduck"}

    @pytest.mark.parametrize("extra", EXTRAS)
    def test_of_a_checkout_asks_for_all_where_the_default_has_it_not(self, extra):
        by_default = {*distribution.requirements(extra)} <= {*distribution.requirements("default")}
        command = distribution.install_command(extra, "checkout")
        assert command == ("make install" if by_default else "EXTRAS=all make install")

    def test_of_a_container_builds_the_image_with_everything(self):
        assert "--build-arg EXTRAS=all" in distribution.install_command("oracle", "container")


class TestExtras:
    def test_default_has_every_driver_but_two(self):
        extras = {dialects.named(name).extra for name in dialects.names()} - {None}
        needed = {each for extra in extras - distribution.NOT_BY_DEFAULT for each in distribution.requirements(extra)}
        assert needed <= {*distribution.requirements("default")}
        assert {*distribution.requirements("default")} < {*distribution.requirements("all")}

    @pytest.mark.parametrize(("lock", "extra"), [("serve", "default"), ("all", "all")])
    def test_is_in_its_lock(self, lock, extra):
        assert {*map(_normal, distribution.packages(extra))} <= {*locked(lock)}

    def test_base_is_in_its_lock(self):
        base = [each for each in importlib.metadata.requires("moorings") or [] if "extra ==" not in each]
        assert {_normal(re.split(r"[^\w.-]", each, maxsplit=1)[0]) for each in base} <= {*locked("base")}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
