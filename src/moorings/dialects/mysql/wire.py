"""The driver's connection for the MySQL family, and how it logs in. Imports the driver.

The socket is dialled here, to a checked address. The greeting says whether the server has TLS, so `prefer` takes one
login. A server that asks for the password itself, or for a form of it that it can read, gets it over verified TLS only.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Sequence
from typing import Any, NoReturn

from asyncmy.connection import Connection
from asyncmy.constants.CLIENT import MULTI_STATEMENTS, SSL
from asyncmy.converters import conversions
from asyncmy.errors import InternalError
from asyncmy.protocol import FieldDescriptorPacket, MysqlPacket

from moorings import errors
from moorings.dialects.base import ByteLimits, SessionContext
from moorings.dialects.config.fields import SslMode
from moorings.dialects.config.tls import tls_context
from moorings.dialects.mysql.config import FamilyConfig
from moorings.dialects.network.dialing import Network, dial
from moorings.dialects.ssl_modes import may_send_password, mode_for, transport

ENCODERS: dict[object, object] = {kind: encode for kind, encode in conversions.items() if not isinstance(kind, int)}
"""How parameters are written. What is read stays bytes: Arrow converts columns faster than the driver does values."""
MAX_COLUMNS = 20_000
"""Of one call: MySQL and MariaDB allow 4,096 in a result, StarRocks 10,000."""
REVEALING_PLUGINS = ("mysql_clear_password", "dialog", "mysql_old_password")
"""Plugins of authentication by which a server learns the password, or a hash that gives it away."""


class Refusal:
    """The driver's handler of a plugin that is not to be used."""

    def __init__(self, _connection: Connection) -> None:
        """Take what the driver gives every handler."""

    def authenticate(self, _packet: object) -> NoReturn:
        """Refuse, before anything was sent."""
        raise errors.CleartextPasswordRefused("ssl_mode")


class Wire(Connection):
    """A connection that takes one statement at a time, and does with TLS what the mode asks, before it says a word."""

    config: FamilyConfig
    network: Network
    mode: SslMode
    address: str
    max_bytes = ByteLimits().buffer
    """What one call may take from the network beyond what has arrived already."""
    awaited = 0
    described = 0

    @property
    def encrypted(self) -> bool:
        """Whether the transport is TLS."""
        return self._ssl_context is not None

    @property
    def transport(self) -> str:
        """What a test says of the transport."""
        return transport(self.config, self.mode, encrypted=self.encrypted)

    @property
    def _reveals(self) -> bool:
        return may_send_password(self.config, self.mode)

    def take_anew(self) -> None:
        """Begin to count what is taken from the network: a call begins."""
        self.awaited = self.described = 0

    async def _fill_buffer(self, need: int) -> None:
        """Wait for so many bytes, which the server announces: a packet of any length, and so many packets a value."""
        self.awaited += need
        if self.awaited > self.max_bytes:
            raise errors.ResultTooLarge.of("A row of the result", self.max_bytes)
        inherited: Any = super()  # the driver's stubs leave it out
        await inherited._fill_buffer(need)  # noqa: SLF001  # where every read from the network begins

    async def read_packet(self, packet_type: type[Any] = MysqlPacket) -> Any:
        """Read a packet; the server announces as many columns as it likes, each with a packet."""
        if packet_type is FieldDescriptorPacket:
            self.described += 1
            if self.described > MAX_COLUMNS:
                raise errors.ResultTooLarge(message=f"The result has more than {MAX_COLUMNS} columns. Select fewer.")
        inherited: Any = super()  # the driver's stubs know no kinds of packets
        return await inherited.read_packet(packet_type)

    async def _get_server_information(self) -> None:
        try:
            await super()._get_server_information()
        except (InternalError, struct.error, IndexError) as error:
            if isinstance(error.args[0], int):  # a server of the family refuses by numbers
                raise
            raise errors.AnotherService("host", "port") from None
        self._client_flag &= ~MULTI_STATEMENTS
        if self.server_capabilities & SSL:
            self._use_tls()
        elif self.mode not in ("disable", "prefer"):
            raise errors.TlsNotOffered("ssl_mode")

    def _use_tls(self) -> None:
        """Have the driver turn to TLS: given at its making, it would begin with it, as no server of the family does."""
        self._ssl_context = tls_context(self.config, self.network, self.mode)
        if self._ssl_context is not None:
            self._client_flag |= SSL

    @property
    def _server_public_key(self) -> bytes | None:
        """The key that the server names, for the password. The driver asks for it where it has no TLS."""
        if not self._reveals:
            raise errors.CleartextPasswordRefused("ssl_mode")
        return self._key

    @_server_public_key.setter
    def _server_public_key(self, key: bytes | None) -> None:
        self._key = key

    def close(self) -> None:
        """Hang up at once: the driver would wait for the goodbye of TLS, and the loop ends before it comes."""
        if self._transport is not None:
            self._transport.abort()
        super().close()


def checked_addresses(config: FamilyConfig, context: SessionContext) -> Sequence[str]:
    """The addresses of the server that may be dialled; raises HostNotFound or EgressRefused."""
    return context.network.check(config.host or "", config.port or 3306, config.database, "host", "port")


async def login(config: FamilyConfig, context: SessionContext, addresses: Sequence[str], database: str | None) -> Wire:
    """A connection that has logged in, at the first of the addresses that answers."""
    seconds = context.connect_timeout_seconds
    mode = mode_for(config, addresses, context.default_ssl_mode)
    wire = _wire(config, context, dial(addresses, config.port or 3306, seconds), database, mode)
    try:
        async with asyncio.timeout(seconds):  # the driver's own ends with the TCP handshake
            await wire.connect()
    except BaseException:
        await disconnect(wire)
        raise
    return wire


def _wire(
    config: FamilyConfig, context: SessionContext, dialled: socket.socket, database: str | None, mode: SslMode
) -> Wire:
    dialled.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    refused = () if may_send_password(config, mode) else REVEALING_PLUGINS
    wire = Wire(
        sock=dialled,
        host=config.host,
        port=config.port or 3306,
        user=config.username,
        password=config.secrets().get("password", "").encode(),
        database=database,
        charset="utf8mb4",
        autocommit=True,
        conv=ENCODERS,
        use_unicode=False,
        connect_timeout=context.connect_timeout_seconds,
        program_name=context.application_name,
        auth_plugin_map=dict.fromkeys(refused, Refusal),
    )
    wire.config, wire.network, wire.mode = config, context.network, mode
    wire.max_bytes = context.limits.buffer
    wire.address = dialled.getpeername()[0]
    return wire


async def disconnect(wire: Wire) -> None:
    """Close, and let the loop see it: a loop that ends before leaves the socket open."""
    wire.close()
    for _ in range(3):
        await asyncio.sleep(0)
