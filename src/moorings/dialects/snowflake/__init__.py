"""Snowflake.

Driver: snowflake-connector-python (extra `snowflake`), asynchronous statements and its Arrow stream. Login: password,
key pair, OAuth client credentials (a client with its secret and `externalOauthTokenUrl`); OAuth of a user is stored,
but needs that user's sign-in. `host` is the account identifier alone; a full host name goes into `hostOverride`.
Limits: integers of more than 18 digits arrive as decimals; times are cut to microseconds, instants are in UTC;
semi-structured values arrive as JSON text. Sessions cannot be made read-only: before a statement of a read-only
connection runs, the server compiles it as a subquery, which only a query can be. Source:
https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-api.
"""
