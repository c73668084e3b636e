"""Oracle Database.

Driver: oracledb in thin mode (extra `oracle`), whose licence has to be accepted. Login: user name and password;
`database` is the service name. Limits: NUMBER is a decimal if its precision is declared, else a double; a read-only
statement is a query in a read-only transaction, but a function with an autonomous transaction can still write. Source:
https://python-oracledb.readthedocs.io/.
"""
