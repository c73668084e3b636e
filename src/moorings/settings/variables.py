"""Finds variables that are no settings, and variables that Kubernetes set."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

PREFIX = "MOORINGS_"
OF_TESTS = "MOORINGS_TEST_"
OF_CLIENTS = frozenset({"MOORINGS_URL", "MOORINGS_KEY", "MOORINGS_PROFILE"})
"""Variables of `moorings.client`, which a shell that starts the service may have too."""

OF_A_SERVICE = re.compile(
    r"MOORINGS_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
"""The variables that Kubernetes sets in each container for a Service called `moorings` or `moorings-…`."""
LINK = re.compile(r"(tcp|udp|sctp)://")
"""The value of Kubernetes' `<SERVICE>_PORT`."""

NEAR = 0.85
"""The similarity above which a name in a file counts as a misspelled setting."""


def is_injected(name: str, value: str) -> bool:
    """Whether Kubernetes set a variable.

    Https://kubernetes.io/docs/concepts/services-networking/service/#discovering-services.
    """
    upper = name.upper()
    if OF_A_SERVICE.fullmatch(upper):
        return True
    return upper.startswith(PREFIX) and upper.endswith("_PORT") and LINK.match(value) is not None


def unknown(names: Iterable[str], fields: Iterable[str]) -> list[str]:
    """A sentence for each `MOORINGS_…` name that is no setting."""
    known = [f"{PREFIX}{field.upper()}" for field in fields]
    ours = (name for name in names if name.upper().startswith(PREFIX) and not name.upper().startswith(OF_TESTS))
    return [_sentence(name, known, 0.6) for name in ours if name.upper() not in {*known, *OF_CLIENTS}]


def misspelled(entries: Mapping[str, str | None], fields: Iterable[str]) -> list[str]:
    """The same for the entries of a file.

    It may have entries of other programs, so only names similar to ours count.
    """
    known = [f"{PREFIX}{field.upper()}" for field in fields]
    others = (name for name in entries if not name.upper().startswith(PREFIX))
    near = [name for name in others if difflib.get_close_matches(name.upper(), known, 1, NEAR)]
    ours = [name for name in entries if not is_injected(name, entries[name] or "")]
    return [
        f"{sentence} (in .env)" for sentence in (*unknown(ours, fields), *(_sentence(n, known, NEAR) for n in near))
    ]


def _sentence(name: str, known: list[str], cutoff: float) -> str:
    near = difflib.get_close_matches(name.upper(), known, 1, cutoff)
    return f"{name.upper()}: there is no such setting." + (f" Did you mean {near[0]}?" if near else "")
