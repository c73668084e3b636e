"""Whether the drivers of dialects are installed."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable

from moorings import dialects
from moorings.cli.doctor.findings import Finding
from moorings.cli.doctor.stored import stored
from moorings.dialects.base import Dialect
from moorings.errors import OperatorError
from moorings.settings import Settings


def examine(settings: Settings) -> Iterable[Finding]:
    """A finding for each dialect. A driver that is missing is a fault only if a connection uses it."""
    try:
        found = stored(settings)
    except OperatorError:
        found = None
    used = found.dialects if found else frozenset[str]()
    for dialect in map(dialects.named, dialects.names()):
        if dialect.abilities.connects:
            yield _driver(dialect, used=dialect.name in used)


def _driver(dialect: Dialect, *, used: bool) -> Finding:
    name = f"dialect {dialect.name}"
    missing = [package for package in _packages(dialect.extra) if not _installed(package)]
    if not missing:
        return Finding(name, "ok", "its driver is installed")
    remedy = f"{', '.join(missing)} is missing: pip install 'moorings[{dialect.extra}]'"
    return Finding(name, "fail", f"connections use it, and {remedy}") if used else Finding(name, "note", remedy)


def _packages(extra: str | None) -> list[str]:
    """The distributions that an extra installs."""
    needed = importlib.metadata.requires("moorings") or []
    pattern = re.compile(rf"extra == ['\"]{extra}['\"]")
    return [found.group() for line in needed if pattern.search(line) and (found := re.match(r"[\w.-]+", line))]


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
