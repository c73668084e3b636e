"""The kinds of a Config's fields, read from their annotations."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, get_args

from pydantic import SecretStr

if TYPE_CHECKING:
    from moorings.dialects.config.connection import ConnectionConfig


@functools.cache
def secret_fields(config: type[ConnectionConfig]) -> tuple[str, ...]:
    """The fields that are sealed when stored."""
    return tuple(field for field, info in config.model_fields.items() if bare(info.annotation) is SecretStr)


@functools.cache
def kind(config: type[ConnectionConfig], field: str) -> str:
    """A field's type in a word: string, number, boolean, enum or list."""
    if config.allowed(field):
        return "enum"
    kinds = {str: "string", SecretStr: "string", int: "number", bool: "boolean"}
    return kinds.get(bare(config.model_fields[field].annotation), "list")


def bare(annotation: Any) -> Any:
    """An annotation without its checks and its None."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    if type(None) in get_args(annotation):
        return bare(next(part for part in get_args(annotation) if part is not type(None)))
    return annotation
