"""One service over every engine whose values are compared here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
import pyarrow as pa
import pytest

from moorings.api.http.negotiation import ARROW, CSV, JSON, NDJSON
from moorings.testing.engines import Warehouse
from tests.warehouses.engines import under

ACCEPT = {"arrow": ARROW, "json": JSON, "ndjson": NDJSON, "csv": CSV}
MEMORY = {"dialect": "duckdb", "name": "memory", "database": ":memory:", "readOnly": False}
FOREIGN_MESSAGES = ("does not know by name", "DECLARE moorings", "moorings_")


class Api:
    """Queries through the API: a connection for each dialect and its fields."""

    def __init__(self, service: Any, warehouses: Callable[[str], Warehouse]) -> None:
        self.service = service
        self.warehouses = warehouses
        self._connections: dict[str, str] = {}

    def connection(self, dialect: str, **over: Any) -> str:
        """The id of a connection, made on first use."""
        key = json.dumps([dialect, over], sort_keys=True)
        if key not in self._connections:
            body = MEMORY if dialect == "duckdb" else self.warehouses(dialect).body()
            self._connections[key] = self.service.create(**(body | over))
        return self._connections[key]

    def setup(self, dialect: str, statements: Sequence[str]) -> None:
        """Run statements past Moorings."""
        if statements:
            self.warehouses(dialect).ask(*statements)

    def ask(
        self,
        dialect: str,
        sql: str,
        parameters: Sequence[Any] = (),
        form: str = "json",
        over: Any = None,
        query: Any = None,
        **body: Any,
    ) -> httpx.Response:
        """Run a statement in a format."""
        path = f"/connections/{self.connection(dialect, **(over or {}))}/query"
        sent = {"sql": sql, "parameters": list(parameters)} | body
        headers = {"accept": ACCEPT.get(form, form)}
        return self.service.request("POST", path, json=sent, headers=headers, params=query or {})

    def rows(self, dialect: str, sql: str, parameters: Sequence[Any] = (), **how: Any) -> list[list[Any]]:
        """The rows of a statement, as JSON has them."""
        answer = self.ask(dialect, sql, parameters, **how)
        assert answer.status_code == 200, answer.text
        return answer.json()["rows"]

    def arrow(self, dialect: str, sql: str, parameters: Sequence[Any] = (), **how: Any) -> pa.Table:
        """The same in Arrow, seen to be valid and readable."""
        answer = self.ask(dialect, sql, parameters, "arrow", **how)
        assert answer.status_code == 200, answer.text
        table = pa.ipc.open_stream(answer.content).read_all()
        table.validate(full=True)
        table.to_pylist()
        return table


@pytest.fixture(scope="session")
def warehouses(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Warehouse]:
    """The engine of a dialect, running."""
    started: dict[str, Warehouse] = {}

    def starting(dialect: str) -> Warehouse:
        if dialect not in started:
            row = under(dialect)
            server = request.getfixturevalue(row.server) if row.server else None
            started[dialect] = Warehouse(row, server, tmp_path_factory.mktemp("values"))
        return started[dialect]

    return starting


@pytest.fixture(scope="module")
def api(serve: Callable[..., Any], warehouses: Callable[[str], Warehouse]) -> Iterator[Api]:
    """One service for the module's tests."""
    return Api(serve(), warehouses)
