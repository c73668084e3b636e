"""The metadata database on a real PostgreSQL, by every kind of address that providers hand out."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from moorings.db import Database
from moorings.errors import OperatorError
from moorings.migrations import migrate


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> str:
    """The name of an empty database."""
    return new_database().rpartition("/")[2]


def asked(url: str) -> tuple[Any, Any]:
    """What two kinds of connections, the pool's and the one of freshness, see: the session's TLS, and the version."""

    async def asking() -> tuple[Any, Any]:
        opened = Database(url)
        try:
            async with opened.reading() as session:
                tls = await session.scalar(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
            return tls, await opened.version()
        finally:
            await opened.close()

    return asyncio.run(asking())


class TestTaken:
    def test_tls_sockets_options_and_poolers(self, postgres_server: Any, database: str) -> None:
        server = postgres_server
        login = f"{server.username}:{quote(server.password, safe='')}"
        by_name = f"://{login}@localhost:{server.port}/{database}"
        socket = quote(str(server.folder), safe="")
        for url, tls in (
            (f"postgres{by_name}", True),
            (f"postgresql{by_name}?sslmode=require", True),
            (f"postgresql{by_name}?sslmode=disable", False),
            (f"postgresql{by_name}?sslmode=verify-full&sslrootcert={server.certificate}", True),
            (f"postgresql{by_name}?sslmode=require&sslrootcert={server.certificate}&connect_timeout=4", True),
            (f"postgresql://{login}@{socket}:{server.port}/{database}", False),
            (f"postgresql://{login}@/{database}?host={socket}&port={server.port}&sslmode=require", False),
            (f"postgresql{by_name}?pgbouncer=true&application_name=m", True),
            (f"postgresql://{login}@127.0.0.1:1,localhost:{server.port}/{database}?target_session_attrs=primary", True),
        ):
            migrate(url)
            assert asked(url)[0] is tls, url

    def test_options_choose_the_schema(self, postgres_server: Any, database: str) -> None:
        server = postgres_server
        login = f"{server.username}:{quote(server.password, safe='')}"
        plain = f"postgresql://{login}@localhost:{server.port}/{database}"

        async def making() -> None:
            opened = Database(plain)
            async with opened.unit_of_work() as session:
                await session.execute(text("CREATE SCHEMA apart"))
            await opened.close()

        asyncio.run(making())
        apart = f"{plain}?options=-csearch_path%3Dapart"
        migrate(apart)
        assert asked(apart)[1] is not None

        async def looking() -> Any:
            opened = Database(plain)
            async with opened.reading() as session:
                found = await session.scalar(text("SELECT count(*) FROM apart.connections"))
            await opened.close()
            return found

        assert asyncio.run(looking()) == 0


@pytest.fixture
def _collected() -> Iterator[None]:
    """Collect what the driver left open within the test that it belongs to."""
    yield
    gc.collect()


# asyncpg leaves the transport of a login that fails to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.usefixtures("_collected")
class TestRefused:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"password": "s3cret-wrong"}, "password authentication failed for user"),
            ({"database": "no_such_database"}, 'database "no_such_database" does not exist'),
            ({"port": "1"}, "127.0.0.1"),
            ({"query": "?sslmode=verify-full"}, "certificate is not trusted"),
            ({"query": "?sslmode=require&channel_binding=require"}, "certificate is not trusted"),
            ({"host": "no-such-host.invalid"}, ""),
            ({"host": "x" * 70}, ""),
            ({"query": "?options=-cno_such_setting%3D1"}, "no_such_setting"),
        ],
    )
    def test_in_one_line_without_the_password(
        self, postgres_server: Any, database: str, change: dict[str, str], said: str
    ) -> None:
        server = postgres_server
        parts = {
            "password": quote(server.password, safe=""),
            "host": "127.0.0.1",
            "port": str(server.port),
            "database": database,
            "query": "",
        } | change
        url = "postgresql://{0}:{password}@{host}:{port}/{database}{query}".format(server.username, **parts)
        with pytest.raises(OperatorError) as refused:
            migrate(url)
        assert refused.value.message.startswith("cannot open the metadata database: ")
        assert said in refused.value.message
        assert "\n" not in refused.value.message
        assert parts["password"] not in refused.value.message

    def test_a_server_without_tls_that_must_have_it(self, plain_postgres_server: Any) -> None:
        server = plain_postgres_server
        login = f"{server.username}:{quote(server.password, safe='')}"
        with pytest.raises(OperatorError, match=r"cannot open the metadata database: .*SSL"):
            migrate(f"postgresql://{login}@{server.host}:{server.port}/app?sslmode=require")

    def test_a_role_without_rights_on_the_schema(self, postgres_server: Any, new_database: Callable[[], str]) -> None:
        url = new_database()

        async def making() -> None:
            opened = Database(url)
            async with opened.unit_of_work() as session:
                await session.execute(text("CREATE ROLE powerless LOGIN PASSWORD 'p'"))
            await opened.close()

        asyncio.run(making())
        with pytest.raises(OperatorError) as refused:
            migrate(f"postgresql://powerless:p@{url.rpartition('@')[2]}")
        assert refused.value.message == "cannot open the metadata database: permission denied for schema public"
