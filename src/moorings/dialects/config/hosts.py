"""Parses host names and IP addresses that callers send, and converts them for drivers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Annotated

import idna
from pydantic_core import PydanticCustomError

from moorings.dialects.config.blanks import BLANKS
from moorings.dialects.config.fields import custom_error
from moorings.dialects.config.places import CONTROL_CHARACTERS, Place

MAX_TEXT_LENGTH = 1000
"""The longest text that is parsed."""
MAX_NAME_LENGTH, MAX_LABEL_LENGTH = 253, 63
"""Source: https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4."""
LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
"""A last label that makes resolvers parse the whole name as an IPv4 address, as in 127.1 and 0x7f000001."""
PORT = re.compile(r"(\[[^\]]*\]|[^:,\[\]]*)[:,]([0-9]+)")
SCHEMES = (
    *("http", "https", "tcp", "tcps", "ssl", "jdbc", "odbc", "postgres", "postgresql", "mysql", "mariadb"),
    *("redshift", "snowflake", "databricks", "clickhouse", "trino", "mssql", "sqlserver", "oracle", "exa", "hdbsql"),
)
"""Schemes that a sentence may name: anything else before `://` could be a part of a password."""
TAILS = {"/": "the path", "\\": "the instance name", "?": "the part after ?", "#": "the part after #"}

ONLY = "Only the host name"
UNLIKE_A_HOST = f"{ONLY}: letters, digits, - and _ between dots, or an IP address"
UNLIKE_IDNA = f"{ONLY}: it has a letter that international domain names do not allow"
TOO_LONG = f"Expected at most {MAX_NAME_LENGTH} characters, and at most {MAX_LABEL_LENGTH} between two dots"
UNLIKE_IPV4 = "An IPv4 address is four decimal numbers without leading zeros, such as 127.0.0.1"
ONE_HOST = "Only one host name. A list of hosts is not supported: give one server, or a load balancer"
NO_SOCKETS = f"{ONLY} or an IP address. Unix sockets are not supported"
NO_ZONE = "Expected the IP address without the zone after %"
NO_BLANKS, NO_CONTROLS = f"{ONLY}, without blanks", f"{ONLY}, without control characters"
LOGIN_FIELDS = "Put the user name into username, and the password into passwordUnencrypted"


def parse_host(text: str) -> str:
    """A host name or an IP address, without blanks around it, an IPv6 address's brackets, and a dot at the end.

    Raises PydanticCustomError with a sentence about what to write instead, which quotes at most a port.
    """
    host = text.strip(BLANKS)
    if host[:1] == "[" and host[-1:] == "]" and _is_ipv6(host[1:-1]):
        host = host[1:-1]
    host = host.removesuffix(".")
    encode_host(host)
    return host


def encode_host(host: str) -> str:
    """A parsed host as DNS and certificates have it: labels beyond ASCII by IDNA. Raises the errors of `parse_host`."""
    if not host:
        raise PydanticCustomError("string_too_short", "Expected more than blanks", {"min_length": 1})
    if len(host) > MAX_TEXT_LENGTH:
        raise custom_error(TOO_LONG)
    if _is_ipv6(host):
        return host
    if reason := _pasted(host):
        raise custom_error(reason)
    labels = [_encoded(label) for label in host.split(".")]
    name = ".".join(labels)
    if len(name) > MAX_NAME_LENGTH or max(map(len, labels)) > MAX_LABEL_LENGTH:
        raise custom_error(TOO_LONG)
    if NUMBER.fullmatch(labels[-1]) and not _is_ipv4(name):
        raise custom_error(UNLIKE_IPV4)
    return name


def in_url(host: str) -> str:
    """A host in the form of URLs: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _encoded(label: str) -> str:
    if label.isascii():
        if not LABEL.fullmatch(label):
            raise custom_error(UNLIKE_A_HOST)
        return label
    try:
        encoded = idna.encode(label, uts46=True).decode()
    except UnicodeError:  # IDNAError is one
        raise custom_error(UNLIKE_IDNA) from None
    if not encoded.startswith("xn--") or not LABEL.fullmatch(encoded):  # full-width letters, and dots of other scripts
        raise custom_error(UNLIKE_IDNA)
    return encoded


def _is_ipv6(text: str) -> bool:
    try:
        return "%" not in text and bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def _is_ipv4(text: str) -> bool:
    try:
        return bool(ipaddress.IPv4Address(text))
    except ValueError:
        return False


# ---- what people paste ------------------------------------------------------------------------------------------


def _pasted(text: str) -> str | None:
    """The parts beside the host name, and the fields that they belong to; None if there are none."""
    if text[0] == "/":
        return NO_SOCKETS
    scheme, found, rest = text.partition("://")
    without = [_scheme(scheme)] if found else []
    login, has_login, rest = (rest if found else text).rpartition("@")
    end = re.search(r"[/\\?#]", rest)
    place, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    if tail and (tail != "/" or not found):
        without.append(TAILS[tail[0]])
    port = PORT.fullmatch(place) or (PORT.fullmatch(tail) if tail[:1] == "\\" else None)
    puts = [LOGIN_FIELDS] if has_login else []
    if port:
        without, puts = _with_port(port[2], without, puts, quoted=not login)
    if without or puts:
        listed = " and ".join([", ".join(without[:-1]), without[-1]] if without[1:] else without)
        return ". ".join([f"{ONLY}, without {listed}" if without else ONLY, *puts])
    return _odd(place)


