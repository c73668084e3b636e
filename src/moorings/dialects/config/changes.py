"""A Config after a change: derived values are computed again, and replaced secrets are removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from moorings.dialects.config import places
from moorings.dialects.config.destinations import with_secrets_kept_home
from moorings.dialects.config.fields import SslMode
from moorings.dialects.config.keys import is_key
from moorings.dialects.config.needs import Login
from moorings.errors import UnknownKeys

if TYPE_CHECKING:
    from moorings.dialects.config.connection import ConnectionConfig

Config = TypeVar("Config", bound="ConnectionConfig")

LOGIN_FIELDS = ("password", "private_key", "private_key_passphrase")
"""Secrets that are removed when a change of the login replaces them."""


def changed(before: Config, body: Mapping[str, Any], default_ssl_mode: SslMode) -> Config:
    """The Config after a change; see `ConnectionConfig.changed`."""
    fields = {before.wire_name(field): field for field in type(before).model_fields}
    if unknown := [key for key in body if key not in fields]:
        raise UnknownKeys(unknown)
    sent = {fields[key]: value for key, value in body.items()}
    kept = _kept(before)
    login = None if "authentication_type" in sent else _implied(before, sent)
    if login is not None:
        kept = {field: value for field, value in kept.items() if not _is_replaced(field, login)}
        kept["authentication_type"] = login.name
    merged = {field: value for field, value in (kept | sent).items() if field not in sent or value is not None}
    unchanged = (field for field in places.refused(before) if field not in sent)
    after = before.read({before.wire_name(field): value for field, value in merged.items()}, unchanged)
    return with_secrets_kept_home(before, after, frozenset(sent), default_ssl_mode)


def _kept(before: ConnectionConfig) -> dict[str, Any]:
    """The values that stay: all that are set, except those that are derived again."""
    derived = {"port": before.default("port")} | before.derived_anew()
    values = {**before.public(), **before.secrets()}
    return {
        field: value
        for field, value in values.items()
        if value is not None and (field not in derived or value != derived[field])
    }


def _implied(before: ConnectionConfig, sent: Mapping[str, Any]) -> Login | None:
    """The login method that the fields of a change imply by being sent or removed; None if they imply none.

    A key that is sent replaces the password as the way to log in, and a password the key.
    """
    first, *others = before.LOGINS
    now = before.login({"authentication_type": before.authentication_type}) or first
    marks = {login.inferred_from: login for login in others if login.inferred_from and not login.unless}
    for mark, login in marks.items():
        if sent.get(mark) and (mark != "private_key" or is_key(sent[mark])):  # only a valid key replaces the password
            return login if login is not now else None
    if now.inferred_from in sent:
        return first
    replaces = any(sent.get(field) and field in LOGIN_FIELDS and field not in now.secrets for field in first.requires)
    return first if replaces else None


def _is_replaced(field: str, login: Login) -> bool:
    return field in LOGIN_FIELDS and field not in login.secrets
