"""MySQL.

Driver: asyncmy (extra `mysql`). Login: user name and password (native, or caching SHA-2 over TLS). Limits: a schema is
a database here; TIMESTAMP arrives in the session's time zone, by its name if the server has tables of time zones
(mysql_tzinfo_to_sql), else by today's offset; invalid dates, such as 0000-00-00 and 2024-04-31, arrive as null; a text
parameter for a BIT column is its bytes, so send a number; a shorter time limit of the user stays in force; a statement
with several results is refused; a literal % is written %% in statements with parameters. Source:
https://dev.mysql.com/doc/refman/8.4/en/connection-options.html.
"""
