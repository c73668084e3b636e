"""Egress rules: the operator's settings choose the addresses that the service dials for its callers.

`dialects.network` refuses the addresses that no setting can allow: link-local, metadata and multicast.
"""

from __future__ import annotations

import base64
import contextlib
import fnmatch
import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from moorings.dialects.network.dialing import Address, Network, Proxy, spellings
from moorings.errors import OperatorError
from moorings.settings import Settings, database

PORTS = {"postgresql": 5432, "valkey": 6379, "valkeys": 6379, "redis": 6379, "rediss": 6379}
"""Default ports of the stores that settings name by URL."""
MAX_NAME_LENGTH = 63
"""Bytes of a database's name: before version 17, PostgreSQL cuts a longer one off."""
LOOPBACK_NAMES = {"localhost", "localhost.localdomain"}
_SPELLS_NUMBERS = re.compile(r"[.*-]*[0-9][0-9.*-]*")
"""`10.1.2.*` or `10.0.0.1-10.0.0.9`: wildcards apply to names only, so such an entry would match no address."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One entry of a list: hosts by name (`*` stands for any text), or addresses; with or without a port."""

    text: str
    host: str | None = None
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Parse an entry such as `*.example.com`, `10.0.0.0/8`, `[fd00::1]:5432` or `*:25`.

        Raises ValueError.
        """
        found = re.fullmatch(r"(?:\[(?P<six>[0-9a-fA-F:./]+)\](?P<rest>/\d+)?|(?P<plain>.+?))(?::(?P<port>\d+))?", text)
        bare = text.count(":") > 1 and "[" not in text  # an IPv6 address or network without brackets has no port
        if found is None:
            raise ValueError(text)
        host = text if bare else found["plain"] or found["six"] + (found["rest"] or "")
        port = None if bare or found["port"] is None else int(found["port"])
        if port is not None and not 1 <= port <= 65535:
            raise ValueError(text)
        with contextlib.suppress(ValueError):
            return cls(text, network=ipaddress.ip_network(host, strict=False), port=port)
        if not re.fullmatch(r"[A-Za-z0-9_.*-]+", host) or _SPELLS_NUMBERS.fullmatch(host):
            raise ValueError(text)
        return cls(text, host=host.lower().rstrip("."), port=port)

    def matches(self, host: str, address: Address, port: int) -> bool:
        """Whether the pattern matches this host, at this address, on this port."""
        if self.network is None:
            return self.names(host, port)
        here = any(form in self.network for form in spellings(address) if form.version == self.network.version)
        return here and self.port in (None, port)

    def names(self, host: str, port: int) -> bool:
        """Whether the pattern matches this host by its name, on this port."""
        named = self.host is not None and fnmatch.fnmatchcase(host.lower().rstrip("."), self.host)
        return named and self.port in (None, port)


@dataclass(frozen=True, slots=True)
class Store:
    """A server that the service itself depends on: its metadata, or its rate limits."""

    host: str
    port: int
    database: str = ""

    @classmethod
    def at(cls, url: str) -> Store | None:
        """The server of a URL; None for a file, a socket or a URL without a server."""
        parts = urlsplit(url)
        if not parts.hostname:
            return None
        port = parts.port or PORTS.get(parts.scheme.partition("+")[0], 0)
        return cls(parts.hostname, port, parts.path.strip("/"))

    @classmethod
    def of_metadata(cls, url: str) -> Sequence[Store]:
        """The servers of the metadata database, whose URL may name them behind `?host=`; none where it is a file.

        A socket, or a URL without a host, means a server on this machine.
        """
        address = database.parsed(url)
        if isinstance(address, database.SqliteAddress):
            return ()
        name = address.database or address.user or ""
        hosts = address.hosts or [("localhost", database.PORT)]
        return [cls("localhost" if host.startswith("/") else host, port, name) for host, port in hosts]

    def is_at(self, address: Address, port: int) -> bool:
        """Whether the server is reached at an address and port."""
        if port != self.port:
            return False
        with contextlib.suppress(OSError, UnicodeError):
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            own = {ipaddress.ip_address(str(where[0]).partition("%")[0]) for _, _, _, _, where in found}
            both_local = is_local(address) and any(is_local(one) for one in own)
            return both_local or any(form in own for form in spellings(address))
        return False


@dataclass(frozen=True, slots=True)
class Listeners:
    """The rule for addresses that the operator's own settings name, such as a webhook's: anything but this service."""

    ports: Sequence[int]

    def refusal(self, host: str, address: Address, port: int) -> str | None:
        """Refuses the ports that this service listens on, on every address of this machine."""
        if port in self.ports and is_local(address):
            return f"on port {port} is Moorings itself. Moorings never connects to itself."
        return None

    def name_refusal(self, host: str, port: int) -> str | None:
        """Refuses none."""
        return None

    def database_refusal(self, address: Address, port: int, database: str) -> str | None:
        """Refuses none."""
        return None


@dataclass(frozen=True, slots=True)
class EgressRules:
    """The rules for hosts that callers name."""

    allow: Sequence[Pattern]
    deny: Sequence[Pattern]
    listens_on: str
    """The address that the service listens on."""
    own: Listeners
    limits: Store | None
    """The rate limits' store."""
    metadata: Sequence[Store]
    """The metadata's servers; none for SQLite."""

    @classmethod
    def of(cls, settings: Settings) -> EgressRules:
        """The rules of the settings; raises OperatorError for a malformed entry."""
        limits = settings.rate_limit_url
        return cls(
            allow=_patterns("EGRESS_ALLOW", settings.egress_allow),
            deny=_patterns("EGRESS_DENY", settings.egress_deny),
            listens_on=settings.host,
            own=Listeners((settings.port,)),
            limits=Store.at(limits.get_secret_value()) if limits else None,
            metadata=Store.of_metadata(settings.database),
        )

    def refusal(self, host: str, address: Address, port: int) -> str | None:
        """Why this address may not be dialled: the rest of a sentence that begins with the address. None if it may."""
        if (itself := self.own.refusal(host, address, port)) is not None:
            return itself
        if any(pattern.matches(host, address, port) for pattern in self.deny):
            return "is denied by MOORINGS_EGRESS_DENY."
        if any(pattern.matches(host, address, port) for pattern in self.allow):
            return None
        if is_loopback(address) and not self.loopback_is_open:
            return "is a loopback address. The operator can allow it with MOORINGS_EGRESS_ALLOW."
        if self.limits is not None and self.limits.is_at(address, port):
            return "is the rate limits' store. The operator can allow it with MOORINGS_EGRESS_ALLOW."
        return None

    def name_refusal(self, host: str, port: int) -> str | None:
        """The reason why a name that only a proxy resolves may not be dialled; None if it may."""
        denied = any(pattern.names(host, port) for pattern in self.deny)
        return "is denied by MOORINGS_EGRESS_DENY." if denied else None

    @property
    def loopback_is_open(self) -> bool:
        """Whether callers may reach loopback addresses: only if the service listens on loopback itself."""
        if self.listens_on.lower() in LOOPBACK_NAMES:
            return True
        with contextlib.suppress(ValueError):
            return is_loopback(ipaddress.ip_address(self.listens_on))
        return False

    def database_refusal(self, address: Address, port: int, database: str) -> str | None:
        """Refuses only the database of Moorings' own metadata, under any name of its server."""
        named = database.encode()[:MAX_NAME_LENGTH]
        same = (store for store in self.metadata if store.database.encode()[:MAX_NAME_LENGTH] == named)
        if not any(store.is_at(address, port) for store in same):
            return None
        return "This is the database where Moorings keeps its metadata. Name another database."

    def described(self) -> Sequence[str]:
        """The rules in words, one a line, for the operator."""
        loopback = "allowed, because the service listens on loopback only" if self.loopback_is_open else "refused"
        return (
            "never: link-local, cloud metadata, multicast and unspecified addresses, and this service's own ports "
            + ", ".join(map(str, self.own.ports)),
            f"denied by MOORINGS_EGRESS_DENY: {_listed(self.deny)}",
            f"allowed by MOORINGS_EGRESS_ALLOW: {_listed(self.allow)}",
            f"loopback addresses: {loopback}",
            f"the rate limits' store: {'refused' if self.limits else 'in memory'}",
            f"the metadata database: {'refused' if self.metadata else 'a file'}",
            "every other address: allowed",
        )


