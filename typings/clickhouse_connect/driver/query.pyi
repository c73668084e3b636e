from collections.abc import Sequence
from typing import Any

class QueryResult:
    column_names: tuple[str, ...]
    @property
    def result_rows(self) -> Sequence[Sequence[Any]]: ...
