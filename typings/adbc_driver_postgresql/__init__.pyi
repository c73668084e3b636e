# What we use of ADBC's driver for PostgreSQL.
