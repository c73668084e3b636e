"""What the operator's egress rules refuse and allow."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from moorings.engine.egress import EgressRules, Listeners
from moorings.errors import OperatorError
from moorings.settings import Settings


def rules(**settings: object) -> EgressRules:
    return EgressRules.of(Settings(_env_file=None, data_dir=Path("unused"), **settings))


def refusal(under: EgressRules, address: str, port: int = 5432, host: str = "") -> str | None:
    return under.refusal(host or address, ipaddress.ip_address(address), port)


LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::"]


@pytest.mark.parametrize("address", LOOPBACK)
@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "db.corp"])
def test_loopback_is_closed_where_others_reach_the_service(host: str, address: str) -> None:
    assert "MOORINGS_EGRESS_ALLOW" in str(refusal(rules(host=host), address))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_is_open_where_only_this_machine_reaches_the_service(host: str) -> None:
    assert refusal(rules(host=host), "127.0.0.1") is None


@pytest.mark.parametrize("address", [*LOOPBACK, "127.1.2.3"])
def test_the_service_never_dials_itself(address: str) -> None:
    under = rules(port=8123, egress_allow="127.0.0.0/8, ::/0, 0.0.0.0/0")
    assert "is Moorings itself" in str(refusal(under, address, 8123))
    assert refusal(under, address, 8124) is None
    assert Listeners((8123,)).refusal(address, ipaddress.ip_address(address), 8123) is not None


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.1.1", "172.16.0.1", "fd12::1", "8.8.8.8"])
def test_private_and_public_addresses_are_open(address: str) -> None:
    assert refusal(rules(host="0.0.0.0"), address) is None


DENIED = [
    ("10.0.0.0/8", "10.1.2.3", 5432, ""),
    ("10.0.0.0/8", "::ffff:10.1.2.3", 5432, ""),
    ("10.1.2.3", "10.1.2.3", 5432, ""),
    ("10.0.0.0/8:5432", "10.1.2.3", 5432, ""),
    ("*:5432", "8.8.8.8", 5432, ""),
    ("*", "8.8.8.8", 5432, ""),
    ("*.corp", "8.8.8.8", 5432, "db.CORP."),
    ("DB.corp:5432", "8.8.8.8", 5432, "db.corp"),
    ("fd00::/8", "fd12::1", 5432, ""),
    ("[fd12::1]:5432", "fd12::1", 5432, ""),
    ("fd12::1", "fd12::1", 1, ""),
    ("[fd00::]/8:5432", "fd12::1", 5432, ""),
]
LET_BE = [
    ("10.0.0.0/8:5433", "10.1.2.3", 5432, ""),
    ("*.corp", "8.8.8.8", 5432, "db.corp.example"),
    ("*.corp", "8.8.8.8", 5432, "corp"),
    ("[fd12::1]:5433", "fd12::1", 5432, ""),
    ("10-0-0-5.default.pod.cluster.local", "10.0.0.5", 5432, "10-0-0-5.*"),
    ("db1*, 3com.com", "10.0.0.5", 5432, "db2"),
]


@pytest.mark.parametrize(("pattern", "address", "port", "host"), DENIED)
def test_a_denied_address_is_refused_even_when_it_is_allowed_too(
    pattern: str, address: str, port: int, host: str
) -> None:
    under = rules(egress_deny=f"other.example, {pattern}", egress_allow=pattern)
    assert "MOORINGS_EGRESS_DENY" in str(refusal(under, address, port, host))


@pytest.mark.parametrize(("pattern", "address", "port", "host"), LET_BE)
def test_a_pattern_denies_nothing_else(pattern: str, address: str, port: int, host: str) -> None:
    assert refusal(rules(egress_deny=pattern), address, port, host) is None


NO_PATTERNS = ["10.0.0.0/33", "a b", "db.corp:0", "db.corp:65536", "http://db", "1.2.3", "[::1"]
NO_PATTERNS += ["10.1.2.*", "*.10:5432", "192.168.1.0-192.168.1.9", "10.*.*.1", "2001:db8::/32:5432"]


@pytest.mark.parametrize("pattern", NO_PATTERNS)
def test_what_is_no_pattern_is_said_to_the_operator(pattern: str) -> None:
    with pytest.raises(OperatorError, match="MOORINGS_EGRESS_DENY"):
        rules(egress_deny=pattern)


def test_the_store_of_rate_limits_is_refused_unless_allowed() -> None:
    url = "valkey://:secret@127.0.0.1:6390/0"
    assert "rate limits' store" in str(refusal(rules(rate_limit_url=url), "127.0.0.1", 6390))
    assert refusal(rules(rate_limit_url=url), "127.0.0.1", 6391) is None
    assert refusal(rules(rate_limit_url=url, egress_allow="127.0.0.1:6390"), "127.0.0.1", 6390) is None


def test_of_the_metadata_server_only_our_database_is_refused() -> None:
    under = rules(database_url="postgresql://moorings:secret@localhost/metadata", egress_allow="*")
    at = ipaddress.ip_address("127.0.0.1")
    assert under.database_refusal(at, 5432, "metadata") is not None
    assert under.database_refusal(at, 5432, "shop") is None
    assert under.database_refusal(at, 5433, "metadata") is None
    assert refusal(under, "127.0.0.1") is None


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("postgresql:///metadata?host=/var/run/postgresql", "metadata"),
        ("postgresql:///metadata", "metadata"),
        ("postgresql://u:p@/metadata?host=10.0.0.9&host=127.0.0.1", "metadata"),
        ("postgresql://u:p@/metadata?host=10.0.0.9:5433,127.0.0.1:5432", "metadata"),
        ("postgresql://u:p@10.0.0.9/metadata?host=localhost&port=5432", "metadata"),
        ("postgresql://metadata:p@localhost", "metadata"),
        ("postgresql://u:p@localhost/my%20data", "my data"),
        (f"postgresql://u:p@localhost/{'m' * 63}", "m" * 64),
    ],
)
def test_our_database_is_known_however_its_url_names_it(url: str, database: str) -> None:
    under = rules(database_url=url, egress_allow="*")
    at = ipaddress.ip_address("127.0.0.1")
    assert under.database_refusal(at, 5432, database) is not None
    assert under.database_refusal(at, 5432, "shop") is None


def test_no_secret_of_the_settings_is_in_the_words() -> None:
    under = rules(
        database_url="postgresql://moorings:s3cret@localhost/metadata", rate_limit_url="valkey://:s3cret@localhost"
    )
    assert "s3cret" not in repr(under) + " ".join(under.described())
