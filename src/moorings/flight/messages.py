"""The protobuf messages of Flight SQL that the server reads and writes. Imports protobuf.

Source: format/FlightSql.proto and format/Flight.proto of Apache Arrow. The pool is our own, so that another library in
this process can register the published files. Maps are declared as repeated entries, which are the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from moorings.errors import InvalidCommand

SQL = "arrow.flight.protocol.sql"
"""The package of Flight SQL's messages."""
TYPE_PREFIX = "type.googleapis.com/"

Field = tuple[str, int, str]
"""Name, number and type: a scalar type of protobuf or a message of this table; `*` marks a repeated field and `?` an
optional one."""

_PLACE: Sequence[Field] = (("catalog", 1, "string?"), ("db_schema", 2, "string?"), ("table", 3, "string"))
_QUERY: Sequence[Field] = (("query", 1, "string"), ("transaction_id", 2, "bytes?"))
_HANDLE: Sequence[Field] = (("prepared_statement_handle", 1, "bytes"),)

MESSAGES: Mapping[str, Sequence[Field]] = {
    "Any": (("type_url", 1, "string"), ("value", 2, "bytes")),
    "CommandGetSqlInfo": (("info", 1, "uint32*"),),
    "CommandGetXdbcTypeInfo": (("data_type", 1, "int32?"),),
    "CommandGetCatalogs": (),
    "CommandGetDbSchemas": (("catalog", 1, "string?"), ("db_schema_filter_pattern", 2, "string?")),
    "CommandGetTables": (
        ("catalog", 1, "string?"),
        ("db_schema_filter_pattern", 2, "string?"),
        ("table_name_filter_pattern", 3, "string?"),
        ("table_types", 4, "string*"),
        ("include_schema", 5, "bool"),
    ),
    "CommandGetTableTypes": (),
    "CommandGetPrimaryKeys": _PLACE,
    "CommandGetExportedKeys": _PLACE,
    "CommandGetImportedKeys": _PLACE,
    "CommandGetCrossReference": (
        ("pk_catalog", 1, "string?"),
        ("pk_db_schema", 2, "string?"),
        ("pk_table", 3, "string"),
        ("fk_catalog", 4, "string?"),
        ("fk_db_schema", 5, "string?"),
        ("fk_table", 6, "string"),
    ),
    "CommandStatementQuery": _QUERY,
    "CommandStatementUpdate": _QUERY,
    "CommandPreparedStatementQuery": _HANDLE,
    "CommandPreparedStatementUpdate": _HANDLE,
    "TicketStatementQuery": (("statement_handle", 1, "bytes"),),
    "ActionCreatePreparedStatementRequest": _QUERY,
    "ActionCreatePreparedStatementResult": (
        *_HANDLE,
        ("dataset_schema", 2, "bytes"),
        ("parameter_schema", 3, "bytes"),
    ),
    "ActionClosePreparedStatementRequest": _HANDLE,
    "ActionCancelQueryRequest": (("info", 1, "bytes"),),
    "ActionCancelQueryResult": (("result", 1, "int32"),),
    "DoPutUpdateResult": (("record_count", 1, "int64"),),
    "DoPutPreparedStatementResult": (("prepared_statement_handle", 1, "bytes?"),),
    "CancelFlightInfoRequest": (("info", 1, "bytes"),),
    "CancelFlightInfoResult": (("status", 1, "int32"),),
    "CloseSessionResult": (("status", 1, "int32"),),
    "TextList": (("values", 1, "string*"),),
    "OptionValue": (
        ("string_value", 1, "string?"),
        ("bool_value", 2, "bool?"),
        ("int64_value", 3, "sfixed64?"),
        ("double_value", 4, "double?"),
        ("string_list_value", 5, "TextList?"),
    ),
    "OptionEntry": (("key", 1, "string"), ("value", 2, "OptionValue?")),
    "SetSessionOptionsRequest": (("session_options", 1, "OptionEntry*"),),
    "OptionError": (("value", 1, "int32"),),
    "ErrorEntry": (("key", 1, "string"), ("value", 2, "OptionError?")),
    "SetSessionOptionsResult": (("errors", 1, "ErrorEntry*"),),
    "GetSessionOptionsResult": (("session_options", 1, "OptionEntry*"),),
}


def _built() -> Mapping[str, type[Any]]:
    file = descriptor_pb2.FileDescriptorProto(name="moorings/flight_sql.proto", package="moorings.flight")
    file.syntax = "proto3"
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, declared in fields:
            _declare(message, field, number, declared)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = (pool.FindMessageTypeByName(f"moorings.flight.{name}") for name in MESSAGES)
    return {each.name: message_factory.GetMessageClass(each) for each in found}


def _declare(message: Any, name: str, number: int, declared: str) -> None:
    kinds = descriptor_pb2.FieldDescriptorProto
    kind = declared.rstrip("*?")
    field = message.field.add(name=name, number=number, label=kinds.LABEL_OPTIONAL)
    if kind in MESSAGES:
        field.type, field.type_name = kinds.TYPE_MESSAGE, f".moorings.flight.{kind}"
    else:
        field.type = getattr(kinds, f"TYPE_{kind.upper()}")
    if declared.endswith("*"):
        field.label = kinds.LABEL_REPEATED
    elif declared.endswith("?") and kind not in MESSAGES:
        field.proto3_optional = True
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")


_CLASSES = _built()


def parsed(name: str, content: bytes) -> Any:
    """A message of the table; raises InvalidCommand for bytes that are none."""
    try:
        return _CLASSES[name].FromString(content)
    except DecodeError:
        raise InvalidCommand.of(name) from None


def unpacked(content: bytes) -> tuple[str, Any]:
    """The name and the content of a message that is packed into Any; raises InvalidCommand.

    The content is None for a message that the table lacks.
    """
    packed = parsed("Any", content)
    package, _, name = packed.type_url.removeprefix(TYPE_PREFIX).rpartition(".")
    if not name or package != SQL:
        raise InvalidCommand.of("Any")
    return name, parsed(name, packed.value) if name in _CLASSES else None


def written(name: str, **fields: Any) -> bytes:
    """The bytes of a message."""
    return _CLASSES[name](**fields).SerializeToString()


def packed(name: str, **fields: Any) -> bytes:
    """The bytes of a message, packed into Any."""
    return written("Any", type_url=f"{TYPE_PREFIX}{SQL}.{name}", value=written(name, **fields))
