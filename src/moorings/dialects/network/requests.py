"""HTTP to addresses that callers name, for drivers on requests. Imports requests: only sessions import this."""

from __future__ import annotations

import ssl
from typing import Any

from requests import Session
from requests.adapters import HTTPAdapter

from moorings.dialects.network.dialing import Network
from moorings.dialects.network.pools import pool_classes


class CheckedAdapter(HTTPAdapter):
    """Dials checked addresses, and verifies certificates by one context: requests would add authorities of its own."""

    def __init__(self, network: Network, tls: ssl.SSLContext | None, fields: tuple[str, ...]) -> None:
        self._network, self._tls, self._fields = network, tls, fields
        super().__init__()

    def init_poolmanager(self, *sizes: Any, **options: Any) -> None:
        """Make the pool of connections."""
        tls = {"ssl_context": self._tls, "cert_reqs": self._tls.verify_mode} if self._tls else {}
        super().init_poolmanager(*sizes, **options, **tls)
        self.poolmanager.pool_classes_by_scheme = pool_classes(self._network, *self._fields)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Do nothing: the context verifies."""

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """The host to connect to, without settings for certificates."""
        place, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return place, {}

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        """Raise if a driver uses its own proxy: the network uses the one of the settings."""
        raise RuntimeError("A driver wants a proxy of its own.")


def install(session: Session, network: Network, tls: ssl.SSLContext | None, *fields: str) -> None:
    """Make a session dial checked addresses, and read nothing from the environment."""
    session.trust_env = False
    session.max_redirects = 0
    for scheme in ("https://", "http://"):
        session.mount(scheme, CheckedAdapter(network, tls if scheme == "https://" else None, fields))
