"""When a silent peer is given up: keepalive and TCP_USER_TIMEOUT (tcp(7), RFC 9293, RFC 5482)."""

from __future__ import annotations

import socket as std
from typing import Any

import pytest

from simnet.transport import ERR, IN, OUT
from simnet.virtual.kernel.sock import RECEIVE_BUFFER_BYTES
from tests.conformance.machine import outcome

from .two_hosts import CAPACITY, DEAD, World, ms

TCP = std.IPPROTO_TCP


def keepalive(sock: Any, idle: int, interval: int, count: int) -> None:
    sock.setsockopt(std.SOL_SOCKET, std.SO_KEEPALIVE, 1)
    for option, value in (
        (std.TCP_KEEPIDLE, idle),
        (std.TCP_KEEPINTVL, interval),
        (std.TCP_KEEPCNT, count),
    ):
        sock.setsockopt(TCP, option, value)


def test_a_peer_that_does_not_answer_is_given_up_after_idle_and_count_times_interval() -> None:
    """10 s without a word, then 3 probes 5 s apart: 10 + 3 x 5 s after the last answer.

    That was to the data: 2 x 20 ms after it was sent.  Measured on Linux 6.18, with 2, 1 and 3: 5.09 s.
    """
    world = World()
    opener, _accepted = world.pair()
    keepalive(opener, 10, 5, 3)
    world.pass_time(3)
    start = world.net.now_ns
    opener.send(b"x")
    world.pass_time(1)
    world.net.partition("client", "server")
    assert world.until(opener, ERR) == start + ms(2 * 20) + ms(10_000 + 3 * 5_000)
    assert [outcome(opener.recv, 1), outcome(opener.recv, 1)] == ["ETIMEDOUT", b""]


def test_what_the_peer_sends_counts_as_an_answer() -> None:
    """The last word of the peer arrived 20 ms after it was sent."""
    world = World()
    opener, accepted = world.pair()
    keepalive(opener, 10, 5, 3)
    world.pass_time(7)
    start = world.net.now_ns
    accepted.send(b"x")
    world.pass_time(1)
    assert opener.recv(10) == b"x"
    world.net.partition("client", "server")
    assert world.until(opener, ERR) == start + ms(20) + ms(10_000 + 3 * 5_000)


def test_probes_before_the_cut_were_answered() -> None:
    """Set at 0 with 10 s, a probe leaves at 10 s, is answered at 10.040 s, and the next leaves at 20.040 s.

    The cut at 15 s is found out by that one and two more: 20.040 + 3 x 5 s.
    """
    world = World()
    opener, _accepted = world.pair()
    start = world.net.now_ns
    keepalive(opener, 10, 5, 3)
    world.pass_time(15)
    world.net.partition("client", "server")
    assert world.until(opener, ERR) == start + ms(20_040 + 3 * 5_000)


def test_a_connection_that_is_healed_in_time_lives_on() -> None:
    world = World()
    opener, accepted = world.pair()
    keepalive(opener, 10, 5, 3)
    world.net.partition("client", "server")
    world.pass_time(10 + 5 + 1)  # two probes are lost, and the third is answered
    world.net.heal()
    world.net.run()
    opener.send(b"alive")
    world.pass_time(1)
    assert accepted.recv(10) == b"alive"
    assert world.mask(opener) == OUT


def test_on_a_network_without_faults_a_keepalive_plans_nothing() -> None:
    """So that a run with idle connections has an end."""
    world = World()
    opener, accepted = world.pair()
    keepalive(opener, 1, 1, 1)
    keepalive(accepted, 1, 1, 1)
    opener.send(b"x")
    world.net.run()
    assert world.net.now < 1
    assert world.mask(opener) == OUT


def test_the_first_probe_after_a_restart_is_answered_by_a_reset() -> None:
    """The host crashed and came back: it knows of no connection.  10 s of silence, and 2 x 20 ms."""
    world = World()
    opener, _accepted = world.pair()
    start = world.net.now_ns
    keepalive(opener, 10, 5, 3)
    world.server.crash()
    world.pass_time(2)
    world.server.restart()
    assert world.until(opener, ERR) == start + ms(10_000 + 2 * 20)
    assert outcome(opener.recv, 1) == "ECONNRESET"


