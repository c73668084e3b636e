"""Connection tests: seven steps, each passed, failed or skipped, with the field to blame and what to do next."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from moorings import errors
from moorings.dialects.base import Session, SessionContext
from moorings.dialects.ssl_modes import mode_in_force
from moorings.engine.slot import SLACK_SECONDS, Slot

Status = Literal["passed", "failed", "skipped"]

STEPS = ("resolve", "connect", "tls", "authenticate", "database", "schemas", "query")
DRIVER = "driver"
"""A step that is listed only if it failed."""
FIRST_WORDS_SECONDS = 0.05
"""How long the test waits for a greeting before it sends anything: another service may greet first."""
GREETING_SECONDS = 0.2
"""How long the test waits for a greeting after an answer that it cannot parse."""
PLAIN = "The connection is not encrypted."
PASSED_BY = {
    "resolve": "The host name is known.",
    "connect": "The server answered.",
    "tls": "The server and this machine agree about TLS.",
    "authenticate": "The database accepted the login.",
    "database": "The database is open.",
    "schemas": "The default schema is there.",
}
"""Texts of steps that passed because a later step was reached."""
NO_SERVER = "This dialect has no server to connect to."
BY_PROXY = "The proxy of MOORINGS_HTTPS_PROXY resolves the host and connects to it."
NOT_REACHED = "Not tried, because an earlier step failed."
NOTHING_TO_DIAL_WITH = "Not tried, because this dialect has no driver yet."


@dataclass(frozen=True, slots=True)
class TestStep:
    """The result of one step; `fields` caused a failure, in the wire's spelling."""

    __test__ = False

    name: str
    status: Status
    duration_ms: int = 0
    message: str = ""
    code: str | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TestReport:
    """A connection test's outcome: always all seven steps, in order; `driver` comes first if it is missing."""

    __test__ = False

    steps: tuple[TestStep, ...]

    @property
    def success(self) -> bool:
        """Whether no step failed."""
        return self.failure is None

    @property
    def failure(self) -> TestStep | None:
        """The step that failed, if one did."""
        return next((step for step in self.steps if step.status == "failed"), None)


