class MySQLError(Exception):
    sqlstate: str | None

class InternalError(MySQLError): ...
