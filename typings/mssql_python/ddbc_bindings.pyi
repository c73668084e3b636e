# The driver's native half, as far as we reach into it.
class SqlHandle:
    def _cancel(self) -> None: ...

class Connection:
    def set_attr(self, attribute: int, value: int) -> None: ...

def DDBCSQLGetAllDiagRecords(handle: SqlHandle) -> list[tuple[str, str]]: ...  # noqa: N802
