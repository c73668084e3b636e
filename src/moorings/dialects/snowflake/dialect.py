"""Snowflake: the facts, and how to connect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorings import errors
from moorings.dialects.base import Abilities, Dialect, Session, SessionContext, importing
from moorings.dialects.dbt import DbtPlace, DbtSecret
from moorings.dialects.https_faults import of_transport
from moorings.dialects.snowflake.config import TLS_PORT, Config, uses_client_credentials
from moorings.dialects.snowflake.faults import FAULTS, MESSAGE_PATTERNS, fault_key

USER_LOGINS = ("snowflake-oauth-user", "snowflake-external-oauth-user")
LAST_OF_DRIVER = 99
"""Numbers of errors up to here are the driver's own."""
OF_DRIVER = range(250_000, 300_000)
"""Further numbers of the driver's own errors. Their texts quote answers that do not have Snowflake's form."""


class Snowflake(Dialect):
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

    def needs_process(self, config: Config) -> bool:
        """Whether the server may be another one than Snowflake's own.

        The driver decompresses answers in native code without a limit, so that one request could take all memory.
        """
        return not config.reaches_snowflake

    def fault_key(self, error: BaseException) -> str | None:
        """The server's number, or a word for a fault on the way."""
        return fault_key(error)

    def error_text(self, error: BaseException) -> str:
        """The server's message and number, without the driver's request ids."""
        number, text = getattr(error, "errno", None), getattr(error, "raw_msg", None) or str(error)
        if isinstance(number, int) and number > LAST_OF_DRIVER and number not in OF_DRIVER:
            return f"{text} ({number:06d})"
        matched = next((pattern for pattern, _ in MESSAGE_PATTERNS if pattern in text), "")
        return of_transport(error) or matched  # the driver's own texts may quote any answer

    def dbt_output(self, config: Config, place: DbtPlace) -> Mapping[str, Any]:
        """For dbt-snowflake; with OAuth it also needs a token, which the user must supply."""
        logins: Mapping[str | None, Mapping[str, Any]] = {
            "snowflake-password": {"password": DbtSecret("password")},
            "snowflake-keypair": {
                "private_key": DbtSecret("private_key"),
                "private_key_passphrase": (
                    DbtSecret("private_key_passphrase") if config.private_key_passphrase else None
                ),
            },
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

    def connect(self, config: Config, context: SessionContext) -> Session:
        """Log in; raises LoginRefused for login methods that need a user's sign-in."""
        with importing("snowflake"):
            from moorings.dialects.snowflake.session import SnowflakeSession
        if config.authentication_type in USER_LOGINS and not uses_client_credentials(config):
            raise errors.LoginRefused("authentication_type", message=NEEDS_SIGN_IN)
        return SnowflakeSession(config, context)


NEEDS_SIGN_IN = (
    "This login method needs an interactive sign-in, which Moorings does not support. Use a key pair, "
    "or a client of your OAuth server: set oauthClientId, oauthClientSecretUnencrypted and "
    "externalOauthTokenUrl."
)
