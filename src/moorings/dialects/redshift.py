"""Amazon Redshift.

Driver: redshift_connector (extra `redshift`). Login: user name and password. Limits: numbers of no declared precision,
intervals, SUPER, geometry and times with a zone arrive as text; what Arrow cannot hold (NaN of numerics, infinite
times, years outside 1 to 9999) arrives as null; `readOnly` is a read-only transaction, which stops neither UNLOAD nor
what a function does elsewhere; a % outside of texts is written %% in statements with parameters.
Source: https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-ssl-support.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, cast

from moorings import errors
from moorings.dialects import postgres_faults
from moorings.dialects.base import Abilities, Session, Surroundings, importing
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.fields import Port, SslMode
from moorings.dialects.required import Need, always
from moorings.dialects.tls import TlsConfig, failure

FAULTS: Mapping[str, errors.WarehouseError] = {
    **postgres_faults.FAULTS,
    "no entry": errors.LoginRefused(
        "username", "host", message="Redshift lets this user not in from here, or not without TLS. Ask for the rule."
    ),
    "timed out": errors.ConnectTimeout(
        "host",
        "port",
        message="The cluster did not answer in time. Check host, port, its security group, and whether it is publicly "
        "accessible or reached through its VPC.",
    ),
    "parameters": errors.ParametersRefused(),
    "XX": errors.StatementRefused(),
}
REFUSED_PARAMETERS = ("Array", "NotSupported", "DataError")
"""How the names of the driver's exceptions begin that it raises for parameters, before it sends them."""


class Config(TlsConfig, frozen=True):
    """What a Redshift connection needs, and how it uses TLS."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "database", "username")

    dialect: Literal["redshift"] = "redshift"
    port: Port | None = 5439
    ssl_mode: SslMode | None = "require"


class Redshift(BaseDialect):
    """Amazon Redshift."""

    name = "redshift"
    title = "Amazon Redshift"
    extra = "redshift"
    abilities = Abilities(connects=True, probed=False)
    Config = Config
    PARAMETERS = "%s, %s"
    FAULTS = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The SQLSTATE, its class, what the text tells, or a word for what went wrong on this side."""
        if said := told(error):
            return postgres_faults.key_of(said.get("M", ""), said.get("C"))
        if type(error).__name__.startswith(REFUSED_PARAMETERS) or "are supported in the query" in str(error):
            return "parameters"
        if "query was empty" in str(error):
            return "empty"
        return "lost" if "BrokenPipe" in str(error) or "connection is closed" in str(error) else failure(error)

    def said(self, error: BaseException) -> str:
        """The server's words, without the places in its source code."""
        said = told(error)
        return " ".join(said[part] for part in ("M", "D", "H") if part in said) if said else str(error)

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-redshift."""
        return {
            "type": "redshift",
            "host": config.host,
            "port": config.port,
            "user": config.username,
            "password": DbtSecret("password"),
            "dbname": place.database or config.database,
            "schema": place.schema,
            "role": place.role,
            "sslmode": config.ssl_mode,
        }

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Log in."""
        with importing(self.extra or ""):
            from moorings.dialects.redshift_session import RedshiftSession
        return RedshiftSession(config, surroundings)


def told(error: BaseException) -> Mapping[str, Any]:
    """The fields of the server's message, by their letters; none for the driver's own exceptions."""
    first = error.args[0] if error.args else None
    return cast("Mapping[str, Any]", first) if isinstance(first, dict) else {}
