# What we use of pandas, which is an optional part of the client.
from typing import Any

class DataFrame:
    def __getattr__(self, name: str) -> Any: ...
