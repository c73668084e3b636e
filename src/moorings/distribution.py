"""How this copy of Moorings was installed, and the command that adds an extra to it.

No command names `moorings` as a package of an index: nobody knows who owns that name there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

Kind = Literal["checkout", "container", "wheel"]

NOT_BY_DEFAULT = frozenset({"mssql", "sap-hana"})
"""Extras that `make serve` leaves out: one needs a library of the system, one has a licence of its own."""
CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder of the checkout, if this is one."""
CONTAINER_MARK = "moorings-container"
"""The file in the environment's folder that deploy/Dockerfile makes."""


def kind() -> Kind:
    """How this copy was installed."""
    if Path(sys.prefix, CONTAINER_MARK).exists():
        return "container"
    return "checkout" if (CHECKOUT / "Makefile").is_file() and (CHECKOUT / "src" / "moorings").is_dir() else "wheel"


def install_command(extra: str, of: Kind | None = None) -> str:
    """The command that installs what an extra needs."""
    match of or kind():
        case "checkout":
            return "EXTRAS=all make install" if extra in NOT_BY_DEFAULT else "make install"
        case "container":
            return "docker build --build-arg EXTRAS=all --file deploy/Dockerfile ."
        case "wheel":
            return f"pip install {' '.join(repr(each) for each in requirements(extra))}"


def requirements(extra: str) -> list[str]:
    """The argument for pip that installs an extra: `oracledb>=26.1`."""
    return list(dict.fromkeys(_requirements(extra)))


def _requirements(extra: str) -> Iterator[str]:
    import importlib.metadata  # 30 ms, which only a missing driver costs

    pattern = re.compile(rf"extra == ['\"]{re.escape(extra)}['\"]")
    for line in importlib.metadata.requires("moorings") or []:
        requirement, _, marker = line.partition(";")
        if not pattern.search(marker):
            continue
        shared = re.fullmatch(r"moorings\[(.+)\]", requirement.strip())
        for each in shared[1].split(",") if shared else ():
            yield from _requirements(each)
        if not shared:
            yield requirement.strip()


def packages(extra: str | None) -> list[str]:
    """The names of the packages that an extra installs."""
    return [re.split(r"[^\w.-]", each, maxsplit=1)[0] for each in requirements(extra)] if extra else []
