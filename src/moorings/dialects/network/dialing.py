"""Dialling for callers: a host name is resolved once, its addresses are checked, and a checked address is dialled.

Otherwise a caller could name a host that only this machine can reach: a cloud's metadata service, a listener of ours, a
store of ours. Drivers that resolve names themselves get an address or a socket from here.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from moorings import clock, errors

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure's wire server
        "192.0.0.192/32",  # Oracle
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254/128",  # Google
        "fd00:42::42/128",  # Scaleway
    )
)
"""Addresses where clouds hand out credentials, apart from the link-local ones that most of them use."""
METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})
METADATA_NAME = "is a cloud's metadata service. Moorings never connects to it."
NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
"""Prefixes whose last 32 bits are an IPv4 address. Source: RFC 6052, RFC 8215."""
TRANSLATED = ipaddress.ip_network("::ffff:0:0:0/96")
"""The same for stateless translators. Source: RFC 2765."""
COMPATIBLE = ipaddress.ip_network("::/96")
THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
BROADCAST = ipaddress.ip_address("255.255.255.255")
ISATAP = (0x00005EFE, 0x02005EFE)
"""The first half of an interface id whose second half is an IPv4 address. Source: RFC 5214."""


OWN_PORTS: set[int] = set()
"""Loopback ports on which this process listens for its own drivers."""


def _unseen(wire: socket.socket) -> None:
    """Ignore a connection."""
    del wire


DIALLED: ContextVar[Callable[[socket.socket], None]] = ContextVar("dialled", default=_unseen)
"""Called for every connection that is dialled for the current session, so that its bytes are counted."""


class Rules(Protocol):
    """The operator's rules for addresses. `engine` implements them."""

    def refusal(self, host: str, address: Address, port: int) -> str | None:
        """Why this address may not be dialled: the rest of a sentence that begins with the address. None if it may."""
        ...

    def name_refusal(self, host: str, port: int) -> str | None:
        """Why a name that is resolved elsewhere may not be dialled; None if it may."""
        ...

    def database_refusal(self, address: Address, port: int, database: str) -> str | None:
        """Why a database of the server at this address may not be opened, as a sentence; None if it may."""
        ...


