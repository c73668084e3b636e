from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

class Credentials: ...

class RefreshableCredentials(Credentials):
    @classmethod
    def create_from_metadata(
        cls, metadata: Mapping[str, Any], refresh_using: Callable[[], Mapping[str, Any]], method: str
    ) -> Self: ...

class CredentialProvider:
    METHOD: str
    CANONICAL_NAME: str
    def __init__(self, session: object = None) -> None: ...
    def load(self) -> Credentials | None: ...

class CredentialResolver:
    def __init__(self, providers: Sequence[CredentialProvider]) -> None: ...
