"""The settings of a SAP HANA connection."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.fields import Port
from moorings.dialects.config.needs import Need, always
from moorings.dialects.config.places import matching

TenantName = Annotated[
    str, matching(r"[A-Za-z0-9_.$#-]{1,255}", "Only the name of the tenant database, such as SYSTEMDB")
]


class Config(ConnectionConfig, frozen=True):
    """The settings of a SAP HANA connection: `database` is the tenant, if the port does not identify it."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "username")

    dialect: Literal["sap_hana"] = "sap_hana"
    database: TenantName | None = None
    port: Port | None = 443
    ssl_mode: Literal["disable", "require", "verify-full"] = "verify-full"