@dataclass(frozen=True, slots=True)
class Proxy:
    """The operator's HTTP proxy."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)
    """The value of the header Proxy-Authorization, if the proxy requires a login."""
    url: str = field(default="", repr=False)
    """The whole URL with the login, for drivers that accept nothing else."""


@dataclass(frozen=True, slots=True)
class Network:
    """The network for outgoing connections. Without `rules`, only addresses that no setting can allow are refused."""

    rules: Rules | None = None
    proxy: Proxy | None = None
    """The proxy for HTTP requests to public addresses."""
    ca_bundle: str | None = None
    """The file with the certificate authorities; None for the system's."""
    longest_answer: int = 64 * 1024 * 1024
    """The most bytes of an HTTP answer, after decompression, that must be in memory as a whole."""

    def addresses(self, host: str, port: int, *fields: str) -> Sequence[str]:
        """The addresses of a host that may be dialled, in the resolver's order.

        Raises HostNotFound, which blames the first of `fields`, or EgressRefused when every address is refused.
        """
        found = _resolved(host, port, fields)
        refusals = {address: self.refusal(host, address, port) for address in found}
        allowed = [str(address) for address, refusal in refusals.items() if refusal is None]
        if not allowed:
            address, refusal = next(iter(refusals.items()))
            shown = host if host == str(address) else f"{host} is {address}, which"
            raise errors.EgressRefused(*fields, message=f"{shown} {refusal}")
        return allowed

    def check(self, host: str, port: int, database: str | None, *fields: str) -> Sequence[str]:
        """The result of `addresses` for a login to a database.

        Also raises EgressRefused for Moorings' own metadata database.
        """
        found = self.addresses(host, port, *fields)
        if self.rules is not None and database:
            for text in found:
                refusal = self.rules.database_refusal(ipaddress.ip_address(text), port, database)
                if refusal is not None:
                    raise errors.EgressRefused("database", message=refusal)
        return found

    def refusal(self, host: str, address: Address, port: int) -> str | None:
        """Why an address may not be dialled: the rest of a sentence that begins with the address. None if it may."""
        reason = forbidden_reason(address)
        if reason is not None:
            return f"is {reason}. Moorings never connects to such an address."
        if port in OWN_PORTS and any(form.is_loopback for form in spellings(address)):
            return f"on port {port} is Moorings itself. Moorings never connects to itself."
        return self.rules.refusal(host, address, port) if self.rules else None

    def connect(self, host: str, port: int, timeout_seconds: float, *fields: str) -> socket.socket:
        """A TCP connection to the first checked address that answers, within the time for all of them together.

        Raises HostNotFound, EgressRefused, or the OSError of the last attempt.
        """
        return dial(self.addresses(host, port, *fields), port, timeout_seconds)

    def connect_http(self, host: str, port: int, timeout_seconds: float, *fields: str) -> socket.socket:
        """A connection for HTTP: direct, or a tunnel through the proxy.

        Private and loopback addresses are dialled without the proxy. A name that only the proxy can resolve is checked
        as a name. Raises the errors of `connect`; ConnectionError if the proxy refuses.
        """
        found = self.route(host, port, *fields)
        if found is None and self.proxy is not None:
            return self._tunnel(self.proxy, host, port, timeout_seconds)
        return dial(found or (), port, timeout_seconds)

    def route(self, host: str, port: int, *fields: str) -> Sequence[str] | None:
        """The addresses to dial for HTTP; None if the proxy is used. Raises the errors of `addresses`."""
        if self.proxy is None:
            return self.addresses(host, port, *fields)
        try:
            found = self.addresses(host, port, *fields)
        except errors.HostNotFound:
            refusal = METADATA_NAME if host.lower() in METADATA_NAMES else None
            if refusal or (self.rules and (refusal := self.rules.name_refusal(host, port))):
                raise errors.EgressRefused(*fields, message=f"{host} {refusal}") from None
            return None
        return None if any(ipaddress.ip_address(address).is_global for address in found) else found

    def _tunnel(self, proxy: Proxy, host: str, port: int, timeout_seconds: float) -> socket.socket:
        """A connection through the proxy, whose own address passes the rules that nothing overrides."""
        wire = Network().connect(proxy.host, proxy.port, timeout_seconds)
        try:
            _ask_for_tunnel(wire, proxy, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except BaseException:
            wire.close()
            raise
        return wire


MAX_HEAD_BYTES = 16_384
"""Bytes of a proxy's answer."""


def _ask_for_tunnel(wire: socket.socket, proxy: Proxy, place: str) -> None:
    """Ask a proxy for a tunnel to `host:port`. Source: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6."""
    login = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
    wire.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{login}\r\n".encode("ascii"))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = wire.recv(1)  # bytes after the head belong to the server behind the proxy
        if not byte or len(head) > MAX_HEAD_BYTES:
            raise ConnectionError("The proxy of MOORINGS_HTTPS_PROXY does not answer in HTTP.")
        head += byte
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"]:
        raise ConnectionError("The proxy of MOORINGS_HTTPS_PROXY refuses this address.")


def dial(addresses: Sequence[str], port: int, timeout_seconds: float) -> socket.socket:
    """A TCP connection to the first of these checked addresses that answers, within the time for all of them together.

    Raises the OSError of the last attempt.
    """
    until = clock.monotonic() + timeout_seconds
    fault: OSError = TimeoutError("timed out")
    for address in addresses:
        left = until - clock.monotonic()
        if left <= 0:
            break
        try:
            wire = socket.create_connection((address, port), timeout=left)
        except OSError as error:
            fault = error
        else:
            wire.settimeout(timeout_seconds)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            DIALLED.get()(wire)
            return wire
    raise fault


def forbidden_reason(address: Address) -> str | None:
    """Why no setting can allow an address, in words; None for all others.

    IPv4 addresses inside IPv6 addresses are checked too: IPv4-mapped, IPv4-compatible, NAT64, 6to4, Teredo, ISATAP.
    """
    return next((kind for form in spellings(address) if (kind := _kind(form)) is not None), None)


def _kind(address: Address) -> str | None:
    if any(address in network for network in METADATA):
        return "a cloud's metadata address"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast or address == BROADCAST:
        return "a multicast address"
    if address.is_unspecified or address in THIS_NETWORK:
        return "an unspecified address"
    return None


def spellings(address: Address) -> Iterator[Address]:
    """The address, and each IPv4 address that packets to it may reach."""
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    nat64 = any(address in network for network in (*NAT64, TRANSLATED))
    compatible = address in COMPATIBLE and int(address) > 1  # :: and ::1 are not
    isatap = int(address) >> 32 & 0xFFFFFFFF in ISATAP
    if nat64 or compatible or isatap:
        yield last


def _resolved(host: str, port: int, fields: Sequence[str]) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # an over-long label is a UnicodeError
        raise errors.HostNotFound(*fields[:1]) from None
    texts = dict.fromkeys(str(where[0]).partition("%")[0] for _, _, _, _, where in found)
    return [ipaddress.ip_address(text) for text in texts]
