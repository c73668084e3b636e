"""`moorings backup` and `moorings restore`: what comes back is what was there, and it opens."""

from __future__ import annotations

import base64
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest

from moorings.cli.database import age, archive
from tests.terminal import Terminal

PASSPHRASE = "correct horse battery"
SECRET = "s3ntinel of the backup"

BY_AGE = (
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBWMjZZYXpTTWIzTHBoR1RrbmlaYitRIDE5CnR6Q2tCMHMwUzVJWVRUVFJrTjJXMG1SRHhx"
    "dWFvK1Fyd1ByU3lLOWNsKzgKLS0tIFhVOVhoMDJNNmg1aXVFK1grdkdDMlRjQUw4cks4bHRqVVE3czNBTUtHYzQK7tk5aLJ7OOIAJcn5qJt2GzPm"
    "xO7YaLriFCGp+uJOzSphNc9OMuDIJSUxBw=="
)
"""`made by age`, encrypted with this passphrase by the Rust implementation of age."""


class Made:
    """A service that was backed up while it ran."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.passphrase = terminal.folder / "passphrase"
        self.passphrase.write_text(f"{PASSPHRASE}\n")
        self.file = terminal.folder / "whole.backup"
        self.without_keyset = terminal.folder / "without.backup"
        with terminal.serving() as serving:
            self.key = serving.key
            create = {"dialect": "postgres", "name": "Shop", "host": "db.example.com", "database": "d", "username": "u"}
            with self.client(serving.url) as client:
                made = client.post("/connections", json=create | {"passwordUnencrypted": SECRET})
                assert client.post("/webhooks", json={"url": "https://example.com/hook"}).status_code == 201
            self.id = made.json()["data"]
            self.printed = self.back_up(self.file, "--keyset", "--passphrase-file", str(self.passphrase))
            self.printed_without = self.back_up(self.without_keyset)

    def back_up(self, file: Path, *options: str) -> str:
        done = self.terminal.run("backup", str(file), *options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def client(self, url: str) -> httpx.Client:
        return httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {self.key}"}, trust_env=False)


@pytest.fixture(scope="module")
def made(terminal_in: Callable[[Path], Terminal], tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(terminal_in(tmp_path_factory.mktemp("backed-up")))


@pytest.fixture(scope="module")
def restored(
    made: Made, terminal_in: Callable[[Path], Terminal], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Terminal, str]:
    """The backup with its keyset in an empty directory, and what the command printed."""
    terminal = terminal_in(tmp_path_factory.mktemp("restored"))
    done = terminal.run("restore", str(made.file), "--passphrase-file", str(made.passphrase))
    assert done.returncode == 0, done.stderr
    return terminal, done.stdout


class TestBackup:
    def test_is_for_its_owner_alone_and_holds_no_secret_in_the_clear(self, made, tmp_path):
        keyset = (made.terminal.data / "keyset.json").read_bytes()
        for file in (made.file, made.without_keyset):
            assert file.stat().st_mode & 0o777 == 0o600
            shutil.unpack_archive(file, tmp_path / file.name, "gztar", filter="data")
        content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert SECRET.encode() not in content
        assert keyset not in content
        assert [path.name for path in tmp_path.rglob("keyset*")] == ["keyset.json.age"]

    def test_says_where_the_keyset_is_that_it_does_not_hold(self, made):
        assert f"Keep a copy in another place: {made.terminal.data / 'keyset.json'}" in made.printed_without
        assert "keyset" not in made.printed.lower().replace(str(made.file), "")

    def test_leaves_nothing_else_behind(self, made):
        assert [path for path in made.terminal.folder.iterdir() if path.name.startswith(".moorings-backup")] == []

    def test_overwrites_nothing(self, made):
        before = made.file.read_bytes()
        refused = made.terminal.run("backup", str(made.file))
        assert (refused.returncode, "exists: name another file" in refused.stderr) == (1, True)
        assert made.file.read_bytes() == before

    @pytest.mark.parametrize(
        ("passphrase", "said"),
        [("short\n", "has 5 characters, and must have 12 or more"), (None, "cannot read")],
    )
    def test_wants_a_passphrase_worth_the_name(self, made, tmp_path, passphrase, said):
        if passphrase:
            (tmp_path / "given").write_text(passphrase)
        refused = made.terminal.run(
            "backup", str(tmp_path / "b"), "--keyset", "--passphrase-file", str(tmp_path / "given")
        )
        assert (refused.returncode, said in refused.stderr) == (1, True)
        assert not (tmp_path / "b").exists()


class TestRestore:
    def test_opens_every_seal(self, restored):
        # The password, the fingerprint key, and both of the webhook.
        assert "Decrypted all stored secrets: 4" in restored[1]

    def test_serves_what_was_there(self, made, restored):
        terminal, _ = restored
        with terminal.serving() as serving, made.client(serving.url) as client:
            names = {each["name"]: each["id"] for each in client.get("/connections").json()["connections"]}
            tested = client.post(f"/connections/{names['Sample']}/test")
        assert names["Shop"] == made.id
        assert tested.json()["success"] is True
        for name in ("moorings.db", "keyset.json", "duckdb/sample.duckdb"):
            assert (terminal.data / name).stat().st_mode & 0o077 == 0, name

    def test_overwrites_no_installation(self, made, restored):
        terminal, _ = restored
        refused = terminal.run("restore", str(made.file), "--passphrase-file", str(made.passphrase))
        assert (refused.returncode, "restore into an empty data directory" in refused.stderr) == (1, True)

    def test_uses_the_keyset_that_is_in_place(self, made, terminal):
        refused = terminal.run("restore", str(made.without_keyset))
        assert f"put the keyset file at {terminal.data / 'keyset.json'}" in refused.stderr
        shutil.copy(made.terminal.data / "keyset.json", terminal.data)
        assert terminal.run("restore", str(made.without_keyset)).returncode == 0

    def test_into_postgresql_and_back(self, made, terminal, new_database, tmp_path):
        terminal.settings["DATABASE_URL"] = url = new_database()
        done = terminal.run("restore", str(made.file), "--passphrase-file", str(made.passphrase))
        assert done.returncode == 0, done.stderr
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT name FROM connections ORDER BY name").fetchall() == [
                ("Sample",),
                ("Shop",),
            ]
        assert terminal.run("backup", str(tmp_path / "again.backup")).returncode == 0
        archive.extract(tmp_path / "again.backup", (again := tmp_path / "again"))
        archive.extract(made.file, (first := tmp_path / "first"))
        assert _dump(again / archive.DATABASE) == _dump(first / archive.DATABASE)

    def test_a_wrong_passphrase(self, made, terminal):
        (terminal.folder / "wrong").write_text("battery horse correct")
        refused = terminal.run("restore", str(made.file), "--passphrase-file", str(terminal.folder / "wrong"))
        assert (refused.returncode, "the passphrase is another one" in refused.stderr) == (1, True)
        assert [path.name for path in terminal.data.iterdir() if path.name not in {"home", "moorings.lock"}] == []

    def test_a_seal_that_does_not_open(self, made, terminal, tmp_path):
        """A row that got the sealed value of another one."""
        manifest = archive.extract(made.file, tmp_path / "files")
        connection = sqlite3.connect(tmp_path / "files" / archive.DATABASE)
        connection.execute("UPDATE connection_secrets SET sealed = (SELECT url FROM webhook_endpoints)")
        connection.commit()
        connection.close()
        (terminal.folder / "changed").touch()
        archive.write(tmp_path / "files", terminal.folder / "changed", manifest)
        refused = terminal.run("restore", "changed", "--passphrase-file", str(made.passphrase))
        assert (refused.returncode, "cannot decrypt a value of connection_secrets" in refused.stderr) == (1, True)
        assert not (terminal.data / "moorings.db").exists()


class TestArchive:
    """A file that is not a whole, unchanged backup."""

    def refusal(self, file: Path, folder: Path) -> str:
        with pytest.raises(Exception, match="not a whole backup") as caught:
            archive.extract(file, folder)
        return str(caught.value)

    @pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
    def test_cut(self, made, tmp_path, kept):
        whole = made.file.read_bytes()
        (tmp_path / "cut").write_bytes(whole[: int(len(whole) * kept)])
        self.refusal(tmp_path / "cut", tmp_path / "into")

    def test_another_kind_of_file(self, tmp_path):
        (tmp_path / "text").write_text("hello")
        self.refusal(tmp_path / "text", tmp_path / "into")

    @pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "duckdb/../../evil", "keyset.json", "first-key"])
    def test_a_name_that_leaves_the_folder_or_is_not_ours(self, tmp_path, name):
        with tarfile.open(tmp_path / "made", "w:gz") as made:
            made.addfile(tarfile.TarInfo(name))
        assert repr(name) in self.refusal(tmp_path / "made", tmp_path / "into")

    def test_a_link(self, tmp_path):
        link = tarfile.TarInfo("duckdb/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        with tarfile.open(tmp_path / "made", "w:gz") as made:
            made.addfile(link)
        self.refusal(tmp_path / "made", tmp_path / "into")

    def test_a_file_that_was_replaced(self, made, tmp_path):
        archive.extract(made.file, (folder := tmp_path / "files"))
        with tarfile.open(made.file) as packed:
            packed.extract(archive.MANIFEST, tmp_path, filter="data")
        (folder / "moorings.db").write_bytes(b"another")
        with tarfile.open(tmp_path / "made", "w:gz") as changed:
            for name, path in archive.files_in(folder):
                changed.add(path, name)
            changed.add(tmp_path / archive.MANIFEST, archive.MANIFEST)
        assert "not those that were backed up" in self.refusal(tmp_path / "made", tmp_path / "into")


class TestAge:
    def test_opens_what_age_itself_wrote(self):
        assert age.decrypted(base64.b64decode(BY_AGE), PASSPHRASE) == b"made by age"

    @pytest.mark.parametrize("place", [30, 60, 110, 150, -1])
    def test_a_changed_byte_is_noticed(self, place):
        encrypted = bytearray(age.encrypted(b"content", PASSPHRASE))
        encrypted[place] ^= 1
        with pytest.raises(ValueError, match=r"age|changed"):
            age.decrypted(bytes(encrypted), PASSPHRASE)


def _dump(path: Path) -> list[str]:
    """The statements that make a database's rows. The counters of changes are the database's own."""
    connection = sqlite3.connect(path)
    lines = [line for line in connection.iterdump() if line.startswith("INSERT") and "freshness" not in line]
    connection.close()
    return sorted(lines)
