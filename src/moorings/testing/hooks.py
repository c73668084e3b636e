"""The pytest hook by which plugins register engines."""

from __future__ import annotations

from collections.abc import Sequence

from moorings.testing.engines import Under


def pytest_moorings_engines() -> Sequence[Under]:  # pyright: ignore[reportReturnType]  # plugins answer it
    """Return the engines of this plugin, a row each; their servers are fixtures of the plugin."""
