"""Certificates, as people paste them: authorities to verify servers with, and a client's own for mutual TLS."""

from __future__ import annotations

import contextlib
import functools
import os
import ssl
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from moorings.dialects.config import pem
from moorings.dialects.config.fields import custom_error
from moorings.dialects.config.keys import Unusable, WrongPassphrase, open_key, parse_key
from moorings.dialects.config.pem import Block, Damaged
from moorings.dialects.config.places import Place

if TYPE_CHECKING:
    from moorings.dialects.config.connection import ConnectionConfig

EXPECTED = "expected PEM certificates"
DAMAGED = "A certificate is incomplete or damaged. Paste the whole file"
NO_KEYS = "Expected certificates only, found a private key. Send it in sslClientKey"
LABELS = ("CERTIFICATE", "X509 CERTIFICATE")
TRUSTED = "TRUSTED CERTIFICATE"
NO_PAIR = "The private key does not belong to the certificate in sslClientCert"
NEEDS_KEY = "Required with sslClientCert"
NEEDS_CERTIFICATE = "Required with sslClientKey"


@functools.lru_cache(maxsize=64)
def _clean(text: str) -> str:
    """The certificates of a text, as OpenSSL writes them. Raises PydanticCustomError."""
    text = pem.unwrapped(text)
    try:
        found = list(pem.blocks(text)) or [Block(LABELS[0], pem.decoded(text))]
    except Damaged:
        raise custom_error(DAMAGED if pem.BEGIN in text else EXPECTED) from None
    if any(block.label.endswith("PRIVATE KEY") for block in found):
        raise custom_error(NO_KEYS)
    chain = [Block(LABELS[0], block.data) for block in found if block.label in LABELS]
    if not chain:
        raise custom_error(EXPECTED)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    known: set[bytes] = set()
    for block in chain:
        known.add(block.data)
        try:
            context.load_verify_locations(cadata=block.data)
        except (ssl.SSLError, ValueError):
            raise custom_error(DAMAGED) from None
        if context.cert_store_stats()["x509"] != len(known):
            raise custom_error(DAMAGED)
    return "".join(block.text for block in chain)


def parse_certificates(text: str) -> str:
    """The text as it was written, once every certificate in it can be read. Raises PydanticCustomError."""
    _clean(text)
    return text


Certificates = Annotated[str, Place(parse_certificates, _clean)]
"""Certificates in PEM; a driver gets them without other text around them."""


# ---- mutual TLS --------------------------------------------------------------------------------------------------


def client_faults(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Field and reason of the faults of a client's certificate together with its key."""
    chain, key = given.get("ssl_client_cert"), given.get("ssl_client_key")
    passphrase = given.get("private_key_passphrase")
    if bool(chain) != bool(key):
        yield ("ssl_client_key", NEEDS_KEY) if chain else ("ssl_client_cert", NEEDS_CERTIFICATE)
    if not (isinstance(chain, str) and isinstance(key, str) and isinstance(passphrase, str | None) and chain and key):
        return
    try:
        if not _belongs(parse_key(key), passphrase, _clean(chain)):
            yield "ssl_client_key", NO_PAIR
    except WrongPassphrase as refused:
        yield ("private_key_passphrase" if passphrase else "ssl_client_key"), str(refused)
    except Unusable as refused:
        yield "ssl_client_key", str(refused)
    except ValueError:  # the certificate: its own field has the fault
        return


def _belongs(key: str, passphrase: str | None, chain: str) -> bool:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    certificate = x509.load_pem_x509_certificates(chain.encode())[0]
    return certificate.public_key().public_bytes(*form) == open_key(key, passphrase).public_key().public_bytes(*form)


def present(context: ssl.SSLContext, config: ConnectionConfig) -> None:
    """Make a TLS context send the client's certificate to servers that ask for one."""
    if config.ssl_client_cert is None or config.ssl_client_key is None:
        return
    passphrase = config.secrets().get("private_key_passphrase", "")
    with in_file(config.ssl_client_cert) as chain, in_file(config.ssl_client_key.get_secret_value()) as key:
        context.load_cert_chain(chain, key, lambda: passphrase)  # without a callable, OpenSSL would ask the terminal


@contextlib.contextmanager
def in_file(text: str) -> Generator[str]:
    """The path of a file with a text, for drivers that take paths; only this process's user may read it.

    On Linux the file is in memory alone.
    """
    if sys.platform != "linux":
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(text)
            file.flush()
            yield file.name
        return
    descriptor = os.memfd_create("pem")
    with open(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)  # libpq refuses a key that others may read
        file.write(text)
        file.flush()
        yield f"/proc/self/fd/{descriptor}"
