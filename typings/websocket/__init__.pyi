import socket

class WebSocket:
    def getstatus(self) -> int | None: ...

def create_connection(
    url: str,
    *,
    timeout: float | None = ...,
    socket: socket.socket | None = ...,
    redirect_limit: int = ...,
    skip_utf8_validation: bool = ...,
    enable_multithread: bool = ...,
) -> WebSocket: ...