def test_without_keepalive_nobody_finds_out() -> None:
    """tcp(7): an idle connection may outlive its peer for ever."""
    world = World()
    opener, _accepted = world.pair()
    keepalive(opener, 10, 5, 3)
    opener.setsockopt(std.SOL_SOCKET, std.SO_KEEPALIVE, 0)
    world.server.crash()
    world.net.run()
    assert world.mask(opener) == OUT


def test_an_accepted_connection_has_the_keepalive_of_its_listener() -> None:
    """socket(7): what is set on a listener holds for its connections, counted from the handshake."""
    world = World()
    served = world.listener()
    keepalive(served, 10, 5, 3)
    opener = world.dial()
    start = world.until(served, IN)
    accepted, _ = served.accept()
    accepted.setblocking(False)
    world.client.crash()
    assert world.until(accepted, ERR) == start + ms(10_000 + 3 * 5_000)
    assert opener is not None


def test_times_may_be_changed_while_nobody_answers() -> None:
    """tcp(7): do_tcp_setsockopt sets the timer anew."""
    world = World()
    opener, _accepted = world.pair()
    start = world.net.now_ns
    keepalive(opener, 7200, 5, 3)
    world.net.partition("client", "server")
    world.pass_time(1)
    opener.setsockopt(TCP, std.TCP_KEEPIDLE, 10)
    assert world.until(opener, ERR) == start + ms(10_000 + 3 * 5_000)


def test_with_a_user_timeout_that_counts_instead_of_the_number_of_probes() -> None:
    """tcp_keepalive_timer: probes at 10, 15 and 20 s; at 25 s more than 22 s are over.

    Measured on Linux 6.18, with 2 s, 1 s, 3 and 3.5 s: 4.07 s.
    """
    world = World()
    opener, _accepted = world.pair()
    start = world.net.now_ns
    keepalive(opener, 10, 5, 9)
    opener.setsockopt(TCP, std.TCP_USER_TIMEOUT, 22_000)
    world.net.partition("client", "server")
    assert world.until(opener, ERR) == start + ms(25_000)
    assert outcome(opener.recv, 1) == "ETIMEDOUT"


# --- TCP_USER_TIMEOUT ----------------------------------------------------------------------------


def test_lost_data_is_given_up_a_user_timeout_after_its_first_retransmission() -> None:
    """RFC 5482, as Linux counts (retransmits_timed_out): 200 ms and a round trip, and 1 s more."""
    world = World()
    opener, _accepted = world.pair()
    opener.setsockopt(TCP, std.TCP_USER_TIMEOUT, 1000)
    world.net.partition("client", "server")
    start = world.net.now_ns
    opener.send(b"x")
    assert world.until(opener, ERR) == start + ms(200 + 2 * 20) + ms(1000)
    assert outcome(opener.recv, 1) == "ETIMEDOUT"


@pytest.mark.parametrize(("timeout_ms", "gives_up_ms"), [(500, 1001), (1500, 1500), (2500, 2500)])
def test_a_connect_is_given_up_after_a_user_timeout_but_not_before_its_first_retry(
    timeout_ms: int, gives_up_ms: int
) -> None:
    """The first retry is due at 1 s, and the end as soon as can be.

    Measured on Linux 6.18: 1.02 s of 0.5, 1.53 s of 1.5, and 3.51 s of 3.5.
    """
    world = World()
    world.server.crash()
    opener = world.socket(world.client)
    opener.setsockopt(TCP, std.TCP_USER_TIMEOUT, timeout_ms)
    opener.connect_ex(("server", 80))
    assert world.until(opener, ERR) == ms(gives_up_ms)
    assert world.mask(opener) == DEAD


