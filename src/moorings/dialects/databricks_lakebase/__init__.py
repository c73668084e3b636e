"""Databricks Lakebase, which is PostgreSQL run by Databricks.

Driver: that of PostgreSQL (extra `databricks-lakebase`). Login: user name and password; the password is that of a role,
or an OAuth token, which expires within the hour. Limits: those of PostgreSQL; a token is not renewed, so the pool
cannot log in after its expiry. Source: https://docs.databricks.com/aws/en/oltp/.
"""
