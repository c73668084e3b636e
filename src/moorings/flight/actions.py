"""The actions of Flight SQL: a reader for what the client sent, and what the action does. Imports protobuf, pyarrow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import flight

from moorings.dialects.introspection import Description
from moorings.dialects.read_only import QUERIES, TELLS, leading_word
from moorings.errors import CommandNotSupported, InvalidCommand, InvalidTicket, MooringsError
from moorings.flight import messages
from moorings.flight.calls import Call
from moorings.flight.commands import sql_of
from moorings.flight.headers import (
    CONNECTION_COOKIE,
    ENVIRONMENT_COOKIE,
    checked_environment,
    checked_name,
    cookie,
)
from moorings.flight.service import Service

CANCELLED, NOT_CANCELLABLE = 1, 3
CLOSED = 1
INVALID_NAME, INVALID_VALUE = 1, 2
OPTIONS = {
    "catalog": CONNECTION_COOKIE,
    "database": CONNECTION_COOKIE,
    "connection": CONNECTION_COOKIE,
    "environment": ENVIRONMENT_COOKIE,
}
"""The options of a session, and the cookie that holds each."""
UNKNOWN_COLUMNS = pa.schema([pa.field("result", pa.string())])
"""A guess, for queries whose columns are known only when they run: without any, JDBC takes them for updates."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The results of an action, and the headers that go with them."""

    results: Sequence[bytes] = ()
    headers: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Act:
    """One action."""

    description: str
    read: Callable[[bytes], Any]
    """Parses the action's body; raises InvalidCommand."""
    perform: Callable[[Service, Call, Any], Awaitable[Answer]]


async def perform(service: Service, call: Call, kind: str, body: bytes) -> Answer:
    """Do an action; raises CommandNotSupported for one that the server does not know."""
    act = ACTIONS.get(kind)
    if act is None:
        raise CommandNotSupported.of(f"the action {kind[:100]}")
    return await act.perform(service, call, act.read(body))


def ticket_handle(ticket: bytes) -> bytes:
    """The handle in a ticket; raises InvalidCommand or InvalidTicket for bytes that are no ticket of ours."""
    name, message = messages.unpacked(ticket)
    if name != "TicketStatementQuery":
        raise InvalidTicket
    return message.statement_handle


def _unpacked(name: str) -> Callable[[bytes], Any]:
    def read(body: bytes) -> Any:
        found, message = messages.unpacked(body)
        if found != name:
            raise InvalidCommand.of(name)
        return message

    return read


def _sql(body: bytes) -> str:
    return sql_of(_unpacked("ActionCreatePreparedStatementRequest")(body))


def _tickets(info: bytes) -> list[bytes]:
    """The handles in a serialized FlightInfo; raises InvalidCommand."""
    try:
        endpoints = flight.FlightInfo.deserialize(info).endpoints
    except Exception:  # noqa: BLE001  # pyarrow raises many kinds for bytes that are none
        raise InvalidCommand.of("FlightInfo") from None
    return [ticket_handle(endpoint.ticket.ticket) for endpoint in endpoints]


def _options(body: bytes) -> Mapping[str, Any]:
    entries = messages.parsed("SetSessionOptionsRequest", body).session_options
    return {entry.key: entry.value for entry in entries}


async def _prepare(service: Service, call: Call, sql: str) -> Answer:
    handle, found = await service.prepare(call, sql)
    result = messages.packed(
        "ActionCreatePreparedStatementResult",
        prepared_statement_handle=handle,
        dataset_schema=_serialized(_columns(sql, found)),
        parameter_schema=_serialized(found.parameters),
    )
    return Answer([result])


def _columns(sql: str, found: Description) -> pa.Schema:
    if found.columns is not None:
        return found.columns
    return UNKNOWN_COLUMNS if leading_word(sql, nested=True) in QUERIES | TELLS else pa.schema([])


def _serialized(schema: pa.Schema | None) -> bytes:
    return b"" if schema is None else schema.serialize().to_pybytes()


async def _close(service: Service, call: Call, message: Any) -> Answer:
    await service.close_prepared(call, message.prepared_statement_handle)
    return Answer()


async def _cancel(service: Service, call: Call, tickets: Sequence[bytes]) -> Answer:
    status = CANCELLED if await service.cancel(call, tickets) else NOT_CANCELLABLE
    return Answer([messages.written("CancelFlightInfoResult", status=status)])


async def _cancel_query(service: Service, call: Call, tickets: Sequence[bytes]) -> Answer:
    result = CANCELLED if await service.cancel(call, tickets) else NOT_CANCELLABLE
    return Answer([messages.packed("ActionCancelQueryResult", result=result)])


async def _close_session(service: Service, call: Call, _: Any) -> Answer:
    del service, call
    forgotten = [("set-cookie", cookie(name, None)) for name in (CONNECTION_COOKIE, ENVIRONMENT_COOKIE)]
    return Answer([messages.written("CloseSessionResult", status=CLOSED)], forgotten)


async def _set_options(service: Service, call: Call, options: Mapping[str, Any]) -> Answer:
    """Set what a client names; the options are kept in cookies, since any replica may get the next call."""
    refused, headers = list[dict[str, Any]](), list[tuple[str, str]]()
    for name, value in options.items():
        if name not in OPTIONS:
            refused.append({"key": name, "value": {"value": INVALID_NAME}})
            continue
        try:
            text = await _checked(service, call, OPTIONS[name], value)
        except MooringsError:
            refused.append({"key": name, "value": {"value": INVALID_VALUE}})
        else:
            headers.append(("set-cookie", cookie(OPTIONS[name], text)))
    return Answer([messages.written("SetSessionOptionsResult", errors=refused)], headers)


async def _checked(service: Service, call: Call, kept_in: str, value: Any) -> str | None:
    """The id that an option's value names; None for an option that is to be removed."""
    if not value.HasField("string_value") or not value.string_value:
        return None
    if kept_in == ENVIRONMENT_COOKIE:
        return checked_environment(value.string_value)
    return (await service.named(call, checked_name(value.string_value))).id


async def _get_options(service: Service, call: Call, _: Any) -> Answer:
    del service
    known = {"catalog": call.headers.connection, "environment": call.headers.environment}
    options = [{"key": name, "value": {"string_value": value}} for name, value in known.items() if value]
    return Answer([messages.written("GetSessionOptionsResult", session_options=options)])


def _nothing(body: bytes) -> None:
    del body


ACTIONS: Mapping[str, Act] = {
    "CreatePreparedStatement": Act("Prepare a statement; it is described, and does not run.", _sql, _prepare),
    "ClosePreparedStatement": Act(
        "Close a prepared statement.", _unpacked("ActionClosePreparedStatementRequest"), _close
    ),
    "CancelFlightInfo": Act(
        "Cancel a statement in the database.",
        lambda body: _tickets(messages.parsed("CancelFlightInfoRequest", body).info),
        _cancel,
    ),
    "CancelQuery": Act(
        "The older name of CancelFlightInfo.",
        lambda body: _tickets(_unpacked("ActionCancelQueryRequest")(body).info),
        _cancel_query,
    ),
    "CloseSession": Act("End a session: its options are forgotten.", _nothing, _close_session),
    "SetSessionOptions": Act("Choose the connection (`catalog`) or the environment.", _options, _set_options),
    "GetSessionOptions": Act("The options of the session.", _nothing, _get_options),
}
