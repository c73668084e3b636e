"""The driver's connection, on our socket, with rows that are read on demand.

Imports the driver. The driver verifies every certificate or none, supports only IPv4, and reads a result to its end
before it returns a row; its own conversions lose values that Python's types cannot represent. So the socket is dialled
here, values stay as the server sent them, and rows are read when they are needed.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import redshift_connector
from redshift_connector.config import FC_BINARY, FC_TEXT
from redshift_connector.core import READY_FOR_QUERY, Connection, Cursor
from redshift_connector.utils.oids import RedshiftOID
from redshift_connector.utils.type_utils import (
    bool_recv,
    float4_recv,
    float8_recv,
    int2_recv,
    int4_recv,
    int8_recv,
    oid_recv,
    text_recv,
)

from moorings import errors
from moorings.dialects.base import SessionContext
from moorings.dialects.config.tls import TlsConfig, tls_context
from moorings.dialects.network import dialing
from moorings.dialects.postgres.login import speaks_tls
from moorings.dialects.ssl_modes import may_send_password, mode_in_force, transport, verified

CLEARTEXT = struct.pack("!i", 3)
"""The kind of an AuthenticationRequest for the password itself."""
BATCH_BYTES = 256 * 1024
"""The most bytes that are read for one batch: rows are read one by one, and the first should not wait long."""
AUTHORITIES = Path(redshift_connector.__file__).parent / "files" / "redshift-ca-bundle.crt"
"""The authorities that sign Redshift's certificates, from the driver."""
Codec = tuple[int, Callable[[bytes, int, int], Any]]
BINARY: dict[int, Callable[[bytes, int, int], Any]] = {
    RedshiftOID.BOOLEAN: bool_recv,
    RedshiftOID.SMALLINT: int2_recv,
    RedshiftOID.INTEGER: int4_recv,
    RedshiftOID.BIGINT: int8_recv,
    RedshiftOID.OID: oid_recv,
    RedshiftOID.REAL: float4_recv,
    RedshiftOID.FLOAT: float8_recv,
    RedshiftOID.TIMESTAMP: int8_recv,
    RedshiftOID.TIMESTAMPTZ: int8_recv,
}
"""Binary types → their readers; timestamps stay microseconds. All others are text."""


