"""Canaries: files and variables that drivers look for in a home and in a shell, and a watch on who opens the files."""

from __future__ import annotations

import ctypes
import os
import select
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

SECRET = "a-canary-of-the-operator"
FILES = (
    *(".pgpass", ".pg_service.conf", ".postgresql/root.crt", ".postgresql/root.crl", ".postgresql/postgresql.crt"),
    *(".postgresql/postgresql.key", ".my.cnf", ".mylogin.cnf", ".aws/config", ".aws/credentials", ".boto"),
    *(".snowflake/config.toml", ".snowflake/connections.toml", ".config/snowflake/connections.toml", ".snowsql/config"),
    *(".odbc.ini", ".odbcinst.ini", ".config/gcloud/application_default_credentials.json", ".bigqueryrc"),
    *(".config/gcloud/properties", ".config/gcloud/configurations/config_default", ".config/gcloud/active_config"),
    *(".databrickscfg", ".duckdbrc", ".duckdb/stored_secrets/s.duckdb_secret", ".duckdb/extensions/e", ".netrc"),
    *("_netrc", ".hdb/vm/SQLDBC.shm", ".hdb/vm/SSFS_HDB.DAT", ".hdb/vm/SSFS_HDB.KEY", ".tnsnames.ora", ".sqlnet.ora"),
    *(".freetds.conf", ".clickhouse-client/config.xml", ".trino_config", ".exasol.ini", ".pyexasol.ini", ".ssh/id_rsa"),
    *(".kube/config", ".docker/config.json", ".motherduck/token", ".config/clickhouse_connect/config", ".curlrc"),
)
"""Below the home."""
NAMED = {
    "PGPASSFILE": "pgpass",
    "PGSERVICEFILE": "pg_service.conf",
    "PGSYSCONFDIR": "pgsysconf",
    "PGSSLROOTCERT": "pg-root.crt",
    "PGSSLCERT": "pg.crt",
    "PGSSLKEY": "pg.key",
    "MYSQL_HOME": "mysql",
    "AWS_CONFIG_FILE": "aws-config",
    "AWS_SHARED_CREDENTIALS_FILE": "aws-credentials",
    "AWS_CA_BUNDLE": "aws-ca.pem",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "aws-token",
    "BOTO_CONFIG": "boto",
    "GOOGLE_APPLICATION_CREDENTIALS": "google.json",
    "CLOUDSDK_CONFIG": "gcloud",
    "SNOWFLAKE_HOME": "snowflake",
    "DATABRICKS_CONFIG_FILE": "databrickscfg",
    "ODBCINI": "odbc.ini",
    "ODBCSYSINI": "odbc",
    "ODBCINSTINI": "odbcinst.ini",
    "TNS_ADMIN": "tns",
    "WALLET_LOCATION": "wallet",
    "FREETDSCONF": "freetds.conf",
    "HDB_USE_STORE_PATH": "hdb",
    "HDB_SQLDBC_TRACEFILE": "hdb-trace",
    "KRB5_CONFIG": "krb5.conf",
    "KRB5CCNAME": "krb5cc",
    "KRB5_KTNAME": "krb5.keytab",
    "NETRC": "netrc",
    "REQUESTS_CA_BUNDLE": "requests-ca.pem",
    "CURL_CA_BUNDLE": "curl-ca.pem",
    "SSL_CERT_FILE": "ca.pem",
    "SSLKEYLOGFILE": "tls-keys",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "grpc-ca.pem",
    "XDG_CONFIG_HOME": "xdg",
}
"""Variable → the file or directory that it names."""
ADDRESSES = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "AWS_ENDPOINT_URL"),
    *("grpc_proxy", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "DATABRICKS_HOST"),
    *("AWS_ENDPOINT_URL_ATHENA", "AWS_ENDPOINT_URL_STS", "BIGQUERY_EMULATOR_HOST", "STORAGE_EMULATOR_HOST"),
)
"""Variables that name a URL."""
HOSTS = ("PGHOST", "PGHOSTADDR", "GCE_METADATA_HOST", "GCE_METADATA_IP", "MYSQL_HOST", "SNOWFLAKE_HOST")
"""Variables that name a host."""
PORTS = ("PGPORT", "MYSQL_TCP_PORT", "SNOWFLAKE_PORT")
VALUES = (
    *("PGUSER", "PGPASSWORD", "PGDATABASE", "PGSERVICE", "PGSSLMODE", "PGOPTIONS", "PGREQUIREAUTH", "MYSQL_PWD"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION"),
    *("AWS_ROLE_ARN", "GOOGLE_CLOUD_PROJECT", "SNOWFLAKE_PASSWORD", "SNOWFLAKE_USER", "SNOWFLAKE_ACCOUNT"),
    *("SNOWFLAKE_DEFAULT_CONNECTION_NAME", "DATABRICKS_TOKEN", "DATABRICKS_CLIENT_SECRET", "DATABRICKS_AUTH_TYPE"),
    *("MOTHERDUCK_TOKEN", "motherduck_token", "CLICKHOUSE_PASSWORD", "TRINO_PASSWORD", "NLS_LANG", "ORACLE_SID"),
)


def traps(folder: Path, port: int) -> dict[str, str]:
    """Make the canaries below a folder; returns an environment whose addresses all lead to a port of this machine."""
    for path in (*(folder / "home" / name for name in FILES), *(folder / "named" / name for name in NAMED.values())):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SECRET)
    return {
        **dict.fromkeys(VALUES, SECRET),
        **dict.fromkeys(ADDRESSES, f"http://127.0.0.1:{port}"),
        **dict.fromkeys(HOSTS, "127.0.0.1"),
        **dict.fromkeys(PORTS, str(port)),
        **{variable: str(folder / "named" / name) for variable, name in NAMED.items()},
        "HOME": str(folder / "home"),
        "USERPROFILE": str(folder / "home"),
        "NO_PROXY": "",
        "no_proxy": "",
    }


OPEN, CREATE, MODIFY, DELETE, MOVED_TO = 0x20, 0x100, 0x2, 0x200, 0x80
HEAD = struct.Struct("iIII")


class Watch:
    """The files that any process opens, makes or removes in directories, by Linux's inotify."""

    def __init__(self, *directories: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._descriptor >= 0, os.strerror(ctypes.get_errno())
        self._paths: dict[int, Path] = {}
        for directory in directories:
            self._add(directory)

    def _add(self, directory: Path) -> None:
        events = OPEN | CREATE | MODIFY | DELETE | MOVED_TO
        number = self._libc.inotify_add_watch(self._descriptor, os.fsencode(directory), events)
        assert number >= 0, os.strerror(ctypes.get_errno())
        self._paths[number] = directory

    @classmethod
    def below(cls, directory: Path) -> Self:
        """Watch a directory and all that are in it."""
        return cls(directory, *(path for path in directory.rglob("*") if path.is_dir()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._descriptor)

    def touched(self) -> set[Path]:
        """What was touched since the last time that this was asked."""
        return set(self._events())

    def _events(self) -> Iterator[Path]:
        while select.select([self._descriptor], [], [], 0)[0]:
            data, at = os.read(self._descriptor, 65_536), 0
            while at < len(data):
                number, _, _, length = HEAD.unpack_from(data, at)
                name = data[at + HEAD.size : at + HEAD.size + length].rstrip(b"\0")
                yield self._paths[number] / os.fsdecode(name)
                at += HEAD.size + length
