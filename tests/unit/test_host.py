"""A host is a machine: descriptors, programs and names of its own, and a crash that takes them all."""

from __future__ import annotations

import errno
import socket as std
import subprocess
import sys
from typing import Any

import pytest

from simnet import Network, UsageError, current
from simnet.loop import loop_for
from tests.conformance.machine import outcome

from .two_hosts import World


def test_every_host_numbers_its_own_descriptors_from_3() -> None:
    net = Network()
    for name in ("a", "b"):
        assert [net.host(name).socket().fileno() for _ in "12"] == [3, 3]
        kept = [net.host(name).socket() for _ in "123"]
        assert [sock.fileno() for sock in kept] == [3, 4, 5]


def test_descriptors_run_out() -> None:
    """getrlimit(2), RLIMIT_NOFILE: the standard streams count."""
    host = Network().host("a")
    host.descriptors_max = 5
    kept = [host.socket(), host.socket()]
    with pytest.raises(OSError, match="Too many open files") as caught:
        host.socket()
    assert caught.value.errno == errno.EMFILE
    kept.pop().close()
    host.socket()


def test_memory_for_sockets_runs_out_for_every_kind_and_pipes_take_none_of_it() -> None:
    """inet_create says ENOBUFS, unix_create1 ENOMEM."""
    host = Network().host("a")
    host.sockets_max = 1
    host.modules.os.pipe()
    kept = host.socket()
    assert outcome(host.socket) == "ENOBUFS"
    assert outcome(host.socket, std.AF_INET, std.SOCK_DGRAM) == "ENOBUFS"
    assert outcome(host.socket, std.AF_UNIX, std.SOCK_STREAM) == "ENOMEM"
    assert kept.fileno() == 5


def test_a_standard_stream_that_became_a_socket_takes_no_descriptor_more() -> None:
    """3 is a socket, and so is 1: 4 is free, and the last below the limit."""
    host = Network().host("a")
    host.descriptors_max = 5
    sock = host.socket()
    host.modules.os.dup2(sock.fileno(), 1)
    assert host.socket().fileno() == 4


def test_a_limit_is_about_numbers() -> None:
    """getrlimit(2): one more than the greatest number; what is open beyond it already does not count."""
    host = Network().host("a")
    kept = [host.socket() for _ in range(5)]
    host.descriptors_max = 4
    with pytest.raises(OSError, match="Too many open files"):
        host.socket()
    kept.pop(0).close()
    assert host.socket().fileno() == 3


def test_a_dropped_socket_closes_its_descriptor() -> None:
    world = World()
    opener, accepted = world.pair()
    del opener
    world.pass_time(1)
    accepted.setblocking(False)
    assert accepted.recv(1) == b""


def test_a_socket_of_a_program_that_was_killed_can_be_closed() -> None:
    host = Network().host("a")
    sock = host.socket()
    host.kill()
    sock.close()  # its number is nobody's now
    assert sock.fileno() == -1


def test_a_socket_that_is_left_at_the_end_of_the_interpreter_says_nothing() -> None:
    """By then the names of modules are gone, those of the standard ones too."""
    program = """
from simnet import Network
net = Network()
client = net.host("client").socket()
def use():
    return client
"""
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert made.stderr == ""


def test_a_host_is_made_once_and_has_an_address_of_its_own() -> None:
    net = Network()
    first = net.host("a")
    assert net.host("a") is first
    assert [first.address, net.host("b").address] == ["10.0.0.1", "10.0.0.2"]
    assert repr(first) == "<Host a 10.0.0.1>"


def test_addresses_go_on_after_the_first_256_hosts() -> None:
    net = Network()
    addresses = [net.host(f"h{number}").address for number in range(1, 601)]
    assert len(set(addresses)) == 600
    for number in (1, 255, 256, 600):
        assert net.host_at(addresses[number - 1]) is net.host(f"h{number}")
        assert not addresses[number - 1].endswith(".256")
    assert net.host_at("10.0.9.9") is None
    assert net.host("h600").addresses == ("10.0.2.88", "fd00::258")


def test_a_host_may_have_more_addresses() -> None:
    net = Network()
    server = net.host("server", addresses=["2001:DB8::0:7", "192.0.2.7"])
    assert server.addresses == ("10.0.0.1", "192.0.2.7", "fd00::1", "2001:db8::7")
    assert server.address == "10.0.0.1"
    assert {net.host_at(address) for address in server.addresses} == {server}
    assert net.host("server", addresses=["192.0.2.7"]) is server


