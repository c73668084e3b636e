"""MySQL.

Driver: asyncmy (extra `mysql`). Login: user name and password (native, or caching SHA-2 over TLS). Limits: a schema
is a database here; TIMESTAMP arrives in the session's time zone, by its offset of today; dates such as 0000-00-00
arrive as null; a literal % is written %% in statements with parameters.
Source: https://dev.mysql.com/doc/refman/8.4/en/connection-options.html.
"""
