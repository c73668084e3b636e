"""DuckDB: a local file, or memory. Ours: the published API does not have it.

Driver: duckdb (base install). Login: none. Limits: files only below the directory that the operator allows;
`:memory:` cannot be read-only and is empty at first; BIT, TIMETZ, UHUGEINT, BIGNUM and VARIANT arrive as text, and so
do infinite dates and years before 1 in all formats but Arrow, where they are null. Source:
https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview.
"""
