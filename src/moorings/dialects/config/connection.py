"""The settings of a connection, as one declaration a dialect.

A dialect's `Config` is the validator of what callers send, the JSON Schema, the form, the docs table and the list of
secrets. The fields and their order are those of the published API; our own fields come last.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.alias_generators import to_camel

from moorings.dialects.config import kinds, places
from moorings.dialects.config.certificates import Certificates, client_faults
from moorings.dialects.config.destinations import DESTINATIONS, Destinations
from moorings.dialects.config.facts import FieldFacts
from moorings.dialects.config.fields import (
    Decimal,
    Name,
    Names,
    NumericAs,
    Port,
    Role,
    Seconds,
    SslMode,
    Token,
    Unmatched,
    Zone,
    ZoneOrNone,
)
from moorings.dialects.config.hosts import Host
from moorings.dialects.config.keys import PrivateKey
from moorings.dialects.config.needs import Login, Need, always, applies, required
from moorings.dialects.config.places import Line
from moorings.dialects.config.urls import S3Url, Url
from moorings.dialects.config.validation import in_order, malformed, translated, unmet
from moorings.errors import Fault, InvalidInput, UnknownKeys

WIRE_NAMES = {"password": "passwordUnencrypted", "oauth_client_secret": "oauthClientSecretUnencrypted"}
"""Fields whose name on the wire is more than their name in camelCase."""


@functools.cache  # each request asks for all of them, and a regular expression makes each
def _on_the_wire(field: str) -> str:
    return WIRE_NAMES.get(field) or to_camel(field)


class ConnectionConfig(BaseModel, frozen=True):
    """The settings that all dialects share; subclasses declare other defaults, fields and required fields."""

    model_config = ConfigDict(
        strict=True,
        defer_build=True,
        extra="forbid",
        hide_input_in_errors=True,
        alias_generator=_on_the_wire,
        validate_by_name=True,
        validate_by_alias=False,
    )

    REQUIRED: ClassVar[tuple[Need, ...]] = ()
    LOGINS: ClassVar[tuple[Login, ...]] = (Login(None),)
    """The ways to log in; the first is the default."""
    DESTINATIONS: ClassVar[Destinations] = DESTINATIONS
    """The fields whose change sends the secrets to another destination, or less well protected."""
    EXAMPLE: ClassVar[Mapping[str, object]] = {}
    """Required fields, by their names on the wire, whose example in the API pages is the dialect's own."""
    ABSENT_SSL_MODE: ClassVar[SslMode | None] = "verify-full"
    """The meaning of an absent `ssl_mode`; None: `prefer` on loopback, else the operator's default."""

    USUAL_SCHEMA: ClassVar[str] = ""

    dialect: str = Field("", description="The database or warehouse product.")
    name: Name = Field("", description="The name of the connection; it need not be unique.")
    password: SecretStr | None = Field(None, description="The password, token or key that the login needs.")
    host: Host | None = Field(None, description="Host name or IP address of the server, without scheme, port and path.")
    port: Port | None = Field(None, description="Port of the server.")
    database: str | None = Field(None, description="The default database or catalog of queries.")
    username: str | None = Field(None, description="The user or client to log in as.")
    base_role: Role = Field("VIEWER", description="The role that every user has on this connection at least.")
    warehouse: Line | None = Field(None, description="The compute to use: a warehouse's name, or an HTTP path.")
    region: Line | None = Field(None, description="The cloud region where the data is.")
    default_schema: str | None = Field(None, description="The schema of table names that are written without a schema.")
    include_schemas: str | None = Field(None, description="Schemas to read, comma-separated (default: all).")
    include_other_catalogs: str | None = Field(None, description="Other catalogs to read, comma-separated.")
    offloaded_schemas: Names | None = Field(None, description="Schemas that are read only on request, comma-separated.")
    scratch_schema: str | None = Field(None, description="The schema for temporary tables.")
    query_timeout_seconds: Seconds = Field(900, description="The time limit of a statement, in seconds.")
    max_billing_bytes: Decimal | None = Field(None, description="How many bytes one query may bill.")
    system_timezone: Zone = Field("UTC", description="The time zone of stored times, as an IANA name.")
    query_timezone: ZoneOrNone = Field(
        "NONE", description="The time zone of results, as an IANA name; `NONE` leaves times as stored."
    )
    allows_user_specific_timezones: bool = Field(
        default=False, description="Whether users may choose their own time zone for results."
    )
    always_scope_view_names: bool = Field(
        default=False, description="Whether view names always include their catalog and schema."
    )
    trust_server_certificate: bool = Field(
        default=False, description="Whether the server's certificate is accepted without verification."
    )
    accepts_license: bool = Field(default=False, description="Whether the licence of the driver is accepted.")
    infer_relationships_from_column_names: bool = Field(
        default=True, description="Whether relationships between tables are inferred from column names."
    )
    infer_relationships_from_foreign_keys: bool = Field(
        default=False, description="Whether relationships between tables are inferred from foreign keys."
    )
    enable_db_semantic_layer_integration: bool = Field(
        default=False, description="Whether the database's own semantic layer is read."
    )
    enable_db_semantic_layer_topics: bool = Field(
        default=False, description="Whether topics are made from the database's own semantic layer."
    )
    use_machine_auth: bool = Field(default=False, description="Whether a service principal logs in.")
    authentication_type: str | None = Field(None, description="The login method (default: inferred).")
    aws_role_arn: Line | None = Field(None, description="The AWS role to assume.")
    host_override: Host | None = Field(None, description="The full host name, instead of the usual one.")
    private_key: SecretStr | None = Field(None, description="The private key to log in with, instead of a password.")
    oauth_client_id: Line | None = Field(None, description="The id of the OAuth client.")
    oauth_client_secret: Token | None = Field(None, description="The secret of the OAuth client.")
    external_oauth_audience: Line | None = Field(None, description="The audience of the OAuth server's tokens.")
    external_oauth_authorization_url: Url | None = Field(
        None, description="The authorization URL of the external OAuth server."
    )
    external_oauth_token_url: Url | None = Field(None, description="The token URL of the external OAuth server.")
    wif_audience: Line | None = Field(None, description="The audience of workload identity federation.")
    wif_service_account_email: Line | None = Field(
        None, description="The email address of the service account that workload identity federation impersonates."
    )
    read_only: bool = Field(default=True, description="Whether the session refuses statements that write.")
    ssl_mode: SslMode | None = Field(None, description="Whether TLS is used, and what it verifies.")
    ssl_root_cert: Certificates | None = Field(
        None, description="The certificates (PEM) of the authorities that verify the server's certificate."
    )
    ssl_client_cert: Certificates | None = Field(
        None, description="The client's certificate and its chain, in PEM, for servers that ask for one (mutual TLS)."
    )
    ssl_client_key: PrivateKey | None = Field(None, description="The private key of sslClientCert, in PEM.")
    private_key_passphrase: SecretStr | None = Field(
        None, description="The passphrase of an encrypted privateKey or sslClientKey."
    )
    results_location: S3Url | None = Field(None, description="The S3 location of query results, as `s3://bucket/path`.")
    unmatched: Unmatched = Field(
        "base",
        description="For users whose value selects no environment: this connection (`base`) or 403 (`deny`).",
    )
    probe_health: bool | None = Field(
        None,
        description="Whether its health is probed (default: unless a probe wakes what is billed by the minute).",
    )
    numeric_as: NumericAs = Field(
        default="text",
        description="The type of numbers without a declared precision: `text`, `double` or `decimal(p,s)`.",
    )

    @classmethod
    def usual_schema(cls, database: str | None) -> str:
        """The default schema in answers if none was sent.

        It is fixed from creation on: Terraform replaces a connection whose default schema changes by itself.
        """
        return cls.USUAL_SCHEMA

    # ---- reading ---------------------------------------------------------------------------------------------------

    @classmethod
    def read(cls, body: Mapping[str, Any], unchanged: Iterable[str] = ()) -> Self:
        """The Config of a request body; the texts of `unchanged` fields are not checked.

        Raises UnknownKeys, or InvalidInput with every fault, in the order of the fields.
        """
        fields = {cls.wire_name(field): field for field in cls.model_fields}
        if unknown := [key for key in body if key not in fields]:
            raise UnknownKeys(unknown)
        given = cls.unwrapped({fields[key]: value for key, value in body.items()})
        needed = cls._needed(given)
        given = {field: value for field, value in given.items() if value != "" or cls._keeps_empty(field, needed)}
        faults = malformed(cls, given) | unmet(cls, given, needed)
        config = cls._checked(given, faults, frozenset(unchanged))
        if config is None or faults:
            raise InvalidInput(in_order(cls, faults))
        return config.model_copy(update=config.derived())

    @classmethod
    def _checked(cls, given: Mapping[str, Any], faults: dict[str, Fault], unchanged: frozenset[str]) -> Self | None:
        """The Config without derived values; adds the faults of values to those found so far."""
        config = None
        try:
            config = cls.model_validate(given, context=unchanged)
        except ValidationError as refused:
            for fault in refused.errors(include_url=False):
                faults.setdefault(str(fault["loc"][0]), translated(cls, fault))
        for field, reason in (*client_faults(given), *cls.further_faults(given, cls.login(given))):
            faults.setdefault(field, Fault(cls.wire_name(field), "custom", {"reason": reason}))
        return config

    @classmethod
    def unwrapped(cls, given: dict[str, Any]) -> dict[str, Any]:
        """The given values, cleaned of text that tools put around them, for dialects that need it."""
        return given

    @classmethod
    def further_faults(cls, given: Mapping[str, Any], login: Login | None) -> Iterable[tuple[str, str]]:
        """Field and reason of faults that types and limits cannot express. Reasons never quote a secret."""
        return ()

    def derived(self) -> dict[str, Any]:
        """Values of absent fields that follow from other fields."""
        if self.authentication_type is not None:
            return {}
        given = {field: getattr(self, field) for field in self.model_fields_set}
        login = type(self).login(given)
        return {"authentication_type": login.name if login else None}

    @classmethod
    def login(cls, given: Mapping[str, Any]) -> Login | None:
        """The requested or implied login method; None for one that the dialect does not have."""
        if len(cls.LOGINS) == 1:
            return cls.LOGINS[0]
        if "authentication_type" in given:
            return next((login for login in cls.LOGINS if login.name == given["authentication_type"]), None)
        implied = (login for login in cls.LOGINS if login.is_implied(given))
        return next(implied, cls.LOGINS[0])

    @classmethod
    def needs(cls) -> tuple[Need, ...]:
        """Required fields, apart from those of the login method."""
        return always("dialect", "name") + cls.REQUIRED

    @classmethod
    def _needed(cls, given: Mapping[str, Any]) -> frozenset[str]:
        login = cls.login(given)
        needed = {need.field for need in cls.needs() if applies(need, given)}
        return frozenset(needed | set(login.requires if login else ()))

    @classmethod
    def _keeps_empty(cls, field: str, needed: frozenset[str]) -> bool:
        """An empty string is as if absent, unless the field is needed or a string is wrong there anyway."""
        return field in needed or cls.kind(field) not in ("string", "list")

    @property
    def lacks_credentials(self) -> bool:
        """Whether a secret that the login method requires is missing, as after a restore without credentials."""
        given = {field: getattr(self, field) for field in type(self).model_fields}
        login = self.login({field: value for field, value in given.items() if value is not None})
        required = login.requires if login else ()
        return any(given[field] is None for field in required if field in self.secret_fields())

    # ---- storing and connecting --------------------------------------------------------------------------------------

    @property
    def session_zone(self) -> str:
        """The time zone of sessions: `query_timezone`, else `system_timezone`."""
        return self.system_timezone if self.query_timezone == "NONE" else self.query_timezone

    def secrets(self) -> dict[str, str]:
        """Field → value, in the clear, of the secrets that are set."""
        values = {field: getattr(self, field) for field in self.secret_fields()}
        return {field: value.get_secret_value() for field, value in values.items() if value is not None}

    def public(self) -> dict[str, Any]:
        """Field → JSON value of all fields that are no secrets."""
        return self.model_dump(mode="json", exclude=set(self.secret_fields()))

    @classmethod
    def restore(cls, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> Self:
        """The Config that was stored.

        It was checked then, perhaps by older rules: see `refused_addresses`. Newer fields get their defaults.
        """
        values = {field: value for field, value in settings.items() if field in cls.model_fields}
        if values.get("offloaded_schemas") is not None:
            values["offloaded_schemas"] = tuple(values["offloaded_schemas"])
        values |= {field: SecretStr(value) for field, value in secrets.items() if field in cls.secret_fields()}
        return cls.model_construct(None, **places.cleaned(cls, values))

    def refused_addresses(self) -> Sequence[Fault]:
        """Stored hosts, URLs and the like that today's rules refuse; no session is opened with them."""
        found = places.refused(self.completed()).items()
        return [Fault(self.wire_name(field), "custom", {"reason": reason}) for field, reason in found]

    def implied(self) -> dict[str, Any]:
        """Values for absent fields that sessions and profiles take from the secrets; no answer shows them as set."""
        return {}

    def completed(self) -> Self:
        """The Config with the values that its secrets imply."""
        return self.model_copy(update=self.implied())

    def dialable(self) -> Self:
        """The Config as a driver gets it: host names in IDNA's spelling. Raises InvalidSettings for refused places."""
        completed = self.completed()
        return completed.model_copy(update=places.encoded(completed))

    def changed(self, body: Mapping[str, Any], default_ssl_mode: SslMode = "require") -> Self:
        """The Config after a change, checked as a whole: fields of `body` take new values, null takes one away.

        Derived values that the change does not set are computed again: the port of a TLS mode, a key's project. A key
        that is sent changes the way to log in, and so does a password. With a new destination, secrets that the login
        does not use are removed. Raises the errors of `read`, and InvalidInput for each secret that has to be sent
        again because its destination changes.
        """
        from moorings.dialects.config.changes import changed

        return changed(self, body, default_ssl_mode)

    def derived_anew(self) -> dict[str, Any]:
        """The values that are derived from the secrets and the TLS mode."""
        given = {"authentication_type": self.authentication_type, "ssl_mode": self.ssl_mode}
        values = {field: SecretStr(value) for field, value in self.secrets().items()}
        return type(self).model_construct(None, **given, **values).derived()

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Shows only the class and the name, no other setting."""
        return [("dialect", self.dialect), ("name", self.name)]

    # ---- what forms, docs and schemas ask ----------------------------------------------------------------------------

    @classmethod
    def wire_name(cls, field: str) -> str:
        """A field's name on the wire."""
        return _on_the_wire(field)

    @classmethod
    def secret_fields(cls) -> tuple[str, ...]:
        """The fields that are sealed when stored and never shown."""
        return kinds.secret_fields(cls)

    @classmethod
    def kind(cls, field: str) -> str:
        """A field's type in a word: string, number, boolean, enum or list."""
        return kinds.kind(cls, field)

    @classmethod
    def allowed(cls, field: str) -> tuple[str, ...]:
        """The values that an enum takes; empty for other fields."""
        if field == "authentication_type":
            return tuple(login.name for login in cls.LOGINS if login.name)
        bare = kinds.bare(cls.model_fields[field].annotation)
        return cast("tuple[str, ...]", get_args(bare)) if get_origin(bare) is Literal else ()

    @classmethod
    def expected(cls, field: str) -> str:
        """The expected type in a fault: the JSON type, or the values of an enum."""
        kind = cls.kind(field)
        if kind == "enum":
            return " | ".join(f"'{value}'" for value in cls.allowed(field))
        return "string" if kind == "list" else kind

    @classmethod
    def default(cls, field: str) -> Any:
        """The value of an absent field; None where there is none, or it follows from other fields."""
        if field == "authentication_type":
            return cls.LOGINS[0].name
        if field == "name":
            return None
        return cls.model_fields[field].default

    @classmethod
    def description(cls, field: str) -> str:
        """The description of a field; a subclass that only changes its default inherits it."""
        family = (kind for kind in cls.__mro__ if issubclass(kind, ConnectionConfig) and field in kind.model_fields)
        return next(text for kind in family if (text := kind.model_fields[field].description))

    @classmethod
    def required(cls, field: str) -> str | None:
        """When the field is required, in words; `always`, or None when it never is."""
        return required(cls, field)

    @classmethod
    def fields(cls) -> tuple[FieldFacts, ...]:
        """Every field in order, as forms and docs show it."""
        return tuple(
            FieldFacts(
                field,
                cls.wire_name(field),
                cls.kind(field),
                field in cls.secret_fields(),
                cls.default(field),
                cls.description(field),
                cls.required(field),
                cls.allowed(field),
            )
            for field in cls.model_fields
        )

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON Schema of a request body, for OpenAPI 3.1. Only what is always required is in `required`."""
        from moorings.dialects.config.schema import json_schema

        return json_schema(cls)
