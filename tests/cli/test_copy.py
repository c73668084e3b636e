"""`moorings db copy`: every row arrives as it was stored, or nobody can take the copy for a whole one."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from moorings import migrations
from moorings.cli.database import copying, rows
from moorings.cli.doctor import local
from moorings.errors import OperatorError
from tests.cli import stored
from tests.conftest import settings_for
from tests.terminal import Terminal


@pytest.fixture(scope="module")
def filled(terminal_in: Callable[[Path], Terminal], tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A terminal whose database has rows in every table."""
    terminal = terminal_in(tmp_path_factory.mktemp("filled")).make_database()
    stored.fill(terminal.data / "moorings.db")
    return terminal


def copy(terminal: Terminal, url: str) -> int:
    """What the command calls, in this process."""
    return copying.copy(f"sqlite:///{terminal.data / 'moorings.db'}", url, lambda table, number: None)


def ask(url: str, sql: str) -> tuple[Any, ...]:
    with psycopg.connect(url) as target:
        return target.execute(sql).fetchone()


def everything(connection: Any) -> dict[str, set[tuple[Any, ...]]]:
    """All rows, by another driver than the command's."""
    names = {table.name: ", ".join(f'"{each.name}"' for each in table.columns) for table in rows.tables()}
    return {
        name: {tuple(row) for row in connection.execute(f"SELECT {columns} FROM {name}").fetchall()}
        for name, columns in names.items()
    }


def test_every_row_of_every_table_is_there_as_it_was_stored(filled, new_database):
    url = new_database()
    done = filled.run("db", "copy", "--from", "sqlite", DATABASE_URL=url)  # as the guide has it
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(filled.data / "moorings.db") as source, psycopg.connect(url) as target:
        before, after = everything(source), everything(target)
    source.close()
    assert after == before
    total = sum(len(found) for found in before.values())
    assert f"All {total:,} rows are equal" in done.stdout
    assert all(before.values())
    with pytest.raises(OperatorError, match="is not empty"):
        copy(filled, url)


def test_runs_on_a_stopped_service_only_and_another_one_starts_on_the_copy(terminal, new_database):
    url = new_database()
    with terminal.serving() as serving:
        headers = {"Authorization": f"Bearer {serving.key}"}
        refused = terminal.run("db", "copy", "--to", url)
    assert (refused.returncode, "another Moorings" in refused.stderr) == (1, True)
    assert terminal.run("db", "copy", "--to", url).returncode == 0
    (terminal.data / "moorings.db").unlink()
    with terminal.serving(DATABASE_URL=url) as serving, httpx.Client(headers=headers, trust_env=False) as client:
        connections = f"{serving.url}/api/v1/connections"
        [sample] = client.get(connections).json()["connections"]
        tested = client.post(f"{connections}/{sample['id']}/test")
    assert tested.json()["success"] is True


def test_an_interrupted_copy_serves_nobody_and_is_continued(filled, new_database, tmp_path):
    url = new_database()
    migrations.migrate(url)
    with psycopg.connect(url) as target:
        target.execute(
            "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF (SELECT count(*) FROM {stored.MANY}) >= {rows.BATCH} THEN RAISE 'the disk is full'; END IF;"
            " RETURN NEW; END $$"
        )
        target.execute(f"CREATE TRIGGER stop BEFORE INSERT ON {stored.MANY} FOR EACH ROW EXECUTE FUNCTION stop()")
    with pytest.raises(OperatorError, match=rf"the copy stopped in {stored.MANY}, from row .*the disk is full"):
        copy(filled, url)
    with psycopg.connect(url) as target:
        target.execute(f"DROP TRIGGER stop ON {stored.MANY}")
    first = f"SELECT count(*), min(xmin::text::bigint) FROM {stored.MANY}"
    there, written_by = ask(url, first)
    assert there == rows.BATCH
    with pytest.raises(OperatorError, match="run `moorings db copy` again"):
        migrations.migrate(url)  # what every start does first
    with pytest.raises(OperatorError, match="run moorings db copy again"):
        local.database(settings_for(tmp_path, database_url=url))
    assert copy(filled, url) > stored.NUMBER
    assert ask(url, first) == (stored.NUMBER, written_by)


def test_a_row_that_was_changed_meanwhile_is_named(terminal, new_database, tmp_path):
    url = new_database()
    stored.fill(terminal.make_database().data / "moorings.db")
    copy(terminal, url)
    with psycopg.connect(url) as target:
        target.execute("UPDATE alembic_version SET version_num = %s", [copying.MARK])
    with sqlite3.connect(terminal.data / "moorings.db") as source:
        (key,) = source.execute("SELECT id FROM users ORDER BY id DESC LIMIT 1").fetchone()
        source.execute("UPDATE users SET name = 'renamed' WHERE id = ?", [key])
    with pytest.raises(OperatorError, match=f"row {re.escape(key)} of users is not the same in both databases"):
        copy(terminal, url)
    with pytest.raises(OperatorError, match="again to finish it"):
        migrations.migrate(url)
    source.execute("DELETE FROM installation WHERE key = 'keyset'")  # as another installation has it
    source.commit()
    source.close()
    with pytest.raises(OperatorError, match="unfinished copy of another database"):
        copy(terminal, url)


class TestRefused:
    def test_a_target_that_is_not_empty(self, filled, new_database):
        url = new_database()
        with psycopg.connect(url) as target:
            target.execute("CREATE TABLE orders (id int)")
        with pytest.raises(OperatorError, match="it has the table orders"):
            copy(filled, url)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ((), "--to: name an address such as postgresql://user@host/database"),
            (("--to", "postgresql://h/d?sslmod=require"), "--to: unknown parameter 'sslmod'"),
            (("--from", "postgresql://h/d"), "--from: must be an SQLite database"),
        ],
    )
    def test_addresses(self, filled, arguments, said):
        refused = filled.run("db", "copy", *arguments)
        assert refused.returncode == 1
        assert said in refused.stderr
