"""Parses the address of the metadata database, as providers and people write it.

PostgreSQL's parameters are those of libpq: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS.
"""

from __future__ import annotations

import difflib
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

PORT = 5432
SYSTEM = "system"
"""The value of `sslrootcert` that stands for the authorities of this machine."""
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
VERIFYING = ("verify-ca", "verify-full")

FORMS = "postgresql://user:password@host/database or sqlite:///path"
ENCODE = "Percent-encode the characters / ? @ in user and password"


@dataclass(frozen=True, slots=True)
class SqliteAddress:
    """A file of SQLite."""

    path: Path

    def __str__(self) -> str:
        return f"SQLite {self.path}"


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """A database of PostgreSQL, on one server or on the first of several that answers."""

    hosts: Sequence[tuple[str, int]]
    """Host or directory of a Unix socket, and port; empty for the socket of this machine."""
    user: str | None
    password: str | None = field(repr=False)
    database: str | None
    options: Mapping[str, str] = field(repr=False)
    """libpq's parameters, checked."""

    def __str__(self) -> str:
        where = ",".join(f"{host}:{port}" for host, port in self.hosts) or "the local socket"
        return f"PostgreSQL {self.database or self.user or ''} on {where}"

    @property
    def ssl_mode(self) -> str:
        """How TLS is used. The driver has no channel binding: a demand for it becomes one for a checked certificate."""
        if self.options.get("channel_binding") == "require":
            return "verify-full"
        mode = self.options.get("sslmode", "prefer")
        return "verify-ca" if mode == "require" and "sslrootcert" in self.options else mode

    def arguments(self, timeout_seconds: float) -> dict[str, Any]:
        """The arguments of `asyncpg.connect`; raises OSError for certificate files that cannot be read."""
        session = {name: self.options[name] for name in ("application_name", "options") if name in self.options}
        given: dict[str, Any] = {
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "timeout": float(self.options.get("connect_timeout", timeout_seconds)) or timeout_seconds,
            "server_settings": {"application_name": "moorings"} | session,
            "target_session_attrs": self.options.get("target_session_attrs", "any"),
            "ssl": self._tls() if self._needs_context() else self.ssl_mode,
        }
        if self.hosts:
            given["host"], given["port"] = map(list, zip(*self.hosts, strict=True))
        if self.options.get("sslnegotiation") == "direct":
            given["direct_tls"] = True
        if self.pooled:
            given["statement_cache_size"] = 0
        return given

    @property
    def pooled(self) -> bool:
        """Whether the address is a pooler in transaction mode, which keeps no prepared statement."""
        return self.options.get("pgbouncer") == "true"

    def _needs_context(self) -> bool:
        return self.ssl_mode in VERIFYING or (self.ssl_mode == "require" and "sslcert" in self.options)

    def _tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["postgresql"])
        context.check_hostname = self.ssl_mode == "verify-full"
        if self.ssl_mode in VERIFYING:
            root = self.options.get("sslrootcert", SYSTEM)
            context.load_default_certs() if root == SYSTEM else context.load_verify_locations(root)
        else:
            context.verify_mode = ssl.CERT_NONE
        if "sslcrl" in self.options:
            context.load_verify_locations(self.options["sslcrl"])
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
        if "sslcert" in self.options:
            context.load_cert_chain(
                self.options["sslcert"], self.options.get("sslkey"), self.options.get("sslpassword", "")
            )
        return context


Address = SqliteAddress | PostgresAddress


def parsed(url: str) -> Address:
    """Parse an address; raises ValueError with the fault, never with a password."""
    scheme, separator, rest = url.strip().partition("://")
    kind = scheme.lower().partition("+")[0]
    if not separator:
        raise ValueError(f"no scheme before ://. Use {FORMS}")
    if kind == "sqlite":
        return _sqlite(rest)
    if kind in {"postgresql", "postgres"}:
        return _postgres(rest)
    raise ValueError(f"{_word(kind)} databases are not supported. Use {FORMS}")


def _word(text: str) -> str:
    """A scheme, if it looks like one: without `://` in its place it could be anything."""
    return text if re.fullmatch(r"[a-z0-9.]{1,20}", text) else "such"


def _sqlite(rest: str) -> SqliteAddress:
    path, parameters, _ = rest.partition("?")
    if parameters:
        raise ValueError("a SQLite address takes no parameters: remove what follows the ?")
    if not path.startswith("/"):
        raise ValueError("a SQLite address has three slashes before a relative path, four before an absolute one")
    if path.removeprefix("/") in {"", ":memory:"}:
        raise ValueError("name a file: sqlite:///moorings.db, or sqlite:////var/lib/moorings/moorings.db")
    return SqliteAddress(Path(path[1:]).absolute())


