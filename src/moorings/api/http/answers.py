"""Structs that several resources' responses share, in camelCase.

A secret cannot leak through a struct that has no field for it.
"""

from __future__ import annotations

import msgspec

from moorings.clock import iso as instant

__all__ = ["Changed", "Done", "Shape", "instant"]


class Shape(msgspec.Struct, rename="camel"):
    """The base of all answers."""


class Done(Shape, kw_only=True):
    """The change is made."""

    success: bool = True


class Changed(Shape, kw_only=True):
    """The change is made. `message` names the change, `warnings` the users and keys that now get another connection."""

    success: bool = True
    message: str
    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET
