"""PostgreSQL, and databases that speak its protocol.

Driver: ADBC (extra `postgres`). Login: user name and password (SCRAM or MD5; in clear text over verified TLS only).
Limits: numeric arrives as a decimal where its precision is declared, else as exact text; NaN of numerics is null;
infinite dates, years outside 1 to 9999 and 24:00 are null in Arrow, and text as PostgreSQL writes it in other formats;
types without a match in Arrow (inet, ranges, composites) arrive as text, and so do arrays of several dimensions. A
statement runs in a transaction, so poolers such as PgBouncer may pool by transaction; one that cannot run in a
transaction, such as VACUUM, needs its own session. A shorter statement_timeout of the role stays in force. Source:
https://www.postgresql.org/docs/current/libpq-ssl.html.
"""