class Wire(Connection):
    """One login. `pull` reads rows; while a statement has unread rows, no other one can run."""

    def __init__(self, config: TlsConfig, context: SessionContext, address: str | None = None) -> None:
        """Log in at the given checked address, else at the first address of the host that answers."""
        self._config = config
        self._ours = _Dialed(_dial(config, context, address))
        self.address = self._ours.address
        self.encrypted = self._ours.encrypted
        self.transport = transport(config, mode_in_force(config), encrypted=self.encrypted)
        self.pending = False
        self._max_bytes = context.limits.buffer
        try:
            super().__init__(
                user=config.username or "",
                password=config.secrets().get("password", ""),
                database=config.database or "",
                host="127.0.0.1",  # the driver resolves it, but uses our socket, which is already connected
                port=config.port or 0,
                ssl=False,
                application_name=context.application_name,
                client_protocol_version=0,
                max_prepared_statements=0,
            )
        except (KeyError, struct.error):  # a message of an unknown kind
            self._ours.close()
            raise errors.AnotherService("host", "port") from None
        except BaseException:
            self._ours.close()
            raise
        self._ours.settimeout(None)
        self.autocommit = True
        text: Codec = (FC_TEXT, text_recv)
        binary: dict[int, Codec] = {oid: (FC_BINARY, read) for oid, read in BINARY.items()}
        self.redshift_types = defaultdict(lambda: text, binary)

    def handle_AUTHENTICATION_REQUEST(self, data: bytes, cursor: Cursor | None) -> None:  # noqa: N802  # the driver's
        """Answer an AuthenticationRequest; raises CleartextPasswordRefused."""
        if data[:4] == CLEARTEXT and not may_send_password(self._config, mode_in_force(self._config)):
            raise errors.CleartextPasswordRefused("ssl_mode")
        super().handle_AUTHENTICATION_REQUEST(data, cursor)

    @property
    def _usock(self) -> _Dialed:
        return self._ours

    @_usock.setter
    def _usock(self, theirs: socket.socket) -> None:
        theirs.close()

    def ask(self, sql: str) -> list[Sequence[Any]]:
        """Run a statement of our own; returns its rows."""
        cursor = self.cursor()
        self._caches.clear()  # the driver would keep every statement's text
        cursor.execute(sql)
        return list(cursor._cached_rows)  # noqa: SLF001  # fetchall fails where there are no columns

    def start(self, sql: str, parameters: Sequence[Any]) -> Cursor:
        """Run a statement, and wait for its first row or its end."""
        cursor = self.cursor()
        cursor.paramstyle = "format"
        self._caches.clear()
        cursor.execute(sql, list(parameters) or None, merge_socket_read=True)
        self._take(cursor, 1)
        return cursor

    def handle_messages_merge_socket_read(self, cursor: Cursor) -> None:
        """Do not read the rows: the driver calls this after it has sent a statement for `start`."""
        self.error = None
        self.pending = True

    def pull(self, cursor: Cursor, max_rows: int) -> list[Sequence[Any]]:
        """The rows of one batch; none after the last one."""
        self._take(cursor, max_rows)
        rows = list(cursor._cached_rows)  # noqa: SLF001  # where the driver puts them
        cursor._cached_rows.clear()  # noqa: SLF001
        return rows

    def _take(self, cursor: Cursor, max_rows: int) -> None:
        size = 0
        while self.pending and len(cursor._cached_rows) < max_rows and size < BATCH_BYTES:  # noqa: SLF001
            head = self._read(5)
            if len(head) < 5:
                raise self.error or errors.SessionLost()
            code, length = struct.unpack("!ci", head)
            if code not in self.message_types:  # such as what COPY to the client begins with
                raise errors.StatementRefused(message="The statement returns no result. Send a query.")
            if length > self._max_bytes:
                raise errors.ResultTooLarge.of("A row of the result", self._max_bytes)
            self.message_types[code](self._read(length - 4), cursor)
            size += length
            self.pending = code != READY_FOR_QUERY
        if not self.pending and self.error is not None:
            raise self.error

    def close(self) -> None:
        """Close the connection, with its unread rows."""
        with contextlib.suppress(Exception):
            if self.pending:
                self._ours.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(Exception):
            super().close()
        self._ours.close()


class _Dialed:
    """A connected socket, for a driver that dials by itself."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self.encrypted = isinstance(wire, ssl.SSLSocket)
        self.address: str = wire.getpeername()[0]

    def connect(self, _address: object) -> None:
        """Do nothing: the socket is already connected."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)


def _dial(config: TlsConfig, context: SessionContext, address: str | None) -> socket.socket:
    host, port = config.host or "", config.port or 0
    addresses = [address] if address else context.network.check(host, port, config.database, "host", "port")
    wire = dialing.dial(addresses, port, context.connect_timeout_seconds)
    try:
        return _encrypted(wire, config, context)
    except BaseException:
        wire.close()
        raise


def _encrypted(wire: socket.socket, config: TlsConfig, context: SessionContext) -> socket.socket:
    """The socket, with TLS if the mode requires it; `prefer` continues without encryption if the server has no TLS."""
    ssl_context = tls_context(config, context.network)
    if ssl_context is None:
        return wire
    if verified(config) and config.ssl_root_cert is None:
        ssl_context.load_verify_locations(AUTHORITIES)
    if speaks_tls(wire):
        return ssl_context.wrap_socket(wire, server_hostname=config.host)
    if mode_in_force(config) != "prefer":
        raise errors.TlsNotOffered("ssl_mode")
    return wire
