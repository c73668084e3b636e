"""The settings of a Snowflake connection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from moorings.dialects.config.blanks import BLANKS
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.config.fields import custom_error
from moorings.dialects.config.keys import PrivateKey, in_the_clear, rsa_faults
from moorings.dialects.config.needs import Login, Need, always
from moorings.dialects.config.places import Place
from moorings.dialects.config.urls import HttpsUrl

DOMAIN = "snowflakecomputing.com"
TLS_PORT = 443


ACCOUNT = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
UNLIKE_AN_ACCOUNT = "Expected the account identifier, such as myorg-account or xy12345.us-east-1"
MAX_ACCOUNT_LENGTH = 200


def parse_account(text: str) -> str:
    """An account identifier, without blanks around it and a dot at the end. Raises PydanticCustomError."""
    if re.search(r"snowflakecomputing\.|[/:]", text, re.IGNORECASE):
        raise custom_error("Please only include your Snowflake account identifier")
    account = text.strip(BLANKS).removesuffix(".")
    is_one = account[:1].isalpha() and all(map(ACCOUNT.fullmatch, account.split(".")))
    if len(account) > MAX_ACCOUNT_LENGTH or not is_one:
        raise custom_error(UNLIKE_AN_ACCOUNT)
    return account


Account = Annotated[str, Place(parse_account, pattern=r"^[A-Za-z0-9_.-]+$")]


class Config(ConnectionConfig, frozen=True):
    """The settings of a Snowflake connection, for each login method."""

    REQUIRED: ClassVar[tuple[Need, ...]] = (
        Need("host", alternative="host_override"),
        *always("database"),
    )
    LOGINS: ClassVar[tuple[Login, ...]] = (
        Login("snowflake-password", ("warehouse", "username", "password"), uses=("oauth_client_secret",)),
        Login(
            "snowflake-keypair",
            ("warehouse", "username", "private_key"),
            inferred_from="private_key",
            uses=("private_key_passphrase",),
        ),
        Login(
            "snowflake-oauth-user",
            ("oauth_client_id", "oauth_client_secret"),
            inferred_from="oauth_client_id",
            unless=("password", "external_oauth_authorization_url"),
        ),
        Login(
            "snowflake-external-oauth-user",
            ("external_oauth_authorization_url", "external_oauth_token_url"),
            inferred_from="external_oauth_authorization_url",
            uses=("oauth_client_secret",),
        ),
    )

    EXAMPLE: ClassVar[Mapping[str, object]] = {"host": "myorg-myaccount", "warehouse": "COMPUTE_WH"}
    USUAL_SCHEMA: ClassVar[str] = "PUBLIC"

    dialect: Literal["snowflake"] = "snowflake"
    host: Account | None = None
    always_scope_view_names: bool = True
    private_key: PrivateKey | None = None
    external_oauth_authorization_url: HttpsUrl | None = None
    external_oauth_token_url: HttpsUrl | None = None

    @classmethod
    def further_faults(cls, given: Mapping[str, Any], login: Login | None) -> Iterable[tuple[str, str]]:
        """The faults of the private key and its passphrase."""
        return rsa_faults(given)

    @property
    def opened_key(self) -> str | None:
        """The private key without its passphrase, in the driver's form."""
        return in_the_clear(self.private_key, self.private_key_passphrase) if self.private_key else None

    @property
    def server(self) -> str:
        """The full host name; accounts in China have their own domain, and DNS names have no underscores."""
        if self.host_override:
            return self.host_override
        account = (self.host or "").replace("_", "-")
        return f"{account}.{'snowflakecomputing.cn' if '.cn-' in account.lower() else DOMAIN}"

    @property
    def reaches_snowflake(self) -> bool:
        """Whether public authorities vouch that the server is in Snowflake's own domain."""
        own = self.server.lower().endswith((f".{DOMAIN}", ".snowflakecomputing.cn"))
        return own and not self.trust_server_certificate and self.ssl_root_cert is None

    @property
    def account(self) -> str:
        """The account's identifier, without region and cloud, which are only parts of the host name."""
        return (self.host or self.host_override or "").partition(".")[0]


def uses_client_credentials(config: Config) -> bool:
    """Whether all fields for fetching a token without a user are set."""
    return bool(config.oauth_client_id and config.oauth_client_secret and config.external_oauth_token_url)
