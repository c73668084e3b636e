"""PostgreSQL, and what speaks its protocol.

Driver: ADBC (extra `postgres`). Login: user name and password (SCRAM or MD5; in clear text over verified TLS only).
Limits: numeric arrives as a decimal where its precision is declared, else as exact text; what Arrow cannot hold (NaN of
numerics, infinite times, years outside 1 to 9999) arrives as null; types without a match in Arrow (inet, ranges,
composites) arrive as text, and so do arrays of several dimensions; a parameter that is a timestamptz needs a cast,
`$1::timestamptz`. Source: https://www.postgresql.org/docs/current/libpq-ssl.html.
"""
