"""The gRPC server. Its threads parse what clients sent and write results; everything else runs on the event loop.

The only importer of pyarrow.flight beside the helpers of this room, and imported on request only.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa
import structlog
from pyarrow import flight

from moorings import clock
from moorings.access.addresses import forwarded
from moorings.errors import InvalidCommand, MooringsError, OperatorError
from moorings.flight import actions, faults, messages
from moorings.flight.actions import ticket_handle
from moorings.flight.calls import Call
from moorings.flight.commands import PreparedQuery, Update
from moorings.flight.headers import Headers, address_of
from moorings.flight.parameters import first_row
from moorings.flight.service import Service
from moorings.flight.streams import POLL_SECONDS
from moorings.flight.tickets import LIFETIME_MILLISECONDS, Value
from moorings.settings import Settings

log = structlog.get_logger(__name__)

T = TypeVar("T")

STOP_SECONDS = 3.0
"""How long a stop waits for clients that do not read the end of their streams."""
KEY = "moorings"
"""The middleware's name."""


class Incoming(flight.ServerMiddleware):
    """The headers of one call."""

    def __init__(self, headers: Headers, login: str | None) -> None:
        self.headers = headers
        self._login = login

    def sending_headers(self) -> dict[str, str]:
        """The bearer token that answers a basic login."""
        return {"authorization": f"Bearer {self._login}"} if self._login else {}


class HeaderReader(flight.ServerMiddlewareFactory):
    """Reads the headers of each call, and checks the key of a handshake: its handler does not see them."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def start_call(self, info: Any, headers: Any) -> Incoming:
        """Read the headers; raises gRPC's error for those that no call can have."""
        try:
            found = Headers.of(headers)
        except MooringsError as refused:
            raise faults.fault(refused) from None
        if info.method != flight.FlightMethod.HANDSHAKE:
            return Incoming(found, None)
        # gRPC names no peer here; all handshakes with failed keys share one limit, which never holds back a good key.
        call = Call("Handshake", found, "unknown")
        return Incoming(found, self._server.on_loop(call, self._server.service.login, _stays))


class Handshake(flight.ServerAuthHandler):
    """Lets every handshake end well: HeaderReader has checked the key, and every later call brings its own."""

    def authenticate(self, outgoing: Any, incoming: Any) -> None:
        """Nothing is left to check."""

    def is_valid(self, token: Any) -> str:
        """The peer's name, which nobody asks for."""
        return ""


def _stays() -> bool:
    return False


