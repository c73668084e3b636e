"""Asks the system database of SAP HANA for the address of a tenant database, before any login.

The driver would do this itself, and dial any host in the answer. So the request is sent here, on our connection, and
the driver gets checked addresses and no name of a tenant. Source: SAP HANA SQL Command Network Protocol, "Database
Connect Information".
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import Any

from moorings import errors
from moorings.dialects.base import SessionContext
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.network import dialing, https
from moorings.dialects.sap_hana.faults import HUNG_UP
from moorings.dialects.ssl_modes import mode_in_force, verifies

GREETING = b"\xff\xff\xff\xff\x04\x00\x14\x04\x00\x01\x00\x01\x01\x01"
GREETING_ANSWER_BYTES = 8
HEADER, SEGMENT, PART = struct.Struct("<qiIIhBBII"), struct.Struct("<iihhBB10x"), struct.Struct("<BBhiii")
MAX_ANSWER_BYTES = 65_536
DATABASE_CONNECT_INFO, PART_DATABASE_CONNECT_INFO = 82, 67
NAME, HOST, PORT, CONNECTED = 1, 2, 3, 4
"""Options of the request and its answer."""
INTEGER, BOOLEAN, TEXT = 3, 28, 29
"""Types of options."""
FIELDS = ("host", "port")


def locate(config: ConnectionConfig, context: SessionContext, database: str) -> tuple[str, int]:
    """Host and port of a tenant; raises DatabaseNotFound, AnotherService, or errors of dialling and TLS."""
    host, port = config.host or "", config.port or 0
    addresses = context.network.check(host, port, database, *FIELDS)
    with (
        dialing.dial(addresses, port, context.connect_timeout_seconds) as plain,
        _encrypted(plain, config, context) as wire,
    ):
        answer = _answer(wire, database)
    if answer.get(CONNECTED):
        return host, port
    found = answer.get(HOST), answer.get(PORT)
    if not isinstance(found[0], str) or not found[0] or not isinstance(found[1], int):
        raise errors.DatabaseNotFound("database")
    return found[0], found[1]


def _encrypted(wire: socket.socket, config: ConnectionConfig, context: SessionContext) -> socket.socket:
    mode = mode_in_force(config)
    if mode == "disable":
        return wire
    tls = https.context(context.network, config.ssl_root_cert, trust=not verifies(mode))
    tls.check_hostname = mode == "verify-full"
    return tls.wrap_socket(wire, server_hostname=config.host)


def _answer(wire: socket.socket, database: str) -> Mapping[int, Any]:
    """The options of the answer."""
    wire.sendall(GREETING)
    try:
        _exactly(wire, GREETING_ANSWER_BYTES)
    except (ConnectionError, errors.AnotherService):
        raise HUNG_UP from None
    name = database.encode()
    data = bytes([NAME, TEXT]) + struct.pack("<h", len(name)) + name
    part = PART.pack(PART_DATABASE_CONNECT_INFO, 0, 1, 0, len(data), MAX_ANSWER_BYTES) + data + b"\0" * (-len(data) % 8)
    segment = SEGMENT.pack(SEGMENT.size + len(part), 0, 1, 1, 1, DATABASE_CONNECT_INFO) + part
    wire.sendall(HEADER.pack(0, 0, len(segment), MAX_ANSWER_BYTES, 1, 0, 0, 0, 0) + segment)
    size = HEADER.unpack(_exactly(wire, HEADER.size))[2]
    if size > MAX_ANSWER_BYTES:
        raise errors.AnotherService(*FIELDS)
    try:
        return _options(_exactly(wire, size))
    except (struct.error, IndexError, UnicodeError):
        raise errors.AnotherService(*FIELDS) from None


def _options(body: bytes) -> Mapping[int, Any]:
    kind, _, few, many, size, _ = PART.unpack_from(body, SEGMENT.size)
    if kind != PART_DATABASE_CONNECT_INFO:
        raise errors.DatabaseNotFound("database")
    data = body[SEGMENT.size + PART.size :][:size]
    found: dict[int, Any] = {}
    place = 0
    for _ in range(few if few >= 0 else many):
        name, of = data[place], data[place + 1]
        found[name], place = _value(data, of, place + 2)
    return found


def _value(data: bytes, of: int, place: int) -> tuple[Any, int]:
    """One value, and the start of the next option."""
    if of == BOOLEAN:
        return bool(data[place]), place + 1
    if of == INTEGER:
        return struct.unpack_from("<i", data, place)[0], place + 4
    if of != TEXT:
        raise errors.AnotherService(*FIELDS)
    size = struct.unpack_from("<h", data, place)[0]
    return data[place + 2 : place + 2 + size].decode(), place + 2 + size


def _exactly(wire: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = wire.recv(size - len(data))
        if not more:
            raise errors.AnotherService(*FIELDS)
        data += more
    return data
