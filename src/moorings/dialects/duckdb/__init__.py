"""DuckDB: a local file, or memory. Ours: the published API does not have it.

Driver: duckdb (base install). Login: none. Limits: files only below the directory that the operator allows;
`:memory:` cannot be read-only and is empty at first. Source:
https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview.
"""
