"""Makes the Databricks driver dial checked addresses.

Imports the driver: only the session imports this. When a connection is opened, the driver creates its pools by names in
its own modules. Here these names refer to checked pools, for its requests and for downloads from the server's links.
In the same way, the functions of `results` replace those that decompress results.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextvars import ContextVar
from typing import Any

import thrift.transport.THttpClient  # pyright: ignore[reportMissingTypeStubs, reportUnusedImport]  # noqa: F401  # the driver's module expects it
from databricks.sql import utils
from databricks.sql.auth import thrift_http_client
from databricks.sql.backend import thrift_backend
from databricks.sql.cloudfetch import downloader
from databricks.sql.common import unified_http_client
from urllib3 import PoolManager

from moorings.dialects.databricks import results
from moorings.dialects.network.dialing import Network
from moorings.dialects.network.pools import pool_classes

FIELDS = ("host", "port")
NETWORK: ContextVar[Network] = ContextVar("network")
"""The network of the connection that is being opened; the driver has no argument for it."""


@contextlib.contextmanager
def through(network: Network) -> Generator[None]:
    """Connections that are opened in the block dial through a network; outside it, none can be opened."""
    token = NETWORK.set(network)
    results.MAX_BYTES.set(network.longest_answer)  # for as long as the thread lives, which is the session's
    try:
        yield
    finally:
        NETWORK.reset(token)


def _plain_pool(*place: Any, **options: Any) -> Any:
    return pool_classes(NETWORK.get(), *FIELDS)["http"](*place, **options)


def _secure_pool(*place: Any, **options: Any) -> Any:
    return pool_classes(NETWORK.get(), *FIELDS)["https"](*place, **options)


def _pool_manager(**options: Any) -> PoolManager:
    manager = PoolManager(**options)
    manager.pool_classes_by_scheme = pool_classes(NETWORK.get(), *FIELDS)
    return manager


def _no_proxy(*_: Any, **__: Any) -> tuple[None, None]:
    """No proxy of the environment."""
    return None, None


STAND_INS = (
    (thrift_http_client, "HTTPConnectionPool", _plain_pool),
    (thrift_http_client, "HTTPSConnectionPool", _secure_pool),
    (thrift_http_client, "detect_and_parse_proxy", _no_proxy),
    (unified_http_client, "PoolManager", _pool_manager),
    (unified_http_client, "detect_and_parse_proxy", _no_proxy),
    (thrift_backend, "convert_arrow_based_set_to_arrow_table", results.table_of_batches),
    (utils, "convert_arrow_based_set_to_arrow_table", results.table_of_batches),
    (utils, "convert_arrow_based_file_to_arrow_table", results.table),
    (downloader.ResultSetDownloadHandler, "_decompress_data", staticmethod(results.decompressed)),
)
for module, name, stand_in in STAND_INS:
    getattr(module, name)  # a driver without this name would dial by itself: then no session is opened
    setattr(module, name, stand_in)
