"""Every setting, with its default and its description: `docs/reference/settings.md` is made from them."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, FilePath, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

from moorings.settings import data_directory
from moorings.settings.database import SqliteAddress, parsed
from moorings.settings.kinds import (
    SIZE,
    Rate,
    check_pause,
    check_token,
    database_address,
    networks,
    networks_of,
    plain_web_address,
    proxy_address,
    signing_secret,
    web_address,
)


class Settings(BaseSettings):
    """How one service runs. Frozen: a change needs a restart."""

    model_config = SettingsConfigDict(
        env_prefix="MOORINGS_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(
        default_factory=data_directory.default,
        description="The directory of the embedded database, the keyset and the sample. The default is `.moorings` in "
        "the working directory if it exists or if that is a checkout, else `moorings` in the user's data directory "
        "(`~/.local/share`, `$XDG_DATA_HOME`, or `~/Library/Application Support` on macOS).",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    flight_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port of the Flight SQL server inside `serve`, on MOORINGS_HOST. Absent: no such server. "
        "`moorings flight` runs it as a process of its own.",
    )
    tls_cert: FilePath | None = Field(
        None, description="File with the certificate chain of the Flight SQL server, in PEM. Set MOORINGS_TLS_KEY too."
    )
    tls_key: FilePath | None = Field(None, description="File with the private key of MOORINGS_TLS_CERT, in PEM.")
    metrics_host: str = Field("127.0.0.1", description="Address of the listener of MOORINGS_METRICS_PORT.")
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description=(
            "Port of a listener of its own for `/metrics`, `/livez` and `/readyz`, without TLS. `/metrics` is then not "
            "on MOORINGS_PORT. `moorings worker` listens on it too, for its own metrics."
        ),
    )
    workers: int = Field(1, ge=1, le=64, description="Worker processes. More than one needs MOORINGS_RATE_LIMIT_URL.")
    database_url: Annotated[SecretStr, AfterValidator(database_address)] | None = Field(
        None,
        description="Where metadata is stored: `postgresql://user:password@host/database`, with parameters of libpq "
        "such as `sslmode` and `sslrootcert`, or `sqlite:///path`. Default: the file `moorings.db` in "
        "MOORINGS_DATA_DIR.",
    )
    keyset: str | None = Field(
        None,
        description=(
            "Path of the master keyset (Tink, JSON). Default: `keyset.json` in MOORINGS_DATA_DIR, created "
            "if it is missing."
        ),
    )
    allow_readable_files: bool = Field(
        False, description="Start even if other users of this machine can read the keyset or the database."
    )
    core_dumps: bool = Field(
        False,
        description=(
            "Keep the machine's setting for core dumps, which can contain secrets. Default: core dumps are disabled."
        ),
    )
    bootstrap_token: Annotated[SecretStr, Field(min_length=16), AfterValidator(check_token)] | None = Field(
        None,
        description="An organization key that exists from the start; 16 or more characters. Only its hash is stored.",
    )
    bootstrap_token_file: Path | None = Field(
        None, description="A file with the value of MOORINGS_BOOTSTRAP_TOKEN. Set only one of the two."
    )
    rate_limit: Rate = Field(
        "60/minute",
        description="Requests for each key, as `<number>/<second|minute|hour|day>`; `0` switches limits off.",
    )
    failed_key_limit: Rate = Field(
        "20/minute",
        description="Requests with invalid keys, for each client address; off when MOORINGS_RATE_LIMIT is `0`.",
    )
    rate_limit_url: SecretStr | None = Field(
        None,
        description=(
            "`valkey://` or `redis://` address of the store in which replicas share their rate limits. "
            "Default: each process counts in memory."
        ),
    )
    pool_size: int = Field(
        5, ge=1, le=1000, description="Sessions with its warehouse that each connection may have at once."
    )
    pool_wait_seconds: float = Field(
        5.0, ge=0, le=300, description="Seconds that a query waits for a free session before it gets 503."
    )
    pool_idle_seconds: float = Field(300.0, ge=0, description="Seconds after which an idle session is closed.")
    pool_lifetime_seconds: float = Field(3600.0, gt=0, description="The age in seconds at which a session is replaced.")
    max_sessions: int = Field(
        64,
        ge=1,
        le=10_000,
        description="Sessions with warehouses at once, over all connections of a worker. One connection gets three "
        "quarters of them at most.",
    )
    max_sessions_per_key: int = Field(
        0,
        ge=0,
        le=10_000,
        description=(
            "Sessions of a worker that the queries of one key may have at once; further queries wait, and "
            "get 503 after MOORINGS_POOL_WAIT_SECONDS. `0` means three quarters of MOORINGS_MAX_SESSIONS."
        ),
    )
    max_sessions_per_user: int = Field(
        0,
        ge=0,
        le=10_000,
        description=(
            "Sessions of a worker that the queries of all keys of one user may have at once. `0` means "
            "three quarters of MOORINGS_MAX_SESSIONS."
        ),
    )
    max_tests: int = Field(
        8,
        ge=1,
        le=1000,
        description=(
            "Connection tests at once in a worker. Their sessions do not count towards "
            "MOORINGS_MAX_SESSIONS. One connection gets "
            "half of them at most."
        ),
    )
    max_abandoned_threads: int = Field(
        64,
        ge=1,
        le=1000,
        description=(
            "Threads of a worker that may hang in drivers after their connections were closed. At this "
            "number, no new session is opened. A connection that has a quarter of them opens no new "
            "session either."
        ),
    )
    connect_timeout_seconds: float = Field(
        10.0, gt=0, le=300, description="Seconds to wait for a warehouse to answer a new connection."
    )
    egress_allow: str = Field(
        "",
        description="Addresses that connections may reach although a rule refuses them, as a comma list of host names "
        "with wildcards, addresses and networks, each with or without a port: `localhost:5432, 10.0.0.0/8, *.corp`.",
    )
    egress_deny: str = Field(
        "",
        description=(
            "Addresses that no connection may reach, written like MOORINGS_EGRESS_ALLOW. It takes "
            "precedence over MOORINGS_EGRESS_ALLOW."
        ),
    )
    https_proxy: Annotated[SecretStr, AfterValidator(proxy_address)] | None = Field(
        None,
        description="HTTP proxy for requests to public addresses, as `http://user:password@host:port`; private and "
        "loopback addresses are reached without it. The shell's HTTPS_PROXY is ignored.",
    )
    ca_bundle: FilePath | None = Field(
        None,
        description="File with certificate authorities, in PEM, in place of the system's and of the shell's settings.",
    )
    credential_dirs: str = Field(
        "",
        description="Directories, as a comma list of absolute paths, whose files workload identity federation may "
        "send to Google as tokens. Default: no file.",
    )
    aws_access_key_id: str = Field(
        "", description="The access key that assumes the role of an Athena connection that has no key of its own."
    )
    aws_secret_access_key: SecretStr | None = Field(None, description="The secret of MOORINGS_AWS_ACCESS_KEY_ID.")
    google_sts_url: Annotated[str, AfterValidator(plain_web_address)] | None = Field(
        None,
        description=(
            "For tests only: a server, as `http://host:port/v1/token`, that replaces all of Google's token services."
        ),
    )
    default_ssl_mode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = Field(
        "require",
        description="The sslMode of connections to PostgreSQL and the MySQL family that have none; loopback: `prefer`.",
    )
    trusted_proxies: Annotated[str, AfterValidator(networks)] = Field(
        "",
        description="Addresses and networks of your own reverse proxies, as a comma list: `10.0.0.0/8, 192.0.2.7`. "
        "If a request comes from one of them, `X-Forwarded-For` names the client, for the log and for "
        "the limit of failed keys.",
    )
    mcp_origins: str = Field(
        "",
        description="Origins of web pages that may call `/mcp`, as a comma list: `https://agents.example.com`. "
        "Requests of other pages are refused. Clients that are no web pages send no origin.",
    )
    drain_seconds: float = Field(
        0.0,
        ge=0,
        le=3600,
        description=(
            "Seconds after SIGTERM in which `/readyz` answers 503 and requests are still served, so that "
            "load balancers stop sending them. Ctrl-C does not wait."
        ),
    )
    log_sql: bool = Field(
        False, description="Add the SQL of queries to their log lines. SQL can contain personal data."
    )
    row_limit: int = Field(
        100_000, ge=1, description="The most rows of a JSON or XLSX result if the query has no rowLimit."
    )
    row_limit_max: int | None = Field(None, ge=1, description="The most rows of any result. Default: no limit.")
    head_seconds: int = Field(
        30,
        ge=1,
        le=3600,
        description="How many seconds the head of a request may take before the connection is closed.",
    )
    body_seconds: float = Field(
        30.0, gt=0, le=3600, description="Seconds that the body of a request may take to arrive before it gets 408."
    )
    stalled_seconds: float = Field(
        300.0,
        gt=0,
        le=86_400,
        description="Seconds that a client may take for one piece of a result before its query is stopped.",
    )
    max_value_bytes: int = Field(
        8 * 1024 * 1024,
        ge=1024,
        le=1024**3,
        description="The largest value of a result; a query with a larger one fails with `value_too_large`.",
    )
    max_batch_bytes: int = Field(
        4 * 1024 * 1024,
        ge=64 * 1024,
        le=256 * 1024 * 1024,
        description="Results are encoded and sent in pieces of at most this size; only a larger single row exceeds it.",
    )
    max_buffer_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1024 * 1024,
        le=2 * 1024**3,
        description=(
            "The largest size of data that Moorings must hold in memory as a whole: one row, one "
            "message or HTTP answer of a warehouse (after decompression), one plan. A query that "
            "needs more fails with `result_too_large`."
        ),
    )
    duckdb_memory_limit: Annotated[str, StringConstraints(pattern=SIZE)] = Field(
        "200MB", description="Memory of each open DuckDB file, as DuckDB writes it: `200MB`, `4GiB`."
    )
    duckdb_threads: int | None = Field(
        None, ge=1, le=1024, description="Threads of each open DuckDB file. Default: one for each processor, at most 4."
    )
    duckdb_temp_bytes: int = Field(
        2 * 1024**3,
        ge=0,
        description="Disk space in MOORINGS_DATA_DIR for each open DuckDB file that needs more than its memory.",
    )
    duckdb_dir: Path | None = Field(
        None,
        description=(
            "The only directory whose local DuckDB files can be opened, with its subdirectories. Default: "
            "`duckdb` in MOORINGS_DATA_DIR."
        ),
    )
    health_probe_seconds: Annotated[float, AfterValidator(check_pause)] = Field(
        300.0,
        ge=0,
        le=86_400,
        description="Seconds between two probes of a connection's health, 1 or more; `0` disables probes.",
    )
    health_probe_concurrency: int = Field(
        8, ge=1, le=256, description="Probes of connections' health that a worker runs at once."
    )
    health_history_days: int = Field(90, ge=1, le=3650, description="How many days changes of health are stored.")
    webhook_url: Annotated[SecretStr, AfterValidator(web_address)] | None = Field(
        None,
        description="URL that gets a message when a connection starts to fail, and when it is healthy again.",
    )
    webhook_secret: Annotated[SecretStr, AfterValidator(signing_secret)] | None = Field(
        None, description="The secret that signs these messages, as in Standard Webhooks: `whsec_…` or any string."
    )
    worker: bool = Field(True, description="Run jobs inside `serve`. `false` leaves them to `moorings worker`.")
    worker_jobs: int = Field(2, ge=1, le=64, description="Jobs that a process runs at once; each takes one session.")
    worker_poll_seconds: float = Field(
        5.0, ge=0.05, le=300, description="How often a worker polls for jobs that other processes enqueued, in seconds."
    )
    job_lease_seconds: float = Field(
        30.0,
        ge=1,
        le=3600,
        description="Seconds without a heartbeat after which another worker takes a job over.",
    )
    job_attempts: int = Field(5, ge=1, le=100, description="How many times a job is attempted.")
    job_pause_seconds: float = Field(
        10.0,
        ge=0,
        le=3600,
        description="The pause before the second attempt of a job, in seconds. It doubles with each attempt.",
    )
    job_history_days: int = Field(30, ge=1, le=3650, description="How many days finished jobs are stored.")
    catalog_changes_days: int = Field(90, ge=1, le=3650, description="How many days changes of catalogs are stored.")
    dbt_secrets: bool = Field(
        False, description="Allow admins of a connection to read dbt profiles that contain the connection's secrets."
    )
    sample: bool = Field(True, description="Create a small sample database and a connection to it at the first start.")
    shutdown_seconds: float = Field(
        5.0, ge=0, le=300, description="Seconds that running queries may continue after a stop."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level that is logged."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="Log lines for people (`console`), or one JSON object per line (`json`)."
    )

    @property
    def database(self) -> str:
        """The address of the metadata database."""
        if self.database_url is None:
            return f"sqlite:///{self.data_dir.absolute() / 'moorings.db'}"
        return self.database_url.get_secret_value()

    @property
    def database_file(self) -> Path | None:
        """The file of an embedded database."""
        address = parsed(self.database)
        return address.path if isinstance(address, SqliteAddress) else None

    @property
    def keyset_path(self) -> Path:
        """The path of the master keyset."""
        return Path(self.keyset) if self.keyset else self.data_dir / "keyset.json"

    @property
    def home(self) -> Path:
        """The home directory of our processes, instead of their user's: drivers find no files there."""
        return self.data_dir.absolute() / "home"

    @property
    def duckdb_thread_count(self) -> int:
        """Threads of each open DuckDB file: each has 2,048 rows in memory at once, so more threads need more memory."""
        return self.duckdb_threads or min(os.cpu_count() or 1, 4)

    @property
    def duckdb_temp_directory(self) -> Path:
        """The directory of DuckDB's temporary files."""
        return (self.data_dir / "duckdb-temp").absolute()

    @property
    def credential_directories(self) -> tuple[str, ...]:
        """The directories of CREDENTIAL_DIRS."""
        return tuple(part.strip() for part in self.credential_dirs.split(",") if part.strip())

    @property
    def mcp_origin_list(self) -> tuple[str, ...]:
        """The origins of MCP_ORIGINS."""
        return tuple(part.strip().rstrip("/") for part in self.mcp_origins.split(",") if part.strip())

    @property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of TRUSTED_PROXIES."""
        return networks_of(self.trusted_proxies)

    @property
    def duckdb_directory(self) -> Path:
        """The only directory whose local DuckDB files may be opened."""
        return (self.duckdb_dir or self.data_dir / "duckdb").absolute()
