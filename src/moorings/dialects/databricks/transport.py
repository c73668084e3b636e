"""How the Databricks driver dials. Imports the driver: only the session imports this.

The driver makes its pools of connections by names of its own modules, when a connection is made. Those names stand for
checked pools here: for its requests, and for what it downloads from links of the server.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextvars import ContextVar
from typing import Any

import thrift.transport.THttpClient  # pyright: ignore[reportMissingTypeStubs, reportUnusedImport]  # noqa: F401  # the driver's module expects it
from databricks.sql.auth import thrift_http_client
from databricks.sql.common import unified_http_client
from urllib3 import PoolManager

from moorings.dialects.network.dialing import Network
from moorings.dialects.network.pools import pool_classes

FIELDS = ("host", "port")
NETWORK: ContextVar[Network] = ContextVar("network")
"""The way out of the connection that is being made; the driver has no argument for it."""


@contextlib.contextmanager
def through(network: Network) -> Generator[None]:
    """Connections that are made in the block dial through a network; outside of it, none can be made."""
    token = NETWORK.set(network)
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
)
for module, name, stand_in in STAND_INS:
    getattr(module, name)  # a driver that no longer has the name would dial by itself: then there is no session
    setattr(module, name, stand_in)
