"""What names a database elsewhere, read as the fields of a connection: connection URIs and outputs of dbt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moorings.client.cli.exits import UsageError

Taken = tuple[str, Callable[[str], Any]]
"""A field of a connection, and how it is made from the text of a parameter; None leaves it out."""

Parameters = Mapping[str, str | Taken]
"""A parameter's plain name → the field that it sets; `@field` is one whose value is in the file that is named."""


class Unreadable(UsageError):
    """What was given names no database. The message quotes no secret."""


@dataclass
class Location:
    """The fields that were found, the fields whose value is in a file, and the parameters without a counterpart."""

    dialect: str
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    files: dict[str, str] = field(default_factory=dict[str, str])
    ignored: list[str] = field(default_factory=list[str])

    def take(self, parameters: Mapping[str, str], known: Parameters) -> None:
        """Take parameters over. Their names are compared without case, `_`, `-` and `.`."""
        for name, value in parameters.items():
            target = known.get(plain(name))
            if target is None or value == "":
                self.ignored.extend([name] if target is None else [])
            elif isinstance(target, tuple):
                self.set(target[0], target[1](value))
            elif target.startswith("@"):
                self.files[target[1:]] = value
            else:
                self.set(target, value)

    def set(self, name: str, value: Any) -> None:
        """Set a field, unless there is nothing to set."""
        if value not in (None, ""):
            self.fields[name] = value

    @property
    def has_password(self) -> bool:
        """Whether a secret was found."""
        return bool(SECRETS & self.fields.keys())


SECRETS = frozenset({"passwordUnencrypted", "privateKey", "privateKeyPassphrase", "oauthClientSecretUnencrypted"})


def plain(name: str) -> str:
    """A parameter's name, as the tables of known ones have it."""
    return "".join(character for character in name.casefold() if character.isalnum())


def truth(value: str) -> bool | None:
    """A flag in one of its usual spellings; None for other texts."""
    word = str(value).strip().casefold()
    if word in ("true", "1", "yes", "on"):
        return True
    return False if word in ("false", "0", "no", "off") else None


def number(value: str) -> int:
    """A port."""
    try:
        return int(value)
    except ValueError:
        raise Unreadable("the port is not a number") from None


def unless_true(mode: str) -> Callable[[str], str | None]:
    """This mode of TLS where a flag is off, and the dialect's default where it is on."""
    return lambda value: mode if truth(value) is False else None


SSL_MODES = {
    "disable": "disable",
    "disabled": "disable",
    "allow": "prefer",
    "prefer": "prefer",
    "preferred": "prefer",
    "require": "require",
    "required": "require",
    "trust": "require",
    "verifyca": "verify-ca",
    "verifyfull": "verify-full",
    "verifyidentity": "verify-full",
}


def ssl_mode(value: str) -> str:
    """A mode of TLS, in the spelling of any driver."""
    try:
        return SSL_MODES[plain(value)]
    except KeyError:
        raise Unreadable(
            "the value of sslmode is unknown. Use disable, prefer, require, verify-ca or verify-full"
        ) from None


TLS: Parameters = {
    "sslmode": ("sslMode", ssl_mode),
    "sslrootcert": "@sslRootCert",
    "sslca": "@sslRootCert",
    "sslcert": "@sslClientCert",
    "sslkey": "@sslClientKey",
}

LOGIN: Parameters = {
    "host": "host",
    "port": ("port", number),
    "user": "username",
    "username": "username",
    "uid": "username",
    "password": "passwordUnencrypted",
    "pwd": "passwordUnencrypted",
    "database": "database",
    "dbname": "database",
    "databasename": "database",
    "schema": "defaultSchema",
    "currentschema": "defaultSchema",
}
