"""The destination of a connection's secrets, and the protection on the way.

A stored secret is not sent to a changed destination: the request that changes it must include the secret again.
Otherwise anyone who may edit a connection could name a server of their own and receive its password.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from moorings.dialects.config.fields import SslMode
from moorings.dialects.config.needs import Login
from moorings.dialects.config.validation import in_order
from moorings.dialects.ssl_modes import MODES, mode_in_force
from moorings.errors import Fault, InvalidInput

if TYPE_CHECKING:
    from moorings.dialects.config.connection import ConnectionConfig

Config = TypeVar("Config", bound="ConnectionConfig")

Changed = Callable[[Any, Any], bool]
"""Whether a field's new value (the second) is a new destination, or a weaker protection, than its old value."""

LOGIN_SECRETS = frozenset({"password", "private_key", "oauth_client_secret"})
"""Secrets that only the logins that name them use. Every login uses any other secret of a Config."""


def another_value(before: Any, after: Any) -> bool:
    """The value is another one."""
    return before != after


def another_host(before: str | None, after: str | None) -> bool:
    """The host is another one, not the same in another spelling."""
    return _host(before) != _host(after)


def another_url(before: str | None, after: str | None) -> bool:
    """The URL is another one, apart from the case of its scheme and host."""
    return _url(before) != _url(after)


def another_domain(before: str | None, after: str | None) -> bool:
    """The part of a user name after `@` is another one."""
    return _domain(before) != _domain(after)


def replaced(before: Any, after: Any) -> bool:
    """A value that was set is now another one, or removed."""
    return before is not None and before != after


def switched_on(before: Any, after: Any) -> bool:
    """A flag that was false is true now."""
    return bool(after) and not before


def weaker(before: SslMode, after: SslMode) -> bool:
    """The TLS mode protects less than the old one."""
    return MODES.index(after) < MODES.index(before)


Destinations = Mapping[str, Changed]
"""Field → the test whether its new value is another destination."""

DESTINATIONS: Destinations = {
    "host": another_host,
    "port": another_value,
    "host_override": another_host,
    "external_oauth_authorization_url": another_url,
    "external_oauth_token_url": another_url,
    "trust_server_certificate": switched_on,
    "ssl_mode": weaker,
    "ssl_root_cert": replaced,
}
"""The destinations of all dialects. A dialect's Config adds its own."""


def with_secrets_kept_home(
    before: Config, after: Config, sent: frozenset[str], default_ssl_mode: SslMode = "require"
) -> Config:
    """The Config after a change of the fields in `sent`, without secrets that must not follow a new destination.

    `default_ssl_mode` is what an absent mode means where the dialect leaves it to the operator.
    Raises InvalidInput for each secret that the login uses and that has to be sent again. Secrets of the dialect's
    other logins are taken away: a later change of the login would send them to the new destination.
    """
    changed = _changed(before, after, sent, default_ssl_mode)
    if changed is None:
        return after
    if faults := _required_again(before, after, sent, changed):
        raise InvalidInput(in_order(type(after), faults))
    return after.model_copy(update=dict.fromkeys(_of_other_logins(before, after, sent)))


def _changed(
    before: ConnectionConfig, after: ConnectionConfig, sent: frozenset[str], default_ssl_mode: SslMode
) -> str | None:
    """The first field, in order, that sends secrets elsewhere; fields that were sent come before derived ones."""
    login = _login(after)
    rules = {**type(after).DESTINATIONS, **(login.destinations if login else {})}
    changed = [
        field
        for field in type(after).model_fields
        if field in rules and rules[field](*(_effective(config, field, default_ssl_mode) for config in (before, after)))
    ]
    return next((field for field in changed if field in sent), changed[0] if changed else None)


def _required_again(
    before: ConnectionConfig, after: ConnectionConfig, sent: frozenset[str], changed: str
) -> dict[str, Fault]:
    """Faults of the stored secrets that the login uses and that were not sent with a new destination."""
    login = _login(after)
    reason = f"Required when {before.wire_name(changed)} changes"
    return {
        field: Fault(before.wire_name(field), "custom", {"reason": reason})
        for field in before.secrets()
        if field not in sent and (field not in LOGIN_SECRETS or (login is not None and field in login.secrets))
    }


def _of_other_logins(before: ConnectionConfig, after: ConnectionConfig, sent: frozenset[str]) -> frozenset[str]:
    """Stored secrets that only other logins of the dialect use."""
    login = _login(after)
    of_others = {field for other in type(after).LOGINS if other is not login for field in other.secrets}
    mine = set(login.secrets) if login else set[str]()
    return frozenset(field for field in before.secrets() if field in of_others - mine and field not in sent)


def _login(config: ConnectionConfig) -> Login | None:
    given = {field: getattr(config, field) for field in type(config).model_fields}
    return config.login({field: value for field, value in given.items() if value is not None})


def _effective(config: ConnectionConfig, field: str, default_ssl_mode: SslMode) -> Any:
    return mode_in_force(config, default_ssl_mode) if field == "ssl_mode" else getattr(config, field)


def _host(host: str | None) -> str | None:
    bare = (host or "").strip().removeprefix("[").removesuffix("]").rstrip("./").casefold()
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return bare or None


def _url(url: str | None) -> object:
    if url is None:
        return None
    parts = urlsplit(url)
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower())


def _domain(user: str | None) -> str:
    return (user or "").rpartition("@")[2].casefold() if "@" in (user or "") else ""
