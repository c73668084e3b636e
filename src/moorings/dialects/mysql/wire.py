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
from moorings.dialects.config.tls import NO_CLIENT_CERTIFICATE, tls_context
from moorings.dialects.mysql.config import FamilyConfig
from moorings.dialects.mysql.faults import LOST
from moorings.dialects.network.dialing import Network, dial
from moorings.dialects.ssl_modes import may_send_password, mode_for, transport

ENCODERS: dict[object, object] = {kind: encode for kind, encode in conversions.items() if not isinstance(kind, int)}
"""Converters for parameters. Results stay bytes: Arrow converts columns faster than the driver converts values."""
MAX_COLUMNS = 20_000
"""The most columns of a result: MySQL and MariaDB allow 4,096, StarRocks 10,000."""
REVEALING_PLUGINS = ("mysql_clear_password", "dialog", "mysql_old_password")
"""Authentication plugins by which a server learns the password, or a hash that reveals it."""


class Refusal:
    """The driver's handler of a plugin that must not be used."""

    def __init__(self, _connection: Connection) -> None:
        """Accept the driver's arguments for handlers."""

    def authenticate(self, _packet: object) -> NoReturn:
        """Refuse, before anything was sent."""
        raise errors.CleartextPasswordRefused("ssl_mode")


class Wire(Connection):
    """A connection that runs one statement at a time, and applies the TLS mode before it sends anything."""

    config: FamilyConfig
    network: Network
    mode: SslMode
    address: str
    max_bytes = ByteLimits().buffer
    """The bytes that one call may still receive, beyond those that have arrived already."""
    awaited = 0
    described = 0

    @property
    def encrypted(self) -> bool:
        """Whether the transport is TLS."""
        return self._ssl_context is not None

    @property
    def transport(self) -> str:
        """The text of a test's `tls` step."""
        return transport(self.config, self.mode, encrypted=self.encrypted)

    @property
    def _reveals(self) -> bool:
        return may_send_password(self.config, self.mode)

    def take_anew(self) -> None:
        """Reset the count of received bytes at the start of a call."""
        self.awaited = self.described = 0

    async def _fill_buffer(self, need: int) -> None:
        """Wait for this many bytes, as the server announced.

        A packet can have any length, and a value any number of packets.
        """
        self.awaited += need
        if self.awaited > self.max_bytes:
            raise errors.ResultTooLarge.of("A row of the result", self.max_bytes)
        inherited: Any = super()  # the driver's stubs leave it out
        await inherited._fill_buffer(need)  # noqa: SLF001  # where every read from the network begins

    async def read_packet(self, packet_type: type[Any] = MysqlPacket) -> Any:
        """Read a packet; the server can announce any number of columns, one per packet."""
        if packet_type is FieldDescriptorPacket:
            self.described += 1
            if self.described > MAX_COLUMNS:
                raise errors.ResultTooLarge(message=f"The result has more than {MAX_COLUMNS} columns. Select fewer.")
        inherited: Any = super()  # the driver's stubs have no kinds of packets
        return await inherited.read_packet(packet_type)

    async def _get_server_information(self) -> None:
        try:
            await super()._get_server_information()
        except (InternalError, struct.error, IndexError) as error:
            if isinstance(error.args[0], int):  # servers of the family refuse with error numbers
                raise
            raise errors.AnotherService("host", "port") from None
        self._client_flag &= ~MULTI_STATEMENTS
        if self.server_capabilities & SSL:
            self._use_tls()
        elif self.mode not in ("disable", "prefer"):
            raise errors.TlsNotOffered("ssl_mode")

    def _use_tls(self) -> None:
        """Make the driver switch to TLS.

        As a constructor argument, TLS would come first, which no server of the family supports.
        """
        self._ssl_context = tls_context(self.config, self.network, self.mode)
        if self._ssl_context is not None:
            self._client_flag |= SSL

    @property
    def _server_public_key(self) -> bytes | None:
        """The server's public key, which encrypts the password. The driver requests it without TLS."""
        if not self._reveals:
            raise errors.CleartextPasswordRefused("ssl_mode")
        return self._key

    @_server_public_key.setter
    def _server_public_key(self, key: bytes | None) -> None:
        self._key = key

    def close(self) -> None:
        """Close the socket at once: the driver would wait for the end of TLS, and the loop ends before that arrives."""
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
        async with asyncio.timeout(seconds):  # the driver's own limit ends with the TCP handshake
            await wire.connect()
    except BaseException as error:
        await disconnect(wire)
        if config.ssl_client_cert is not None and error.args[:1] in ((code,) for code in LOST):
            # A server that refuses the certificate may close the connection before its alert can be read.
            raise NO_CLIENT_CERTIFICATE.with_detail("") from None
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
    """Close, and let the loop process it: otherwise the socket stays open."""
    wire.close()
    for _ in range(3):
        await asyncio.sleep(0)
