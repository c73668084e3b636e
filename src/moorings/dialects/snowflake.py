"""Snowflake.

Driver: snowflake-connector-python (extra `snowflake`), asynchronous statements and its Arrow stream. Login: password,
key pair, OAuth client credentials (a client with its secret and `externalOauthTokenUrl`); OAuth of a user is stored,
but needs that user's sign-in. `host` is the account identifier alone; a full host name goes into `hostOverride`.
Limits: integers of more than 18 digits arrive as decimals; times are cut to microseconds, instants are in UTC;
semi-structured values arrive as JSON text. Sessions cannot be made read-only: before a statement of a read-only
connection runs, the server compiles it as a subquery, which nothing but a query can be.
Source: https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-api.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from moorings import errors
from moorings.dialects.base import Abilities, Session, Surroundings, importing
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.failures import of_transport
from moorings.dialects.fields import RsaKey, said
from moorings.dialects.hosts import BLANKS
from moorings.dialects.places import Place
from moorings.dialects.required import Login, Need, always
from moorings.dialects.snowflake_faults import FAULTS, TELLTALES, fault_key
from moorings.dialects.urls import HttpsUrl

USER_LOGINS = ("snowflake-oauth-user", "snowflake-external-oauth-user")
DOMAIN = "snowflakecomputing.com"
TLS_PORT = 443
LAST_OF_DRIVER = 99
"""Numbers of errors up to here are the driver's own."""


ACCOUNT = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
UNLIKE_AN_ACCOUNT = "Only the account identifier, such as myorg-account or xy12345.us-east-1"
LONGEST_ACCOUNT = 200


def parse_account(text: str) -> str:
    """An account identifier, without blanks around it and a dot at the end. Raises PydanticCustomError."""
    if re.search(r"snowflakecomputing\.|[/:]", text, re.IGNORECASE):
        raise said("Please only include your Snowflake account identifier")
    account = text.strip(BLANKS).removesuffix(".")
    is_one = account[:1].isalpha() and all(map(ACCOUNT.fullmatch, account.split(".")))
    if len(account) > LONGEST_ACCOUNT or not is_one:
        raise said(UNLIKE_AN_ACCOUNT)
    return account


Account = Annotated[str, Place(parse_account, pattern=r"^[A-Za-z0-9_.-]+$")]


class Config(ConnectionConfig, frozen=True):
    """What a Snowflake connection needs for each way to log in."""

    REQUIRED: ClassVar[tuple[Need, ...]] = (
        Need("host", alternative="host_override"),
        *always("warehouse", "database", "username"),
    )
    LOGINS: ClassVar[tuple[Login, ...]] = (
        Login("snowflake-password", uses=("oauth_client_secret",)),
        Login("snowflake-keypair", ("private_key",), inferred_from="private_key"),
        Login("snowflake-oauth-user", ("oauth_client_id", "oauth_client_secret")),
        Login(
            "snowflake-external-oauth-user",
            ("external_oauth_authorization_url", "external_oauth_token_url"),
            uses=("oauth_client_secret",),
        ),
    )

    dialect: Literal["snowflake"] = "snowflake"
    host: Account | None = None
    always_scope_view_names: bool = True
    private_key: RsaKey | None = None
    external_oauth_authorization_url: HttpsUrl | None = None
    external_oauth_token_url: HttpsUrl | None = None

    @property
    def server(self) -> str:
        """The full host name; accounts in China have a domain of their own, and underscores are not for DNS."""
        if self.host_override:
            return self.host_override
        account = (self.host or "").replace("_", "-")
        return f"{account}.{'snowflakecomputing.cn' if '.cn-' in account.lower() else DOMAIN}"

    @property
    def account(self) -> str:
        """The account's identifier, without region and cloud, which belong to the host name alone."""
        return (self.host or self.host_override or "").partition(".")[0]


class Snowflake(BaseDialect):
    """Snowflake."""

    name = "snowflake"
    title = "Snowflake"
    extra = "snowflake"
    abilities = Abilities(connects=True, probed=False, several_catalogs=True, key_pair=True)
    PARAMETERS = "?, ?"
    over_http = True
    Config = Config
    FAULTS = FAULTS

    def address(self, config: Config) -> tuple[str, int]:
        """The account's own host."""
        return config.server, config.port or TLS_PORT

    def fault_key(self, error: BaseException) -> str | None:
        """The server's number, or a word for what went wrong on the way."""
        return fault_key(error)

    def said(self, error: BaseException) -> str:
        """The server's words and its number, without the driver's own ids of the request."""
        number, text = getattr(error, "errno", None), getattr(error, "raw_msg", None) or str(error)
        if isinstance(number, int) and number > LAST_OF_DRIVER:
            return f"{text} ({number:06d})"
        told = next((telltale for telltale, _ in TELLTALES if telltale in text), "")
        return of_transport(error) or told  # the driver's own texts may quote any answer

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-snowflake; with OAuth it also needs a token, which is the user's to get."""
        logins: Mapping[str | None, Mapping[str, Any]] = {
            "snowflake-password": {"password": DbtSecret("password")},
            "snowflake-keypair": {"private_key": DbtSecret("private_key")},
            "snowflake-oauth-user": {
                "authenticator": "oauth",
                "oauth_client_id": config.oauth_client_id,
                "oauth_client_secret": DbtSecret("oauth_client_secret"),
            },
        }
        return {
            "type": "snowflake",
            "account": config.host or config.account,
            "host": config.host_override,
            "port": config.port,
            "user": config.username,
            **logins.get(config.authentication_type, {"authenticator": "oauth"}),
            "role": place.role,
            "warehouse": config.warehouse,
            "database": place.database or config.database,
            "schema": place.schema,
        }

    def connect(self, config: Config, surroundings: Surroundings) -> Session:
        """Log in; raises LoginRefused for what needs a user's sign-in."""
        with importing("snowflake"):
            from moorings.dialects.snowflake_session import SnowflakeSession
        if config.authentication_type in USER_LOGINS and not uses_client_credentials(config):
            raise errors.LoginRefused("authentication_type", message=NEEDS_SIGN_IN)
        return SnowflakeSession(config, surroundings)


NEEDS_SIGN_IN = (
    "This way to log in needs a user's own sign-in, which a service cannot do. Use a key pair, or a client of your"
    " OAuth server: give oauthClientId, oauthClientSecretUnencrypted and externalOauthTokenUrl."
)


def uses_client_credentials(config: Config) -> bool:
    """Whether there is all that fetches a token without a user."""
    return bool(config.oauth_client_id and config.oauth_client_secret and config.external_oauth_token_url)
