"""Hosts: what is understood, what is refused, and what is said instead."""

from __future__ import annotations

import ipaddress
import re
import string
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from moorings.dialects.config.hosts import (
    BLANKS,
    NO_BLANKS,
    NO_CONTROLS,
    NO_SOCKETS,
    NO_ZONE,
    ONE_HOST,
    TOO_LONG,
    UNLIKE_A_FINGERPRINT,
    UNLIKE_A_HOST,
    UNLIKE_A_RANGE,
    UNLIKE_IDNA,
    UNLIKE_IPV4,
    encode_host,
    encode_hosts,
    hosts_of,
    in_url,
    parse_host,
    parse_hosts,
)

LOGIN = "Only the host name. Put the user name into username, and the password into passwordUnencrypted"
EMPTY = "Expected more than blanks"
LONG = ".".join(["a" * 63] * 3 + ["a" * 61])
"""253 characters."""

TAKEN = {
    "h": "h",
    "db": "db",
    "localhost": "localhost",
    "db.example.com": "db.example.com",
    "DB.Example.COM": "DB.Example.COM",
    "db-1.example.com": "db-1.example.com",
    "my_db.internal": "my_db.internal",
    "_tcp.example": "_tcp.example",
    "trailing_.example": "trailing_.example",
    "1.example": "1.example",
    "123abc": "123abc",
    "a--b.example": "a--b.example",
    "0x.example": "0x.example",
    "0xg": "0xg",
    "adb-1234567890123456.7.azuredatabricks.net": "adb-1234567890123456.7.azuredatabricks.net",
    "db.example.com.": "db.example.com",
    " db": "db",
    "db ": "db",
    "db\n": "db",
    "\r\ndb\r\n": "db",
    "\tdb.example.com.\t": "db.example.com",
    "\ufeffdb": "db",
    "db\u200b": "db",
    "\u00a0db\u3000": "db",
    "\u2060db\u2028": "db",
    "db.example.com. \n": "db.example.com",
    "127.0.0.1": "127.0.0.1",
    "127.0.0.1.": "127.0.0.1",
    " 10.0.0.1 ": "10.0.0.1",
    "0.0.0.0": "0.0.0.0",
    "255.255.255.255": "255.255.255.255",
    "169.254.169.254": "169.254.169.254",
    "::1": "::1",
    "[::1]": "::1",
    " [::1]\n": "::1",
    "::": "::",
    "[2001:DB8::1]": "2001:DB8::1",
    "2001:0db8:0000:0000:0000:0000:0000:0001": "2001:0db8:0000:0000:0000:0000:0000:0001",
    "::ffff:127.0.0.1": "::ffff:127.0.0.1",
    "::ffff:7f00:1": "::ffff:7f00:1",
    "bücher.example": "bücher.example",
    "BÜCHER.example": "BÜCHER.example",
    "straße.example": "straße.example",
    "例え.テスト": "例え.テスト",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
    "a" * 63: "a" * 63,
    LONG: LONG,
    f"{LONG}.": LONG,
}
"""What a caller may write → what is stored."""

