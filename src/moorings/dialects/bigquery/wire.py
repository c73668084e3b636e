"""Connects to BigQuery's two services. Imports the driver: only the session imports this."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import requests
import urllib3
from google.api_core.exceptions import ResourceExhausted
from google.auth.credentials import Credentials
from google.auth.transport.grpc import secure_authorized_channel
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, types
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

from moorings import errors
from moorings.dialects.arrow.messages import read_batch
from moorings.dialects.base import SessionContext
from moorings.dialects.bigquery.config import Config, endpoint
from moorings.dialects.config.endpoints import host_and_port
from moorings.dialects.network import https
from moorings.dialects.network.dialing import Network
from moorings.dialects.network.requests import install

FIELDS = ("host_override",)

LZ4 = types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
IDENTITY = 1
"""Of the compressions that gRPC numbers by bits: none."""
TOO_LONG = "larger than max"
"""gRPC's text about a message above our size limit."""


class _Hurried(Request):
    """A request for a token that gives up when a connection would; the driver's own waits two minutes."""

    def __init__(self, session: requests.Session, seconds: float) -> None:
        super().__init__(session)
        self._seconds = seconds

    def __call__(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Make the request within the time that is left."""
        return super().__call__(*args, timeout=self._seconds, **kwargs)


class Wire:
    """Connections to the API, for one thread; `close` ends them."""

    def __init__(self, config: Config, credentials: Credentials, context: SessionContext) -> None:
        self._plain = _session(config, context.network)
        self.request = _Hurried(self._plain, context.connect_timeout_seconds)
        self._authorized = AuthorizedSession(credentials, auth_request=self.request)
        self._authorized.trust_env = False
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


def _session(config: Config, network: Network) -> requests.Session:
    session = requests.Session()
    if config.trust_server_certificate:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    tls = https.context(network, config.ssl_root_cert, trust=config.trust_server_certificate)
    install(session, network, tls, *FIELDS)
    return session


def storage_channel(
    network: Network, url: str, config: Config, credentials: Credentials, request: Request
) -> grpc.Channel:
    """A channel to the Storage API, which connects to checked addresses on first use.

    Its messages have the size limit of HTTP answers. Compressed ones are refused: gRPC decompresses without a limit.
    """
    secure = not url.startswith("http:")
    host, port = host_and_port(url)
    target, options = _target(network, host, port)
    options.append(("grpc.max_receive_message_length", network.longest_answer))
    options.append(("grpc.compression_enabled_algorithms_bitset", IDENTITY))
    if not secure:
        return grpc.insecure_channel(target, options=options)
    bundle = Path(network.ca_bundle).read_bytes() if network.ca_bundle else None
    authorities = config.ssl_root_cert.encode() if config.ssl_root_cert else bundle
    tls = grpc.ssl_channel_credentials(root_certificates=authorities)
    options.append(("grpc.ssl_target_name_override", host))
    return secure_authorized_channel(credentials, request, target, ssl_credentials=tls, options=options)


def _target(network: Network, host: str, port: int) -> tuple[str, list[tuple[str, Any]]]:
    """The target that gRPC dials: the checked addresses, or the name, which the operator's proxy resolves."""
    shown = f"[{host}]" if ":" in host else host
    options: list[tuple[str, Any]] = [("grpc.default_authority", f"{shown}:{port}")]
    addresses = network.route(host, port, *FIELDS)
    if addresses is None and network.proxy is not None:
        return f"dns:///{shown}:{port}", [*options, ("grpc.http_proxy", network.proxy.url)]
    six = [address for address in addresses or () if ":" in address]
    four = [address for address in addresses or () if ":" not in address]
    places = [f"{address}:{port}" for address in four] or [f"[{address}]:{port}" for address in six]
    return f"{'ipv4' if four else 'ipv6'}:{','.join(places)}", [*options, ("grpc.enable_http_proxy", 0)]


def read(channel: grpc.Channel, job: bigquery.QueryJob, seconds: float, max_bytes: int) -> Iterator[pa.RecordBatch]:
    """The rows of a job's result in one ordered stream; gRPC's flow control limits the server to our pace.

    Raises ResultTooLarge for a message above the size limit, before or after decompression.
    """
    client = BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
    request = types.ReadSession(table=job.destination.to_bqstorage(), data_format=types.DataFormat.ARROW)
    request.read_options.arrow_serialization_options.buffer_compression = LZ4
    parent = f"projects/{job.project}"
    session = client.create_read_session(
        parent=parent, read_session=request, max_stream_count=1, retry=None, timeout=seconds
    )
    return _batches(client, session, max_bytes)


def _batches(client: BigQueryReadClient, session: types.ReadSession, max_bytes: int) -> Iterator[pa.RecordBatch]:
    schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
    try:
        for stream in session.streams:
            for found in client.read_rows(stream.name):
                message = pa.ipc.read_message(pa.py_buffer(found.arrow_record_batch.serialized_record_batch))
                yield read_batch(message, schema, max_bytes)
    except ResourceExhausted as error:
        if TOO_LONG not in str(error):
            raise
        raise errors.ResultTooLarge.of("A message of BigQuery's answer", max_bytes) from None
