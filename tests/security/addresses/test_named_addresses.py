"""Addresses that a server names: each is a dial of its own, and a refused one is not touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from moorings import errors
from moorings.testing.engines import Server, Warehouse
from moorings.testing.room import Room, run_inside
from tests.security.addresses.test_egress import plain, probe
from tests.security.servers.redirecting import answering, canary
from tests.warehouses.engines import under
from tests.warehouses.servers.process import issued_certificate

METADATA = "https://169.254.169.254/latest"


def fails(warehouse: Warehouse, url: str, *, rows: int, denied: str) -> errors.MooringsError:
    """Run a statement whose results are at a URL; returns the error of it."""
    sql = f"{warehouse.sql.many.format(rows=rows)} /* results at {url} */"

    async def work(room: Room) -> errors.MooringsError:
        with pytest.raises(errors.MooringsError) as refused:
            await room.rows(sql)
        return refused.value

    return run_inside(warehouse, work, egress_deny=denied)


class TestLinksOfResults:
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_databricks_does_not_download_from_a_denied_address(
        self, databricks_server: Server, tmp_path: Path, scheme: str
    ) -> None:
        warehouse = Warehouse(under("databricks"), databricks_server, tmp_path)
        with canary() as watched:
            url = f"{scheme}://127.0.0.1:{watched.port}/file"
            refused = fails(warehouse, url, rows=3, denied=f"127.0.0.1:{watched.port}")
            assert watched.visits == []
        assert isinstance(refused, errors.EgressRefused)
        assert "MOORINGS_EGRESS_DENY" in refused.message

    def test_snowflake_does_not_download_from_a_denied_address(self, snowflake_server: Server, tmp_path: Path) -> None:
        warehouse = Warehouse(under("snowflake"), snowflake_server, tmp_path)
        with canary() as watched:
            url = f"https://127.0.0.1:{watched.port}"
            refused = fails(warehouse, url, rows=200_000, denied=f"127.0.0.1:{watched.port}")
            assert watched.visits == []
        assert isinstance(refused, errors.EgressRefused)
        assert "MOORINGS_EGRESS_DENY" in refused.message

    def test_snowflake_does_not_download_without_tls(self, snowflake_server: Server, tmp_path: Path) -> None:
        warehouse = Warehouse(under("snowflake"), snowflake_server, tmp_path)
        with canary() as watched:
            refused = fails(warehouse, f"http://127.0.0.1:{watched.port}", rows=200_000, denied="")
            assert watched.visits == []
        assert isinstance(refused, errors.AnotherService)
        assert "without TLS" in refused.message

    @pytest.mark.parametrize(("dialect", "rows"), [("databricks", 3), ("snowflake", 200_000)])
    def test_nor_from_a_metadata_address(
        self, dialect: str, rows: int, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        warehouse = Warehouse(under(dialect), request.getfixturevalue(f"{dialect}_server"), tmp_path)
        refused = fails(warehouse, METADATA, rows=rows, denied="")
        assert isinstance(refused, errors.EgressRefused)
        assert "link-local" in refused.message


class TestPagesOfTrino:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254"])
    def test_one_at_another_origin_is_not_asked_for(self, host: str) -> None:
        with canary() as watched:
            page: dict[str, Any] = {"id": "q", "infoUri": "http://x", "stats": {"state": "QUEUED"}}
            page["nextUri"] = f"http://{host}:{watched.port}/v1/statement/queued/q/y/1"
            with answering(200, json.dumps(page).encode(), {"Content-Type": "application/json"}) as server:
                report = probe(plain("trino", server.port))
            assert server.paths == ["/v1/statement"]
            assert watched.visits == []
        assert report.failure is not None
        assert report.failure.message


class TestLoginsOfSnowflake:
    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_no_redirect_is_followed(self, status: int, tmp_path: Path) -> None:
        *certificate, authority = issued_certificate(tmp_path)
        with canary() as watched:
            where = {"Location": f"https://localhost:{watched.port}/session/v1/login-request"}
            with answering(status, b"secret body", where, (certificate[0], certificate[1])) as server:
                report = probe(
                    {
                        "dialect": "snowflake", "hostOverride": "localhost", "port": server.port, "warehouse": "w",
                        "database": "d", "sslRootCert": authority.read_text(),
                    }
                )  # fmt: skip
            assert server.paths
            assert watched.visits == []
        assert report.failure is not None
        assert "secret body" not in repr(report)
