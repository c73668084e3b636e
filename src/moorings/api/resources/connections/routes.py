"""The routes of `/connections`."""

from __future__ import annotations

from moorings.access.policy import Permission, Scope
from moorings.api.http import idempotency, schemas
from moorings.api.http.answers import Changed
from moorings.api.http.call import Parameter
from moorings.api.http.routing import Route
from moorings.api.resources import routed
from moorings.api.resources.connections import archive, create, details, listing, test, update
from moorings.api.resources.connections.shapes import (
    Archived,
    ConnectionList,
    Created,
    DependentsShape,
    OneConnection,
    TestShape,
)
from moorings.errors import (
    ConnectionTestFailed,
    EmptyBody,
    NeedsCredentials,
    NotArchived,
    PreconditionFailed,
    RepeatDiffers,
    Saturated,
    UnknownDialect,
    UnknownDialects,
    ValueInUse,
)

_TEXT = {"type": "string"}

ETAG = {"ETag": "The version of the connection, for `If-Match`."}

ROUTES = (
    Route(
        method="GET",
        path="/connections",
        scopes=(Scope.READ,),
        operation_id="connectionsList",
        handler=listing.list_connections,
        kind="free",
        summary="List connections",
        answer=ConnectionList,
        parameters=(
            Parameter("name", _TEXT, "Only connections whose name contains this text. Case does not matter."),
            Parameter("database", _TEXT, "Only connections whose database contains this text. Case does not matter."),
            Parameter("dialect", schemas.DIALECT_LIST, "Only connections of these dialects, comma-separated."),
            Parameter("sortField", {"enum": list(listing.SORT_FIELDS)}, "The field to sort by. Default: `name`."),
            Parameter("sortDirection", {"enum": list(listing.SORT_DIRECTIONS)}, "The sort direction. Default: `asc`."),
            Parameter("includeDeleted", schemas.FLAG, "Also list archived connections."),
        ),
        errors=(UnknownDialects,),
    ),
    Route(
        method="POST",
        path="/connections",
        scopes=(Scope.MANAGE,),
        operation_id="connectionsCreate",
        handler=create.create,
        kind="free",
        admin=True,
        summary="Create a connection",
        answer=Created,
        status=201,
        body=schemas.connection,
        parameters=(
            Parameter("test", schemas.FLAG, "Store the connection only if its connection test passes."),
            idempotency.KEY,
        ),
        headers=idempotency.HEADERS,
        errors=(UnknownDialect, ConnectionTestFailed, Saturated, RepeatDiffers),
    ),
    Route(
        method="GET",
        path="/connections/{id}",
        scopes=(Scope.READ,),
        handler=details.get,
        kind="free",
        permission=Permission.READ,
        summary="Get a connection",
        answer=OneConnection,
        headers=ETAG,
    ),
    Route(
        method="PATCH",
        path="/connections/{id}",
        scopes=(Scope.MANAGE,),
        operation_id="connectionsUpdate",
        handler=update.update,
        kind="free",
        permission=Permission.CHANGE,
        summary="Update a connection",
        answer=Changed,
        body=schemas.connection_changes,
        body_optional=True,
        body_asks=True,
        parameters=(Parameter("test", schemas.FLAG, "Change it only if the result passes its test."), details.IF_MATCH),
        errors=(EmptyBody, ValueInUse, PreconditionFailed, ConnectionTestFailed, NeedsCredentials, Saturated),
    ),
    Route(
        method="DELETE",
        path="/connections/{id}",
        scopes=(Scope.MANAGE,),
        handler=archive.archive,
        permission=Permission.ARCHIVE,
        summary="Archive a connection",
        answer=Archived,
        parameters=(details.IF_MATCH,),
        errors=(PreconditionFailed,),
    ),
    Route(
        method="POST",
        path="/connections/{id}/restore",
        scopes=(Scope.MANAGE,),
        handler=idempotency.once(archive.restore),
        permission=Permission.RESTORE,
        summary="Restore an archived connection",
        answer=OneConnection,
        body=schemas.credentials,
        body_optional=True,
        parameters=(idempotency.KEY,),
        headers=ETAG | idempotency.HEADERS,
        errors=(NotArchived, RepeatDiffers),
    ),
    Route(
        method="GET",
        path="/connections/{id}/dependents",
        scopes=(Scope.READ,),
        handler=archive.dependents,
        permission=Permission.OVERSEE,
        summary="List the dependents of a connection",
        answer=DependentsShape,
    ),
    Route(
        method="POST",
        path="/connections/test",
        scopes=(Scope.MANAGE,),
        handler=test.test_unsaved,
        kind="free",
        admin=True,
        summary="Test a configuration",
        answer=TestShape,
        body=schemas.connection,
        errors=(UnknownDialect, Saturated),
    ),
    Route(
        method="POST",
        path="/connections/{id}/test",
        scopes=(Scope.QUERY,),
        handler=test.test_saved,
        kind="free",
        permission=Permission.TEST,
        summary="Test a connection",
        answer=TestShape,
        body=schemas.nothing,
        body_optional=True,
        parameters=(routed.ENVIRONMENT,),
        headers=routed.HEADERS,
        errors=(*routed.ERRORS, Saturated),
    ),
)
