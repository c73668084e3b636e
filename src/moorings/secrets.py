"""Sealing: authenticated encryption of values that must never be on disk in the clear.

A ciphertext is bound to its place (table, column, row id) as associated data, so that one copied to another row does
not open. The master keyset is Tink's (AES-256-GCM), a JSON file of mode 0600.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Self

import tink
from tink import aead, secret_key_access

from moorings.errors import OperatorError

aead.register()


class Sealed:
    """A ciphertext. Its repr is `***`, so that neither it nor its plaintext reaches a log by accident."""

    __slots__ = ("ciphertext",)

    def __init__(self, ciphertext: bytes) -> None:
        self.ciphertext = ciphertext

    def __repr__(self) -> str:
        return "***"


class Keyset:
    """The master keyset: seals and opens values by place."""

    def __init__(self, handle: tink.KeysetHandle) -> None:
        self._aead = handle.primitive(aead.Aead)
        self.primary_key_id = handle.keyset_info().primary_key_id

    def __repr__(self) -> str:
        return f"Keyset({self.primary_key_id})"

    def seal(self, value: str, *, table: str, column: str, row: str) -> Sealed:
        """Encrypt a value for exactly one place."""
        return Sealed(self._aead.encrypt(value.encode(), _place(table, column, row)))

    def open(self, sealed: Sealed, *, table: str, column: str, row: str) -> str:
        """Decrypt a value; raises OperatorError when it was sealed for another place or by another keyset."""
        try:
            return self._aead.decrypt(sealed.ciphertext, _place(table, column, row)).decode()
        except tink.TinkError:
            raise OperatorError(
                f"cannot decrypt a value of {table}: the keyset is another one, or the value was moved"
            ) from None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the keyset file; raises OperatorError when it is missing, unreadable or no keyset."""
        try:
            return cls(tink.json_proto_keyset_format.parse(path.read_text(), secret_key_access.TOKEN))
        except OSError as refused:
            raise OperatorError(f"cannot read the keyset {path}: {refused.strerror}") from None
        except (tink.TinkError, UnicodeDecodeError):
            raise OperatorError(f"{path} is not a Tink keyset in JSON") from None

    @classmethod
    def make(cls, path: Path) -> Self:
        """Create a new keyset and its file (mode 0600) atomically; a file that appeared meanwhile is kept."""
        handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
        text = tink.json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN)
        # A unique name: process ids are reused, and in a container each start has the same one.
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        except FileExistsError:
            return cls.read(path)
        except OSError as refused:
            raise OperatorError(f"cannot write the keyset {path}: {refused.strerror}") from None
        finally:
            draft.unlink(missing_ok=True)
        return cls(handle)


def _place(table: str, column: str, row: str) -> bytes:
    return f"{table}.{column}.{row}".encode()
