"""MariaDB.

Driver: asyncmy (extra `mariadb`). Login: user name and password. Limits: a schema is a database here.
Source: https://mariadb.com/docs/server/security/securing-mariadb.
"""
