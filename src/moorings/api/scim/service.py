"""The protocol's steps that differ from the library's."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import structlog
from pydantic import ValidationError
from scim2_models import (
    BaseModel,
    Context,
    Error,
    InvalidValueException,
    NotFoundException,
    NotImplementedException,
    PatchOp,
    Resource,
    ResourceType,
    ResponseParameters,
    SCIMException,
    SearchRequest,
)
from scim2_server.conditions import Conditions
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.service import ScimService
from scim2_server.storage import SearchPage

from moorings.access.service import Actor
from moorings.api.http.bodies import decode
from moorings.api.scim import problems, rewriting
from moorings.api.scim.models import Defined, Provider
from moorings.api.scim.resources import projection
from moorings.api.scim.routes import MAX_FILTER_LENGTH, PAGE_SIZE
from moorings.api.scim.vocabulary import LIST
from moorings.errors import Fault, InvalidInput, MooringsError

log = structlog.get_logger(__name__)

ModelT = TypeVar("ModelT", bound=BaseModel)

CACHED_PROVIDERS = 16
"""How many sets of user attributes a process caches models for; one set takes about 20 ms to build."""

MAX_SENTENCES = 10
"""The most faults of a body that an answer names."""

PRESERVED_BY_PUT = ("roles", "members", "UserAttribute")
"""Attributes that decide on access keep their values if a PUT leaves them out (RFC 7644, 3.5.1 allows both)."""

WHOLE = ("count", "startindex")

Rewriting = Callable[[str, Mapping[str, Any]], dict[str, Any]]


class Service(ScimService):
    """The protocol, over resources as answers show them. `provider` has the organization's user attributes."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self.served = provider

    # ---- requests ---------------------------------------------------------------------------------------------------

    def me_target(self, request: ScimRequest) -> tuple[ResourceType, str]:
        """The user of the key; none for an organization key."""
        actor: Actor = request.subject
        if request.method == "DELETE":
            raise NotImplementedException(detail="DELETE /Me is not supported. Delete the user by their id.")
        if actor.user_id is None:
            raise NotFoundException(detail="This key belongs to an organization, not to a user")
        return self.get_resource_type("User"), actor.user_id

    def _read(
        self,
        kind: str,
        model: type[ModelT],
        rewrite: Rewriting,
        body: bytes,
        content_type: str | None,
        context: Context,
    ) -> ModelT:
        payload = rewrite(kind, self.decode_body(body, content_type))
        try:
            return model.model_validate(payload, scim_ctx=context)
        except ValidationError as refused:
            raise _refusal(refused) from refused

    def decode_body(self, body: bytes, content_type: str | None) -> Any:
        """The JSON object of a body, without duplicate keys and without text that cannot be stored."""
        self.ensure_json(content_type)
        return rewriting.checked(decode(body))

    def read_creation(self, resource_type: ResourceType, body: bytes, content_type: str | None) -> Resource[Any]:
        """A resource to create."""
        context = Context.RESOURCE_CREATION_REQUEST
        model = self.get_model(resource_type)
        return self._read(str(resource_type.name), model, rewriting.resource, body, content_type, context)

    def read_replacement(self, resource_type: ResourceType, body: bytes, content_type: str | None) -> Resource[Any]:
        """A resource that replaces another."""
        context = Context.RESOURCE_REPLACEMENT_REQUEST
        model = self.get_model(resource_type)
        return self._read(str(resource_type.name), model, rewriting.resource, body, content_type, context)

    def read_patch(self, resource_type: ResourceType, body: bytes, content_type: str | None) -> PatchOp[Any]:
        """Operations on a resource."""
        context = Context.RESOURCE_PATCH_REQUEST
        model: type[PatchOp[Any]] = PatchOp.__class_getitem__(self.get_model(resource_type))
        return self._read(str(resource_type.name), model, rewriting.patch, body, content_type, context)

    def read_body(self, model: type[ModelT], body: bytes, content_type: str | None, scim_ctx: Context) -> ModelT:
        """A bulk request; other bodies have their own steps."""
        return self._read("", model, lambda _, sent: rewriting.bulk(sent), body, content_type, scim_ctx)

    def read_search(self, resource_types: list[ResourceType], payload: Any) -> tuple[SearchRequest[Any], Any]:
        """A search; empty parameters count as absent. Default page size: `PAGE_SIZE`."""
        present = {
            key: _whole(value) if key.casefold() in WHOLE else value
            for key, value in payload.items()
            if value not in ("", None) and key.casefold() != "cursor"
        }
        for key, value in present.items():
            if len(str(value)) > MAX_FILTER_LENGTH:
                raise InvalidInput([Fault(key[:100], "too_long", {"limit": MAX_FILTER_LENGTH})])
        if not any(key.casefold() == "count" for key in present):
            present["count"] = PAGE_SIZE
        return super().read_search(resource_types, present)

    def read_response_parameters(
        self, resource_type: ResourceType, query: Mapping[str, str]
    ) -> ResponseParameters[Any]:
        """The attributes that an answer shows."""
        for key in ("attributes", "excludedAttributes"):
            if len(query.get(key, "")) > MAX_FILTER_LENGTH:
                raise InvalidInput([Fault(key, "too_long", {"limit": MAX_FILTER_LENGTH})])
        return super().read_response_parameters(resource_type, query)

    # ---- changes ----------------------------------------------------------------------------------------------------

    def apply_replacement(
        self, current: Resource[Any], replacement: Resource[Any], conditions: Conditions
    ) -> Resource[Any]:
        """The replacement, with the values that a PUT keeps if it leaves them out."""
        self.check_preconditions(current, "PUT", conditions)
        for name in PRESERVED_BY_PUT:
            if name in type(replacement).model_fields and name not in replacement.model_fields_set:
                vars(replacement)[name] = getattr(current, name)  # as it is: assigning would validate it again
        replacement.replace(current)
        return replacement

    def apply_patch(self, current: Resource[Any], patch_op: PatchOp[Any], conditions: Conditions) -> Resource[Any]:
        """The resource after all operations; the storage writes nothing where nothing differs."""
        self.check_preconditions(current, "PATCH", conditions)
        try:
            patch_op.patch(current)
        except InvalidValueException as refused:
            if isinstance(refused.__cause__, ValidationError):
                raise _refusal(refused.__cause__) from refused
            raise
        return current

    # ---- answers ----------------------------------------------------------------------------------------------------

    def _answer(
        self,
        shown: Any,
        parameters: ResponseParameters[Any] | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> ScimResponse:
        """A resource as the storage returns it, with its location and version in headers too."""
        meta: dict[str, Any] = shown["meta"]
        headers = {"Content-Location": meta["location"]}
        if "version" in meta:
            headers["ETag"] = meta["version"]
        shape = projection(self.get_model(self.get_resource_type(meta["resourceType"])), parameters)
        return ScimResponse(status, shape.apply(shown) if shape else shown, headers)

    def creation_response(self, base_url: str, created: Any) -> ScimResponse:
        """The created resource, with its location."""
        answer = self._answer(created, status=HTTPStatus.CREATED)
        answer.headers["Location"] = created["meta"]["location"]
        return answer

    def query_response(
        self, base_url: str, resource: Any, response_parameters: ResponseParameters[Any], conditions: Conditions
    ) -> ScimResponse:
        """The resource, or 304 for the version that the client has."""
        version = resource["meta"].get("version")
        if not conditions.check(version, "GET"):
            return ScimResponse(HTTPStatus.NOT_MODIFIED, None, {"ETag": version} if version else {})
        return self._answer(resource, response_parameters)

    def search_response(
        self, base_url: str, resource_types: list[ResourceType], page: SearchPage, search_request: SearchRequest[Any]
    ) -> ScimResponse:
        """One page of resources."""
        return ScimResponse(
            HTTPStatus.OK,
            {
                "schemas": [LIST],
                "totalResults": page.total,
                "startIndex": search_request.start_index,
                "itemsPerPage": len(page.resources),
                "Resources": page.resources,
            },
        )

    def replacement_response(
        self, base_url: str, resource: Any, response_parameters: ResponseParameters[Any]
    ) -> ScimResponse:
        """The resource after a PUT."""
        return self._answer(resource, response_parameters)

    def patch_response(
        self, base_url: str, resource: Any, response_parameters: ResponseParameters[Any]
    ) -> ScimResponse:
        """The resource after a PATCH: clients expect it, although the library would answer 204."""
        return self._answer(resource, response_parameters)

    def bulk_success(self, base_url: str, operation: Any, outcome: dict[str, Any], resource: Any) -> dict[str, Any]:
        """The result of one operation of a bulk request."""
        found = super().bulk_success(base_url, operation, outcome, None)
        if resource is not None:
            found |= {"location": resource["meta"]["location"], "version": resource["meta"]["version"]}
        return found

    def bulk_failure(self, outcome: dict[str, Any], exception: Exception) -> dict[str, Any]:
        """The result of a failed operation; internal errors are logged here, since nothing else sees them."""
        if not isinstance(exception, MooringsError | SCIMException):
            log.error("scim_bulk_operation_failed", exc_info=exception)
        return super().bulk_failure(outcome, exception)

    @staticmethod
    def error_of(exception: Exception) -> Error:
        """An error of ours, or of the library; a 500 has no details."""
        if isinstance(exception, MooringsError):
            status, scim_type, detail = problems.parts(exception)
            return Error(status=status, scim_type=scim_type, detail=detail)
        if isinstance(exception, RecursionError):
            return InvalidValueException(detail="The request is nested too deep").to_error()
        return ScimService.error_of(exception)


def _whole(value: Any) -> Any:
    """A whole number, also when written as `20.0`, as generated clients do."""
    return str(value).partition(".")[0] if re.fullmatch(r"[0-9]{1,15}\.0+", str(value)) else value


def _refusal(refused: ValidationError) -> SCIMException:
    """The first fault, with the sentences of the others added."""
    found = Error.from_validation_errors(refused)
    sentences = dict.fromkeys(str(each.detail) for each in found[:MAX_SENTENCES])
    return SCIMException.from_error(found[0].model_copy(update={"detail": "; ".join(sentences)}))


@functools.lru_cache(maxsize=CACHED_PROVIDERS)
def service_for(defined: tuple[Defined, ...]) -> Service:
    """The service for a set of user attributes."""
    return Service(Provider(defined))
