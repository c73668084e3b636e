"""Trino.

Driver: trino (extra `trino`), its direct protocol: JSON pages, made into Arrow here. Login: user name and password,
over TLS only; with `sslMode` `disable` the default port is 8080 and the user name goes alone, since Trino takes no
password in the clear. `database` is the catalog. Limits: a read-only statement runs in a READ ONLY transaction, which
stops what Trino knows to be a write, not what a connector's `query` table function passes on; times finer than
nanoseconds are cut; a primary key, foreign keys and row counts are known to none of its catalogs. Needs Trino 418 for
statements with parameters. Source: https://trino.io/docs/current/develop/client-protocol.html.
"""