def _scheme(given: str) -> str:
    known = all(part in SCHEMES for part in given.lower().split(":"))
    return f"{given.lower()}://" if known else "what is before ://"


def _with_port(port: str, without: list[str], puts: list[str], *, quoted: bool) -> tuple[list[str], list[str]]:
    """The sentence about a port. It omits the number after a login, where it may be a part of a password."""
    if not quoted:
        return without, [*puts, "Put the port into port"]
    if len(port) > 5 or not 1 <= int(port) <= 65535:
        return [*without, "the port"], puts
    return without, [*puts, f"Put {int(port)} into port"]


def _odd(text: str) -> str | None:
    """Sentences for characters that no host name has and whose origin is clear."""
    blank = any(each in text for each in BLANKS)
    found = {
        ONE_HOST: "," in text or ";" in text,
        NO_ZONE: "%" in text and ":" in text,
        NO_BLANKS: blank,
        NO_CONTROLS: bool(CONTROL_CHARACTERS.search(text)),
        UNLIKE_A_HOST: ":" in text,
    }
    return next((reason for reason, applies in found.items() if applies), None)


Host = Annotated[str, Place(parse_host, encode_host, r"^[^\s!-,/;-@\\^`{-~]+$")]
"""A host name (letters, digits, `-` and `_` between dots; others by IDNA), or an IP address without a zone."""


# ---- lists of Exasol --------------------------------------------------------------------------------------------

DIGITS = "0123456789"
MAX_HOSTS = 256
"""The most hosts of a range or a list; the driver resolves each of them."""
FINGERPRINT = re.compile(r"[0-9A-Fa-f]{1,128}|nocertcheck", re.IGNORECASE)
UNLIKE_A_FINGERPRINT = "Expected the certificate's fingerprint after /, in hexadecimal digits"
UNLIKE_A_RANGE = f"A range goes from a lower to a higher number, such as 10.0.0.11..14, with at most {MAX_HOSTS} hosts"


def parse_hosts(text: str) -> str:
    """Hosts in the form of Exasol's clients: `db1..4.example/135A…,10.0.0.7`. Each is cleaned as by `parse_host`."""
    if len(text) > MAX_TEXT_LENGTH:
        raise custom_error(TOO_LONG)
    hosts = ",".join(_member(each) for each in text.split(","))
    if len(hosts_of(hosts)) > MAX_HOSTS:
        raise custom_error(UNLIKE_A_RANGE)
    return hosts


def encode_hosts(hosts: str) -> str:
    """The same hosts in the driver's form."""
    parts = (each.partition("/") for each in hosts.split(","))
    return ",".join((name if _range(name) else encode_host(name)) + "".join(rest) for name, *rest in parts)


def hosts_of(hosts: str) -> Sequence[str]:
    """Every host in the result of `parse_hosts`, without fingerprints."""
    return [host for each in hosts.split(",") for host in _expanded(each.partition("/")[0])]


def _member(text: str) -> str:
    text = text.strip(BLANKS)
    name, slash, fingerprint = text.partition("/")
    if "://" in text or not name:
        return parse_host(text)
    if slash and not FINGERPRINT.fullmatch(fingerprint):
        raise custom_error(_pasted(name) or UNLIKE_A_FINGERPRINT)
    if not _range(name):
        return parse_host(name) + slash + fingerprint
    for host in _expanded(name):
        if encode_host(host) != host:  # the driver writes numbers into a name that it does not encode
            raise custom_error(UNLIKE_A_HOST)
    return text


def _range(name: str) -> tuple[str, str, str, str] | None:
    """The text before a range, its two numbers, and the text after it; None if there is no range."""
    left, _, right = name.partition("..")
    before, after = left.rstrip(DIGITS), right.lstrip(DIGITS)
    low, high = left[len(before) :], right[: len(right) - len(after)]
    return (before, low, high, after) if low and high else None


def _expanded(name: str) -> Sequence[str]:
    """The hosts of a range in the driver's spelling: with as many digits as the first number."""
    found = _range(name)
    if found is None:
        return [name]
    before, low, high, after = found
    if max(len(low), len(high)) > 9 or not 0 <= int(high) - int(low) < MAX_HOSTS:
        raise custom_error(UNLIKE_A_RANGE)
    return [f"{before}{str(number).zfill(len(low))}{after}" for number in range(int(low), int(high) + 1)]


Hosts = Annotated[str, Place(parse_hosts, encode_hosts)]
"""One Host, a range or a list of them, each perhaps with its certificate's fingerprint."""