REFUSED = {
    "": EMPTY,
    " ": EMPTY,
    "\n": EMPTY,
    ".": EMPTY,
    "\ufeff": EMPTY,
    "..": UNLIKE_A_HOST,
    "a..b": UNLIKE_A_HOST,
    "a..": UNLIKE_A_HOST,
    ".a": UNLIKE_A_HOST,
    "-a": UNLIKE_A_HOST,
    "-oProxyCommand=x": UNLIKE_A_HOST,
    "a-": UNLIKE_A_HOST,
    "a.-b": UNLIKE_A_HOST,
    "db:5432": "Only the host name. Put 5432 into port",
    "127.0.0.1:5432": "Only the host name. Put 5432 into port",
    "[::1]:5432": "Only the host name. Put 5432 into port",
    "db:05432": "Only the host name. Put 5432 into port",
    "db:0": "Only the host name, without the port",
    "db:65536": "Only the host name, without the port",
    "db:99999999999999999999": "Only the host name, without the port",
    "db:": UNLIKE_A_HOST,
    "db:port": UNLIKE_A_HOST,
    "db:٥٤٣٢": UNLIKE_A_HOST,
    "db,1433": "Only the host name. Put 1433 into port",
    "https://db.example.com": "Only the host name, without https://",
    "https://db.example.com/": "Only the host name, without https://",
    "HTTPS://db.example.com": "Only the host name, without https://",
    " https://db.example.com\n": "Only the host name, without https://",
    "http://db:8123/x/#": "Only the host name, without http:// and the path. Put 8123 into port",
    "postgresql://db": "Only the host name, without postgresql://",
    "jdbc:postgresql://db:5432/app": (
        "Only the host name, without jdbc:postgresql:// and the path. Put 5432 into port"
    ),
    "s3cr3t://db": "Only the host name, without what is before ://",
    "file:///etc/passwd": "Only the host name, without what is before :// and the path",
    "://db": "Only the host name, without what is before ://",
    "https://": "Only the host name, without https://",
    "//db": NO_SOCKETS,
    "/tmp/sockets": NO_SOCKETS,
    "/": NO_SOCKETS,
    " /var/run/postgresql": NO_SOCKETS,
    "db/": "Only the host name, without the path",
    "db/app": "Only the host name, without the path",
    "db:5432/app": "Only the host name, without the path. Put 5432 into port",
    "127.0.0.1:8123/x/#": "Only the host name, without the path. Put 8123 into port",
    "127.0.0.1/evil?": "Only the host name, without the path",
    "127.0.0.1?x": "Only the host name, without the part after ?",
    "127.0.0.1#x": "Only the host name, without the part after #",
    "db\\inst": "Only the host name, without the instance name",
    "127.0.0.1\\inst,18920": "Only the host name, without the instance name. Put 18920 into port",
    "\\\\.\\pipe\\sql\\query": "Only the host name, without the instance name",
    "user:pw@db": LOGIN,
    "user@db": LOGIN,
    "@db": LOGIN,
    "@": LOGIN,
    "evil:pw@127.0.0.1": LOGIN,
    "user:p@ss:word@db": LOGIN,
    "user:p/w?d#@db": LOGIN,
    "user:12345@db:5432": f"{LOGIN}. Put the port into port",
    "https://user:pw@db": (
        "Only the host name, without https://. Put the user name into username, and the password into "
        "passwordUnencrypted"
    ),
    "a,b": ONE_HOST,
    "db1,db2,db3": ONE_HOST,
    "db1:5432,db2:5432": ONE_HOST,
    "10.0.0.1,10.0.0.2": ONE_HOST,
    ",": ONE_HOST,
    "db;Encrypt=no": ONE_HOST,
    "127.0.0.1;b": ONE_HOST,
    "a b": NO_BLANKS,
    "127.0.0.1 x": NO_BLANKS,
    "db\nx": NO_BLANKS,
    "db\r\nX-Evil: 1": NO_BLANKS,
    "db\u200bx": NO_BLANKS,
    "db .": NO_BLANKS,
    "db\x00": NO_CONTROLS,
    "db\x1f.example": NO_CONTROLS,
    "\x7fdb": NO_CONTROLS,
    "fe80::1%eth0": NO_ZONE,
    "[fe80::1%25eth0]": NO_ZONE,
    "::1%lo": NO_ZONE,
    "::1::": UNLIKE_A_HOST,
    "1:2:3": UNLIKE_A_HOST,
    ":::": UNLIKE_A_HOST,
    "::ffff:127.1": UNLIKE_A_HOST,
    "[db]": UNLIKE_A_HOST,
    "[127.0.0.1]": UNLIKE_A_HOST,
    "[::1": UNLIKE_A_HOST,
    "::1]": UNLIKE_A_HOST,
    "[[::1]]": UNLIKE_A_HOST,
    "[]": UNLIKE_A_HOST,
    "v1.fe80::a": UNLIKE_A_HOST,
    "a%2fb": UNLIKE_A_HOST,
    "%": UNLIKE_A_HOST,
    "127.0.0.1%00": UNLIKE_A_HOST,
    "127.1": UNLIKE_IPV4,
    "127": UNLIKE_IPV4,
    "0": UNLIKE_IPV4,
    "2130706433": UNLIKE_IPV4,
    "017700000001": UNLIKE_IPV4,
    "0x7f000001": UNLIKE_IPV4,
    "0X7F000001": UNLIKE_IPV4,
    "0x7f.0.0.1": UNLIKE_IPV4,
    "127.0.0.0x1": UNLIKE_IPV4,
    "0x": UNLIKE_IPV4,
    "0177.0.0.1": UNLIKE_IPV4,
    "1.2.3.04": UNLIKE_IPV4,
    "1.2.3": UNLIKE_IPV4,
    "1.2.3.4.5": UNLIKE_IPV4,
    "256.0.0.1": UNLIKE_IPV4,
    "1.2.3.256": UNLIKE_IPV4,
    "db.example.1": UNLIKE_IPV4,
    "db.0xa9fea9fe": UNLIKE_IPV4,
    "2852039166.": UNLIKE_IPV4,
    "１２７.０.０.１": UNLIKE_IDNA,
    "ｌｏｃａｌｈｏｓｔ": UNLIKE_IDNA,
    "①": UNLIKE_IDNA,
    "127。0。0。1": UNLIKE_IDNA,
    "a．b": UNLIKE_IDNA,
    "a\u2044b": UNLIKE_IDNA,
    "℀.example": UNLIKE_IDNA,
    "a／b": UNLIKE_IDNA,
    "a＠b": UNLIKE_IDNA,
    "☃_x.example": UNLIKE_IDNA,
    "db'": UNLIKE_A_HOST,
    'db"': UNLIKE_A_HOST,
    "db`id`": UNLIKE_A_HOST,
    "$(id)": UNLIKE_A_HOST,
    "db=x": UNLIKE_A_HOST,
    "db&x": UNLIKE_A_HOST,
    "*.example.com": UNLIKE_A_HOST,
    "(DESCRIPTION=(HOST=db))": UNLIKE_A_HOST,
    "db)(HOST=evil": UNLIKE_A_HOST,
    "{db}": UNLIKE_A_HOST,
    "<db>": UNLIKE_A_HOST,
    "db|x": UNLIKE_A_HOST,
    "db!": UNLIKE_A_HOST,
    "db~1": UNLIKE_A_HOST,
    "db^x": UNLIKE_A_HOST,
    "db+x": UNLIKE_A_HOST,
    "a" * 64: TOO_LONG,
    f"a{LONG}": TOO_LONG,
    "ü" * 63: TOO_LONG,
    "a" * 100_000: TOO_LONG,
    "." * 1002: TOO_LONG,
}
"""What is refused → the sentence."""


