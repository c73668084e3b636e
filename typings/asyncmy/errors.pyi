class MySQLError(Exception):
    sqlstate: str | None
