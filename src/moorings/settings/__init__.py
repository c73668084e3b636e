"""Settings: the only reader of the environment.

Every setting is `MOORINGS_<NAME>` in the environment or in `.env` of the working directory. A running service gets its
secret settings from neither: `cli.handover` passes them on.
"""

from moorings.settings.environment import (
    driver_environment,
    environment,
    handed,
    leave_environment,
    receive,
    secret_fields,
    secrets_apart,
    wants_json,
)
from moorings.settings.loading import load
from moorings.settings.model import Settings

__all__ = [
    "Settings",
    "driver_environment",
    "environment",
    "handed",
    "leave_environment",
    "load",
    "receive",
    "secret_fields",
    "secrets_apart",
    "wants_json",
]
