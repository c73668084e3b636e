from collections.abc import Mapping, Sequence
from typing import Any

from . import credentials

class Credentials(credentials.Credentials):
    @classmethod
    def from_info(cls, info: Mapping[str, Any], *, scopes: Sequence[str]) -> Credentials: ...
