"""HTTP to addresses that callers name, for drivers on urllib3 and requests. Imports urllib3: only sessions import this.

Every connection of a pool dials an address that was checked, every time anew. No pool follows a redirect or asks the
environment for a proxy.
"""

from __future__ import annotations

import socket
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.response import BaseHTTPResponse

from moorings.dialects.network.dialing import Network
from moorings.dialects.network.https import REDIRECTS, redirected

LONGEST_SECONDS = 60.0
"""How long a connection may take to come about where a driver names no limit."""

PoolClasses = dict[str, type[HTTPConnectionPool] | type[HTTPSConnectionPool]]


def pool_classes(
    network: Network,
    *fields: str,
    bases: tuple[type[HTTPConnectionPool], type[HTTPConnectionPool]] = (HTTPConnectionPool, HTTPSConnectionPool),
    redirects: bool = False,
) -> PoolClasses:
    """The pools that a PoolManager takes as `pool_classes_by_scheme`; `fields` are blamed for what is refused.

    A redirect is raised as AnotherService. `redirects` hands it to the driver instead, which must not follow it.
    """
    plain, secure = (_checked_pool(network, base, fields, redirects=redirects) for base in bases)
    return {"http": plain, "https": secure}


def _checked_pool(
    network: Network, base: type[HTTPConnectionPool], fields: tuple[str, ...], *, redirects: bool
) -> type[HTTPConnectionPool]:
    class CheckedPool(base):  # pyright: ignore[reportGeneralTypeIssues]  # a base that is chosen at run time
        ConnectionCls = _checked_connection(network, base.ConnectionCls, fields)

        def urlopen(  # pyright: ignore[reportIncompatibleMethodOverride]  # the same, loosely
            self,
            method: str,
            url: str,
            body: Any = None,
            headers: Any = None,
            retries: Any = None,
            redirect: bool = True,  # never
            *further: Any,
            **options: Any,
        ) -> BaseHTTPResponse:
            """Send one request; raises AnotherService for a redirect."""
            answer = super().urlopen(method, url, body, headers, retries, False, *further, **options)
            if answer.status in REDIRECTS and not redirects:
                answer.close()
                raise redirected(*fields)
            return answer

    return CheckedPool


def _checked_connection(network: Network, base: Any, fields: tuple[str, ...]) -> Any:
    class CheckedConnection(base):
        def _new_conn(self) -> socket.socket:
            host = self.host.strip("[]")
            seconds = self.timeout if isinstance(self.timeout, (int, float)) else LONGEST_SECONDS
            try:
                return network.connect_http(host, self.port, seconds, *fields)
            except TimeoutError as error:
                raise ConnectTimeoutError(self, f"Connection to {host} timed out.") from error
            except OSError as error:
                raise NewConnectionError(self, f"Failed to establish a new connection: {error}") from error

    return CheckedConnection


class CheckedPools(PoolManager):
    """Connections with one server: nothing is tried again."""

    def __init__(self, network: Network, *fields: str, **options: Any) -> None:
        super().__init__(**options)
        self.pool_classes_by_scheme = pool_classes(network, *fields)

    def urlopen(self, method: str, url: str, redirect: bool = True, **how: Any) -> BaseHTTPResponse:
        """Send a request once; what keeps it from the server is raised as it is."""
        return super().urlopen(method, url, redirect=False, **{**how, "retries": False})

    def hang_up(self) -> None:
        """Close what is idle; `clear` would leave that to the garbage collector."""
        with self.pools.lock:
            pools = [self.pools[key] for key in self.pools.keys()]  # noqa: SIM118  # no mapping: it has keys() alone
            self.clear()
        for pool in pools:
            pool.close()
