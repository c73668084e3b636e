"""dbt's secrets: sealed while they are there, and gone for good when they should be."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.dbt.models import DbtEnvironment, DbtRepository, DbtVariable
from moorings.secrets import Keyset

PROJECT = {
    "autogenRelationships": True,
    "branch": "main",
    "enableVirtualSchemas": False,
    "sshUrl": "git@github.com:org/repo.git",
}
SENTINEL = "s3ntinel-of-dbt"
ENVIRONMENT = {
    "name": "Development",
    "targetSchema": "dev",
    "variables": [{"name": "OPEN", "value": "seen"}, {"name": "CLOSED", "value": SENTINEL, "isSecret": True}],
}


@pytest.fixture(scope="module")
def service(serve: Any, storage: Any) -> Any:
    """A service whose operator enabled profiles with secrets."""
    return serve(**storage(), dbt_secrets=True)


def linked(service: Any) -> str:
    connection = service.create()
    assert service.request("PUT", f"/connections/{connection}/dbt", json=PROJECT).status_code == 200
    made = service.request("POST", f"/connections/{connection}/dbt/environments", json=ENVIRONMENT)
    assert made.status_code == 201
    return connection


def repositories(service: Any, connection: str) -> list[DbtRepository]:
    async def reading(session: AsyncSession) -> list[DbtRepository]:
        return list(await session.scalars(select(DbtRepository).where(DbtRepository.connection_id == connection)))

    return service.change(reading)


def sealed(service: Any, connection: str) -> list[DbtVariable]:
    """The secret variables of a connection that can still be opened."""
    environments = select(DbtEnvironment.id).where(DbtEnvironment.connection_id == connection)
    query = select(DbtVariable).where(DbtVariable.environment_id.in_(environments), DbtVariable.sealed.is_not(None))
    return service.change(lambda session: session.scalars(query)).all()


def rows(service: Any, table: str) -> str:
    """Everything that a table holds, as text."""
    return str(service.change(lambda session: session.execute(text(f"SELECT * FROM {table}"))).all())


class TestDeployKey:
    def test_the_private_half_fits_the_public_one(self, service: Any):
        connection = linked(service)
        (stored,) = repositories(service, connection)
        keyset = Keyset.read(service.settings.keyset_path)
        private = keyset.open(stored.private_key, table="dbt_repositories", column="private_key", row=stored.id)
        public = load_ssh_private_key(private.encode(), None).public_key()
        shown = service.request("GET", f"/connections/{connection}/dbt").json()["publicKey"]
        assert shown == f"{public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} moorings"

    def test_two_at_once_make_one_repository(self, service: Any, at_once: Any):
        for _ in range(10):  # they do not always meet
            connection = service.create()
            answers = at_once(service, [("PUT", f"/connections/{connection}/dbt", PROJECT)] * 2)
            assert [answer.status_code for answer in answers] == [200, 200]
            assert len(repositories(service, connection)) == 1


class TestSecrets:
    def test_are_sealed(self, service: Any):
        linked(service)
        stored = rows(service, "dbt_variables") + rows(service, "dbt_repositories")
        assert "seen" in stored
        assert SENTINEL not in stored
        assert "PRIVATE KEY" not in stored

    def test_are_erased_when_the_connection_is_archived(self, service: Any):
        connection, other = linked(service), linked(service)
        assert service.request("DELETE", f"/connections/{connection}").status_code == 200
        (gone,), (other_repository,) = repositories(service, connection), repositories(service, other)
        assert (gone.public_key, gone.private_key) == (None, None)
        assert other_repository.private_key is not None
        assert sealed(service, connection) == []
        assert len(sealed(service, other)) == 1

    def test_none_comes_after_the_erasure(self, service: Any, at_once: Any):
        for _ in range(10):  # they do not always meet
            connection = service.create()
            path = f"/connections/{connection}/dbt"
            requests = [("POST", f"{path}/environments", ENVIRONMENT), ("PUT", path, PROJECT)]
            answers = at_once(service, [*requests, ("DELETE", f"/connections/{connection}", None)])
            assert {answer.status_code for answer in answers} <= {200, 201, 410}
            assert all(stored.private_key is None for stored in repositories(service, connection))
            assert sealed(service, connection) == []

    def test_go_with_their_environment_and_repository(self, service: Any):
        connection = linked(service)
        (environment,) = service.request("GET", f"/connections/{connection}/dbt/environments").json()["records"]
        path = f"/connections/{connection}/dbt"
        assert service.request("DELETE", f"{path}/environments/{environment['id']}").status_code == 200
        assert service.request("DELETE", path).status_code == 200
        left = select(DbtVariable).where(DbtVariable.environment_id == environment["id"])
        assert service.change(lambda session: session.scalars(left)).all() == []
        assert repositories(service, connection) == []


class TestPromisesTheDatabaseKeeps:
    @pytest.mark.parametrize(
        "broken",
        [
            update(DbtVariable).values(is_secret=0),
            update(DbtVariable).values(value="x"),
            update(DbtVariable).values(name="SAME"),
            update(DbtRepository).values(public_key=None),
            update(DbtRepository).values(dbt_version="1.9"),
        ],
    )
    def test_are_kept_whatever_the_code_does(self, service: Any, broken: Any):
        linked(service)
        with pytest.raises(IntegrityError):
            service.change(lambda session: session.execute(broken))


def test_no_cache_keeps_a_profile(service: Any) -> None:
    connection = linked(service)
    for method in ("GET", "POST"):
        answer = service.request(method, f"/connections/{connection}/dbt/profile")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