class Server(flight.FlightServerBase):
    """The server. It listens from when it is made until `stop`."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.service = service
        self._trusted = settings.trusted_networks
        certificates = _certificates(settings)
        scheme = "grpc+tls" if certificates else "grpc"
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        location = f"{scheme}://{host}:{settings.flight_port}"
        middleware = {KEY: HeaderReader(self)}
        try:
            super().__init__(location, auth_handler=Handshake(), tls_certificates=certificates, middleware=middleware)
        except (OSError, pa.ArrowException) as refused:
            raise OperatorError(f"cannot serve Flight SQL on {location}: {type(refused).__name__}") from None
        self._stopping = threading.Thread(target=self.shutdown, name="moorings-flight-stop", daemon=True)
        log.info("flight_listens", address=location)

    def on_loop(self, call: Call, work: Callable[[Call], Awaitable[T]], has_left: Callable[[], bool]) -> T:
        """The result of work that runs on the event loop, as a call with a valid key; raises gRPC's errors.

        If the client leaves first, the work is cancelled.
        """
        running = asyncio.run_coroutine_threadsafe(self.service.run(call, work), self.service.loop)
        failure: BaseException | None = None
        while True:
            try:
                concurrent.futures.wait((running,), timeout=POLL_SECONDS)
                if running.done():
                    return running.result()
            except (Exception, concurrent.futures.CancelledError) as failed:  # noqa: BLE001  # becomes a status
                failure = failed
                break
            if has_left():
                running.cancel()
        raise faults.fault(failure) from None

    # ---- gRPC's calls, each in a thread of its own ---------------------------------------------------------------

    def get_flight_info(self, context: Any, descriptor: Any) -> Any:
        """The ticket for the result of a command."""
        schema, handle = self._run("GetFlightInfo", context, lambda call: self.service.info(call, _command(descriptor)))
        ticket = flight.Ticket(messages.packed("TicketStatementQuery", statement_handle=handle))
        expires = pa.scalar(clock.now() + LIFETIME_MILLISECONDS, pa.timestamp("ms", "UTC"))
        return flight.FlightInfo(schema, descriptor, [flight.FlightEndpoint(ticket, [], expires)], -1, -1)

    def get_schema(self, context: Any, descriptor: Any) -> Any:
        """The schema of a command's result."""
        schema = self._run("GetSchema", context, lambda call: self.service.schema(call, _command(descriptor)))
        return flight.SchemaResult(schema)

    def do_get(self, context: Any, ticket: Any) -> Any:
        """The result of a ticket."""
        source = self._run("DoGet", context, lambda call: self.service.open(call, ticket_handle(ticket.ticket)))
        return source.stream(context.is_cancelled)

    def do_put(self, context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        """Bind parameters to a prepared statement, or run a statement that changes something."""
        call = self._call("DoPut", context)
        command = self.on_loop(
            call, lambda call: self.service.putting(call, _command(descriptor)), context.is_cancelled
        )
        values = _Attempt(lambda: None if isinstance(command, Update) else first_row(reader))
        if isinstance(command, PreparedQuery):
            handle = self.on_loop(
                call, lambda call: self.service.bind(call, command.handle, values.outcome() or ()), context.is_cancelled
            )
            content = messages.written("DoPutPreparedStatementResult", prepared_statement_handle=handle)
        else:
            source = self.on_loop(
                call, lambda call: self.service.update(call, command, values.outcome()), context.is_cancelled
            )
            content = messages.written("DoPutUpdateResult", record_count=source.drain(context.is_cancelled))
        writer.write(pa.py_buffer(content))

    def do_action(self, context: Any, action: Any) -> Iterator[Any]:
        """The results of an action."""
        body = action.body.to_pybytes() if action.body is not None else b""
        rpc = action.type if action.type in actions.ACTIONS else "DoAction"
        answer = self._run(rpc, context, lambda call: actions.perform(self.service, call, action.type, body))
        for name, value in answer.headers:
            context.add_header(name, value)
        return iter([flight.Result(pa.py_buffer(content)) for content in answer.results])

    def list_actions(self, context: Any) -> Any:
        """The actions that the server knows."""
        del context
        return [(name, act.description) for name, act in actions.ACTIONS.items()]

    def _run(self, rpc: str, context: Any, work: Callable[[Call], Awaitable[T]]) -> T:
        return self.on_loop(self._call(rpc, context), work, context.is_cancelled)

    def _call(self, rpc: str, context: Any) -> Call:
        headers: Headers = context.get_middleware(KEY).headers
        return Call(rpc, headers, forwarded(address_of(context.peer()), headers.forwarded_for, self._trusted))

    # ---- the end -------------------------------------------------------------------------------------------------

    def refuse(self) -> None:
        """Take no further calls. The running ones go on."""
        self._stopping.start()

    async def close(self) -> None:
        """Stop what still runs, and wait a moment for clients to read the end of it."""
        await self.service.close()
        await asyncio.to_thread(self._stopping.join, STOP_SECONDS)
        if self._stopping.is_alive():
            log.warning("flight_connections_left", reason="clients did not read their streams to the end")


class _Attempt:
    """The outcome of work that was done in another thread than the one that needs it."""

    def __init__(self, work: Callable[[], Sequence[Value] | None]) -> None:
        self._failure: MooringsError | None = None
        self._value: Sequence[Value] | None = None
        try:
            self._value = work()
        except MooringsError as refused:
            self._failure = refused

    def outcome(self) -> Sequence[Value] | None:
        """The value; raises what the work raised."""
        if self._failure is not None:
            raise self._failure
        return self._value


def _command(descriptor: Any) -> bytes:
    if descriptor.command is None:
        raise InvalidCommand("The descriptor must hold a command, not a path.")
    return descriptor.command


def _certificates(settings: Settings) -> list[tuple[str, str]] | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    try:
        return [(settings.tls_cert.read_text(), settings.tls_key.read_text())]
    except (OSError, UnicodeDecodeError):
        raise OperatorError("cannot read MOORINGS_TLS_CERT or MOORINGS_TLS_KEY: both must be PEM files") from None
