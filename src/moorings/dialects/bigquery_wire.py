"""How BigQuery's two services are reached. Imports the driver: only the session imports this."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import grpc
import pyarrow as pa
import requests
import urllib3
from google.auth.credentials import Credentials
from google.auth.transport.grpc import secure_authorized_channel
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, types
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
from requests.adapters import HTTPAdapter

from moorings.dialects.bigquery import Config, endpoint

LZ4 = types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
OF_ANY_LENGTH = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class _Hurried(Request):
    """A request for a token that gives up when a connection would; the driver's own waits two minutes."""

    def __init__(self, session: requests.Session, seconds: float) -> None:
        super().__init__(session)
        self._seconds = seconds

    def __call__(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Make the request, in the time that there is."""
        return super().__call__(*args, timeout=self._seconds, **kwargs)


class _Verifying(HTTPAdapter):
    """HTTPS that verifies as the connection's settings ask."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """What tells pools of connections apart: in place of the driver's bundle of authorities, ours."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._context}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave the verification to the context."""


class Wire:
    """Connections to the API, for one thread; `close` ends them."""

    def __init__(self, config: Config, credentials: Credentials, seconds: float) -> None:
        self._plain = _session(config)
        self.request = _Hurried(self._plain, seconds)
        self._authorized = AuthorizedSession(credentials, auth_request=self.request)
        for prefix, adapter in self._plain.adapters.items():
            self._authorized.mount(prefix, adapter)
        self.client = bigquery.Client(
            project=config.database or "",
            credentials=credentials,
            _http=self._authorized,
            location=config.region,
            client_options={"api_endpoint": endpoint(config)},
        )

    def close(self) -> None:
        """Hang up."""
        self._authorized.close()
        self._plain.close()


def _session(config: Config) -> requests.Session:
    session = requests.Session()
    if config.trust_server_certificate or config.ssl_root_cert:
        context = ssl.create_default_context(cadata=config.ssl_root_cert)
        if config.trust_server_certificate:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        session.mount("https://", _Verifying(context))
    return session


def storage_channel(url: str, config: Config, credentials: Credentials, request: Request) -> grpc.Channel:
    """A channel to the Storage API, which connects when it is first used."""
    parts = urlsplit(url)
    if parts.scheme == "http":
        return grpc.insecure_channel(parts.netloc, options=OF_ANY_LENGTH)
    authorities = config.ssl_root_cert.encode() if config.ssl_root_cert else None
    secure = grpc.ssl_channel_credentials(root_certificates=authorities)
    target = parts.netloc if parts.port else f"{parts.netloc}:443"
    return secure_authorized_channel(credentials, request, target, ssl_credentials=secure, options=OF_ANY_LENGTH)


def read(channel: grpc.Channel, job: bigquery.QueryJob, seconds: float) -> Iterator[pa.RecordBatch]:
    """The rows of a job's result, in one stream, which keeps their order; gRPC lets the server send what we take."""
    client = BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
    asked = types.ReadSession(table=job.destination.to_bqstorage(), data_format=types.DataFormat.ARROW)
    asked.read_options.arrow_serialization_options.buffer_compression = LZ4
    parent = f"projects/{job.project}"
    session = client.create_read_session(
        parent=parent, read_session=asked, max_stream_count=1, retry=None, timeout=seconds
    )
    return _batches(client, session)


def _batches(client: BigQueryReadClient, session: types.ReadSession) -> Iterator[pa.RecordBatch]:
    schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
    for stream in session.streams:
        for message in client.read_rows(stream.name):
            yield pa.ipc.read_record_batch(pa.py_buffer(message.arrow_record_batch.serialized_record_batch), schema)
