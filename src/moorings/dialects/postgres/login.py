"""How libpq logs in: at checked addresses, with the TLS that the mode asks for, and no password in clear text.

libpq's own `sslmode=prefer` logs in a second time, without TLS, after a login over TLS was refused, and lets a server
ask for the password itself. So libpq is only ever told `disable`, `require` or stricter; for `prefer` one SSLRequest,
sent from here, finds out which of the two. Should the server change its mind between that and libpq's login, then
either libpq refuses to go on (TLS is gone), or the login goes without TLS as it would have a moment before: nothing
that a man in the middle could not do to `prefer` anyway, and without TLS no password is sent in clear text.
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
"""A path where no file is: without one, libpq looks for passwords and certificates in the home of the service."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where libpq goes, and which TLS it speaks there."""

    addresses: Sequence[str]
    mode: SslMode
    """The mode in force."""
    encrypted: bool


@dataclass(frozen=True, slots=True)
class Login:
    """What a driver on libpq needs to log in."""

    conninfo: str
    """libpq's `key = 'value'` string; it holds the password."""
    encrypted: bool
    transport: str
    """What a test's `tls` step says."""


@contextlib.contextmanager
def login(config: TlsConfig, context: SessionContext) -> Generator[Login]:
    """What libpq needs to log in while the block runs: the file of certificates goes with it.

    Raises HostNotFound, EgressRefused, or what kept us from asking the server whether it has TLS.
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
    """Whether a server of PostgreSQL's protocol has TLS: asks for it, after which it waits for the handshake.

    Raises AnotherService, or SessionLost if the server hangs up.
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
    """The path of the certificates to verify with: libpq takes a file, and reads it only while it connects."""
    if not verifies(mode):
        yield NOWHERE  # a file there would have libpq verify with it
    elif config.ssl_root_cert is None:
        yield bundle or ssl.get_default_verify_paths().cafile or "system"
    else:
        with in_file(config.ssl_root_cert) as path:
            yield path


@contextlib.contextmanager
def _client_certificate(config: TlsConfig) -> Generator[Mapping[str, object]]:
    """What has libpq show the client's certificate to a server that asks for one, and nothing of this machine's."""
    if config.ssl_client_cert is None or config.ssl_client_key is None:
        yield {"sslcertmode": "disable"}
        return
    with in_file(config.ssl_client_cert) as chain, in_file(config.ssl_client_key.get_secret_value()) as key:
        # Without a passphrase, libpq would ask the terminal for one.
        passphrase = config.secrets().get("private_key_passphrase", "")
        yield {"sslcertmode": "allow", "sslcert": chain, "sslkey": key, "sslpassword": passphrase}
