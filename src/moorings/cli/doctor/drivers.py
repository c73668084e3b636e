"""Whether the drivers of dialects are installed."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable

from moorings import dialects, distribution
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
    missing = [package for package in distribution.packages(dialect.extra) if not _installed(package)]
    if not missing or dialect.extra is None:
        return Finding(name, "ok", "its driver is installed")
    remedy = f"{', '.join(missing)} is missing: {distribution.install_command(dialect.extra)}"
    return Finding(name, "fail", f"connections use it, and {remedy}") if used else Finding(name, "note", remedy)


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
