"""The setup of an installation before it serves: its organization, its keyset, a first key."""

from __future__ import annotations

import base64
import secrets as random_secrets

from sqlalchemy.ext.asyncio import AsyncSession

from moorings.access import service
from moorings.access.models import Installation
from moorings.errors import OperatorError
from moorings.secrets import Keyset, Sealed
from moorings.settings import Settings

FINGERPRINT = "fingerprint"


async def keyset(session: AsyncSession, settings: Settings) -> Keyset:
    """The master keyset of this database, made at the very first start.

    Raises OperatorError if the database is bound to a keyset and the file is missing or is another keyset: a new keyset
    could not decrypt the stored secrets.
    """
    stored = await session.get(Installation, "keyset")
    path = settings.keyset_path
    if stored is None:
        made = Keyset.read(path) if path.exists() else Keyset.make(path)
        session.add(Installation(key="keyset", value=str(made.primary_key_id)))
        await session.flush()
        return made
    if not path.exists():
        raise OperatorError(
            f"the keyset {path} is missing, and the secrets in this database are encrypted with it: "
            f"restore the file, or set MOORINGS_KEYSET to its path"
        )
    return checked(Keyset.read(path), int(stored.value))


def checked(given: Keyset, stored_id: int) -> Keyset:
    """The given keyset; raises OperatorError unless it is the one with this primary key id."""
    if given.primary_key_id != stored_id:
        raise OperatorError(
            f"the secrets in this database are encrypted with keyset {stored_id}, not "
            f"{given.primary_key_id}: use the same keyset file on every replica"
        )
    return given


async def fingerprint_key(session: AsyncSession, keyset: Keyset) -> bytes:
    """The key that fingerprints of secrets are made with: random, sealed, the same on every replica."""
    stored = await session.get_one(Installation, FINGERPRINT)
    sealed = Sealed(base64.b64decode(stored.value))
    return bytes.fromhex(keyset.open(sealed, table="installation", column="value", row=FINGERPRINT))


async def make_fingerprint_key(session: AsyncSession, keyset: Keyset) -> None:
    """Make this key if it does not exist."""
    if await session.get(Installation, FINGERPRINT) is None:
        sealed = keyset.seal(random_secrets.token_hex(32), table="installation", column="value", row=FINGERPRINT)
        session.add(Installation(key=FINGERPRINT, value=base64.b64encode(sealed.ciphertext).decode()))
        await session.flush()


async def first_key(session: AsyncSession, settings: Settings) -> str | None:
    """Ensure that a key exists: the operator's own, or a new one; returns the token of a key that it makes."""
    organization_id = await service.the_organization(session)
    if settings.bootstrap_token is not None:
        await service.set_bootstrap_key(session, organization_id, settings.bootstrap_token.get_secret_value())
        return None
    if await service.has_keys(session):
        return None
    return await service.create_key(session, organization_id, "First key")
