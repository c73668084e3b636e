# What we use of the ADBC driver manager.
class Error(Exception):
    sqlstate: str | None
