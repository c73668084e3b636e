# What we use of trino, whose own types are not strict.
