"""PEM as people paste it: with a byte order mark, quotes, escaped line breaks or text around it, or in base64."""

from __future__ import annotations

import base64
import binascii
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from moorings.dialects.config.blanks import BLANKS

BEGIN, DASHES = "-----BEGIN ", "-----"
QUOTES = "\"'`"
ESCAPED_BREAK = re.compile(r"(?<!\\)\\++(?:r\\*+n|n|r)")
r"""A line break as JSON, shells and environment files write it: `\n`, `\r\n`, and the same escaped twice."""
HEADER = re.compile(r"^[ \t]*([A-Za-z-]+:.*)$", re.MULTILINE)
"""A header of PEM's older encryption, such as `DEK-Info: AES-256-CBC,…`."""


class Damaged(ValueError):
    """A block without an end, or with text that is not base64."""


@dataclass(frozen=True, slots=True)
class Block:
    """The text between one BEGIN and its END."""

    label: str
    data: bytes = field(repr=False)
    headers: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The block as OpenSSL writes it."""
        body = "\n".join(textwrap.wrap(base64.b64encode(self.data).decode(), 64))
        headers = "".join(f"{line}\n" for line in self.headers)
        break_ = "\n" if headers else ""
        return f"-----BEGIN {self.label}-----\n{headers}{break_}{body}\n-----END {self.label}-----\n"


def unwrapped(text: str) -> str:
    """The text without quotes and other text around it, and with restored line breaks."""
    text = text.strip(BLANKS + QUOTES)
    text = ESCAPED_BREAK.sub("\n", text).replace("\\", "").replace("\r\n", "\n").replace("\r", "\n")
    if BEGIN in text:
        return text
    try:
        inner = decoded(text).decode()
    except ValueError:
        return text
    return unwrapped(inner) if BEGIN in inner else text


def decoded(text: str) -> bytes:
    """The decoded base64, in which blanks are ignored. Raises Damaged."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Damaged from None


def blocks(text: str) -> Iterator[Block]:
    """The blocks of an unwrapped text; other text is skipped. Raises Damaged."""
    at = text.find(BEGIN)
    while at >= 0:
        label, found, _ = text[at + len(BEGIN) : at + 100].partition(DASHES)
        begin = at + len(BEGIN) + len(label) + len(DASHES)
        end = text.find(f"-----END {label}-----", begin)
        if not found or end < 0:
            raise Damaged
        body = text[begin:end]
        headers = tuple(HEADER.findall(body))
        yield Block(label, decoded(HEADER.sub("", body)), headers)
        at = text.find(BEGIN, end)