def reason(parse: object, text: str) -> str:
    assert callable(parse)
    with pytest.raises(PydanticCustomError) as refused:
        parse(text)
    return refused.value.message()


class TestHost:
    @pytest.mark.parametrize(("text", "stored"), TAKEN.items(), ids=lambda text: ascii(text)[:40])
    def test_is_taken_and_stored_clean(self, text: str, stored: str) -> None:
        assert parse_host(text) == stored
        assert parse_host(stored) == stored

    @pytest.mark.parametrize(("text", "sentence"), REFUSED.items(), ids=lambda text: ascii(text)[:40])
    def test_is_refused_with_what_to_write(self, text: str, sentence: str) -> None:
        assert reason(parse_host, text) == (UNLIKE_IDNA if text == "ü" * 63 else sentence)

    @pytest.mark.parametrize(
        "text", ["user:s3cr3t@db", "s3cr3t@db:1", "user:12345@db", "http://u:s3cr3t@db/12345?12345"]
    )
    def test_no_sentence_quotes_a_password(self, text: str) -> None:
        assert not re.search("s3cr3t|12345", reason(parse_host, text))

    @pytest.mark.parametrize(
        ("text", "wire"),
        [
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("DB.example", "DB.example"),
            ("::1", "::1"),
        ],
    )
    def test_drivers_get_it_as_dns_has_it(self, text: str, wire: str) -> None:
        assert encode_host(parse_host(text)) == wire


