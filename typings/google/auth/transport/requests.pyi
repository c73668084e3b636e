from typing import Any

import requests
from google.auth.credentials import Credentials

class Request:
    def __init__(self, session: requests.Session | None = None) -> None: ...
    def __call__(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any: ...

class AuthorizedSession(requests.Session):
    def __init__(self, credentials: Credentials, *, auth_request: Request) -> None: ...
