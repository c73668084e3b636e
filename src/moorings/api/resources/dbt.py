"""The endpoints of `/connections/{id}/dbt`."""

from __future__ import annotations

import re
from typing import Any, cast

import msgspec

from moorings.access.policy import Permission, Scope
from moorings.api.http import idempotency, pagination, schemas
from moorings.api.http.answers import Changed, Shape
from moorings.api.http.call import UUID, Call, Parameter
from moorings.api.http.fields import Fields
from moorings.api.http.pagination import PageInfo
from moorings.api.http.routing import Route
from moorings.dbt import environments, service
from moorings.dbt.environments import EnvironmentInput, Variable
from moorings.dbt.models import DbtEnvironment, DbtVariable
from moorings.dbt.names import PATH_PATTERN, is_address, is_branch
from moorings.dbt.service import Project
from moorings.dialects.config.fields import json_type
from moorings.errors import DbtEnvironmentNotFound, DbtNotConfigured, DbtNotSupported, RepeatDiffers

MAX_ADDRESS_LENGTH, MAX_VALUE_LENGTH = 1000, 10_000
MAX_VARIABLES = 1000
VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")
UNPRINTABLE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters that are not allowed in a line of shell or YAML."""

SECRETS_REMOVED = "These secret variables were not listed and are removed: {names}"
SORT_FIELDS = ("name",)
COLUMNS = {
    "name": "name",
    "targetSchema": "target_schema",
    "ownerId": "owner_id",
    "targetDatabase": "target_database",
    "targetName": "target_name",
    "targetRole": "target_role",
}


# ---- shapes -----------------------------------------------------------------------------------------------------


class DbtShape(Shape, kw_only=True):
    """The dbt repository of a connection. Add `publicKey` to the repository as its deploy key."""

    autogen_relationships: bool
    branch: str
    dbt_version: str
    enable_semantic_layer: bool
    enable_virtual_schemas: bool
    project_root_path: str | None
    ssh_url: str
    supports_dbt: bool
    message: str
    public_key: str | None


class DbtMissingShape(Shape, kw_only=True):
    """No dbt repository is linked. `supportsDbt` says whether the dialect supports dbt."""

    supports_dbt: bool
    message: str


class DbtVariableShape(Shape, kw_only=True):
    """A variable. The value of a secret variable is never returned."""

    id: str
    name: str
    value: str | None
    is_secret: bool


class DbtEnvironmentShape(Shape, kw_only=True):
    """A dbt environment: a target that a dbt project is built in. The oldest is the default."""

    id: str
    name: str
    is_default_environment: bool
    is_deferral_enabled: bool
    owner_id: str | None
    target_database: str | None
    target_name: str | None
    target_role: str | None
    target_schema: str
    variables: list[DbtVariableShape]
    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET


class DbtEnvironmentPage(Shape):
    """dbt environments, by name."""

    page_info: PageInfo
    records: list[DbtEnvironmentShape]


# ---- the repository ---------------------------------------------------------------------------------------------


async def get(call: Call) -> DbtShape | DbtMissingShape:
    """The dbt repository of a connection, or a message that none is linked."""
    found = await service.repository(call.session, call.connection)
    supported = service.supported(call.connection)
    if found is None:
        return DbtMissingShape(supports_dbt=supported, message=DbtNotConfigured().message)
    return DbtShape(
        autogen_relationships=bool(found.autogen_relationships),
        branch=found.branch,
        dbt_version=found.dbt_version,
        enable_semantic_layer=bool(found.enable_semantic_layer),
        enable_virtual_schemas=bool(found.enable_virtual_schemas),
        project_root_path=found.project_root_path,
        ssh_url=found.ssh_url,
        supports_dbt=supported,
        message="dbt is configured for this connection",
        public_key=found.public_key,
    )


async def configure(call: Call) -> Changed:
    """Link a dbt repository or change the link.

    A deploy key is created the first time, and again whenever `rotateKeys` is true.
    """
    project, rotate = _read_project(call)
    await service.configure(call.session, call.services.keyset, call.connection, project, rotate=rotate)
    return Changed(message="dbt configuration updated successfully")


async def unlink(call: Call) -> Changed:
    """Remove the link and its deploy key. The dbt environments stay."""
    await service.unlink(call.session, call.connection)
    return Changed(message="dbt repository unlinked successfully")


def _read_project(call: Call) -> tuple[Project, bool]:
    fields = Fields(call.body, tuple(schemas.dbt_project()["properties"]))
    relationships = fields.boolean("autogenRelationships")
    branch = fields.string("branch", required=True)
    if branch and not is_branch(branch):
        fields.fault("branch", "invalid")
    virtual = fields.boolean("enableVirtualSchemas")
    address = fields.string("sshUrl", required=True, longest=MAX_ADDRESS_LENGTH)
    if address and not is_address(address):
        fields.fault("sshUrl", "custom", reason="Expected git@host:path or ssh://host/path")
    version = fields.choice("dbtVersion", service.VERSIONS) if fields.raw("dbtVersion") is not None else None
    semantic = _flag(fields, "enableSemanticLayer")
    empty = fields.raw("projectRootPath") == ""
    path = None if empty else _text(fields, "projectRootPath", longest=MAX_ADDRESS_LENGTH)
    if path and not re.fullmatch(PATH_PATTERN, path):
        fields.fault("projectRootPath", "invalid")
    rotate = _flag(fields, "rotateKeys")
    fields.done()
    flags = (int(bool(relationships)), int(semantic), int(bool(virtual)))
    return Project(address, branch, path, version or service.VERSIONS[0], *flags), rotate


def _flag(fields: Fields, name: str) -> bool:
    return bool(fields.boolean(name)) if fields.has(name) else False


def _text(fields: Fields, name: str, *, longest: int = 255) -> str | None:
    return fields.string(name, longest=longest) if fields.raw(name) is not None else None


# ---- environments -----------------------------------------------------------------------------------------------


async def list_environments(call: Call) -> DbtEnvironmentPage:
    """The dbt environments of a connection. Default order: by name, descending."""
    query = Fields(call.query(), ("cursor", "pageSize", "sortField", "sortDirection"))
    query.choice("sortField", SORT_FIELDS)
    descending = query.choice("sortDirection", pagination.DIRECTIONS) != "asc"
    requested = pagination.page_request(query, pagination.BY_NAME)
    query.done()
    found, total = await environments.by_name(
        call.session, call.connection, requested.after, requested.size + 1, descending=descending
    )
    info = pagination.info([(each.name, each.id) for each in found], requested, total)
    return DbtEnvironmentPage(info, await _shapes(call, found[: requested.size]))


async def create_environment(call: Call) -> DbtEnvironmentShape:
    """Create a dbt environment."""
    requested = _read_environment(call, new=True)
    made = await environments.create(call.session, call.services.keyset, call.connection, requested)
    return (await _shapes(call, [made]))[0]


async def update_environment(call: Call) -> DbtEnvironmentShape:
    """Replace a dbt environment: fields that are left out take their defaults.

    In `variables`, an entry with an id changes that variable (a missing name or value stays), an entry without an id
    adds one, and variables that are not listed are removed; `warnings` name removed secrets.
    """
    found = await _found(call)
    requested = _read_environment(call, new=False)
    removed = await environments.change(call.session, call.services.keyset, call.connection, found, requested)
    (shown,) = await _shapes(call, [found])
    if removed:
        shown.warnings = [SECRETS_REMOVED.format(names=", ".join(removed))]
    return shown


async def remove_environment(call: Call) -> Changed:
    """Delete a dbt environment and its variables."""
    await environments.remove(call.session, await _found(call))
    return Changed(message="dbt environment deleted successfully")


async def _found(call: Call) -> DbtEnvironment:
    return await environments.find(call.session, call.connection, call.ids["environmentId"], to_change=True)


def _read_environment(call: Call, *, new: bool) -> EnvironmentInput:
    fields = Fields(call.body, (*COLUMNS, "isDeferralEnabled", "variables"))
    columns: dict[str, str | None] = {}
    for wire, column in COLUMNS.items():
        required = wire in ("name", "targetSchema")
        columns[column] = fields.string(wire, required=True) if required else _text(fields, wire)
    _check_owner(fields, call, columns)
    defers = _flag(fields, "isDeferralEnabled")
    variables = _read_variables(fields)
    fields.done()
    if call.actor.user_id is not None:
        if new:
            columns["owner_id"] = call.actor.user_id
        elif not fields.has("ownerId"):
            del columns["owner_id"]  # a user's key cannot remove the owner by leaving the field out
    return EnvironmentInput(columns | {"is_deferral_enabled": int(defers)}, variables)


def _check_owner(fields: Fields, call: Call, columns: dict[str, str | None]) -> None:
    """The owner is a user.

    Only organization keys can set it; environments created with other keys belong to their users.
    """
    owner = columns.get("owner_id")
    if owner:
        columns["owner_id"] = owner.lower()
        if not UUID.fullmatch(owner):
            fields.fault("ownerId", "uuid")
        elif call.actor.user_id not in (None, owner.lower()):
            fields.fault("ownerId", "custom", reason="Only an organization key can set the owner of an environment")


def _read_variables(fields: Fields) -> list[Variable]:
    listed = fields.array("variables") or []
    if len(listed) > MAX_VARIABLES:
        fields.fault("variables", "custom", reason=f"Expected at most {MAX_VARIABLES} variables")
        return []
    return [_read_variable(fields, f"variables.{place}", sent) for place, sent in enumerate(listed)]


def _read_variable(fields: Fields, place: str, sent: object) -> Variable:
    if not isinstance(sent, dict):
        fields.fault(place, "type", expected="object", received=json_type(sent))
        return Variable(None, None, secret=False, value=None)
    found: list[Any] = []
    inner = Fields(cast("dict[str, Any]", sent), ("id", "name", "value", "isSecret"), f"{place}.", found)
    variable_id = _text(inner, "id")
    if variable_id and not UUID.fullmatch(variable_id):
        inner.fault("id", "uuid")
    name = inner.string("name", required=True) if variable_id is None or inner.has("name") else None
    if name and not VARIABLE.fullmatch(name):
        inner.fault("name", "invalid")
    value = inner.string("value", shortest=0, longest=MAX_VALUE_LENGTH) if inner.raw("value") is not None else None
    if value and UNPRINTABLE.search(value):
        inner.fault("value", "invalid")
    secret = _flag(inner, "isSecret")
    fields.add(found)
    return Variable(variable_id.lower() if variable_id else None, name, secret=secret, value=value)


async def _shapes(call: Call, found: list[DbtEnvironment]) -> list[DbtEnvironmentShape]:
    default = await environments.default(call.session, call.connection)
    variables = await environments.variables(call.session, found)
    owners = await environments.owners(call.session, found)
    return [
        _shape(each, variables[each.id], owners.get(each.id), default=default is not None and each.id == default.id)
        for each in found
    ]


def _shape(
    environment: DbtEnvironment, variables: list[DbtVariable], owner: str | None, *, default: bool
) -> DbtEnvironmentShape:
    return DbtEnvironmentShape(
        id=environment.id,
        name=environment.name,
        is_default_environment=default,
        is_deferral_enabled=bool(environment.is_deferral_enabled),
        owner_id=owner,
        target_database=environment.target_database,
        target_name=environment.target_name,
        target_role=environment.target_role,
        target_schema=environment.target_schema,
        variables=[
            DbtVariableShape(id=each.id, name=each.name, value=each.value, is_secret=bool(each.is_secret))
            for each in variables
        ],
    )


ROUTES = (
    Route(
        method="GET",
        path="/connections/{id}/dbt",
        scopes=(Scope.READ,),
        operation_id="connectionsDbtGet",
        handler=get,
        permission=Permission.OVERSEE,
        summary="Get a connection's dbt project",
        answer=DbtShape | DbtMissingShape,
    ),
    Route(
        method="PUT",
        path="/connections/{id}/dbt",
        scopes=(Scope.MANAGE,),
        operation_id="connectionsDbtUpdate",
        handler=configure,
        permission=Permission.CHANGE,
        summary="Link a dbt repository",
        answer=Changed,
        body=schemas.dbt_project,
        errors=(DbtNotSupported,),
    ),
    Route(
        method="DELETE",
        path="/connections/{id}/dbt",
        scopes=(Scope.MANAGE,),
        operation_id="connectionsDbtDelete",
        handler=unlink,
        permission=Permission.CHANGE,
        summary="Unlink a dbt repository",
        answer=Changed,
        errors=(DbtNotConfigured,),
    ),
    Route(
        method="GET",
        path="/connections/{id}/dbt/environments",
        scopes=(Scope.READ,),
        operation_id="connectionsDbtEnvironmentsList",
        handler=list_environments,
        permission=Permission.OVERSEE,
        summary="List dbt environments",
        answer=DbtEnvironmentPage,
        parameters=(
            *pagination.PARAMETERS,
            Parameter("sortField", {"enum": list(SORT_FIELDS)}, "The field to sort by. Only `name` is supported."),
            pagination.DIRECTION,
        ),
    ),
    Route(
        method="POST",
        path="/connections/{id}/dbt/environments",
        scopes=(Scope.MANAGE,),
        operation_id="connectionsDbtEnvironmentsCreate",
        handler=idempotency.once(create_environment),
        permission=Permission.CHANGE,
        summary="Create a dbt environment",
        answer=DbtEnvironmentShape,
        status=201,
        body=schemas.dbt_environment,
        parameters=(idempotency.KEY,),
        headers=idempotency.HEADERS,
        errors=(DbtNotSupported, RepeatDiffers),
    ),
    Route(
        method="PUT",
        path="/connections/{id}/dbt/environments/{environmentId}",
        scopes=(Scope.MANAGE,),
        operation_id="connectionsDbtEnvironmentsUpdate",
        handler=update_environment,
        permission=Permission.CHANGE,
        summary="Change a dbt environment",
        answer=DbtEnvironmentShape,
        body=schemas.dbt_environment,
        errors=(DbtEnvironmentNotFound,),
    ),
    Route(
        method="DELETE",
        path="/connections/{id}/dbt/environments/{environmentId}",
        scopes=(Scope.MANAGE,),
        operation_id="connectionsDbtEnvironmentsDelete",
        handler=remove_environment,
        permission=Permission.CHANGE,
        summary="Remove a dbt environment",
        answer=Changed,
        errors=(DbtEnvironmentNotFound,),
    ),
)