def for_callers(settings: Settings) -> Network:
    """The network for hosts that callers name. Raises OperatorError for malformed settings."""
    return Network(EgressRules.of(settings), _proxy(settings), _ca_bundle(settings), settings.max_buffer_bytes)


def for_operator(settings: Settings) -> Network:
    """The network for hosts that the operator's settings name."""
    return Network(Listeners((settings.port,)), _proxy(settings), _ca_bundle(settings))


def _proxy(settings: Settings) -> Proxy | None:
    if settings.https_proxy is None:
        return None
    parts = urlsplit(settings.https_proxy.get_secret_value())
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" if parts.username else ""
    authorization = f"Basic {base64.b64encode(login.encode()).decode()}" if login else None
    return Proxy(parts.hostname or "", parts.port or 80, authorization, settings.https_proxy.get_secret_value())


def _ca_bundle(settings: Settings) -> str | None:
    return str(settings.ca_bundle) if settings.ca_bundle else None


def is_loopback(address: Address) -> bool:
    """Whether an address is a loopback address, in any form."""
    return any(form.is_loopback for form in spellings(address))


def is_local(address: Address) -> bool:
    """Whether an address is one of this machine's own: only those can be bound."""
    return is_loopback(address) or any(_binds(str(form)) for form in spellings(address))


def _binds(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as wire:
        wire.bind((address, 0))
        return True
    return False


def _patterns(setting: str, text: str) -> Sequence[Pattern]:
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    try:
        return tuple(Pattern.parse(entry) for entry in entries)
    except ValueError as refused:
        raise OperatorError(
            f"MOORINGS_{setting}: {str(refused)!r} is not a host name, an address or a network. "
            "Write for example db.example.com, *.example.com:5432 or 10.0.0.0/8. Wildcards stand in names only."
        ) from None


def _listed(patterns: Sequence[Pattern]) -> str:
    return ", ".join(pattern.text for pattern in patterns) or "nothing"
