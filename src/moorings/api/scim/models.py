"""SCIM's models of the resources, their schemas, and the features of this service provider."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import BeforeValidator, Field, create_model
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Extension,
    Filter,
    Mutability,
    Patch,
    Reference,
    Required,
    Resource,
    ResourceType,
    Returned,
    Schema,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)
from scim2_models.resources.schema import Attribute

from moorings.access.models import UserAttribute
from moorings.api.scim.routes import BULK_BYTES, BULK_OPERATIONS, MAX_PAGE_SIZE
from moorings.api.scim.vocabulary import ATTRIBUTES, GROUP, ROLES, USER
from moorings.db.folding import folded

ATTRIBUTE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9$_-]*")
"""The names that SCIM can address (RFC 7643, 2.1)."""

ALWAYS_THERE = ("displayName", "active", "roles")
"""Attributes that every user has; a default replaces a missing value, so they are never unassigned."""

_ReadOnly = Mutability.read_only


class Name(ComplexAttribute):
    """The parts of a name; the formatted one is the display name."""

    formatted: str | None = None
    given_name: str | None = None
    family_name: str | None = None


class Email(ComplexAttribute):
    """The email, which is the userName."""

    value: str | None = None
    type: str | None = None
    primary: bool | None = None


class Role(ComplexAttribute):
    """The role in the organization."""

    value: Annotated[str | None, Required.true] = Field(None, examples=list(ROLES))
    primary: bool | None = Field(None, examples=["true"])  # a user has one role


class Membership(ComplexAttribute):
    """A group that a user belongs to."""

    value: Annotated[str | None, _ReadOnly, CaseExact.true] = None
    ref: Annotated[Reference["Group"] | None, _ReadOnly] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    display: Annotated[str | None, _ReadOnly] = None
    type: Annotated[str | None, _ReadOnly] = Field(None, examples=["direct"])


class Member(ComplexAttribute):
    """A user in a group."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    ref: Annotated[Reference["User"] | None, Mutability.immutable] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    display: Annotated[str | None, _ReadOnly] = None
    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])


class User(Resource[Any]):
    """A person. Personal access tokens act as them."""

    __schema__ = URN(USER)

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    display_name: str | None = None
    name: Name | None = None
    active: bool | None = None
    emails: Annotated[list[Email] | None, _ReadOnly] = None
    roles: list[Role] | None = None
    groups: Annotated[list[Membership] | None, _ReadOnly] = None

    Name: ClassVar[type[ComplexAttribute]] = Name
    Emails: ClassVar[type[ComplexAttribute]] = Email
    Roles: ClassVar[type[ComplexAttribute]] = Role
    Groups: ClassVar[type[ComplexAttribute]] = Membership


class Group(Resource[Any]):
    """Users who share roles on connections."""

    __schema__ = URN(GROUP)

    display_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    members: list[Member] | None = None

    Members: ClassVar[type[ComplexAttribute]] = Member

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy that shares the members.

        The library copies thousands of them to undo a PATCH that fails; here a failed PATCH rolls its transaction back,
        and the changed objects are dropped.
        """
        return super().model_copy(update=update)


@dataclass(frozen=True, slots=True)
class Defined:
    """The facts of a user attribute that SCIM needs."""

    name: str
    number: bool
    several: bool


def addressable(known: Iterable[UserAttribute]) -> tuple[Defined, ...]:
    """The user attributes that SCIM can name; of two names that differ in case only, the first."""
    found: dict[str, Defined] = {}
    for each in known:
        if ATTRIBUTE_NAME.fullmatch(each.name) and each.name.lower() != "schemas":
            found.setdefault(
                each.name.lower(), Defined(each.name, each.type == "Number", several=bool(each.multiple_values))
            )
    return tuple(found.values())


def _listed(value: Any) -> Any:
    """Several values as a list; clients also send a single value, or a text with commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")] if value else []
    return cast("Any", value) if value is None or isinstance(value, list) else [value]


def _extension(defined: Iterable[Defined]) -> type[Extension]:
    fields: dict[str, Any] = {}
    for place, each in enumerate(defined):
        kind = Annotated[list[Any] | None, BeforeValidator(_listed)] if each.several else Any
        fields[f"attribute{place}"] = (kind, Field(None, serialization_alias=each.name, validation_alias=each.name))
    made = create_model("UserAttribute", __base__=Extension, __doc__="User attributes by their names.", **fields)
    made.__schema__ = URN(ATTRIBUTES)
    made.__pydantic_on_complete__()  # the library reads the schema's name there
    return made


class Provider(ScimProvider):
    """The service provider of an organization, with the user attributes that it has defined, if any."""

    def __init__(self, defined: tuple[Defined, ...]) -> None:
        extensions = [_extension(defined)] if defined else []
        user: type[Resource[Any]] = User.__class_getitem__(extensions[0]) if extensions else User
        self.defined = defined
        super().__init__(
            models=[User, Group, *extensions],
            resource_types=[ResourceType.from_resource(user), ResourceType.from_resource(Group)],
            config=_config(),
            policy=ScimPolicy(
                remove_value_as_filter=ScimPolicy.RemoveValue.apply,
                unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
                comparison_key=_comparison_key,
            ),
        )

    @cached_property
    def schemas(self) -> tuple[Schema, ...]:
        """The schemas, with facts that the models lack: defaults, and the types of user attributes."""
        user, group, *extensions = super().schemas
        for attribute in user.attributes or []:
            if attribute.name in ALWAYS_THERE:
                attribute.required = Required.true
        for extension in extensions:
            extension.attributes = [_described(each) for each in self.defined]
        return user, group, *extensions


def _described(each: Defined) -> Attribute:
    return Attribute(
        name=each.name,
        type=Attribute.Type.decimal if each.number else Attribute.Type.string,
        multi_valued=each.several,
        description=f"The user attribute {each.name}.",
        required=Required.false,
        case_exact=CaseExact.false,
        mutability=Mutability.read_write,
        returned=Returned.default,
        uniqueness=Uniqueness.none,
    )


def _comparison_key(binding: Any, value: str) -> str:
    return value if binding.case_exact else folded(value)


def _config() -> ServiceProviderConfig:
    return ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=True, max_operations=BULK_OPERATIONS, max_payload_size=BULK_BYTES),
        filter=Filter(supported=True, max_results=MAX_PAGE_SIZE),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=True),
        etag=ETag(supported=True),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="Key",
                description="A key of Moorings, as a bearer token.",
                primary=True,
            )
        ],
    )
