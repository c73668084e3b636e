"""Microsoft SQL Server and Azure SQL.

Driver: mssql-python (extra `mssql`), its pooling off. Login: SQL Server user, Entra ID user and password, Entra ID
service principal (client id as user name, client secret as password); the driver asks the server which Entra tenant
that is. Limits: there are no read-only sessions, so a read-only statement is kept to words that read and runs in a
transaction that is always rolled back; there is no time zone and no time limit of a session; a batch's first result is
its result; a datetime2 loses its seventh digit; certificates are verified with the machine's authorities alone. Source:
https://learn.microsoft.com/en-us/sql/connect/odbc/dsn-connection-string-attribute.
"""
