"""Microsoft SQL Server and Azure SQL.

Driver: mssql-python (extra `mssql`), its pooling off. Login: SQL Server user, Entra ID user and password, Entra ID
service principal (client id as user name, client secret as password); the driver asks the server which Entra tenant
that is. Limits: there are no read-only sessions, so a read-only statement may contain only words that read, and runs in
a transaction that is always rolled back; sessions have no time zone and no time limit; only the first result of a batch
is returned; a datetime2 loses its seventh digit; certificates are verified only with the machine's authorities. Source:
https://learn.microsoft.com/en-us/sql/connect/odbc/dsn-connection-string-attribute.
"""
