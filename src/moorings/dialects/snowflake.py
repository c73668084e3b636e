"""Snowflake.

Driver: snowflake-connector-python (no extra yet). Login: password, key pair, OAuth of the user, OAuth of an external
server. Connections are stored and checked, but not opened yet. `host` is the account identifier alone; a full host
name goes into `hostOverride`. Source: https://docs.snowflake.com/en/user-guide/admin-account-identifier.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator

from moorings.dialects.base import Abilities
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.fields import HttpsUrl, RsaKey, said
from moorings.dialects.required import Login, Need, always


def _account(value: str) -> str:
    if re.search(r"snowflakecomputing\.|[/:]", value, re.IGNORECASE):
        raise said("Please only include your Snowflake account identifier")
    return value


class Config(ConnectionConfig, frozen=True):
    """What a Snowflake connection needs for each way to log in."""

    REQUIRED: ClassVar[tuple[Need, ...]] = (
        Need("host", alternative="host_override"),
        *always("warehouse", "database", "username"),
    )
    LOGINS: ClassVar[tuple[Login, ...]] = (
        Login("snowflake-password"),
        Login("snowflake-keypair", ("private_key",), inferred_from="private_key"),
        Login("snowflake-oauth-user", ("oauth_client_id", "oauth_client_secret")),
        Login("snowflake-external-oauth-user", ("external_oauth_authorization_url", "external_oauth_token_url")),
    )

    dialect: Literal["snowflake"] = "snowflake"
    host: Annotated[str, AfterValidator(_account)] | None = None
    always_scope_view_names: bool = True
    private_key: RsaKey | None = None
    external_oauth_authorization_url: HttpsUrl | None = None
    external_oauth_token_url: HttpsUrl | None = None


class Snowflake(BaseDialect):
    """Snowflake."""

    name = "snowflake"
    title = "Snowflake"
    abilities = Abilities(several_catalogs=True, key_pair=True)
    Config = Config
