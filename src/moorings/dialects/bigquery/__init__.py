"""Google BigQuery.

Driver: google-cloud-bigquery and google-cloud-bigquery-storage (extra `bigquery`). Login: service account, or workload
identity federation, whose external account configuration is the password; the two kinds of OAuth of a user are stored,
and need that user's sign-in. Nothing is ever taken from the machine itself: no application default credentials, no
metadata server. Limits: BigQuery has no read-only session, so a dry run first determines the kind of a statement, and
only a SELECT is allowed; there are no sessions, so nothing is left behind by a statement; NUMERIC arrives as
decimal128(38, 9) and BIGNUMERIC as decimal256(76, 38) whatever is declared; JSON and GEOGRAPHY arrive as text; two
columns of a result cannot share a name. Source: https://cloud.google.com/bigquery/docs/reference/rest.
"""
