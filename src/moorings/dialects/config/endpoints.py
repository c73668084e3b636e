"""The hosts of a cloud's services: the usual ones, or those in `hostOverride`."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from moorings.dialects.config.blanks import BLANKS
from moorings.dialects.config.fields import custom_error
from moorings.dialects.config.places import Place
from moorings.dialects.config.urls import encode_url, split_url


def overridden(override: str | None, services: tuple[str, ...], alone: tuple[str, ...]) -> Mapping[str, str]:
    """Service → URL of its endpoint, as `hostOverride` has them; services that it does not name are left out.

    `service=URL, service=URL` names each; one URL stands for the services in `alone`. A host without a scheme means
    https. Hosts are in IDNA's spelling. Raises ValueError for anything else.
    """
    parts = [part.strip() for part in (override or "").split(",") if part.strip()]
    if len(parts) == 1 and "=" not in parts[0]:
        return dict.fromkeys(alone, _url(parts[0]))
    named = dict(part.split("=", 1) for part in parts)
    if unknown := set(named) - set(services):
        raise ValueError(f"{', '.join(sorted(unknown))} is none of {', '.join(services)}")
    return {service: _url(where) for service, where in named.items()}


def _url(where: str) -> str:
    url = where if "://" in where else f"https://{where}"
    parts = split_url(url, ("http", "https"))
    if parts.path not in ("", "/") or "?" in url:
        raise ValueError("an endpoint is a host, or http(s)://host[:port]")
    return encode_url(url).rstrip("/")


def place(services: tuple[str, ...]) -> Place:
    """The mark of a `hostOverride` that names endpoints of these services."""

    def parse(override: str) -> str:
        override = override.strip(BLANKS)
        if reason := fault_in(override, services):
            raise custom_error(reason)
        return override

    return Place(parse)


def fault_in(override: object, services: tuple[str, ...]) -> str | None:
    """The fault of a `hostOverride`; None if it has none."""
    try:
        overridden(override if isinstance(override, str) else None, services, services)
    except ValueError:
        named = ",".join(f"{service}=https://host" for service in services)
        return f"hostOverride must be https://host[:port], or name each service: {named}"
    return None


def host_and_port(url: str) -> tuple[str, int]:
    """Host and port of an endpoint."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
