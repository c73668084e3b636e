"""Logins by libpq: at checked addresses, with the TLS mode of the connection, and without passwords in clear text.

libpq's own `sslmode=prefer` logs in a second time, without TLS, after a login over TLS was refused, and lets a server
ask for the password itself. So libpq only gets `disable`, `require` or stricter modes; for `prefer`, an SSLRequest from
here decides between the first two. If the server changes between that request and libpq's login, then either libpq
refuses to continue (the server no longer has TLS), or the login runs without TLS, as it would have a moment before. A
man in the middle can do the same to `prefer` anyway, and without TLS no password is sent in clear text.
"""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import struct
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from moorings import errors
from moorings.dialects.base import SessionContext
from moorings.dialects.config.certificates import in_file
from moorings.dialects.config.fields import SslMode
from moorings.dialects.config.tls import TlsConfig, tls_context
from moorings.dialects.network import dialing
from moorings.dialects.ssl_modes import may_send_password, mode_for, transport, verifies

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
NOWHERE = "/nonexistent/moorings"
"""A path without a file: by default, libpq looks for passwords and certificates in the home of the service."""


@dataclass(frozen=True, slots=True)
class Route:
    """The addresses that libpq dials, and its TLS mode."""

    addresses: Sequence[str]
    mode: SslMode
    """The mode in force."""
    encrypted: bool


@dataclass(frozen=True, slots=True)
class Login:
    """The login arguments of a driver on libpq."""

    conninfo: str
    """libpq's `key = 'value'` string; it contains the password."""
    encrypted: bool
    transport: str
    """The text of a test's `tls` step."""


@contextlib.contextmanager
def login(config: TlsConfig, context: SessionContext) -> Generator[Login]:
    """Libpq's login arguments while the block runs; the file of certificates is removed after it.

    Raises HostNotFound, EgressRefused, or the error of the request whether the server has TLS.
    """
    way = _route(config, context)
    bundle = context.network.ca_bundle
    with _root_certificates(config, way.mode, bundle) as path, _client_certificate(config) as own:
        text = conninfo(_parameters(config, context, way) | {"sslrootcert": path, **own})
        yield Login(text, way.encrypted, transport(config, way.mode, encrypted=way.encrypted))


def conninfo(parameters: Mapping[str, object]) -> str:
    """Libpq's `key = 'value'` string; parameters that are None are left out."""
    return " ".join(f"{key}={_quoted(str(value))}" for key, value in parameters.items() if value is not None)


def speaks_tls(wire: socket.socket) -> bool:
    """Whether a PostgreSQL server has TLS: sends an SSLRequest, after which the server waits for the handshake.

    Raises AnotherService, or SessionLost if the server closes the connection.
    """
    wire.sendall(SSL_REQUEST)
    answer = wire.recv(1)
    if answer in (b"S", b"N"):
        return answer == b"S"
    raise errors.AnotherService("host", "port") if answer else errors.SessionLost()


def refused_certificate(config: TlsConfig, context: SessionContext) -> ssl.SSLCertVerificationError | None:
    """Why the server's certificate is refused, which libpq does not tell: asks for it once more, without a login."""
    host, port = config.host or "", config.port or 0
    addresses = context.network.check(host, port, config.database, "host", "port")
    tls = tls_context(config, context.network, mode_for(config, addresses, context.default_ssl_mode))
    try:
        with dialing.dial(addresses, port, context.connect_timeout_seconds) as wire:
            if tls is not None and speaks_tls(wire):
                tls.wrap_socket(wire, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        return error
    except (OSError, errors.WarehouseError):  # it answers otherwise now: what libpq said remains
        return None
    return None


def _route(config: TlsConfig, context: SessionContext) -> Route:
    host, port = config.host or "", config.port or 0
    addresses = context.network.check(host, port, config.database, "host", "port")
    mode = mode_for(config, addresses, context.default_ssl_mode)
    if mode != "prefer":
        return Route(addresses, mode, mode != "disable")
    with dialing.dial(addresses, port, context.connect_timeout_seconds) as wire:
        return Route([wire.getpeername()[0]], mode, speaks_tls(wire))


def _parameters(config: TlsConfig, context: SessionContext, way: Route) -> dict[str, object]:
    several = len(way.addresses)
    sslmode = way.mode if way.mode != "prefer" else "require" if way.encrypted else "disable"
    return {
        "host": ",".join([config.host or ""] * several),
        "hostaddr": ",".join(way.addresses),
        "port": ",".join([str(config.port)] * several),
        "user": config.username,
        "password": config.secrets().get("password"),
        "passfile": NOWHERE,
        "dbname": config.database,
        "application_name": context.application_name,
        "connect_timeout": max(2, math.ceil(context.connect_timeout_seconds)),
        "client_encoding": "UTF8",
        "gssencmode": "disable",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "sslmode": sslmode,
        "sslcrl": NOWHERE,
        "require_auth": None if may_send_password(config, way.mode) else "!password",
    }


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@contextlib.contextmanager
def _root_certificates(config: TlsConfig, mode: SslMode, bundle: str | None) -> Generator[str]:
    """The path of the certificates to verify with: libpq needs a file, and reads it only while it connects."""
    if not verifies(mode):
        yield NOWHERE  # libpq would verify with a file there
    elif config.ssl_root_cert is None:
        yield bundle or ssl.get_default_verify_paths().cafile or "system"
    else:
        with in_file(config.ssl_root_cert) as path:
            yield path


@contextlib.contextmanager
def _client_certificate(config: TlsConfig) -> Generator[Mapping[str, object]]:
    """Arguments for the client's certificate.

    Libpq sends it to servers that ask for one, and no certificate of this machine.
    """
    if config.ssl_client_cert is None or config.ssl_client_key is None:
        yield {"sslcertmode": "disable"}
        return
    with in_file(config.ssl_client_cert) as chain, in_file(config.ssl_client_key.get_secret_value()) as key:
        # Without a passphrase, libpq would ask for one on the terminal.
        passphrase = config.secrets().get("private_key_passphrase", "")
        yield {"sslcertmode": "allow", "sslcert": chain, "sslkey": key, "sslpassword": passphrase}
