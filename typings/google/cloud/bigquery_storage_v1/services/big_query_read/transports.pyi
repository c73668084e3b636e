import grpc

class BigQueryReadGrpcTransport:
    def __init__(self, *, channel: grpc.Channel) -> None: ...