def _postgres(rest: str) -> PostgresAddress:
    place, _, query = rest.partition("?")
    authority, _, database = place.partition("/")
    if "@" in database or ("@" in query and "@" not in authority):
        raise ValueError(f"the login ends before its @. {ENCODE}")
    login, _, listed = authority.rpartition("@")  # a password may hold an @ that nobody escaped
    user, _, password = login.partition(":")
    options = _options(query)
    hosts, ports = options.pop("host", None), options.pop("port", None)
    # A socket's directory may hold colons (`/cloudsql/project:region:name`): escaped ones are no port's.
    named = [_host(part) for part in (hosts or listed).split(",")] if hosts or listed else []
    return PostgresAddress(
        hosts=_with_ports(named, ports),
        user=options.pop("user", None) or unquote(user) or None,
        password=options.pop("password", None) or unquote(password) or None,
        database=options.pop("dbname", None) or unquote(database) or None,
        options=options,
    )


def _host(text: str) -> tuple[str, int | None]:
    """A host with or without its port; a socket's directory has none, unless it is escaped."""
    if text.startswith("/"):
        return text, None
    found = re.fullmatch(r"(?:\[([^\]]*)\]|([^:]*))(?::([0-9]*))?", text)
    if found is None:
        raise ValueError(f"the part after the @ is no host and port. {ENCODE}, and put an IPv6 address into brackets")
    bracketed, plain, port = found.groups()
    return unquote(bracketed or plain) or "localhost", _port(port) if port else None


def _with_ports(named: Sequence[tuple[str, int | None]], ports: str | None) -> Sequence[tuple[str, int]]:
    listed = [_port(port) if port else PORT for port in ports.split(",")] if ports else [PORT]
    if len(listed) not in {1, len(named)} and named:
        raise ValueError(f"{len(named)} hosts and {len(listed)} ports: name one port, or one for each host")
    if not named and ports:
        named = [("localhost", None)]
    return [(host, port or listed[place % len(listed)]) for place, (host, port) in enumerate(named)]


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError("the port must be a number from 1 to 65535")
    return int(text)


# ---- parameters -------------------------------------------------------------------------------------------------


def _one_of(*values: str) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        return None if value in values else f"must be {', '.join(values[:-1])} or {values[-1]}"

    return check


def _file(value: str) -> str | None:
    try:
        Path(value).open("rb").close()
    except (OSError, ValueError) as refused:
        return f"cannot read {value}: {getattr(refused, 'strerror', None) or 'no file name'}"
    return None


def _root(value: str) -> str | None:
    return None if value == SYSTEM else _file(value)


def _seconds(value: str) -> str | None:
    return None if re.fullmatch(r"[0-9]{1,4}", value) else "must be a number of seconds"


def _anything(_: str) -> str | None:
    return None


PARAMETERS: Mapping[str, Callable[[str], str | None]] = {
    **dict.fromkeys(("host", "port", "user", "password", "dbname"), _anything),
    "sslmode": _one_of(*SSL_MODES),
    "sslrootcert": _root,
    "sslcert": _file,
    "sslkey": _file,
    "sslpassword": _anything,
    "sslcrl": _file,
    "sslnegotiation": _one_of("postgres", "direct"),
    "channel_binding": _one_of("disable", "prefer", "require"),
    "gssencmode": _one_of("disable", "prefer"),
    "target_session_attrs": _one_of("any", "read-write", "primary"),
    "connect_timeout": _seconds,
    "application_name": _anything,
    "options": _anything,
    "pgbouncer": _one_of("true", "false"),
}
"""The parameters that a PostgreSQL address may have, each with a check of its value: None, or the fault."""

SPELLINGS = {
    ("ssl", "true"): ("sslmode", "require"),
    ("ssl", "false"): ("sslmode", "disable"),
    ("ssl", "require"): ("sslmode", "require"),
    ("sslmode", "no-verify"): ("sslmode", "require"),
}
"""Other drivers' names of the same parameters."""

ADVICE = {
    "ssl": "Write sslmode=require, verify-ca or verify-full",
    **dict.fromkeys(("schema", "currentSchema", "search_path"), "Write options=-csearch_path=<schema>"),
    **dict.fromkeys(("connection_limit", "pool_timeout", "pool_size"), "Remove it: the pool has a size of its own"),
}
"""The replacement of other drivers' parameters."""


def _options(query: str) -> dict[str, str]:
    """The parameters of a query, by name.

    All values of a repeated `host` or `port` count; of any other parameter, the last one.
    """
    options: dict[str, str] = {}
    for name, value in (SPELLINGS.get(pair, pair) for pair in parse_qsl(query, keep_blank_values=True)):
        _check(name, value)
        repeated = name in {"host", "port"} and name in options
        options[name] = f"{options[name]},{value}" if repeated else value
    if options.get("sslmode") == "disable" and options.get("channel_binding") == "require":
        raise ValueError("channel_binding=require needs TLS: remove sslmode=disable")
    return options


def _check(name: str, value: str) -> None:
    if not re.fullmatch(r"\w{1,40}", name):  # it could be the rest of a password
        raise ValueError(f"a parameter after the ? has no name. {ENCODE}")
    if name not in PARAMETERS:
        near = difflib.get_close_matches(name, PARAMETERS, 1)
        nearest = f"Did you mean {near[0]}?" if near else f"Known parameters: {', '.join(PARAMETERS)}"
        raise ValueError(f"unknown parameter {name!r}. {ADVICE.get(name, nearest)}")
    reason = PARAMETERS[name](value)
    if reason is not None:
        raise ValueError(f"{name} {reason}")
