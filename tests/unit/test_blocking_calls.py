"""Calls that wait, where the network says EAGAIN of a socket that is ready: CPython polls anew."""

from __future__ import annotations

from typing import Any

import pytest

from simnet import Deadlock, Network


@pytest.fixture
def net() -> Network:
    return Network(latency="10ms")


@pytest.fixture(params=[None, 5.0])
def pair(net: Network, request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A connected pair, from client to server, that waits for ever or for 5 s; the network is silent."""
    server, client = net.host("server").modules.socket, net.host("client").modules.socket
    listener = server.create_server(("", 7))
    talking = client.create_connection(("server", 7))
    accepted, _ = listener.accept()
    listener.close()
    net.run()
    for sock in (talking, accepted):
        sock.settimeout(request.param)
    return talking, accepted


def test_a_recv_told_to_try_again_returns_what_is_there(net: Network, pair: Any) -> None:
    one, other = pair
    one.send(b"abc")
    net.run()
    for nth in (1, 2, 3):
        net.on("server", "recv", nth=nth).again()
    before = net.now
    assert (other.recv(10), net.now) == (b"abc", before)


def test_a_send_told_to_try_again_goes_out_at_once(net: Network, pair: Any) -> None:
    one, _ = pair
    for nth in (1, 2):
        net.on("client", "send", nth=nth).again()
    before = net.now
    assert (one.send(b"abc"), net.now) == (3, before)


@pytest.mark.parametrize("timeout_s", [None, 5.0])
def test_an_accept_told_to_try_again_takes_who_waits(net: Network, timeout_s: float | None) -> None:
    server, client = net.host("server").modules.socket, net.host("client").modules.socket
    listener = server.create_server(("", 7))
    talking = client.create_connection(("server", 7))
    net.run()
    listener.settimeout(timeout_s)
    for nth in (1, 2):
        net.on("server", "accept", nth=nth).again()
    assert listener.accept()[1] == talking.getsockname()


def test_a_network_that_never_relents_ends_the_wait(net: Network, pair: Any) -> None:
    """Python would spin for ever."""
    one, other = pair
    one.send(b"abc")
    net.on("server", "recv").again()
    started = net.now
    if other.gettimeout() is None:
        with pytest.raises(Deadlock, match=r"recv\(\) waits, and nothing can happen any more"):
            other.recv(10)
    else:
        with pytest.raises(TimeoutError, match="timed out"):
            other.recv(10)
        assert net.now == started + 5


def test_who_does_not_wait_is_told_to_try_again(net: Network, pair: Any) -> None:
    one, other = pair
    one.send(b"abc")
    net.run()
    net.on("server", "recv", nth=1).again()
    other.setblocking(False)
    with pytest.raises(BlockingIOError):
        other.recv(10)
    assert other.recv(10) == b"abc"


@pytest.mark.parametrize("read", ["read", "readv"])
def test_a_read_of_a_descriptor_told_to_try_again_returns_what_is_there(
    net: Network, pair: Any, read: str
) -> None:
    one, other = pair
    other.setblocking(True)
    one.send(b"abc")
    net.run()
    for nth in (1, 2):
        net.on("server", "recv", nth=nth).again()
    os, buffer, before = net.host("server").modules.os, bytearray(10), net.now
    answer = os.read(other.fileno(), 10) if read == "read" else os.readv(other.fileno(), [buffer])
    assert (answer, net.now) in ((b"abc", before), (3, before))
