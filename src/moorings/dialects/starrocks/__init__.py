"""StarRocks, which speaks MySQL's protocol.

Driver: asyncmy (extra `starrocks`). Login: user name and password. `database` is in the catalog default_catalog, or
names its own: `lake.sales`. Limits: StarRocks has no read-only sessions or transactions, and writes at once: on a
connection that only reads, statements are let through by their first word, and nothing else holds a write back but the
user's own grants. LARGEINT and nested types arrive as text, times as stored; foreign keys are not kept.
Source: https://docs.starrocks.io/docs/sql-reference/System_variable/.
"""
