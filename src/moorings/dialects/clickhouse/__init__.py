"""ClickHouse, over its HTTP interface.

Driver: clickhouse-connect (extra `clickhouse`), its Arrow stream. Login: user name and password; `sslMode` `disable`
switches TLS off, and the default port to 8123. Limits: a schema is a database here; requests share no session, so SET,
USE and temporary tables last for one statement; read-only statements may not have SETTINGS, since the server's readonly
forbids them; invalid UTF-8 in strings is replaced; 256-bit integers, Dynamic and Variant arrive as text, states of
aggregate functions as bytes; a statement with such columns is sent in a form that casts them; Time of more than a day
arrives as a duration; a shorter max_execution_time of the user's profile stays in force; a primary key orders, it is
not unique. Source: https://clickhouse.com/docs/interfaces/http.
"""
