"""What is Lakebase's own: TLS unless told otherwise, and words for a token that expired."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from moorings.engine.service import TestReport
from moorings.testing.engines import Server, Warehouse
from tests.warehouses.engines import under


@pytest.fixture(scope="module")
def warehouse(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """PostgreSQL in Lakebase's place."""
    return Warehouse(under("databricks_lakebase"), postgres_server, tmp_path_factory.mktemp("none"))


def test_a_refused_login_speaks_of_tokens(probe: Callable[..., TestReport]) -> None:
    report = probe(passwordUnencrypted="eyJraWQi.expired.token")
    assert report.failure is not None
    assert (report.failure.name, report.failure.code) == ("authenticate", "login_refused")
    assert "OAuth token expires within an hour" in report.failure.message
    assert "eyJraWQi" not in repr(report)


def test_tls_is_verified_unless_another_mode_is_given(
    probe: Callable[..., TestReport], plain_postgres_server: Server
) -> None:
    report = probe(sslMode=None)
    assert report.failure is not None
    assert (report.failure.name, report.failure.code) == ("tls", "certificate_refused")
    report = probe(port=plain_postgres_server.port, sslMode=None)
    assert report.failure is not None
    assert (report.failure.name, report.failure.code) == ("tls", "tls_not_offered")
    assert probe(port=plain_postgres_server.port, sslMode="prefer").success


def test_its_port_is_that_of_postgresql(warehouse: Warehouse) -> None:
    assert warehouse.config(port=None).port == 5432
