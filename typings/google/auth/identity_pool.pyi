from collections.abc import Sequence

from . import credentials

class SubjectTokenSupplier:
    def get_subject_token(self, context: object, request: object) -> str: ...

class Credentials(credentials.Credentials):
    def __init__(
        self,
        *,
        audience: str | None,
        subject_token_type: str,
        token_url: str,
        service_account_impersonation_url: str | None,
        subject_token_supplier: SubjectTokenSupplier,
        scopes: Sequence[str],
    ) -> None: ...
