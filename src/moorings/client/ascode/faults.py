"""What can be wrong with files and plans."""

from __future__ import annotations

from moorings.client.errors import ClientError


class FileFault(ClientError):
    """A file cannot be used: it cannot be read, or something in it is wrong."""


class StalePlan(ClientError):
    """The service or the secrets have changed since the plan was made."""

    next_step = "Run `moorings plan` again, and review the new plan."


class ApplyFailed(ClientError):
    """An action of a plan failed. Those before it are done, those after it are not."""
