from collections.abc import Mapping, Sequence
from typing import Any

from google.auth import credentials

class Credentials(credentials.Credentials):
    @classmethod
    def from_service_account_info(cls, info: Mapping[str, Any], *, scopes: Sequence[str]) -> Credentials: ...
    def sign_bytes(self, message: bytes) -> bytes: ...
