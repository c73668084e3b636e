"""Amazon Athena.

Driver: pyathena (no extra yet). Login: access key id (`username`) and secret access key (`passwordUnencrypted`), or a
role of another account. Connections are stored and checked, but not opened yet. `database` is the data catalog.
Source: https://docs.aws.amazon.com/athena/latest/ug/querying.html.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.base import Abilities
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.required import Login, Need, always


class Config(ConnectionConfig, frozen=True):
    """What an Athena connection needs for each way to log in."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("region")
    LOGINS: ClassVar[tuple[Login, ...]] = (
        Login("aws-access-key", ("username", "password")),
        Login("aws-cross-account-role", ("aws_role_arn",), inferred_from="aws_role_arn"),
    )

    dialect: Literal["athena"] = "athena"
    always_scope_view_names: bool = True


class Athena(BaseDialect):
    """Amazon Athena."""

    name = "athena"
    title = "Amazon Athena"
    abilities = Abilities(several_catalogs=True)
    Config = Config
