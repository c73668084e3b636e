"""A seat: one session with a warehouse, and the thread it lives in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from moorings import errors
from moorings.dialects.base import ByteLimits, Dialect, Session, Surroundings
from moorings.dialects.config import ConnectionConfig
from moorings.engine.threads import Job, SessionThread

T = TypeVar("T")

SLACK_SECONDS = 2.0
"""What a driver gets beyond its own time limit before we stop waiting for it."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which connection to talk to, at which revision of its credentials. Its repr shows no setting."""

    connection_id: str
    revision: int
    dialect: Dialect = field(repr=False)
    config: ConnectionConfig = field(repr=False)


class Seat:
    """One session and its thread. Every call into the driver goes through `run`, where faults become ours."""

    def __init__(self, target: Target, surroundings: Surroundings) -> None:
        self.target = target
        self.session: Session | None = None
        self.born = asyncio.get_running_loop().time()
        self.idle_since = self.born
        self.expiry: asyncio.TimerHandle | None = None
        self._surroundings = surroundings
        self._secrets = tuple(target.config.secrets().values())
        self._thread = SessionThread(f"moorings-{target.connection_id[:8]}")

    @property
    def limits(self) -> ByteLimits:
        """How much of a result may be in memory at once."""
        return self._surroundings.limits

    @property
    def connected(self) -> Session:
        """The session of a seat that was taken; raises SessionLost when there is none."""
        if self.session is None:
            raise errors.SessionLost
        return self.session

    @property
    def config(self) -> ConnectionConfig:
        """The Config as the driver gets it, checked by today's rules. Raises InvalidSettings."""
        return self.target.config.dialable()

    def run(self, work: Callable[[], T]) -> Job[T]:
        """Work in the session's thread; what the driver raises arrives translated and redacted."""
        return self._thread.run(lambda: self.guard(work))

    def run_unguarded(self, work: Callable[[], T]) -> Job[T]:
        """Work in the session's thread that translates the driver's faults itself, by `guard`."""
        return self._thread.run(work)

    def guard(self, work: Callable[[], T]) -> T:
        """Do work; raises the translation of what the driver raises, with no trace of the original.

        The original is not even its context: tracebacks would show its text, and with it perhaps a secret. Nor is there
        a traceback into the driver, whose frames would keep its objects alive.
        """
        try:
            return work()
        except errors.WarehouseError as error:
            fault = error
        except Exception as error:  # noqa: BLE001  # drivers raise what they like; this is the one border
            fault = self.target.dialect.translate(error, self._secrets)
        fault.__cause__ = fault.__context__ = fault.__traceback__ = None
        raise fault

    async def login(self) -> Session:
        """Connect; raises ConnectTimeout when the driver does not come back in time."""
        limit = self._surroundings.connect_timeout_seconds + SLACK_SECONDS
        return await self.within(limit, self._login)

    def _login(self) -> Session:
        self.logout()
        config = self.config
        self._check_address(config)
        self.session = self.target.dialect.connect(config, self._surroundings)
        return self.session

    def _check_address(self, config: ConnectionConfig) -> None:
        """Refuse what the egress rules refuse, before any driver is asked; drivers then dial checked addresses."""
        dialect = self.target.dialect
        if (place := dialect.address(config)) is None:
            return
        network = self._surroundings.network
        if not dialect.over_http or network.route(*place, *dialect.ADDRESS_FIELDS) is not None:
            self._surroundings.network.check(*place, config.database, *dialect.ADDRESS_FIELDS)

    async def within(self, seconds: float, work: Callable[[], T]) -> T:
        """Work, awaited for so long; raises ConnectTimeout after it, while the thread may still be at it."""
        try:
            async with asyncio.timeout(seconds):
                return await self.run(work).future
        except TimeoutError:
            raise errors.ConnectTimeout(*self.target.dialect.ADDRESS_FIELDS) from None

    def leave(self) -> Job[None]:
        """Close the session, behind whatever its thread still does, and end the thread."""
        job = self._thread.run(self.logout)
        self._thread.end()
        return job

    def logout(self) -> None:
        """Close the session, in its thread; a second time there is nothing to close."""
        session, self.session = self.session, None
        if session is not None:
            with contextlib.suppress(Exception):  # gone is gone
                session.close()