class TestAnyText:
    """Whatever is taken is the whole host of a URL, and nothing else."""

    texts = st.text(max_size=30) | st.text(string.ascii_letters + string.digits + "-_.:[]x@/\\?# ,%", max_size=30)

    @settings(max_examples=3000, deadline=None)
    @given(texts)
    def test_what_is_taken_is_a_host(self, text: str) -> None:
        try:
            host = parse_host(text)
        except PydanticCustomError:
            return
        wire = encode_host(host)
        assert re.fullmatch(r"[A-Za-z0-9._:-]+", wire)
        assert urlsplit(f"https://{in_url(wire)}/").hostname == wire.lower()
        assert urlsplit(f"https://{in_url(wire)}:1/").port == 1
        assert host in text
        assert parse_host(host) == host
        if ":" not in wire and re.fullmatch("[0-9]+|0[xX][0-9A-Fa-f]*", wire.rpartition(".")[2]):
            ipaddress.IPv4Address(wire)

    @settings(max_examples=500, deadline=None)
    @given(st.ip_addresses().map(str), st.text(BLANKS, max_size=3), st.booleans())
    def test_every_address_is_taken(self, address: str, blanks: str, brackets: bool) -> None:
        written = f"[{address}]" if brackets and ":" in address else address
        assert parse_host(f"{blanks}{written}{blanks}") == address

    @settings(max_examples=500, deadline=None)
    @given(st.from_regex(r"[a-z][a-z0-9]{0,10}(\.[a-z][a-z0-9-]{0,10}[a-z]){0,3}", fullmatch=True))
    def test_every_plain_name_is_taken(self, name: str) -> None:
        assert parse_host(name) == name


class TestHostsOfExasol:
    @pytest.mark.parametrize(
        ("text", "stored", "hosts"),
        [
            ("db", "db", ["db"]),
            ("10.0.0.11..13", "10.0.0.11..13", ["10.0.0.11", "10.0.0.12", "10.0.0.13"]),
            ("db1..2.example", "db1..2.example", ["db1.example", "db2.example"]),
            ("n09..10", "n09..10", ["n09", "n10"]),
            ("a, b.,[::1]\n", "a,b,::1", ["a", "b", "::1"]),
            ("db.example/135aE181", "db.example/135aE181", ["db.example"]),
            ("a/AB,b/CD", "a/AB,b/CD", ["a", "b"]),
            ("db/nocertcheck", "db/nocertcheck", ["db"]),
        ],
    )
    def test_ranges_and_lists_are_kept(self, text: str, stored: str, hosts: list[str]) -> None:
        assert parse_hosts(text) == stored
        assert hosts_of(stored) == hosts

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("", EMPTY),
            ("a,", EMPTY),
            ("a,/tmp/x", NO_SOCKETS),
            ("https://db", "Only the host name, without https://"),
            ("db:8563", "Only the host name. Put 8563 into port"),
            ("db:8563/AB12", "Only the host name. Put 8563 into port"),
            ("a,b:8563", "Only the host name. Put 8563 into port"),
            ("db/path", UNLIKE_A_FINGERPRINT),
            ("db/AB/CD", UNLIKE_A_FINGERPRINT),
            ("db/AB?x", UNLIKE_A_FINGERPRINT),
            ("4..1", UNLIKE_A_RANGE),
            ("10.0.0.1..4294967295", UNLIKE_A_RANGE),
            ("n1..200,m1..200", UNLIKE_A_RANGE),
            ("1..9", UNLIKE_IPV4),
            ("10.0.0.250..256", UNLIKE_IPV4),
            ("10.0.0.01..09", UNLIKE_IPV4),
            ("bücher1..2", UNLIKE_A_HOST),
            ("a..b", UNLIKE_A_HOST),
            ("user:pw@db1..2", LOGIN),
            ("a;b", ONE_HOST),
            ("a" * 2000, TOO_LONG),
        ],
    )
    def test_each_member_is_a_host(self, text: str, sentence: str) -> None:
        assert reason(parse_hosts, text) == sentence

    def test_drivers_get_them_as_dns_has_them(self) -> None:
        assert encode_hosts("bücher.example/AB,db1..2") == "xn--bcher-kva.example/AB,db1..2"
