"""dbt: the repository of a connection's project, the environments it is built in, and profiles for dbt itself."""
