"""The environment of the process that uses the client: the only place of the client that reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping


def variables() -> Mapping[str, str]:
    """The environment variables."""
    return os.environ
