"""Where the client finds the service and its key: arguments, then the environment, then a profile of `moorings login`.

Profiles are in `profiles.json` in `$XDG_CONFIG_HOME/moorings` (`~/.config/moorings`); the file has mode 0600. A key is
there, or in the system's keyring under the service "moorings" and the profile's name.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from moorings.client.environment import variables
from moorings.client.errors import NotConfigured

KEYRING_SERVICE = "moorings"


@dataclass(slots=True)
class Profile:
    """One service, as one caller."""

    url: str
    key: str | None = field(default=None, repr=False)
    keyring: bool = False
    """The key is in the system's keyring."""
    connection: str | None = None
    """The connection of queries that name none."""


@dataclass(slots=True)
class Profiles:
    """All profiles by name, and the name of the one that is used without `profile`."""

    default: str | None = None
    profiles: dict[str, Profile] = field(default_factory=dict[str, Profile])


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a client needs to begin."""

    url: str
    key: str = field(repr=False)
    connection: str | None = None


def directory() -> Path:
    """The folder of the client's files."""
    base = variables().get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "moorings"


def path() -> Path:
    """The file of the profiles."""
    return directory() / "profiles.json"


def load() -> Profiles:
    """The profiles; none if there is no file. Raises NotConfigured for a file that cannot be read."""
    file = path()
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        listed = {name: Profile(**each) for name, each in found["profiles"].items()}
        return Profiles(found.get("default"), listed)
    except FileNotFoundError:
        return Profiles()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as failed:
        raise NotConfigured(f"{file} cannot be read: {failed}", "Remove it, and run `moorings login`.") from failed


def save(profiles: Profiles) -> None:
    """Write the profiles, readable by their owner alone, and all at once."""
    file = path()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IRUSR | stat.S_IWUSR)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            shown = {name: asdict(profile) for name, profile in profiles.profiles.items()}
            json.dump({"default": profiles.default, "profiles": shown}, opened, indent=2)
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def keyring_key(name: str) -> str | None:
    """The key of a profile in the system's keyring; None without a keyring or without the key."""
    with contextlib.suppress(Exception):  # backends raise errors of their own; none of them may stop a client
        keyring = cast("Any", importlib.import_module("keyring"))
        return keyring.get_password(KEYRING_SERVICE, name)
    return None


def resolve(url: str | None, key: str | None, profile: str | None) -> Resolved:
    """The address and the key to use. A named profile is used before the environment; arguments win over both."""
    environment = variables()
    chosen = profile or environment.get("MOORINGS_PROFILE") or None
    found = None
    if profile or not (url and key):
        found = _profile(chosen)
    env_url, env_key = ("", "") if profile else (environment.get("MOORINGS_URL"), environment.get("MOORINGS_KEY"))
    address = url or env_url or (found[1].url if found else "")
    if not address:
        raise NotConfigured("The address of the service is missing", "Set MOORINGS_URL, or run `moorings login`.")
    # The key of a profile goes to the profile's own address, and to no other.
    same = found is not None and found[1].url.rstrip("/") == address.rstrip("/")
    secret = key or env_key or (_key(*found) if found and same else None)
    if not secret:
        raise NotConfigured(f"No key for {address}", "Set MOORINGS_KEY, or run `moorings login`.")
    return Resolved(address.rstrip("/"), secret, found[1].connection if found and same else None)


def _profile(name: str | None) -> tuple[str, Profile] | None:
    known = load()
    chosen = name or known.default
    if chosen is None:
        return None
    if chosen not in known.profiles:
        if name is None:
            return None
        listed = ", ".join(sorted(known.profiles)) or "none"
        raise NotConfigured(f'There is no profile "{chosen}". Profiles: {listed}', "Run `moorings login`.")
    return chosen, known.profiles[chosen]


def _key(name: str, profile: Profile) -> str | None:
    return keyring_key(name) if profile.keyring else profile.key
