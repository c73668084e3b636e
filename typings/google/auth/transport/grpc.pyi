from typing import Any

import grpc
from google.auth.credentials import Credentials
from google.auth.transport.requests import Request

def secure_authorized_channel(
    credentials: Credentials,
    request: Request,
    target: str,
    ssl_credentials: grpc.ChannelCredentials | None = None,
    **kwargs: Any,
) -> grpc.Channel: ...
