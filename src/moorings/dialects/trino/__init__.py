"""Trino.

Driver: trino (extra `trino`), its direct protocol: JSON pages, made into Arrow here. Login: user name and password,
over TLS only; with `sslMode` `disable` the default port is 8080 and only the user name is sent, since Trino accepts no
password without TLS. `database` is the catalog. Limits: a read-only statement runs in a READ ONLY transaction, which
stops statements that Trino recognizes as writes, not those that a connector's `query` table function passes on; times
finer than nanoseconds are cut; catalogs have no primary keys, foreign keys and row counts. Needs Trino 418 for
statements with parameters. Source: https://trino.io/docs/current/develop/client-protocol.html.
"""
