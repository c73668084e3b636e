"""The settings of an Athena connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from moorings.dialects.config import endpoints
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.destinations import DESTINATIONS, Destinations, another_value
from moorings.dialects.config.needs import Login, Need, always
from moorings.dialects.config.places import Line, Region

SERVICES = ATHENA, S3, STS = ("athena", "s3", "sts")
"""The services that hostOverride may name; a single URL applies to all."""
ACCESS_KEY, ROLE = "aws-access-key", "aws-cross-account-role"
CATALOG, WORKGROUP = "AwsDataCatalog", "primary"
"""The data catalog that every account has."""


class Config(ConnectionConfig, frozen=True):
    """The settings of an Athena connection, for each login method."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("region")
    LOGINS: ClassVar[tuple[Login, ...]] = (
        Login(ACCESS_KEY, ("username", "password")),
        Login(ROLE, ("aws_role_arn",), inferred_from="aws_role_arn", uses=("password",)),
    )
    DESTINATIONS: ClassVar[Destinations] = {**DESTINATIONS, "region": another_value}

    EXAMPLE: ClassVar[Mapping[str, object]] = {
        "region": "eu-central-1",
        "username": "AKIAEXAMPLE",
        "passwordUnencrypted": "the secret access key",
    }

    dialect: Literal["athena"] = "athena"
    username: Line | None = None
    region: Region | None = None
    host_override: Annotated[str, endpoints.place(SERVICES)] | None = None
    always_scope_view_names: bool = True
    external_oauth_audience: Line | None = Field(
        None, description="The external id that the trust policy of the role requires."
    )


def endpoint(config: Config, service: str) -> str | None:
    """The URL of a service in hostOverride; None for AWS's own."""
    return endpoints.overridden(config.host_override, SERVICES, SERVICES).get(service)
