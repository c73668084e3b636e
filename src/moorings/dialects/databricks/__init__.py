"""Databricks SQL.

Driver: databricks-sql-connector (extra `databricks`), asynchronous statements over Thrift, results as Arrow. Login:
personal access token, OAuth of a machine (client id and secret of a service principal); OAuth of a user is stored, but
needs that user's sign-in. `warehouse` is the HTTP path of the SQL warehouse, `database` the catalog. Limits: results
come through the warehouse, not from cloud storage: slower when huge, but in bounded memory and from one host; catalogs
without an information_schema, such as hive_metastore, list nothing; intervals arrive as text. Sessions cannot be made
read-only: before a statement of a read-only connection runs, the server parses it as DESCRIBE QUERY, which accepts only
queries. Source: https://docs.databricks.com/aws/en/dev-tools/python-sql-connector.
"""