@contextlib.asynccontextmanager
async def _bare_connection(address: str, port: int) -> AsyncGenerator[socket.socket]:
    """A TCP connection that sends nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as wire:
        wire.setblocking(False)  # its only parameter, which cannot be named
        await asyncio.get_running_loop().sock_connect(wire, (address, port))
        yield wire


def _service(greeting: bytes) -> str | None:
    """The service that sends this greeting; None if it is unknown."""
    kinds = ((b"SSH-", "An SSH server"), (b"220", "A mail or FTP server"), (b"+OK", "A mail server"))
    kind = next((name for start, name in kinds if greeting.startswith(start)), None)
    is_mysql = greeting[3:5] in (b"\x00\x0a", b"\x00\xff")
    return kind or ("A server of MySQL's family" if is_mysql else None)


class Probe:
    """One running test. Its creator discards the slot."""

    def __init__(self, slot: Slot, context: SessionContext) -> None:
        self._slot = slot
        self._network = context.network
        self._address: tuple[str, int] | None = None
        self._fields = slot.target.dialect.ADDRESS_FIELDS
        self._timeout = context.connect_timeout_seconds
        self._open: tuple[str, int] | None = None
        """The address and port that accepted a bare connection."""
        self._done: dict[str, TestStep] = {}
        self._last = "database"
        """The last step that a fault can belong to now; later steps have not begun."""
        self._since = time.perf_counter()

    async def run(self) -> TestReport:
        """Go through the steps until one fails; never raises for the warehouse's faults."""
        try:
            self._check_driver()
            self._address = self._slot.target.dialect.address(self._slot.config)
            await self._dial()
            session = await self._login()
            await self._look(session)
        except errors.WarehouseError as fault:
            self._fail(fault)
        skipped = {name: TestStep(name, "skipped", message=NOT_REACHED) for name in STEPS}
        found = skipped | self._done
        return TestReport(tuple(found[name] for name in (DRIVER, *STEPS) if name in found))

    def _check_driver(self) -> None:
        if not self._slot.target.dialect.abilities.connects:
            self._skip("resolve", NOTHING_TO_DIAL_WITH)
            raise errors.DialectNotConnectable

    async def _dial(self) -> None:
        if self._address is None or self._slot.light:
            return
        host, port = self._address
        found = await self._resolve(host, port)
        if found is None:
            self._skip("resolve", BY_PROXY)
            self._skip("connect", BY_PROXY)
            return
        self._pass("resolve", f"{host} is {', '.join(found)}.")
        if self._slot.target.dialect.dials:
            await self._reach(found, port)
            self._pass("connect", f"Port {port} is open.")

    async def _resolve(self, host: str, port: int) -> Sequence[str] | None:
        """The addresses to dial; None if the connection goes through the proxy."""
        database = self._slot.config.database
        over_http = self._slot.target.dialect.over_http

        def look() -> Sequence[str] | None:
            if over_http and self._network.route(host, port, *self._fields) is None:
                return None
            return self._network.check(host, port, database, *self._fields)

        try:
            return await self._slot.within_in_thread(self._timeout, look)
        except errors.ConnectTimeout:
            raise errors.HostNotFound(self._fields[0]) from None

    async def _reach(self, addresses: Sequence[str], port: int) -> None:
        fault: errors.WarehouseError = errors.HostUnreachable(*self._fields)
        until = asyncio.get_running_loop().time() + self._timeout
        for address in addresses:
            try:
                await self._touch(address, port, until)
            except OSError as error:
                fault = _unreachable(error)(*self._fields)
            else:
                return
        raise fault

    async def _touch(self, address: str, port: int, until: float) -> None:
        async with asyncio.timeout_at(until), _bare_connection(address, port) as wire:
            self._open = address, port
            await self._require_silence(wire, FIRST_WORDS_SECONDS)

    async def _login(self) -> Session:
        session = await self._logged_in()
        self._pass_until("tls")
        if session.encrypted:
            self._pass("tls", session.transport or "The connection is encrypted.", timed=False)
        else:
            plain = session.transport or "The connection is not encrypted."
            self._skip("tls", plain if self._address else NO_SERVER)
        self._pass_until("database")
        self._pass("database", PASSED_BY["database"])
        return session

    async def _logged_in(self) -> Session:
        """The session. Raises AnotherService if the login failed where something else listens."""
        try:
            return await self._slot.login()
        except errors.ConnectTimeout as fault:
            raise self._slow(fault) from None
        except errors.WarehouseError as fault:
            if self._open and fault.step in (*STEPS[: STEPS.index("authenticate")], STEPS[-1]):
                with contextlib.suppress(OSError):
                    async with _bare_connection(*self._open) as wire:
                        await self._require_silence(wire, GREETING_SECONDS)
            raise

    def _slow(self, fault: errors.ConnectTimeout) -> errors.WarehouseError:
        """The fault of a timeout after the port was open: a warehouse that can sleep is waking up."""
        dialect = self._slot.target.dialect
        wakes = dialect.over_http or not dialect.abilities.probed
        return errors.WarehouseSlow(*fault.fields) if wakes and self._open else fault

    async def _require_silence(self, wire: socket.socket, seconds: float) -> None:
        """Raise AnotherService if a server sends a greeting.

        Servers of dialects that are dialled bare send nothing first.
        """
        greeting = b""
        with contextlib.suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(seconds):
                greeting = await asyncio.get_running_loop().sock_recv(wire, 64)
        if (kind := _service(greeting)) is not None:
            raise errors.AnotherService(*self._fields, message=f"{kind} listens on this host and port. Check both.")

    async def _look(self, session: Session) -> None:
        limit = self._timeout + SLACK_SECONDS
        self._last = "schemas"
        self._pass("schemas", await self._slot.within(limit, session.check_schemas))
        self._last = "query"
        self._pass("query", await self._slot.within(limit, session.try_query))

    # ---- the record -------------------------------------------------------------------------------------------

    def _lap(self) -> int:
        now = time.perf_counter()
        milliseconds = round(1000 * (now - self._since))
        self._since = now
        return milliseconds

    def _pass(self, name: str, message: str = "", *, timed: bool = True) -> None:
        self._done[name] = TestStep(name, "passed", self._lap() if timed else 0, message)

    def _pass_until(self, end: str) -> None:
        """Mark the steps before a reached step as passed; without a dialed address, they are skipped."""
        for name in STEPS[: STEPS.index(end)] if end in STEPS else ():
            if name in self._done:
                continue
            if name == "tls" and self._plain and self._address:
                self._skip(name, PLAIN)
            elif self._address or name in ("database", "schemas"):
                self._pass(name, PASSED_BY[name], timed=False)
            else:
                self._skip(name, NO_SERVER)

    def _skip(self, name: str, message: str) -> None:
        self._done[name] = TestStep(name, "skipped", message=message)

    def _fail(self, fault: errors.WarehouseError) -> None:
        failed = self._failed_step(fault)
        for later in STEPS[STEPS.index(failed) + 1 :] if failed in STEPS else ():
            self._done.pop(later, None)
        self._pass_until(failed)
        wire = self._slot.target.config.wire_name
        message = fault.explained
        fields = tuple(wire(field) for field in fault.fields)
        self._done[failed] = TestStep(failed, "failed", self._lap(), message, fault.code, fields)

    def _failed_step(self, fault: errors.WarehouseError) -> str:
        """The step that a fault belongs to; for a fault of any step, the first one that has not passed.

        The port may be open and `connect` fail nevertheless, if another service listens there.
        """
        if fault.step == DRIVER:
            return DRIVER
        first = "resolve" if self._address else "connect"
        begun = STEPS[STEPS.index(first) : STEPS.index(self._last) + 1]
        if fault.step in begun and (self._last == "database" or fault.step not in self._done):
            return fault.step
        return next(name for name in begun if name not in self._done and not (name == "tls" and self._plain))

    @property
    def _plain(self) -> bool:
        """Whether TLS is switched off."""
        return mode_in_force(self._slot.target.config) == "disable"


def _unreachable(error: OSError) -> type[errors.WarehouseError]:
    kinds: Mapping[type[OSError], type[errors.WarehouseError]] = {
        ConnectionRefusedError: errors.PortClosed,
        TimeoutError: errors.ConnectTimeout,
    }
    return kinds.get(type(error), errors.HostUnreachable)
