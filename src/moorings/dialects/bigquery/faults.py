"""BigQuery's errors as ours, and the fields to blame."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors
from moorings.dialects.https_faults import https_faults

DENIED = "Grant it roles/bigquery.dataViewer on the dataset, or leave out what it may not read."
FAULTS: Mapping[str, errors.WarehouseError] = {
    **https_faults("host_override"),
    "no answer": errors.AnotherService(
        "host_override", message="Something answers there that is not BigQuery. Check the endpoint."
    ),
    "login": errors.LoginRefused(
        "password", message="Google refused the credentials. Make a new key, and paste it whole."
    ),
    "authError": errors.LoginRefused("password"),
    "no job": errors.DatabaseForbidden(
        "database",
        "username",
        message="The account may not run queries in this project. Grant it roles/bigquery.jobUser there.",
    ),
    "no project": errors.DatabaseNotFound(
        "database", message="There is no such project, or BigQuery is not enabled in it. Check the project's id."
    ),
    "billingNotEnabled": errors.DatabaseForbidden(
        "database", message="The project has no billing account. Link one, or name another project."
    ),
    "no region": errors.DatabaseNotFound(
        "region", message="BigQuery has no such region. Name it as `us` or `europe-west1`."
    ),
    "accessDenied": errors.StatementForbidden(message=f"The account may not read something that this names. {DENIED}"),
    "bytesBilledLimitExceeded": errors.StatementRefused(
        "max_billing_bytes",
        message="The statement would be billed for more than maxBillingBytes. Narrow it, or raise that.",
    ),
    "stopped": errors.QueryCancelled(),
    "timed out job": errors.QueryTimeout(),
    "parameters": errors.ParametersRefused(),
    "quotaExceeded": errors.StatementRefused(
        message="A quota of the project is used up. Wait, or raise it in the console."
    ),
    "rateLimitExceeded": errors.SessionLost(message="BigQuery takes no more requests for now. Try again shortly."),
    "backendError": errors.SessionLost(message="BigQuery itself failed. Try again shortly."),
    "internalError": errors.SessionLost(message="BigQuery itself failed. Try again shortly."),
    "resourcesExceeded": errors.StatementRefused(
        message="BigQuery ran out of resources for this statement. Narrow it."
    ),
    "responseTooLarge": errors.StatementRefused(message="The result is larger than BigQuery hands out. Narrow it."),
    "statement": errors.StatementRefused(),
}
"""BigQuery's reason of an error, or a word of TELLTALES or of `failure`.

Source of the reasons: https://cloud.google.com/bigquery/docs/error-messages."""

MESSAGE_PATTERNS = (
    ("bigquery.jobs.create permission", "no job"),
    ("Not found: Project", "no project"),
    ("has not enabled BigQuery", "no project"),
    ("Cannot parse  as CloudRegion", "no region"),
    ("Invalid value for location", "no region"),
    ("is not supported for use in location", "no region"),
    ("timed out", "timed out job"),
    ("query parameter", "parameters"),
    ("prepared statement parameters", "parameters"),
    ("Parameter argument/count mismatch", "parameters"),
)
"""What BigQuery says → the key of FAULTS that is more exact than its reason."""
