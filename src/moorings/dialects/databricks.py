"""Databricks SQL.

Driver: databricks-sql-connector (extra `databricks`), asynchronous statements over Thrift, results as Arrow. Login:
personal access token, OAuth of a machine (client id and secret of a service principal); OAuth of a user is stored, but
needs that user's sign-in. `warehouse` is the HTTP path of the SQL warehouse, `database` the catalog. Limits: results
come through the warehouse, not from cloud storage: slower when huge, but in bounded memory and from one host; catalogs
without an information_schema, such as hive_metastore, list nothing; intervals arrive as text. Sessions cannot be made
read-only: before a statement of a read-only connection runs, the server parses it as DESCRIBE QUERY, which takes
nothing but a query. Source: https://docs.databricks.com/aws/en/dev-tools/python-sql-connector.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from moorings import errors
from moorings.dialects.base import Abilities, Session, Surroundings, importing
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.databricks_faults import FAULTS, error_class, fault_key
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.failures import of_transport
from moorings.dialects.fields import Port
from moorings.dialects.places import matching
from moorings.dialects.required import Login, Need, always

MACHINE, USER = "databricks-oauth-m2m", "databricks-oauth-user"
NEEDS_SIGN_IN = (
    "This way to log in needs a user's own sign-in, which a service cannot do. Use a service principal"
    " (databricks-oauth-m2m) or a personal access token."
)


HttpPath = Annotated[
    str,
    matching(
        r"/?[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*(?:\?o=[0-9]{1,20})?",
        "Only the HTTP path of a SQL warehouse or cluster, such as /sql/1.0/warehouses/1a2b3c",
    ),
]


class Config(ConnectionConfig, frozen=True):
    """What a Databricks connection needs for each way to log in."""

    REQUIRED: ClassVar[tuple[Need, ...]] = (*always("host", "warehouse"), Need("username", when="use_machine_auth"))
    LOGINS: ClassVar[tuple[Login, ...]] = (
        Login("databricks-personal-access-token"),
        Login(MACHINE, ("username", "password"), inferred_from="use_machine_auth"),
        Login(USER, ()),
    )

    dialect: Literal["databricks"] = "databricks"
    warehouse: HttpPath | None = None
    port: Port | None = 443
    always_scope_view_names: bool = True


class Databricks(BaseDialect):
    """Databricks SQL."""

    name = "databricks"
    title = "Databricks"
    extra = "databricks"
    abilities = Abilities(connects=True, probed=False, several_catalogs=True)
    PARAMETERS = "?, ?"
    over_http = True
    Config = Config
    FAULTS = FAULTS

    def fault_key(self, error: BaseException) -> str | None:
        """The server's error class, an HTTP status, or a word for what went wrong on the way."""
        return fault_key(error)

    def said(self, error: BaseException) -> str:
        """The server's words, where they came as its protocol has them; of any other answer, the status alone."""
        if error_class(error) or type(error).__name__ in ("ServerOperationError", "DatabaseError"):
            return str(error)
        context: Mapping[str, Any] = getattr(error, "context", None) or {}
        status = context.get("http-code")
        return f"HTTP status {status}" if isinstance(status, int) else of_transport(error)

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-databricks."""
        logins: Mapping[str | None, Mapping[str, Any]] = {
            MACHINE: {"auth_type": "oauth", "client_id": config.username, "client_secret": DbtSecret("password")},
            USER: {"auth_type": "oauth"},
        }
        return {
            "type": "databricks",
            "host": config.host,
            "http_path": config.warehouse,
            **logins.get(config.authentication_type, {"token": DbtSecret("password")}),
            "catalog": place.database or config.database,
            "schema": place.schema,
        }

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Log in; raises LoginRefused for what needs a user's sign-in."""
        with importing("databricks"):
            from moorings.dialects.databricks_session import DatabricksSession
        if config.authentication_type == USER:
            raise errors.LoginRefused("authentication_type", message=NEEDS_SIGN_IN)
        return DatabricksSession(config, surroundings)
