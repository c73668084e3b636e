"""All errors of Moorings, as one tree.

    MooringsError
    ├── InvalidInput              faults of fields, all of them
    ├── UnknownKeys               keys that a body or a query does not know
    ├── InvalidJson · NotAnObject · EmptyBody · InvalidId
    ├── UnknownDialect · UnknownDialects · ValueInUse · NotEnvironments · NotUsers · QueryIdInUse · AttributeInUse
    ├── PersonalKey · BootstrapKey · ExtraMissing
    ├── AttributeHasDependents    environments, users or keys depend on the attribute
    ├── NameTaken
    │   └── EmailInUse · GroupInUse
    ├── AuthenticationRequired · InvalidToken · PermissionDenied (ScopeMissing, ForeignOrigin)
    ├── NotFound
    │   ├── ConnectionNotFound · EnvironmentNotFound · BaseConnectionNotFound · QueryNotFound · JobNotFound
    │   ├── KeyNotFound · UserNotFound · GroupNotFound · AttributeNotFound · ScheduleNotFound
    │   ├── DbtNotConfigured · DbtEnvironmentNotFound · EmbedUserNotFound · EmailOnlyUserNotFound
    ├── Archived
    │   └── AlreadyArchived
    ├── NotArchived · NeedsCredentials · PreconditionFailed · RepeatDiffers
    ├── DbtNotSupported · DbtSecretsDisabled · NoDbtSchema
    ├── ConnectionRequired · AmbiguousName · InvalidCommand · CommandNotSupported
    ├── InvalidTicket             a ticket of Flight SQL
    │   └── TicketExpired · TicketUsed
    ├── InvalidMethod · BodyTooLarge · BodyTooSlow · WrongContentType · NotAcceptable · ProtocolTooOld
    ├── RateLimited
    ├── Saturated                 every session that a setting allows is in use
    ├── ConnectionTestFailed      create with `test=true` found a fault
    ├── WarehouseError            the warehouse, or the way to it; has a code, a step and blamed fields
    │   ├── HostNotFound · EgressRefused · InvalidSettings   step resolve
    │   ├── PortClosed · ConnectTimeout · HostUnreachable · AnotherService · WarehouseSlow   step connect
    │   ├── TlsRefused · TlsNotOffered · CertificateRefused   step tls
    │   ├── LoginRefused · CleartextPasswordRefused · DatabaseStarting · TooManyConnections · AccountLocked
    │   │   · PasswordExpired                         step authenticate
    │   ├── DatabaseNotFound · DatabaseForbidden    step database
    │   ├── SchemaNotFound · SchemaForbidden        step schemas
    │   ├── StatementRefused · StatementForbidden · ReadOnly · QueryTimeout
    │   ├── QueryCancelled
    │   │   └── AccessLost
    │   │   · SessionLost · ParametersRefused · ValueTooLarge · ResultTooLarge       step query
    │   ├── DriverMissing                           step driver, which only a test without a driver has
    │   ├── DialectNotConnectable · NotAllowedHere  before any step
    │   └── UnknownFault                            what no table names
    ├── ConnectionChanged · LeaseLost      why a job's attempt comes to nothing; no caller sees them
    └── OperatorError             said in one line to the person who runs the service

    StreamInterrupted             not one of them: it only ends the stream of a result that has begun

A class's docstring is its default message. How an error looks on the wire is `api/problems`' business alone.
"""

from __future__ import annotations

