"""StarRocks, which speaks MySQL's protocol.

Driver: asyncmy (extra `starrocks`). Login: user name and password. `database` is in the catalog default_catalog, or
names its own: `lake.sales`. Limits: StarRocks has no read-only sessions or transactions, and writes at once: on a
read-only connection, statements are allowed by their first word; only the user's grants prevent other writes. LARGEINT
and nested types arrive as text, times as stored; there are no foreign keys. Source:
https://docs.starrocks.io/docs/sql-reference/System_variable/.
"""
