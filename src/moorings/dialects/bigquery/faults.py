"""BigQuery's errors as ours, and the fields to blame."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors
from moorings.dialects.https_faults import https_faults

DENIED = "Grant it roles/bigquery.dataViewer on the dataset, or leave the table out."
FAULTS: Mapping[str, errors.WarehouseError] = {
    **https_faults("host_override"),
    "no answer": errors.AnotherService(
        "host_override", message="Another service than BigQuery answers at this endpoint. Check hostOverride."
    ),
    "login": errors.LoginRefused(
        "password", message="Google refused the credentials. Create a new key, and paste the whole file."
    ),
    "authError": errors.LoginRefused("password"),
    "no job": errors.DatabaseForbidden(
        "database",
        "username",
        message="The account has no permission to run queries in this project. Grant it roles/bigquery.jobUser.",
    ),
    "no project": errors.DatabaseNotFound(
        "database", message="The project does not exist, or BigQuery is not enabled in it. Check the project id."
    ),
    "billingNotEnabled": errors.DatabaseForbidden(
        "database", message="The project has no billing account. Link one, or name another project."
    ),
    "no region": errors.DatabaseNotFound(
        "region", message="BigQuery does not know this region. Write it as `us` or `europe-west1`."
    ),
    "accessDenied": errors.StatementForbidden(
        message=f"The account has no permission to read a table of this statement. {DENIED}"
    ),
    "bytesBilledLimitExceeded": errors.StatementRefused(
        "max_billing_bytes",
        message="The statement would bill more than maxBillingBytes. Read less, or raise maxBillingBytes.",
    ),
    "stopped": errors.QueryCancelled(),
    "timed out job": errors.QueryTimeout(),
    "parameters": errors.ParametersRefused(),
    "quotaExceeded": errors.StatementRefused(
        message="A quota of the project is used up. Wait, or raise it in the console."
    ),
    "rateLimitExceeded": errors.SessionLost(message="BigQuery limits requests. Try again shortly."),
    "backendError": errors.SessionLost(message="BigQuery reported an internal error. Try again shortly."),
    "internalError": errors.SessionLost(message="BigQuery reported an internal error. Try again shortly."),
    "resourcesExceeded": errors.StatementRefused(
        message="BigQuery ran out of resources for this statement. Simplify it."
    ),
    "responseTooLarge": errors.StatementRefused(message="The result is larger than BigQuery returns. Select less."),
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
"""Parts of BigQuery's messages → keys of FAULTS that are more exact than the reason."""
