"""References in files: `${var:NAME}`, `${env:NAME}` and `${file:PATH}`; `$${` is a plain `${`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from moorings.client.ascode.faults import FileFault
from moorings.client.environment import variables

REFERENCE = re.compile(r"\$?\$\{(\w+):([^}]*)\}")
SECRET_KINDS = ("env", "file")


class Missing(FileFault):
    """A reference leads to nothing."""


def mapped(value: Any, change: Callable[[str], Any]) -> Any:
    """A value with each of its texts changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [mapped(each, change) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: mapped(each, change) for name, each in cast("dict[Any, Any]", value).items()}
    return value


def with_variables(text: str, known: Mapping[str, Any]) -> Any:
    """A text with its variables; one that is nothing but a variable takes the variable's type."""
    whole = REFERENCE.fullmatch(text)
    if whole and whole[1] == "var" and not text.startswith("$$"):
        return _variable(whole[2], known)

    def put(found: re.Match[str]) -> str:
        return found[0] if found[0].startswith("$$") or found[1] != "var" else str(_variable(found[2], known))

    return REFERENCE.sub(put, text)


def _variable(name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise Missing(f'There is no variable "{name}". Define it under `variables`, or with --var {name}=…')
    return known[name]


def beside(text: str, folder: Path) -> str:
    """A text whose `${file:…}` paths, which are relative to their YAML file, are those of this process."""

    def put(found: re.Match[str]) -> str:
        if found[1] != "file" or found[0].startswith("$$"):
            return found[0]
        return f"${{file:{folder / Path(found[2]).expanduser()}}}"

    return REFERENCE.sub(put, text)


def is_reference(text: str) -> bool:
    """Whether a text takes all that it has from the environment or a file, so that it is no secret itself."""
    whole = REFERENCE.fullmatch(text)
    return whole is not None and whole[1] in SECRET_KINDS and not text.startswith("$$")


def resolved(text: str) -> str:
    """A text with what its references lead to; raises Missing."""

    def put(found: re.Match[str]) -> str:
        return found[0][1:] if found[0].startswith("$$") else _value(found[1], found[2])

    return REFERENCE.sub(put, text)


def _value(kind: str, name: str) -> str:
    if kind == "env":
        value = variables().get(name)
        if not value:
            raise Missing(f"The environment variable {name} is not set")
        return value
    if kind == "file":
        try:
            return Path(name).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as failed:
            raise Missing(f"{name} cannot be read: {getattr(failed, 'strerror', None) or 'not UTF-8'}") from failed
    raise FileFault(f"${{{kind}:{name}}}: there is no such kind of reference. Use var, env or file")
