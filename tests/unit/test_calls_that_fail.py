"""Calls of sockets fail with the errno that a script or a rule names, and no storm does that."""

import errno
import socket as std

import pytest

from simnet import Network, Script, UsageError, parse
from simnet.outcomes import CALLS, CORRUPTION, HARSH

from .two_hosts import World

MADE = {
    "socket": lambda sock: sock._host.socket(),
    "bind": lambda sock: sock.bind(("", 99)),
    "listen": lambda sock: sock.listen(5),
    "setsockopt": lambda sock: sock.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 1),
    "getsockopt": lambda sock: sock.getsockopt(std.SOL_SOCKET, std.SO_ERROR),
    "getsockname": lambda sock: sock.getsockname(),
    "getpeername": lambda sock: sock.getpeername(),
    "shutdown": lambda sock: sock.shutdown(std.SHUT_WR),
}
CASES = [(call, reason) for call, reasons in CALLS.items() for reason in reasons]


@pytest.mark.parametrize(("call", "reason"), CASES, ids=lambda part: errno.errorcode.get(part, part))
def test_a_call_fails_with_the_errno_that_is_named_and_the_next_one_does_not(call, reason):
    world = World()
    opener, _accepted = world.pair()
    sock = world.socket(world.client) if call in ("bind", "listen") else opener
    fault = world.net.on("client", call, times=1).fail(reason)
    with pytest.raises(OSError) as caught:
        MADE[call](sock)
    assert caught.value.errno == reason
    MADE[call](sock)
    fault.lift()
    (deviation,) = world.net.script().deviations
    assert parse(str(deviation)) == deviation
    assert str(deviation).endswith(f"{call} of client fails with {errno.errorcode[reason]}")


def test_a_script_names_the_call_of_a_host_by_its_number():
    net = Network(Script([parse("the 2nd bind of server fails with EADDRINUSE")]))
    sockets = [net.host("server").socket() for _ in range(3)]
    told = []
    for port, sock in enumerate(sockets, 80):
        try:
            sock.bind(("", port))
            told.append(0)
        except OSError as error:
            told.append(error.errno)
    assert told == [0, errno.EADDRINUSE, 0]
    assert net.unmet() == ()


def test_a_socket_that_is_closed_says_so_first():
    net = Network()
    net.on("*", "listen").fail(errno.EADDRINUSE)
    sock = net.host("a").socket()
    sock.close()
    with pytest.raises(OSError) as caught:
        sock.listen(1)
    assert caught.value.errno == errno.EBADF


def test_an_errno_that_a_call_does_not_have_is_refused():
    with pytest.raises(UsageError, match="not possible for a bind: fails with EPIPE"):
        Network().on("*", "bind").fail(errno.EPIPE)


def test_no_weather_lets_these_calls_fail():
    assert not {op for op, _ in HARSH | CORRUPTION} & CALLS.keys()
