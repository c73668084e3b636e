"""Databricks Lakebase: the facts, and how to connect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from moorings import errors
from moorings.dialects.databricks_lakebase.config import Config
from moorings.dialects.postgres.dialect import Postgres
from moorings.dialects.postgres.faults import FAULTS

EXPIRED = errors.LoginRefused(
    "username",
    "password",
    message=(
        "Lakebase refused the login. An OAuth token expires within an hour and is valid for one user name "
        "only: send a new token, or the password of a native role."
    ),
)


class DatabricksLakebase(Postgres):
    """Databricks Lakebase."""

    name = "databricks_lakebase"
    title = "Databricks Lakebase"
    extra = "databricks-lakebase"
    abilities = replace(Postgres.abilities, probed=False)
    Config = Config
    FAULTS: ClassVar[Mapping[str, errors.WarehouseError]] = {**FAULTS, "28": EXPIRED, "28P01": EXPIRED}
