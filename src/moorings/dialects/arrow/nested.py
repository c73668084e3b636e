"""Parses types that are written with brackets, such as `Map(String, Array(Int8))`."""

from __future__ import annotations

import re

PART = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"]|\"\")*\"|[^'`\"(),]+|[(),]|['`\"].*", re.DOTALL)
FIELD = re.compile(r"(`(?:[^`\\]|\\.)*`|\"(?:[^\"]|\"\")*\"|\w+)\s+(\S.*)", re.DOTALL)


def parse_nested(native: str) -> tuple[str, list[str]]:
    """The name of a type, and the parts in its brackets, split at commas."""
    name, bracket, rest = native.strip().partition("(")
    return name.strip(), arguments(rest[: rest.rindex(")")]) if bracket else []


def arguments(text: str) -> list[str]:
    """The texts between the outermost commas."""
    found, depth = [list[str]()], 0
    for part in PART.findall(text):
        depth += {"(": 1, ")": -1}.get(part, 0)
        if part == "," and depth == 0:
            found.append([])
        else:
            found[-1].append(part)
    return ["".join(parts).strip() for parts in found]


def field(argument: str) -> tuple[str | None, str]:
    """Name and type of a struct's field: the name with its quotes, None if there is only a type."""
    named = FIELD.fullmatch(argument)
    return (named[1], named[2]) if named else (None, argument)
