"""SAP HANA and SAP HANA Cloud.

Driver: hdbcli (no extra yet). Login: user name and password. Connections are stored and checked, but not opened yet.
Limits: the default port is HANA Cloud's; a tenant of one's own server has another. Source:
https://help.sap.com/docs/hana-cloud/.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.fields import Port
from moorings.dialects.required import Need, always


class Config(ConnectionConfig, frozen=True):
    """What a SAP HANA connection needs."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "username")

    dialect: Literal["sap_hana"] = "sap_hana"
    port: Port | None = 443


class SapHana(BaseDialect):
    """SAP HANA."""

    name = "sap_hana"
    title = "SAP HANA"
    Config = Config
