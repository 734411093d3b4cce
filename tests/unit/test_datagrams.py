"""The queue of datagrams of a socket: how many it holds is Linux's accounting, measured on 6.18."""

from __future__ import annotations

from typing import Any

import pytest

from simnet import Network
from simnet.virtual.kernel.datagrams import Datagram, DatagramQueue, truesize

DEFAULT = 212_992  # net.core.rmem_default


def datagram(size: int, number: int = 0) -> Datagram:
    net: Any = Network()
    host = net.host("machine")
    ends = (("127.0.0.1", 1), ("127.0.0.1", 2))
    return Datagram(bytes([number]) * size, *ends, host, 1, net.path(host, host))


@pytest.mark.parametrize(
    ("version", "steps"),
    [
        (4, {0: 832, 197: 832, 198: 1280, 645: 1280, 646: 2304, 7814: 16640, 16004: 16640, 16005: 16837}),
        (6, {0: 832, 184: 832, 185: 1280, 632: 1280, 633: 2304, 7801: 16640, 15991: 16640, 15992: 16824}),
    ],
)
def test_a_datagram_takes_a_buffer_of_one_of_the_sizes_of_kmalloc(
    version: int, steps: dict[int, int]
) -> None:
    """SO_MEMINFO of a socket that holds one datagram, by its size."""
    assert {size: truesize(size, version) for size in steps} == steps


@pytest.mark.parametrize(
    ("limit", "size", "count"),
    [
        (DEFAULT, 1, 256),
        (DEFAULT, 1000, 92),
        (DEFAULT, 9000, 12),
        (DEFAULT, 40_000, 5),
        (2304, 100, 2),
        (2304, 40_000, 1),  # one fits into an empty queue, however large it is
        (8192, 100, 9),
    ],
)
def test_a_queue_keeps_the_first_datagrams_that_fit(limit: int, size: int, count: int) -> None:
    queue = DatagramQueue()
    assert [queue.put(datagram(size), limit) for _ in range(count + 3)] == [True] * count + [False] * 3


def test_what_was_read_makes_room_in_portions() -> None:
    """9 fit into 8192 bytes.  One is read and one sent, by turns, and the first to fit again is the one that
    is sent after the third was read, as on Linux: 3 x 832 bytes are more than a quarter of the buffer.
    """
    queue, limit = DatagramQueue(), 8192
    for number in range(9):
        assert queue.put(datagram(1, number), limit)
    fitted = []
    for number in range(100, 112):
        assert queue.take(limit) is not None
        if queue.put(datagram(1, number), limit):
            fitted.append(number)
    assert fitted == [102, 103, 104, 105, 106, 107, 108, 109, 110, 111]


def test_an_emptied_queue_has_all_its_room() -> None:
    queue = DatagramQueue()
    for _ in "12":
        count = 0
        while queue.put(datagram(1000), DEFAULT):
            count += 1
        while queue.take(DEFAULT) is not None:
            pass
        assert count == 92


def test_the_first_datagram_can_be_looked_at() -> None:
    queue = DatagramQueue()
    assert queue.first() is None
    queue.put(datagram(3, 7), DEFAULT)
    assert queue.first() is queue.take(DEFAULT) is not None
    assert queue.take(DEFAULT) is None
