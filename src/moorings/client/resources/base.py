"""A resource of either client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

from moorings.client.steps import Awaiting, Blocking, Pages, Steps

T = TypeVar("T")


class Waits:
    """A resource of `Client`."""

    def __init__(self, client: Blocking) -> None:
        self._client = client

    def run_steps(self, steps: Steps[T], /) -> T:
        """Perform the steps of a method."""
        return self._client.run_steps(steps)

    def iterate(self, steps: Steps[Pages[T]], /) -> Iterator[T]:
        """Every record of a list."""
        return self._client.iterate(steps)


class Awaits:
    """A resource of `AsyncClient`."""

    def __init__(self, client: Awaiting) -> None:
        self._client = client

    async def run_steps_async(self, steps: Steps[T], /) -> T:
        """Perform the steps of a method."""
        return await self._client.run_steps_async(steps)

    def iterate_async(self, steps: Steps[Pages[T]], /) -> AsyncIterator[T]:
        """Every record of a list."""
        return self._client.iterate_async(steps)
