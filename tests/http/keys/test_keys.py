"""Keys at rest, and the operator's own key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service as access
from moorings.access.models import ApiKey

OLD, NEW = "the-first-key-of-the-operator", "another-key-of-the-operator"


class TestAtRest:
    @pytest.mark.parametrize(("owner", "prefix"), [(None, "moo_osk_"), ("somebody", "moo_pat_")])
    def test_a_token_has_256_random_bits_and_only_its_hash_is_stored(self, service, owner, prefix):
        async def making(session: AsyncSession) -> tuple[str, str]:
            organization = await access.the_organization(session)
            user = await access.create_user(session, organization, owner, "U") if owner else None
            return tuple([await access.create_key(session, organization, "k", user.id if user else None) for _ in "ab"])

        first, second = service.change(making)
        assert first.startswith(prefix)
        assert first != second
        assert len(first.removeprefix(prefix)) == 43, "32 bytes in base64"

        async def everything(session: AsyncSession) -> list[dict[str, Any]]:
            rows = await session.execute(text("SELECT * FROM api_keys"))
            return [dict(row) for row in rows.mappings()]

        rows = service.change(everything)
        assert hashlib.sha256(first.encode()).digest() in [bytes(row["token_hash"]) for row in rows]
        assert first not in repr(rows)
        assert first.removeprefix(prefix) not in repr(rows)


class TestTheOperatorsKey:
    def test_replaces_the_one_before_it_for_good(self, serve: Callable[..., Any], storage):
        given = storage()
        first = serve(**given, bootstrap_token=OLD)
        assert first.request("GET", "/connections", key=OLD).status_code == 200
        second = serve(**given, bootstrap_token=NEW, data_dir=first.settings.data_dir)
        for service in (first, second):
            refused = service.request("GET", "/connections", key=OLD)
            assert (refused.status_code, refused.json()["detail"]) == (403, "Invalid bearer token")
            assert service.request("GET", "/connections", key=NEW).status_code == 200

    def test_a_restart_makes_no_second_one(self, serve: Callable[..., Any], storage):
        given = storage()
        first = serve(**given)
        again = serve(**given, data_dir=first.settings.data_dir)

        async def keys(session: AsyncSession) -> list[ApiKey]:
            return list(await session.scalars(select(ApiKey)))

        assert len(again.change(keys)) == 1

    def test_without_one_a_first_key_is_made_and_told_once(self, serve: Callable[..., Any], storage):
        given = storage()
        first = serve(**given, bootstrap_token=None)
        assert first.first_key.startswith("moo_osk_")
        assert first.request("GET", "/connections", key=first.first_key).status_code == 200
        again = serve(**given, bootstrap_token=None, data_dir=first.settings.data_dir)
        assert again.first_key is None
