"""HTTP to addresses that callers name, for drivers on urllib3 and requests. Imports urllib3: only sessions import this.

Every connection of a pool dials an address that was checked for this connection. No pool follows a redirect or uses a
proxy of the environment.
"""

from __future__ import annotations

import socket
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.response import BaseHTTPResponse

from moorings.dialects.network.answers import BoundedAnswer, bounded
from moorings.dialects.network.dialing import Network
from moorings.dialects.network.https import REDIRECTS, redirected

MAX_SECONDS = 60.0
"""The time limit of connecting if a driver has none."""

PoolClasses = dict[str, type[HTTPConnectionPool] | type[HTTPSConnectionPool]]


def pool_classes(
    network: Network,
    *fields: str,
    bases: tuple[type[HTTPConnectionPool], type[HTTPConnectionPool]] = (HTTPConnectionPool, HTTPSConnectionPool),
    redirects: bool = False,
    streamed: bool = False,
) -> PoolClasses:
    """The pools that a PoolManager takes as `pool_classes_by_scheme`; `fields` are blamed for refused addresses.

    A redirect is raised as AnotherService. With `redirects`, the driver gets it instead, and must not follow it. An
    answer of more than `network.longest_answer` bytes is ResultTooLarge; `streamed` answers may be longer in total, for
    drivers that read results in pieces.
    """
    plain, secure = (_checked_pool(network, base, fields, redirects, streamed) for base in bases)
    return {"http": plain, "https": secure}


def _checked_pool(
    network: Network, base: type[HTTPConnectionPool], fields: tuple[str, ...], redirects: bool, streamed: bool
) -> type[HTTPConnectionPool]:
    class CheckedPool(base):  # pyright: ignore[reportGeneralTypeIssues]  # a base that is chosen at run time
        ConnectionCls = _checked_connection(network, base.ConnectionCls, fields, streamed)

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


def _checked_connection(network: Network, base: Any, fields: tuple[str, ...], streamed: bool) -> Any:
    class CheckedConnection(base):
        def _new_conn(self) -> socket.socket:
            host = self.host.strip("[]")
            seconds = self.timeout if isinstance(self.timeout, (int, float)) else MAX_SECONDS
            try:
                return network.connect_http(host, self.port, seconds, *fields)
            except TimeoutError as error:
                raise ConnectTimeoutError(self, f"Connection to {host} timed out.") from error
            except OSError as error:
                raise NewConnectionError(self, f"Failed to establish a new connection: {error}") from error

        def getresponse(self) -> BoundedAnswer:
            """The answer to the request; raises ResultTooLarge if it is read here and is too large."""
            connection: Any = self
            options = connection._response_options  # noqa: SLF001  # urllib3 would read the body at once
            connection._response_options = options._replace(preload_content=False)  # noqa: SLF001
            found: Any = base.getresponse(self)
            answer = bounded(found, network.longest_answer, fields, streamed=streamed)
            if options.preload_content:
                answer.read(cache_content=True)
            return answer

    return CheckedConnection


class CheckedPools(PoolManager):
    """Connections with one server, without retries. Results may be streamed."""

    def __init__(self, network: Network, *fields: str, **options: Any) -> None:
        super().__init__(**options)
        self.pool_classes_by_scheme = pool_classes(network, *fields, streamed=True)

    def urlopen(self, method: str, url: str, redirect: bool = True, **how: Any) -> BaseHTTPResponse:
        """Send a request once; errors on the way to the server are raised unchanged."""
        return super().urlopen(method, url, redirect=False, **{**how, "retries": False})

    def disconnect(self) -> None:
        """Close idle connections; `clear` would leave that to the garbage collector."""
        with self.pools.lock:
            pools = [self.pools[key] for key in self.pools.keys()]  # noqa: SIM118  # no mapping: it has keys() alone
            self.clear()
        for pool in pools:
            pool.close()
