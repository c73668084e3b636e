# What we use of clickhouse-connect, whose own types are not strict.
