"""The ADBC profile of a connection, loaded by the driver manager."""

from __future__ import annotations

from typing import Any

import adbc_driver_flightsql
import pytest
from adbc_driver_manager import dbapi

from moorings.client.adbc import flight_uri, profile
from tests.processes.conftest import TOKEN


def test_opens_the_connection(door: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MOORINGS_KEY", TOKEN)
    text = profile(door.duck, 'Things "\n# of mine', door.uri)
    assert TOKEN not in text
    file = tmp_path / "things.toml"
    # Here the driver is in a wheel, and not where the driver manager looks for names.
    file.write_text(text.replace('"flightsql"', f'"{adbc_driver_flightsql._driver_path()}"'))
    with dbapi.connect(profile=str(file), autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM thing")
        assert cursor.fetchall() == [(2,)]


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("http://127.0.0.1:8000", "grpc://127.0.0.1:31337"),
        ("https://moorings.example.com/base", "grpc+tls://moorings.example.com:31337"),
        ("http://[::1]:8000", "grpc://[::1]:31337"),
    ],
)
def test_the_address_is_on_the_host_of_the_service(url: str, uri: str):
    assert flight_uri(url) == uri
