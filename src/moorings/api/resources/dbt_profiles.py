"""The endpoints of `/connections/{id}/dbt/profile`: a profiles.yml for dbt, without or with secrets."""

from __future__ import annotations

import structlog

from moorings.access.policy import Permission, Scope
from moorings.api.http import schemas
from moorings.api.http.call import UUID, Call, Parameter, Rendered
from moorings.api.http.fields import Fields
from moorings.api.http.routing import Route
from moorings.dbt import environments, profiles
from moorings.dbt.models import DbtEnvironment
from moorings.errors import DbtEnvironmentNotFound, DbtNotSupported, DbtSecretsDisabled, NoDbtSchema

log = structlog.get_logger(__name__)

YAML = "application/yaml"
ENVIRONMENT = Parameter("environment", schemas.UUID, "The id of the dbt environment. Default: the default environment.")


async def without_secrets(call: Call) -> Rendered:
    """A profiles.yml for dbt. It holds no secrets: it reads them from environment variables."""
    return await _rendered(call, await _environment(call), with_secrets=False)


async def with_secrets(call: Call) -> Rendered:
    """A profiles.yml for dbt that contains the secrets of the connection and of the dbt environment.

    Allowed for admins of the connection, if the operator has set `MOORINGS_DBT_SECRETS=true`. Every call is logged.
    """
    environment = await _environment(call)
    if not call.services.settings.dbt_secrets:
        raise DbtSecretsDisabled
    answer = await _rendered(call, environment, with_secrets=True)
    log.warning(
        "dbt_secrets_read",
        connection=call.connection.id,
        environment=environment.id if environment else None,
        key=call.actor.key_id,
        user=call.actor.user_id,
    )
    return answer


async def _environment(call: Call) -> DbtEnvironment | None:
    """The dbt environment that the query names, else the default one."""
    query = Fields(call.query(), (ENVIRONMENT.name,))
    environment_id = query.string(ENVIRONMENT.name, shortest=0) or None
    if environment_id is not None and not UUID.fullmatch(environment_id):
        query.fault(ENVIRONMENT.name, "uuid")
    query.done()
    Fields(call.body, ()).done()
    if environment_id is None:
        return await environments.default(call.session, call.connection)
    return await environments.find(call.session, call.connection, environment_id.lower())


async def _rendered(call: Call, environment: DbtEnvironment | None, *, with_secrets: bool) -> Rendered:
    text = await profiles.profile(
        call.session, call.services.keyset, call.connection, environment, with_secrets=with_secrets
    )
    return Rendered(text.encode(), headers=[(b"cache-control", b"no-store")], media_type=YAML.encode())


ROUTES = (
    Route(
        method="GET",
        path="/connections/{id}/dbt/profile",
        scopes=(Scope.READ,),
        handler=without_secrets,
        permission=Permission.READ,
        summary="Get a profiles.yml for dbt",
        answer=str,
        media_types=(YAML,),
        parameters=(ENVIRONMENT,),
        errors=(DbtNotSupported, NoDbtSchema, DbtEnvironmentNotFound),
    ),
    Route(
        method="POST",
        path="/connections/{id}/dbt/profile",
        scopes=(Scope.MANAGE,),
        handler=with_secrets,
        permission=Permission.CHANGE,
        summary="Get a profiles.yml for dbt with secrets",
        answer=str,
        media_types=(YAML,),
        body=schemas.nothing,
        body_optional=True,
        parameters=(ENVIRONMENT,),
        errors=(DbtNotSupported, NoDbtSchema, DbtEnvironmentNotFound, DbtSecretsDisabled),
    ),
)
