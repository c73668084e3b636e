"""Amazon Redshift.

Driver: redshift_connector (no extra yet). Login: user name and password. Connections are stored and checked, but not
opened yet. Limits: the driver speaks MD5, not SCRAM. Source:
https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-ssl-support.html.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.fields import Port, SslMode
from moorings.dialects.required import Need, always
from moorings.dialects.tls import TlsConfig


class Config(TlsConfig, frozen=True):
    """What a Redshift connection needs, and how it uses TLS."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "database", "username")

    dialect: Literal["redshift"] = "redshift"
    port: Port | None = 5439
    ssl_mode: SslMode = "require"


class Redshift(BaseDialect):
    """Amazon Redshift."""

    name = "redshift"
    title = "Amazon Redshift"
    Config = Config
