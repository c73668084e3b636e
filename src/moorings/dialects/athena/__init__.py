"""Amazon Athena.

Driver: botocore, which PyAthena brings (extra `athena`). PyAthena's own Arrow cursor reads a whole result into memory
and converts nulls to empty text; here results stream from S3. Login: access key id (`username`) and secret access key
(`passwordUnencrypted`), or a role of another account, assumed with such a key or else with the operator's
(MOORINGS_AWS_ACCESS_KEY_ID). Limits: Athena has no read-only session, so statements are allowed by their first word,
which decides in Athena's grammar whether they can write; it has no time limit for a statement, so Moorings stops it;
there are no sessions, so nothing is left behind and no time zone is kept; arrays, maps, rows and JSON arrive as text;
`database` is the data catalog. Source: https://docs.aws.amazon.com/athena/latest/APIReference/Welcome.html.
"""
