"""How much memory the values of a JSON text take: a short text can stand for very many of them."""

from __future__ import annotations

from moorings import errors

OBJECT, ARRAY, VALUE = 232, 88, 64
"""About the bytes that Python takes for an object, an array, and each further value in one of them."""
ROOM = 6
"""How often the limit of an answer fits into the memory of its values: `[[],[],[]` takes twenty times its length."""


def check_values(text: bytes | str, max_bytes: int) -> None:
    """Check a JSON text before it is decoded; raises ResultTooLarge. What stands inside of strings counts too."""
    objects, arrays, values = _counts(text)
    if objects * OBJECT + arrays * ARRAY + values * VALUE > ROOM * max_bytes:
        raise errors.ResultTooLarge.of("The warehouse's answer", max_bytes)


def _counts(text: bytes | str) -> tuple[int, int, int]:
    if isinstance(text, str):
        return text.count("{"), text.count("["), text.count(",")
    return text.count(b"{"), text.count(b"["), text.count(b",")
