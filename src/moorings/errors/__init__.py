"""Everything that Moorings refuses or fails at, as one tree.

    MooringsError
    ├── InvalidInput              faults of fields, all of them
    ├── UnknownKeys               keys that a body or a query does not know
    ├── InvalidJson · NotAnObject · EmptyBody · InvalidId
    ├── UnknownDialect · UnknownDialects · ValueInUse · NotEnvironments · QueryIdInUse · AttributeInUse
    ├── AuthenticationRequired · InvalidToken · PermissionDenied
    ├── NotFound
    │   ├── ConnectionNotFound · EnvironmentNotFound · BaseConnectionNotFound · QueryNotFound
    │   ├── KeyNotFound · UserNotFound · AttributeNotFound · ScheduleNotFound
    │   ├── DbtNotConfigured · DbtEnvironmentNotFound
    ├── Archived
    │   └── AlreadyArchived
    ├── NotArchived · NeedsCredentials · PreconditionFailed
    ├── DbtNotSupported · NoDbtSchema
    ├── InvalidMethod · BodyTooLarge · WrongContentType · NotAcceptable · ProtocolTooOld
    ├── RateLimited
    ├── Saturated                 every session that a setting allows is in use
    ├── ConnectionTestFailed      create with `test=true` found a fault
    ├── WarehouseError            the warehouse, or the way to it; has a code, a step and blamed fields
    │   ├── HostNotFound                            step resolve
    │   ├── PortClosed · ConnectTimeout · HostUnreachable · AnotherService   step connect
    │   ├── TlsRefused · CertificateRefused         step tls
    │   ├── LoginRefused                            step authenticate
    │   ├── DatabaseNotFound · DatabaseForbidden    step database
    │   ├── SchemaNotFound · SchemaForbidden        step schemas
    │   ├── StatementRefused · StatementForbidden · ReadOnly · QueryTimeout · QueryCancelled
    │   │   · SessionLost · ParametersRefused       step query
    │   ├── DriverMissing · DialectNotConnectable · NotAllowedHere  before any step
    │   └── UnknownFault                            what no table names
    └── OperatorError             said in one line to the person who runs the service

A class's docstring is its default message. How an error looks on the wire is `api/problems`' business alone.
"""

from __future__ import annotations

from moorings.errors.base import (
    MooringsError,
    OperatorError,
)
from moorings.errors.requests import (
    AlreadyArchived,
    Archived,
    AttributeInUse,
    AttributeNotFound,
    AuthenticationRequired,
    BaseConnectionNotFound,
    BodyTooLarge,
    ConnectionNotFound,
    ConnectionTestFailed,
    DbtEnvironmentNotFound,
    DbtNotConfigured,
    DbtNotSupported,
    EmptyBody,
    EnvironmentNotFound,
    Fault,
    InvalidId,
    InvalidInput,
    InvalidJson,
    InvalidMethod,
    InvalidToken,
    KeyNotFound,
    NeedsCredentials,
    NoDbtSchema,
    NotAcceptable,
    NotAnObject,
    NotArchived,
    NotEnvironments,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    ProtocolTooOld,
    QueryIdInUse,
    QueryNotFound,
    RateLimited,
    Saturated,
    ScheduleNotFound,
    UnknownDialect,
    UnknownDialects,
    UnknownKeys,
    UserNotFound,
    ValueInUse,
    WrongContentType,
)
from moorings.errors.warehouses import (
    AnotherService,
    CertificateRefused,
    ConnectTimeout,
    DatabaseForbidden,
    DatabaseNotFound,
    DialectNotConnectable,
    DriverMissing,
    HostNotFound,
    HostUnreachable,
    LoginRefused,
    NotAllowedHere,
    ParametersRefused,
    PortClosed,
    QueryCancelled,
    QueryTimeout,
    ReadOnly,
    SchemaForbidden,
    SchemaNotFound,
    SessionLost,
    StatementForbidden,
    StatementRefused,
    TlsRefused,
    UnknownFault,
    WarehouseError,
)

__all__ = [
    "AlreadyArchived",
    "AnotherService",
    "Archived",
    "AttributeInUse",
    "AttributeNotFound",
    "AuthenticationRequired",
    "BaseConnectionNotFound",
    "BodyTooLarge",
    "CertificateRefused",
    "ConnectTimeout",
    "ConnectionNotFound",
    "ConnectionTestFailed",
    "DatabaseForbidden",
    "DatabaseNotFound",
    "DbtEnvironmentNotFound",
    "DbtNotConfigured",
    "DbtNotSupported",
    "DialectNotConnectable",
    "DriverMissing",
    "EmptyBody",
    "EnvironmentNotFound",
    "Fault",
    "HostNotFound",
    "HostUnreachable",
    "InvalidId",
    "InvalidInput",
    "InvalidJson",
    "InvalidMethod",
    "InvalidToken",
    "KeyNotFound",
    "LoginRefused",
    "MooringsError",
    "NeedsCredentials",
    "NoDbtSchema",
    "NotAcceptable",
    "NotAllowedHere",
    "NotAnObject",
    "NotArchived",
    "NotEnvironments",
    "NotFound",
    "OperatorError",
    "ParametersRefused",
    "PermissionDenied",
    "PortClosed",
    "PreconditionFailed",
    "ProtocolTooOld",
    "QueryCancelled",
    "QueryIdInUse",
    "QueryNotFound",
    "QueryTimeout",
    "RateLimited",
    "ReadOnly",
    "Saturated",
    "ScheduleNotFound",
    "SchemaForbidden",
    "SchemaNotFound",
    "SessionLost",
    "StatementForbidden",
    "StatementRefused",
    "TlsRefused",
    "UnknownDialect",
    "UnknownDialects",
    "UnknownFault",
    "UnknownKeys",
    "UserNotFound",
    "ValueInUse",
    "WarehouseError",
    "WrongContentType",
]
