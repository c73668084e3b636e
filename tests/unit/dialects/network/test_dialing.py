"""Which addresses nobody may dial, in whatever spelling they come, and that the rest is dialled as checked."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from moorings import errors
from moorings.dialects.network.dialing import Address, Network, forbidden_reason

NEVER = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fe80::1",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::169.254.169.254",
    "::ffff:0:169.254.169.254",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",
    "2001:db8::5efe:169.254.169.254",
    "2001:db8::200:5efe:169.254.169.254",
    "::ffff:0.0.0.0",
]
ALLOWED = ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "8.8.8.8", "fd12::1", "64:ff9b::8.8.8.8", "::ffff:10.0.0.1"]


@pytest.mark.parametrize("address", NEVER)
def test_nobody_may_dial(address: str) -> None:
    assert forbidden_reason(ipaddress.ip_address(address)) is not None
    with pytest.raises(errors.EgressRefused, match="Moorings never connects"):
        Network().addresses(address, 80, "host", "port")


@pytest.mark.parametrize("address", ALLOWED)
def test_every_other_address_may_be_dialled(address: str) -> None:
    assert forbidden_reason(ipaddress.ip_address(address)) is None


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518"])
def test_what_the_resolver_takes_for_an_address_is_checked_as_one(host: str) -> None:
    with pytest.raises(errors.EgressRefused, match=r"is 169\.254\.169\.254, which is a link-local address"):
        Network().addresses(host, 80, "host")


class Denies:
    """Rules that deny one address."""

    def refusal(self, host: str, address: Address, port: int) -> str | None:
        return "is denied." if str(address) == "127.0.0.1" else None

    def database_refusal(self, address: Address, port: int, database: str) -> str | None:
        return "Ours." if database == "ours" else None


def test_of_several_addresses_the_refused_ones_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("127.0.0.1", "127.0.0.2")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: found)  # names of a test have one address
    assert Network(Denies()).addresses("two.example", 80, "host") == ["127.0.0.2"]


def test_an_unknown_name_blames_the_host() -> None:
    with pytest.raises(errors.HostNotFound) as refused:
        Network().addresses("nothing.invalid", 80, "host", "port")
    assert refused.value.fields == ("host",)


def test_a_database_of_ours_blames_the_database() -> None:
    with pytest.raises(errors.EgressRefused, match="Ours") as refused:
        Network(Denies()).check("127.0.0.2", 5432, "ours", "host", "port")
    assert refused.value.fields == ("database",)
    assert Network(Denies()).check("127.0.0.2", 5432, "theirs", "host", "port") == ["127.0.0.2"]


def test_a_connection_is_made_to_the_checked_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with Network().connect("localhost", port, 5, "host") as wire:
            assert wire.getpeername() == ("127.0.0.1", port)
            with pytest.raises(errors.EgressRefused):
                Network(Denies()).connect("127.0.0.1", port, 5, "host")
