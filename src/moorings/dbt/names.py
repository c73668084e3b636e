"""Checks addresses of repositories, names of branches, and paths, as git allows them."""

from __future__ import annotations

import ipaddress
import re

HOST = r"(?P<host>[A-Za-z0-9][\w.-]*|\[[0-9A-Fa-f:.]+\])"
SSH = re.compile(rf"ssh://(?:[\w.-]+@)?{HOST}(?::(?P<port>[0-9]+))?/[^\s-]\S*", re.ASCII)
SCP = re.compile(rf"(?:[A-Za-z0-9_][\w.-]*@)?{HOST}:(?!//)[^\s:-]\S*", re.ASCII)
"""`git@host:path`; the user, or an alias of the host, may come from the configuration of ssh."""
BRANCH = re.compile(r"(?!-|@$|HEAD$)(?!.*(?:\.\.|@\{|\.$))[^\s~^:?*\[\\\x00-\x20\x7f]+")
"""Texts that no branch name may contain. Source: https://git-scm.com/docs/git-check-ref-format."""
PATH_PATTERN = r"^(?!/)(?!.*\.\.)[^\x00-\x1f\x7f\\:*?\"<>|]+$"
"""A path below the root of a repository, in any script."""


def is_address(text: str) -> bool:
    """Whether a text is the address of a repository that is reached by SSH."""
    found = SSH.fullmatch(text) or SCP.fullmatch(text)
    if found is None:
        return False
    port = found.groupdict().get("port")
    return _is_host(found["host"]) and (port is None or (len(port) < 6 and 1 <= int(port) <= 65535))


def _is_host(host: str) -> bool:
    if not host.startswith("["):
        return True
    try:
        return bool(ipaddress.IPv6Address(host[1:-1]))
    except ValueError:
        return False


def is_branch(text: str) -> bool:
    """Whether git accepts a text as a branch name, not as an option."""
    parts = text.split("/")
    return BRANCH.fullmatch(text) is not None and all(
        part and not part.startswith(".") and not part.endswith(".lock") for part in parts
    )