from moorings.errors.base import (
    MooringsError,
    OperatorError,
    StreamInterrupted,
)
from moorings.errors.requests import (
    AlreadyArchived,
    AmbiguousName,
    Archived,
    AttributeHasDependents,
    AttributeInUse,
    AttributeNotFound,
    AuthenticationRequired,
    BaseConnectionNotFound,
    BodyTooLarge,
    BodyTooSlow,
    BootstrapKey,
    CommandNotSupported,
    ConnectionChanged,
    ConnectionNotFound,
    ConnectionRequired,
    ConnectionTestFailed,
    DbtEnvironmentNotFound,
    DbtNotConfigured,
    DbtNotSupported,
    DbtSecretsDisabled,
    DeliveryNotFound,
    EmailInUse,
    EmailOnlyUserNotFound,
    EmbedUserNotFound,
    EmptyBody,
    EnvironmentNotFound,
    ExtraMissing,
    Fault,
    ForeignOrigin,
    GroupInUse,
    GroupNotFound,
    InvalidCommand,
    InvalidId,
    InvalidInput,
    InvalidJson,
    InvalidMethod,
    InvalidTicket,
    InvalidToken,
    JobNotFound,
    KeyNotFound,
    LeaseLost,
    NameTaken,
    NeedsCredentials,
    NoDbtSchema,
    NoEnvironment,
    NotAcceptable,
    NotAnObject,
    NotArchived,
    NotEnvironments,
    NotFound,
    NotUsers,
    PermissionDenied,
    PersonalKey,
    PreconditionFailed,
    ProtocolTooOld,
    QueryIdInUse,
    QueryNotFound,
    RateLimited,
    RepeatDiffers,
    Saturated,
    ScheduleNotFound,
    ScopeMissing,
    TicketExpired,
    TicketUsed,
    UnknownDialect,
    UnknownDialects,
    UnknownKeys,
    UserNotFound,
    ValueInUse,
    WebhookNotFound,
    WrongContentType,
)
from moorings.errors.warehouses import (
    AccessLost,
    AccountLocked,
    AnotherService,
    CertificateRefused,
    CleartextPasswordRefused,
    ConnectTimeout,
    DatabaseForbidden,
    DatabaseNotFound,
    DatabaseStarting,
    DialectNotConnectable,
    DriverMissing,
    EgressRefused,
    HostNotFound,
    HostUnreachable,
    InvalidSettings,
    LoginRefused,
    NotAllowedHere,
    ParametersRefused,
    PasswordExpired,
    PortClosed,
    QueryCancelled,
    QueryTimeout,
    ReadOnly,
    ResultTooLarge,
    SchemaForbidden,
    SchemaNotFound,
    SessionLost,
    StatementForbidden,
    StatementRefused,
    TlsNotOffered,
    TlsRefused,
    TooManyConnections,
    UnknownFault,
    ValueTooLarge,
    WarehouseError,
    WarehouseSlow,
)

__all__ = [
    "AccessLost",
    "AccountLocked",
    "AlreadyArchived",
    "AmbiguousName",
    "AnotherService",
    "Archived",
    "AttributeHasDependents",
    "AttributeInUse",
    "AttributeNotFound",
    "AuthenticationRequired",
    "BaseConnectionNotFound",
    "BodyTooLarge",
    "BodyTooSlow",
    "BootstrapKey",
    "CertificateRefused",
    "CleartextPasswordRefused",
    "CommandNotSupported",
    "ConnectTimeout",
    "ConnectionChanged",
    "ConnectionNotFound",
    "ConnectionRequired",
    "ConnectionTestFailed",
    "DatabaseForbidden",
    "DatabaseNotFound",
    "DatabaseStarting",
    "DbtEnvironmentNotFound",
    "DbtNotConfigured",
    "DbtNotSupported",
    "DbtSecretsDisabled",
    "DeliveryNotFound",
    "DialectNotConnectable",
    "DriverMissing",
    "EgressRefused",
    "EmailInUse",
    "EmailOnlyUserNotFound",
    "EmbedUserNotFound",
    "EmptyBody",
    "EnvironmentNotFound",
    "ExtraMissing",
    "Fault",
    "ForeignOrigin",
    "GroupInUse",
    "GroupNotFound",
    "HostNotFound",
    "HostUnreachable",
    "InvalidCommand",
    "InvalidId",
    "InvalidInput",
    "InvalidJson",
    "InvalidMethod",
    "InvalidSettings",
    "InvalidTicket",
    "InvalidToken",
    "JobNotFound",
    "KeyNotFound",
    "LeaseLost",
    "LoginRefused",
    "MooringsError",
    "NameTaken",
    "NeedsCredentials",
    "NoDbtSchema",
    "NoEnvironment",
    "NotAcceptable",
    "NotAllowedHere",
    "NotAnObject",
    "NotArchived",
    "NotEnvironments",
    "NotFound",
    "NotUsers",
    "OperatorError",
    "ParametersRefused",
    "PasswordExpired",
    "PermissionDenied",
    "PersonalKey",
    "PortClosed",
    "PreconditionFailed",
    "ProtocolTooOld",
    "QueryCancelled",
    "QueryIdInUse",
    "QueryNotFound",
    "QueryTimeout",
    "RateLimited",
    "ReadOnly",
    "RepeatDiffers",
    "ResultTooLarge",
    "Saturated",
    "ScheduleNotFound",
    "SchemaForbidden",
    "SchemaNotFound",
    "ScopeMissing",
    "SessionLost",
    "StatementForbidden",
    "StatementRefused",
    "StreamInterrupted",
    "TicketExpired",
    "TicketUsed",
    "TlsNotOffered",
    "TlsRefused",
    "TooManyConnections",
    "UnknownDialect",
    "UnknownDialects",
    "UnknownFault",
    "UnknownKeys",
    "UserNotFound",
    "ValueInUse",
    "ValueTooLarge",
    "WarehouseError",
    "WarehouseSlow",
    "WebhookNotFound",
    "WrongContentType",
]