def test_the_number_of_syns_may_be_set() -> None:
    """tcp(7), TCP_SYNCNT: besides the 4 of tcp_syn_linear_timeouts."""
    ends = []
    for count in (1, 2):
        world = World()
        world.server.crash()
        opener = world.socket(world.client)
        opener.setsockopt(TCP, std.TCP_SYNCNT, count)
        opener.connect_ex(("server", 80))
        ends.append(world.until(opener, ERR))
    assert ends == [ms(4 * 1000 + 1000 + 2000), ms(4 * 1000 + 1000 + 2000 + 4000)]


def test_a_window_that_stays_closed_is_given_up_after_a_user_timeout() -> None:
    """tcp_probe_timer: the first probe after 200 ms, and 2 s more; on Linux 6.18, 2.28 s after a fill.

    The bytes beyond the window reach it 20 ms after they were sent.
    """
    world = World()
    opener, accepted = world.pair()
    opener.setsockopt(TCP, std.TCP_USER_TIMEOUT, 2000)
    start = world.net.now_ns
    assert opener.send(bytes(CAPACITY)) == CAPACITY
    assert world.until(opener, ERR) == start + ms(20 + 200 + 2000)
    assert outcome(opener.send, b"x") == "ETIMEDOUT"
    assert len(accepted.recv(1 << 20)) == RECEIVE_BUFFER_BYTES
    world.pass_time(1)
    assert outcome(accepted.recv, 1) == "EAGAIN"  # what waited at the sender is gone


def test_a_window_that_opens_in_time_is_waited_for() -> None:
    world = World()
    opener, accepted = world.pair()
    opener.setsockopt(TCP, std.TCP_USER_TIMEOUT, 2000)
    opener.send(bytes(CAPACITY))
    world.pass_time(2)
    received = len(accepted.recv(1 << 20))
    world.pass_time(2)
    received += len(accepted.recv(1 << 20))
    world.net.run()
    assert received == CAPACITY
    assert world.mask(opener) == OUT


# --- probes of a closed window -------------------------------------------------------------------


def test_who_waits_for_the_window_of_a_host_that_crashed_learns_it_from_the_restarted_one() -> None:
    """Probes go on (RFC 9293, section 3.8.6.1), and are answered by a RST."""
    world = World()
    opener, _accepted = world.pair()
    opener.send(bytes(CAPACITY))
    world.pass_time(1)
    world.server.crash()
    world.pass_time(1)
    world.server.restart()
    world.until(opener, ERR)
    assert outcome(opener.recv, 1) == "ECONNRESET"


def test_who_waits_for_a_window_behind_a_partition_times_out() -> None:
    """tcp_retries2: 15 probes, doubling from 200 ms to 120 s."""
    world = World()
    opener, _accepted = world.pair()
    opener.send(bytes(CAPACITY))
    world.pass_time(1)
    start = world.net.now_ns
    world.net.partition("client", "server")
    waits_ms = [min(200 << n, 120_000) + 2 * 20 for n in range(16)]
    assert world.until(opener, ERR) == start + ms(sum(waits_ms))
    assert outcome(opener.recv, 1) == "ETIMEDOUT"


def test_a_window_behind_a_partition_that_is_healed_opens() -> None:
    world = World()
    opener, accepted = world.pair()
    opener.send(bytes(CAPACITY))
    world.pass_time(1)
    world.net.partition("client", "server")
    world.pass_time(5)
    world.net.heal()
    received = 0
    while received < CAPACITY:
        world.until(accepted, IN)
        received += len(accepted.recv(1 << 20))
    world.until(opener, OUT)
    opener.send(b"more")
    world.net.run()
    assert accepted.recv(10) == b"more"


def just_connected(world: World) -> tuple[Any, Any]:
    """A listener, and an opener that is connected, of which the listener has not heard yet."""
    listener, opener = world.listener(), world.dial()
    world.until(opener, OUT)
    assert world.mask(listener) == 0
    return listener, opener


def test_who_is_just_connected_and_asks_for_it_holds_up_no_run() -> None:
    """A probe was planned for two hours later; it would have found nothing out."""
    world = World()
    _listener, opener = just_connected(world)
    opener.setsockopt(std.SOL_SOCKET, std.SO_KEEPALIVE, 1)
    world.net.run()
    assert world.net.now < 1
