from typing import Any

from .config import Config

class Session:
    def __init__(self, session_vars: Any = None) -> None: ...
    def register_component(self, name: str, component: object) -> None: ...
    def create_client(
        self,
        service_name: str,
        region_name: str | None = None,
        *,
        endpoint_url: str | None = None,
        verify: bool | str | None = None,
        config: Config | None = None,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
    ) -> Any: ...