def test_two_hosts_never_have_the_same_address() -> None:
    net = Network()
    net.host("a", addresses=["10.0.0.3"])
    with pytest.raises(UsageError, match=r"10\.0\.0\.1 is an address of host a already"):
        net.host("b", addresses=["10.0.0.1"])
    net.host("b")
    with pytest.raises(UsageError, match=r"10\.0\.0\.3 is an address of host a already"):
        net.host("c")
    for address in ("10.0.0.2", "127.0.0.9"):
        with pytest.raises(UsageError, match="it has it already"):
            Network().host("d", addresses=[address, "10.0.0.2", "10.0.0.2"])
    for address in ("nobody", "1.2", "::ffff:10.0.0.9", "fe80::1%lo", "", 7):
        with pytest.raises(UsageError, match="an address is text like"):
            net.host("e", addresses=[address])  # type: ignore[list-item]
    with pytest.raises(UsageError, match=r"host b exists already, with the addresses 10\.0\.0\.2, fd00::2"):
        net.host("b", addresses=["192.0.2.1"])


def test_a_connection_reaches_every_address_of_a_host() -> None:
    """From its first one, if the address says nothing else."""
    net = Network()
    server, client = net.host("server", addresses=["192.0.2.7"]), net.host("client")
    listener = server.socket()
    listener.bind(("192.0.2.7", 80))
    listener.listen()
    sock = client.socket()
    sock.setblocking(False)
    assert sock.connect_ex(("192.0.2.7", 80)) == errno.EINPROGRESS
    net.run()
    accepted, address = listener.accept()
    assert address[0] == client.address == "10.0.0.2"
    assert accepted.getsockname() == ("192.0.2.7", 80) == sock.getpeername()
    refused = client.socket()
    refused.setblocking(False)
    refused.connect_ex((server.address, 80))
    net.run()
    assert refused.getsockopt(std.SOL_SOCKET, std.SO_ERROR) == errno.ECONNREFUSED


def test_a_host_is_the_current_transport_inside_with() -> None:
    net = Network()
    outside = current()
    with net.host("a") as a:
        assert current() is a
        with net.host("b") as b:
            assert current() is b
        assert current() is a
    assert current() is outside


def test_a_booted_program_runs_again_after_a_restart() -> None:
    net, booted = Network(), list[Any]()
    host = net.host("a")
    host.boot(lambda: booted.append((current(), net.now)))
    net.at(1).crash("a")
    net.at(3).restart("a")
    net.run()
    assert booted == [(host, 0.0), (host, 3.0)]


def test_a_crash_takes_timers_and_descriptors_and_tells_nobody() -> None:
    net, called = Network(), list[int]()
    host = net.host("a")
    sock = host.socket()
    loop_for(host).call_later(2, called.append, 1)
    net.at(1).crash("a")
    net.run()
    assert called == []
    assert net.now == 1.0
    assert host.sockets() == []
    assert host.loops == []
    host.restart()
    assert host.socket().fileno() == 3
    sock.close()


def test_a_socket_of_before_the_crash_closes_nothing_of_after() -> None:
    """Their numbers may be the same."""
    host = Network().host("a")
    old = host.socket()
    host.crash()
    host.restart()
    new = host.socket()
    assert new.fileno() == old.fileno()
    old.close()
    assert host.descriptors.get(new.fileno()) is not None
    new.bind(("", 80))


@pytest.mark.parametrize("name", ["", "a b", "-a", "a/b", "ä", "a->b"])
def test_a_host_name_is_one_word(name: str) -> None:
    with pytest.raises(UsageError, match="a host name has letters"):
        Network().host(name)


def test_a_poller_on_a_virtual_host_has_the_kinds_of_a_real_one() -> None:
    host = Network().host("a")
    for kind in (None, "select", "poll", "epoll"):
        host.poller(kind).close()
    with pytest.raises(UsageError, match="no poller is called 'kqueue'"):
        host.poller("kqueue")
    poller = host.poller()
    with pytest.raises(OSError, match="Bad file descriptor"):
        poller.watch(99, 1)
    poller.forget(99)


def test_netstat_lists_the_sockets_of_every_host() -> None:
    world = World()
    opener, accepted = world.pair()
    opener.send(b"hello")
    world.pass_time(1)
    lines = world.net.netstat().splitlines()
    assert lines[0] == f"sockets at t={world.net.now:.3f}"
    rows = {tuple(line.split()[:4]) for line in lines[2:]}
    assert ("server", str(accepted.fileno()), "5", "0") in rows
    assert ("client", str(opener.fileno()), "0", "5") in rows
    opener.close()
    accepted.recv(10)
    accepted.close()
    world.pass_time(1)
    assert "TIME_WAIT" in world.net.netstat()
