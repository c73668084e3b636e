"""Where a statement ends: at a `;` outside of quotes, comments and dollar quotes."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
    '(?:[^']|'')*(?P<text>'|\Z)            # 'text'
    | "(?:[^"]|"")*(?P<name>"|\Z)          # "name"
    | `[^`]*(?P<tick>`|\Z)                 # `name`
    | \$(?P<tag>\w*)\$.*?(?P<dollar>\$(?P=tag)\$|\Z)
    | --[^\n]*
    | /\*.*?(?P<comment>\*/|\Z)
    | (?P<end>;)
    | [^'"`$\-/;]+ | .
    """,
    re.DOTALL | re.VERBOSE,
)


def split(text: str) -> tuple[list[str], str]:
    """The whole statements of a text, without their `;`, and the rest that has no end yet."""
    if text.lstrip().startswith("\\"):  # a command of the shell, which may have quotes of its own
        return [], text
    found: list[str] = []
    start = 0
    for token in _TOKEN.finditer(text):
        if token["end"]:
            if (statement := text[start : token.start()].strip()) and has_sql(statement):
                found.append(statement)
            start = token.end()
    return found, text[start:]


def has_sql(text: str) -> bool:
    """Whether a text has anything but blanks and comments."""
    return any(not token[0].startswith(("--", "/*")) and token[0].strip() for token in _TOKEN.finditer(text))


def is_whole(text: str) -> bool:
    """Whether Enter runs a text: a command of the shell, nothing at all, or statements that all have their end."""
    rest = text if text.lstrip().startswith("\\") else split(text)[1]
    return rest.lstrip().startswith("\\") or not has_sql(rest)
