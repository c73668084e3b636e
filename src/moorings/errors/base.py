"""The root of all errors, and the error for the operator."""

from __future__ import annotations

import inspect


class MooringsError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        self.message = message or inspect.cleandoc(type(self).__doc__ or "")
        super().__init__(self.message)


class StreamInterrupted(Exception):
    """The result failed after its first rows were sent; the log has the reason."""


class OperatorError(MooringsError):
    """The service cannot start or go on. Its message is one line, for the person at the terminal."""
