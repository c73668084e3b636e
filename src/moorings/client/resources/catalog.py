"""Catalogs and dialects."""

from __future__ import annotations

from moorings.client.errors import UnknownName
from moorings.client.names import connection_id
from moorings.client.resources.base import Awaits, Waits
from moorings.client.resources.steps import chosen_environment, tables
from moorings.client.shapes import CatalogTable, Change, Dialect, FoundTable, StoredTable
from moorings.client.steps import Pages, Request, Steps, at, listing, method, pages

DialectList = list[Dialect]


class CatalogMethods:
    """What both clients can do with catalogs."""

    @listing
    def search(self, text: str) -> Steps[Pages[FoundTable]]:
        """Tables and columns of every stored catalog that match a text."""
        yield from ()
        return pages("/catalog", search=text)

    @listing
    def stored(
        self,
        connection: str,
        *,
        schema: str | None = None,
        table: str | None = None,
        search: str | None = None,
        environment: str | None = None,
    ) -> Steps[Pages[StoredTable]]:
        """The tables of a connection's stored catalog. Reading it does not wake the database."""
        found, chosen = (yield from connection_id(connection)), (yield from chosen_environment(environment))
        path = at("connections", found, "catalog")
        return pages(path, schema=schema, table=table, search=search, environment=chosen)

    @listing
    def tables(
        self, connection: str, *, schema: str | None = None, environment: str | None = None
    ) -> Steps[Pages[CatalogTable]]:
        """The tables and views of a connection, read from the database now."""
        return (yield from tables(connection, schema, environment))

    @listing
    def changes(
        self, connection: str, *, since: str | None = None, environment: str | None = None
    ) -> Steps[Pages[Change]]:
        """What changed in a catalog, newest first."""
        found, chosen = (yield from connection_id(connection)), (yield from chosen_environment(environment))
        return pages(at("connections", found, "catalog", "changes"), since=since, environment=chosen)


class DialectMethods:
    """What both clients can learn of dialects."""

    @method
    def list(self) -> Steps[DialectList]:
        """Every dialect, with its fields and the JSON Schema of its connections."""
        return (yield Request("GET", "/dialects"))["dialects"]

    @method
    def get(self, name: str) -> Steps[Dialect]:
        """One dialect, by its name."""
        known: DialectList = (yield Request("GET", "/dialects"))["dialects"]
        for dialect in known:
            if dialect["name"] == name:
                return dialect
        raise UnknownName(f'No dialect is named "{name}"', f"Use one of {', '.join(each['name'] for each in known)}.")


class Catalog(CatalogMethods, Waits):
    """Catalogs, of `Client`."""


class AsyncCatalog(CatalogMethods, Awaits):
    """Catalogs, of `AsyncClient`."""


class Dialects(DialectMethods, Waits):
    """Dialects, of `Client`."""


class AsyncDialects(DialectMethods, Awaits):
    """Dialects, of `AsyncClient`."""
