"""Invisible characters that are pasted around a text."""

from __future__ import annotations

BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u180e\u2028\u2029\u202f\u205f\u2060\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200C))
)
"""Spaces of every kind, line breaks, and marks of byte order."""


def is_blank(text: str) -> bool:
    """Whether a text has only invisible characters."""
    return not text.strip(BLANKS)
