"""Encryption with a passphrase, in the format of age (https://age-encryption.org/v1): the tool `age` opens it too.

The content is one chunk, so at most 64 KiB: a keyset has less than one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = b"age-encryption.org/v1"
WORK_FACTOR = 17
"""The logarithm of scrypt's cost: 128 MiB of memory, and a third of a second."""
MAX_WORK_FACTOR = 20
CHUNK_BYTES = 64 * 1024
NONCE_BYTES = 16
ONLY_CHUNK = bytes(11) + b"\x01"
"""The nonce of the first chunk that is the last."""
HEADER = re.compile(rb"age-encryption\.org/v1\n-> scrypt ([\w+/]{22}) (\d{1,2})\n([\w+/]{43})\n--- ([\w+/]{43})\n")


def encrypted(content: bytes, passphrase: str) -> bytes:
    """Encrypt at most 64 KiB; raises ValueError for more."""
    if len(content) > CHUNK_BYTES:
        raise ValueError("more than 64 KiB")
    file_key, salt, nonce = secrets.token_bytes(16), secrets.token_bytes(16), secrets.token_bytes(NONCE_BYTES)
    wrapped = ChaCha20Poly1305(_wrapping_key(passphrase, salt, WORK_FACTOR)).encrypt(bytes(12), file_key, None)
    stanza = b"-> scrypt %s %d\n%s\n" % (_base64(salt), WORK_FACTOR, _base64(wrapped))
    signed = VERSION + b"\n" + stanza + b"---"
    header = signed + b" " + _base64(_mac(file_key, signed)) + b"\n"
    return header + nonce + ChaCha20Poly1305(_derived(file_key, nonce, b"payload")).encrypt(ONLY_CHUNK, content, None)


def decrypted(data: bytes, passphrase: str) -> bytes:
    """The content; raises ValueError when the passphrase is another one, or the data was changed."""
    header = HEADER.match(data)
    if header is None or int(header[2]) > MAX_WORK_FACTOR:
        raise ValueError("not encrypted with a passphrase in the format of age")
    salt, factor, wrapped, mac = _bytes(header[1]), int(header[2]), _bytes(header[3]), _bytes(header[4])
    payload = data[header.end() :]
    try:
        file_key = ChaCha20Poly1305(_wrapping_key(passphrase, salt, factor)).decrypt(bytes(12), wrapped, None)
        if not hmac.compare_digest(mac, _mac(file_key, data[: header.start(4) - 1])):
            raise ValueError("the header was changed")
        key = _derived(file_key, payload[:NONCE_BYTES], b"payload")
        return ChaCha20Poly1305(key).decrypt(ONLY_CHUNK, payload[NONCE_BYTES:], None)
    except InvalidTag:
        raise ValueError("the passphrase is another one, or the file was changed") from None


def _wrapping_key(passphrase: str, salt: bytes, factor: int) -> bytes:
    cost = 1 << factor
    salted = VERSION + b"/scrypt" + salt
    memory = 128 * 8 * (cost + 2) + 1024 * 1024
    return hashlib.scrypt(passphrase.encode(), salt=salted, n=cost, r=8, p=1, maxmem=memory, dklen=32)


def _derived(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=purpose).derive(key)


def _mac(file_key: bytes, header: bytes) -> bytes:
    return hmac.digest(_derived(file_key, b"", b"header"), header, "sha256")


def _base64(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _bytes(encoded: bytes) -> bytes:
    return base64.b64decode(encoded + b"=" * (-len(encoded) % 4))
