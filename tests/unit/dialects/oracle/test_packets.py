"""Lengths of Oracle's packets, in whatever pieces they arrive."""

from __future__ import annotations

import struct
from typing import Any
from unittest.mock import Mock

import pytest

from moorings.dialects.oracle.packets import Packets

ACCEPT = struct.pack(">HHBBH", 41, 0, 2, 0, 0) + struct.pack(">H", 319) + bytes(31)
RESEND = struct.pack(">HHBBH", 8, 0, 11, 0, 0)
LONG = struct.pack(">IBBH", 100_000, 6, 0, 0) + bytes(99_992)


def received(data: bytes, step: int) -> tuple[Any, Any]:
    """The driver's protocol and the transport after the data arrived in pieces of a size."""
    driver, transport = Mock(), Mock()
    packets = Packets(driver)
    packets.connection_made(transport)
    for at in range(0, len(data), step):
        packets.data_received(data[at : at + step])
    return driver, transport


@pytest.mark.parametrize("step", [1, 3, 8, 10, 1000, 10**6])
class TestPackets:
    def test_possible_ones_are_passed_on(self, step: int) -> None:
        data = RESEND + ACCEPT + LONG + struct.pack(">IBBH", 8, 6, 0, 0) + LONG
        driver, transport = received(data, step)
        assert b"".join(call.args[0] for call in driver.data_received.call_args_list) == data
        transport.abort.assert_not_called()

    @pytest.mark.parametrize("length", [0, 7, 3 << 20, 2_000_000_000])
    def test_an_impossible_one_ends_the_connection(self, step: int, length: int) -> None:
        _, transport = received(ACCEPT + struct.pack(">IBBH", length, 6, 0, 0), step)
        transport.abort.assert_called_once()
