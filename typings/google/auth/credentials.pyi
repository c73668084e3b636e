from .transport.requests import Request

class Credentials:
    def refresh(self, request: Request) -> None: ...
