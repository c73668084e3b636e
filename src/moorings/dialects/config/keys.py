"""Private keys as people paste them: parses, decrypts and checks them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, SecretStr

from moorings.dialects.config import pem
from moorings.dialects.config.fields import custom_error
from moorings.dialects.config.pem import Block, Damaged

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

MAX_KEY_LENGTH = 20_000
"""The most characters of a private key: 16384 bits fit, and longer texts would cost too much time."""
MAX_ROUNDS = 2_000_000
"""The most work for a passphrase: rounds of PBKDF2, or N × r × p of scrypt. OpenSSL uses 2,048 and 131,072."""
SCRYPT = bytes.fromhex("2b06010401da47040b")
"""The object identifier of scrypt, without its tag and length."""
SMALLEST_RSA = 2048

NO_KEY = "Invalid input"
DAMAGED = "The private key is incomplete or damaged. Paste the whole file"
PUBLIC = "This is a public key or a certificate. Send the private key"
SEVERAL = "Expected one private key, found several"
OPENSSH = "A private key in OpenSSH's own format is not supported. Convert it with ssh-keygen -p -m PKCS8 -f <file>"
ENCRYPTED = "The private key is encrypted. Send its passphrase in privateKeyPassphrase, or a key without a passphrase"
NOT_OPENED = "The passphrase does not decrypt the private key"
TOO_COSTLY = "The key's encryption takes too many rounds. Encrypt it again with openssl pkcs8 -topk8"
NOT_RSA = f"Expected an RSA key of {SMALLEST_RSA} bits or more"


class Unusable(ValueError):
    """A key that cannot be used; the text is a sentence that quotes no part of it."""


class WrongPassphrase(Unusable):
    """The fault is in the passphrase, not in the key."""


def parse_key(text: str) -> str:
    """The one private key in a text, as PEM in OpenSSL's form. Raises Unusable."""
    if len(text) > MAX_KEY_LENGTH:
        raise Unusable(NO_KEY)
    text = pem.unwrapped(text)
    try:
        found = list(pem.blocks(text)) or [Block("PRIVATE KEY", pem.decoded(text))]
    except Damaged:
        raise Unusable(DAMAGED if pem.BEGIN in text else NO_KEY) from None
    keys = [block for block in found if block.label.endswith("PRIVATE KEY")]
    if len(keys) != 1:
        raise Unusable(SEVERAL if keys else PUBLIC)
    if keys[0].label.startswith("OPENSSH"):
        raise Unusable(OPENSSH)
    try:
        return _plain(keys[0]) or keys[0].text
    except Unusable:
        raise Unusable(DAMAGED if pem.BEGIN in text else NO_KEY) from None


def is_key(value: object) -> bool:
    """Whether a value is a text with one private key in it, in whatever form."""
    try:
        return isinstance(value, str) and bool(parse_key(value))
    except Unusable:
        return False


def _plain(block: Block) -> str | None:
    """An unencrypted key as PKCS #8, so that equal keys are equal texts; None for an encrypted one."""
    try:
        return _written(_loaded(block, None))
    except WrongPassphrase:
        if not block.headers:  # base64 without a BEGIN line does not show whether it is encrypted
            return Block("ENCRYPTED PRIVATE KEY", block.data).text
        return None


def _loaded(block: Block, passphrase: str | None) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    password = passphrase.encode() if passphrase else None
    if password is not None and not block.headers and not _is_cheap(block.data):
        raise Unusable(TOO_COSTLY)
    try:
        if block.headers:
            return load_pem_private_key(block.text.encode(), password)
        return load_der_private_key(block.data, password)
    except TypeError:  # encrypted without a passphrase, or not encrypted with one
        if password is not None:
            return _loaded(block, None)
        raise WrongPassphrase(ENCRYPTED) from None
    except (ValueError, UnsupportedAlgorithm):
        raise (Unusable(DAMAGED) if password is None else WrongPassphrase(NOT_OPENED)) from None


def open_key(text: str, passphrase: str | None) -> PrivateKeyTypes:
    """The key that a parsed PEM holds. Raises Unusable."""
    return _loaded(next(pem.blocks(text)), passphrase)


def in_the_clear(key: SecretStr, passphrase: SecretStr | None) -> str:
    """A stored key as PKCS #8 without a passphrase, for drivers that take no passphrase. Raises Unusable."""
    return _written(open_key(key.get_secret_value(), passphrase.get_secret_value() if passphrase else None))


def _written(key: PrivateKeyTypes) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def require_rsa(key: PrivateKeyTypes) -> None:
    """Raise Unusable for a key that is no RSA key, or a short one."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < SMALLEST_RSA:
        raise Unusable(NOT_RSA)


def rsa_faults(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Field and reason of the faults of `private_key` and its passphrase, as sent."""
    key, passphrase = given.get("private_key"), given.get("private_key_passphrase")
    if not isinstance(key, str) or not key or not isinstance(passphrase, str | None):
        return
    try:
        require_rsa(open_key(parse_key(key), passphrase))
    except WrongPassphrase as refused:
        yield ("private_key_passphrase" if passphrase else "private_key"), str(refused)
    except Unusable as refused:
        yield "private_key", str(refused)


# ---- what opening costs ------------------------------------------------------------------------------------------


def _is_cheap(der: bytes) -> bool:
    """Whether an encrypted key needs at most MAX_ROUNDS rounds.

    The key itself, which may come from a stranger, sets their number.
    """
    numbers = list(_numbers(der[:MAX_KEY_LENGTH], 0))
    if SCRYPT in der:
        return math.prod(numbers[:3]) <= MAX_ROUNDS
    return all(number <= MAX_ROUNDS for number in numbers)


def _numbers(der: bytes, depth: int) -> Iterator[int]:
    """The integers of a DER encoding, at any depth; a key's own are inside of an octet string, which is skipped."""
    at = 0
    while at + 2 <= len(der) and depth < 10:  # deeper than any encryption's parameters
        tag, size = der[at], der[at + 1]
        at += 2
        if size & 0x80:
            wide = size & 0x7F
            size, at = int.from_bytes(der[at : at + wide], "big"), at + wide
        value = der[at : at + size]
        at += size
        if tag & 0x20:
            yield from _numbers(value, depth + 1)
        elif tag == 0x02:  # INTEGER
            yield int.from_bytes(value, "big")


def _parsed(value: SecretStr) -> SecretStr:
    try:
        return SecretStr(parse_key(value.get_secret_value()))
    except Unusable as refused:
        raise custom_error(str(refused)) from None


PrivateKey = Annotated[SecretStr, AfterValidator(_parsed)]
"""A private key in any form that people paste; stored as PEM, encrypted if it was sent encrypted."""
