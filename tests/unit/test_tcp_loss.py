"""What TCP does when segments, hosts and links fail: what is sent again, when, and when it gives up."""

from __future__ import annotations

import errno
import socket as std
import struct
from typing import Any

import pytest

from simnet import Network, dispatcher, dispatcher_with_send, parse
from simnet.script import Script
from simnet.transport import ERR, IN, OUT
from simnet.virtual.kernel.sock import RECEIVE_BUFFER_BYTES
from simnet.virtual.kernel.tcp_wire import CUT_PAUSE_NS
from tests.conformance.machine import mask_name, outcome

from .two_hosts import DEAD, RESET, World, ms, read

RTO = ms(200 + 2 * 20)
"""The first time-out: TCP_RTO_MIN and a round trip."""


# --- segments ------------------------------------------------------------------------------------


def test_a_lost_segment_comes_after_a_time_out_and_what_follows_waits_for_it() -> None:
    """Lost at 0; sent again at 200 + 40 ms; there at 260 ms, with what was sent behind it."""
    world = World()
    opener, accepted = world.pair()
    start = world.net.now_ns
    world.net.on("client", "segment", nth=1).lose()
    opener.send(b"lost ")
    opener.send(b"behind")
    assert world.until(accepted, IN) == start + RTO + ms(20)
    assert accepted.recv(100) == b"lost behind"


def test_a_late_segment_holds_up_what_follows() -> None:
    """100 ms late: there at 120 ms, before what was sent after it."""
    world = World()
    opener, accepted = world.pair()
    start = world.net.now_ns
    world.net.on("client", "segment", nth=1).late("100ms")
    opener.send(b"late ")
    opener.send(b"behind")
    assert world.until(accepted, IN) == start + ms(100 + 20)
    world.pass_time(0)
    assert accepted.recv(100) == b"late behind"


def test_a_cut_segment_comes_in_two_parts() -> None:
    world = World()
    opener, accepted = world.pair()
    start = world.net.now_ns
    world.net.on("client", "segment", nth=1).cut(3)
    opener.send(b"abcdef")
    assert world.until(accepted, IN) == start + ms(20)
    assert accepted.recv(100) == b"abc"
    assert world.until(accepted, IN) == start + ms(20) + CUT_PAUSE_NS
    assert accepted.recv(100) == b"def"


@pytest.mark.parametrize("op", ["segment", "send"])
def test_a_reset_is_learned_by_both_ends(op: str) -> None:
    world = World()
    opener, accepted = world.pair()
    world.net.on("client", op, nth=1).reset()
    assert outcome(opener.send, b"x") == ("ECONNRESET" if op == "send" else 1)
    if op == "segment":
        assert outcome(opener.recv, 1) == "ECONNRESET"
    assert mask_name(world.mask(accepted)) == "OUT"
    world.pass_time(0.020)
    assert mask_name(world.mask(accepted)) == mask_name(DEAD)
    assert outcome(accepted.recv, 1) == "ECONNRESET"


def test_a_reset_at_recv_loses_what_was_there() -> None:
    world = World()
    opener, accepted = world.pair()
    world.net.on("server", "recv", containing=b"EHLO").reset()
    opener.send(b"EHLO")
    world.until(accepted, IN)
    assert [outcome(accepted.recv, 100) for _ in "12"] == ["ECONNRESET", b""]
    world.pass_time(0.020)
    assert outcome(opener.recv, 1) == "ECONNRESET"


def test_a_send_may_take_a_part_or_nothing() -> None:
    world = World()
    opener, accepted = world.pair()
    world.net.on("client", "send", nth=1).take(2)
    world.net.on("client", "send", nth=2).again()
    assert [outcome(opener.send, b"hello") for _ in "123"] == [2, "EAGAIN", 5]
    world.net.on("server", "recv", nth=1).again()
    world.until(accepted, IN)
    assert [outcome(accepted.recv, 100) for _ in "12"] == ["EAGAIN", b"hehello"]


# --- opening -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lost", "wait_s"), [(1, 1), (2, 2), (3, 3)])
def test_lost_syns_are_sent_again_every_second(lost: int, wait_s: int) -> None:
    """RFC 6298, section 2: 1 s; tcp_syn_linear_timeouts: not doubling yet.  Then a round trip of 40 ms."""
    world = World()
    listener = world.listener()
    world.net.on("client", "connect", nth=1).lose(lost)
    opener = world.dial()
    assert world.until(opener, OUT) == ms(wait_s * 1000 + 40)
    world.until(listener, IN)


def test_connect_to_a_host_that_does_not_answer_times_out_after_131_seconds() -> None:
    """tcp_syn_linear_timeouts, 4 x 1 s; tcp_syn_retries, 6 of them, 1 + 2 + 4 + 8 + 16 + 32 + 64 s.

    Measured on Linux 6.18: SYNs at 0, 1, 2, 3, 4, 5, 7, 11, 19 and 35 s.
    """
    world = World()
    world.server.crash()
    opener = world.dial()
    assert world.until(opener, ERR) == ms(131_000)
    assert outcome(opener.recv, 1) == "ETIMEDOUT"


def test_a_refused_connect_can_be_asked_for() -> None:
    world = World()
    listener = world.listener()
    world.net.on("client", "connect", nth=1).refuse()
    opener = world.dial()
    assert world.until(opener, ERR) == ms(40)
    assert outcome(opener.recv, 1) == "ECONNREFUSED"
    assert world.mask(listener) == 0


def test_a_connect_through_a_partition_succeeds_when_it_is_healed() -> None:
    """SYNs at every second; healed after 3.5 s: the one at 4 s comes through."""
    world = World()
    listener = world.listener()
    world.net.partition("client", "server")
    world.net.at("3500ms").heal()
    opener = world.dial()
    assert world.until(opener, OUT) == ms(4000 + 40)
    world.until(listener, IN)


@pytest.mark.parametrize("is_cut_before", [True, False])
def test_a_socket_that_was_closed_sends_its_lost_syn_no_more(is_cut_before: bool) -> None:
    """Lost as it leaves, or on its way; the next one would leave a second after the first."""
    world = World()
    listener = world.listener()
    if is_cut_before:
        world.net.partition("client", "server")
    world.dial().close()
    if not is_cut_before:
        world.net.partition("client", "server")
    world.net.heal()
    world.pass_time(1.5)
    assert "server:80 -> client:1" not in [name for _, _, _, _, name in world.net.trace.events]
    assert outcome(listener.accept) == "EAGAIN"


def test_what_was_sent_before_a_reset_is_not_sent_again() -> None:
    """The data and the RST behind it are lost: the peer never learns of either."""
    world = World()
    opener, accepted = world.pair()
    opener.send(b"data")
    opener.setsockopt(std.SOL_SOCKET, std.SO_LINGER, RESET)
    opener.close()
    world.net.partition("client", "server")
    world.net.heal()
    world.pass_time(10)
    assert outcome(accepted.recv, 10) == "EAGAIN"


def test_a_syn_whose_answer_got_lost_is_answered_again() -> None:
    """The SYN+ACK, sent at 20 ms, is lost; sent again 1 s after that; there 20 ms later."""
    world = World()
    listener = world.listener()
    world.net.at("30ms").partition({"client"}, {"server"})
    world.net.at("500ms").heal()
    opener = world.dial()
    assert world.until(opener, OUT) == ms(20 + 1000 + 20)
    world.until(listener, IN)


def test_a_syn_whose_answer_died_with_its_host_is_sent_again() -> None:
    """Lost SYN+ACK, then a crash: the opener asks again and is refused by the restarted host."""
    world = World()
    listener = world.listener()
    world.net.at("30ms").partition({"client"}, {"server"})
    world.net.at("40ms").crash("server")
    world.net.at("50ms").restart("server")
    world.net.at("60ms").heal()
    opener = world.dial()
    world.until(opener, ERR)
    assert outcome(opener.recv, 1) == "ECONNREFUSED"
    assert listener.fileno() >= 0


def test_a_full_backlog_is_tried_again_a_second_later() -> None:
    """listen(2): with tcp_abort_on_overflow off the SYN is dropped; 1 s, and a round trip."""
    world = World()
    listener = world.listener(backlog=0)
    first, second = world.dial(), world.dial()
    world.pass_time(0.5)
    assert [mask_name(world.mask(sock)) for sock in (first, second)] == ["OUT", "-"]
    listener.accept()
    # The opener's time-out runs from when its SYN left, at 0.
    assert world.until(second, OUT) == ms(1000 + 40)


# --- partitions ----------------------------------------------------------------------------------


def test_a_transfer_through_a_partition_loses_and_doubles_nothing() -> None:
    """300 kB, cut off for 2 s in the middle."""
    world = World(bandwidth="10Mbit/s")
    opener, accepted = world.pair()
    sent = bytes(n * n & 255 for n in range(300_000))
    world.net.at(world.net.now + 0.1).partition({"client"}, {"server"})
    world.net.at(world.net.now + 2.1).heal()
    received, taken = bytearray(), 0
    while taken < len(sent):
        world.net.run(until=lambda: world.mask(accepted) & IN or world.mask(opener) & OUT)
        if world.mask(opener) & OUT:
            taken += opener.send(sent[taken:])
        if world.mask(accepted) & IN:
            received += accepted.recv(10_000)
    opener.close()
    while piece := read(world, accepted):
        received += piece
    assert bytes(received) == sent
    assert world.net.now > 2.1


def test_data_sent_into_a_partition_comes_with_the_first_retransmission_after_it() -> None:
    """Sent again at 0.24, 0.24 + 0.44 and 0.68 + 0.84 s; healed at 1 s: there at 1.54 s."""
    world = World()
    opener, accepted = world.pair()
    start = world.net.now_ns
    world.net.partition("client", "server")
    opener.send(b"x")
    world.net.at(world.net.now + 1).heal()
    assert world.until(accepted, IN) == start + ms(240 + 440 + 840 + 20)


def test_a_sender_gives_up_after_15_retries() -> None:
    """tcp(7), tcp_retries2: 0.2 s doubling up to 120 s, 16 waits: 204.6 + 6 x 120 s, and 16 round trips."""
    world = World()
    opener, accepted = world.pair()
    start = world.net.now_ns
    world.net.partition("client", "server")
    opener.send(b"x")
    assert world.until(opener, ERR) == start + ms(924_600 + 16 * 40)
    assert [outcome(opener.recv, 1) for _ in "12"] == ["ETIMEDOUT", b""]
    assert mask_name(world.mask(accepted)) == "OUT"


def test_an_idle_end_never_learns_of_a_partition() -> None:
    """RFC 9293, section 3.8.4: without keep-alives there is nothing to time out."""
    world = World()
    opener, accepted = world.pair()
    world.net.partition("client", "server")
    world.pass_time(100_000)
    assert [mask_name(world.mask(sock)) for sock in (opener, accepted)] == ["OUT", "OUT"]


def test_an_end_that_only_acknowledges_does_not_time_out() -> None:
    """The FIN came through and its ACK did not: the FIN's sender gives up, the other one knows nothing."""
    world = World()
    opener, accepted = world.pair()
    opener.shutdown(std.SHUT_WR)
    world.pass_time(0.010)
    world.net.at(world.net.now + 0.020).partition({"client"}, {"server"})
    world.pass_time(100_000)
    assert mask_name(world.mask(accepted)) == "IN|OUT|RDHUP"
    assert accepted.getsockopt(std.SOL_SOCKET, std.SO_ERROR) == 0


def test_a_window_update_that_got_lost_comes_again() -> None:
    """Or both would wait for ever."""
    world = World()
    opener, accepted = world.pair()
    while isinstance(outcome(opener.send, bytes(65536)), int):
        pass
    world.pass_time(1)
    world.net.partition("client", "server")
    accepted.recv(RECEIVE_BUFFER_BYTES)
    world.net.at(world.net.now + 5).heal()
    world.until(opener, OUT)
    assert world.net.now < 15


def test_bytes_beyond_the_window_do_not_cross_a_partition() -> None:
    world = World()
    opener, accepted = world.pair()
    opener.send(bytes(RECEIVE_BUFFER_BYTES) + b"beyond")
    world.pass_time(1)
    world.net.partition("client", "server")
    accepted.recv(1 << 20)
    world.pass_time(2)
    assert world.mask(accepted) == OUT
    world.net.heal()
    world.until(accepted, IN)
    assert accepted.recv(100) == b"beyond"


def test_overlapping_partitions_are_healed_together() -> None:
    net = Network()
    for name in ("a", "b", "c"):
        net.host(name)
    net.partition("a", ["b", "c"])
    net.partition(["a", "b"], "c")
    net.heal()
    assert all(path.is_open for host in net.hosts.values() for path in host.paths.values())


# --- crashes -------------------------------------------------------------------------------------


def test_a_crash_is_silence() -> None:
    """No FIN and no RST: the peer's socket stays as it was, and what it sends is sent again in vain."""
    world = World()
    opener, _accepted = world.pair()
    world.server.crash()
    world.pass_time(100)
    assert mask_name(world.mask(opener)) == "OUT"
    opener.send(b"anybody?")
    world.pass_time(100)
    assert mask_name(world.mask(opener)) == "OUT"
    assert "DOWN" in world.net.netstat()


def test_a_restarted_host_answers_an_old_connection_by_a_reset() -> None:
    """RFC 9293, section 3.5.1: half-open connections; data 20 ms, RST 20 ms."""
    world = World()
    opener, _accepted = world.pair()
    world.server.crash()
    world.server.restart()
    start = world.net.now_ns
    opener.send(b"still there?")
    assert world.until(opener, ERR) == start + ms(40)
    assert outcome(opener.recv, 1) == "ECONNRESET"


def test_a_connection_that_only_a_message_refers_to_dies_with_its_host() -> None:
    """SCM_RIGHTS in unix(7): nobody has received the descriptor; data 20 ms, RST 20 ms."""
    world = World()
    opener, accepted = world.pair()
    one, other = world.server.modules.socket.socketpair()
    one.sendmsg([b"x"], [(std.SOL_SOCKET, std.SCM_RIGHTS, struct.pack("i", accepted.fileno()))])
    accepted.close()
    world.server.crash()
    world.server.restart()
    start = world.net.now_ns
    opener.send(b"still there?")
    assert world.until(opener, ERR) == start + ms(40)
    assert other.fileno() >= 0


def test_data_that_was_on_its_way_to_a_crashed_host_meets_the_restarted_one() -> None:
    """Lost with the crash, sent again at 240 ms, answered by RST at 280 ms."""
    world = World()
    opener, _accepted = world.pair()
    start = world.net.now_ns
    opener.send(b"x")
    world.net.at(world.net.now + 0.010).crash("server")
    world.net.at(world.net.now + 0.011).restart("server")
    assert world.until(opener, ERR) == start + ms(10) + RTO + ms(40)
    assert outcome(opener.recv, 1) == "ECONNRESET"


def test_what_a_host_sent_before_it_crashed_still_arrives() -> None:
    world = World()
    opener, accepted = world.pair()
    opener.send(b"last words")
    world.client.crash()
    world.until(accepted, IN)
    assert accepted.recv(100) == b"last words"


def test_a_restarted_host_has_its_ports_back() -> None:
    world = World()
    listener = world.listener()
    world.server.crash()
    world.server.restart()
    again = world.listener()
    assert again.getsockname() == ("0.0.0.0", 80)
    assert outcome(listener.accept) == "EINVAL"


def test_a_host_crashes_and_restarts_only_when_it_can() -> None:
    world = World()
    with pytest.raises(ValueError, match="is up"):
        world.server.restart()
    world.server.crash()
    with pytest.raises(ValueError, match="is down"):
        world.server.crash()


def test_a_crashed_host_sends_nothing_again() -> None:
    """What it had sent is lost 5 ms after the crash: nobody is left who could send it again."""
    world = World()
    opener, accepted = world.pair()
    opener.send(b"last words")
    world.client.crash()
    world.pass_time(0.005)
    world.net.partition("client", "server")
    world.net.heal()
    world.client.restart()
    world.pass_time(10)
    assert outcome(accepted.recv, 10) == "EAGAIN"


# --- storms --------------------------------------------------------------------------------------


class Sink(dispatcher):
    """Keeps what it reads; says how the stream ended."""

    def __init__(self, sock: Any, found: list[Sink]) -> None:
        super().__init__(sock)
        self.received, self.ending = b"", ""
        found.append(self)

    def handle_read(self) -> None:
        try:
            data = self.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError as error:
            self.ending = errno.errorcode[error.errno or 0]
            self.close()
            return
        if not data:
            self.ending = "EOF"
            self.close()
        self.received += data

    def writable(self) -> bool:
        return False


class Door(dispatcher):
    def __init__(self, found: list[Sink]) -> None:
        super().__init__()
        self.found = found
        self.create_socket()
        self.bind(("", 80))
        self.listen(5)

    def handle_accept(self) -> None:
        try:
            super().handle_accept()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS):
                raise

    def handle_accepted(self, sock: Any, addr: Any) -> None:
        Sink(sock, self.found)


class Source(dispatcher_with_send):
    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.create_socket()
        self.connect(("server", 80))
        self.send(data)

    def handle_write(self) -> None:
        super().handle_write()
        if not self.out_buffer:
            self.socket.shutdown(std.SHUT_WR)
            self.writable = lambda: False  # type: ignore[method-assign]

    def handle_read(self) -> None:
        self.recv(100)


LINKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "jitter": {"jitter": "50ms"},
    "bandwidth": {"bandwidth": "10Mbit/s"},
    "narrow": {"bandwidth": "1Mbit/s", "capacity": 5000, "jitter": "5ms"},
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_no_storm_loses_doubles_or_reorders_a_byte(link: dict[str, Any]) -> None:
    """Whatever arrives is the beginning of what was sent; all of it, if the stream ended with FIN."""
    sent = bytes(n * 7 + (n >> 8) & 255 for n in range(20_000))
    endings = set()
    for seed in range(100):
        net = Network(seed=seed)
        server, client = net.host("server"), net.host("client")
        net.link("client", "server", latency="10ms", **link)
        found: list[Sink] = []
        with server:
            Door(found)
        with client:
            Source(sent)
        net.run(until=5_000)
        for sink in found:
            assert sent.startswith(sink.received), seed
            assert sink.ending != "EOF" or sink.received == sent, seed
            endings.add(sink.ending)
    assert "EOF" in endings


def test_a_storm_is_replayed_by_the_script_that_it_left() -> None:
    def run(net: Network) -> tuple[bytes, str]:
        server, client = net.host("server"), net.host("client")
        net.link("client", "server", latency="10ms", jitter="3ms")
        found: list[Sink] = []
        with server:
            Door(found)
        with client:
            Source(bytes(range(256)) * 20)
        net.run(until=5_000)
        return b"".join(sink.received for sink in found), net.trace.digest()

    for seed in range(10):
        storm = Network(seed=seed)
        left = run(storm)
        sentences = [str(line) for line in (*storm.script().deviations, *storm.script().happenings)]
        parsed = [parse(sentence) for sentence in sentences]
        assert run(Network(storm.script())) == left
        assert parsed == [*storm.script().deviations, *storm.script().happenings]


def test_a_script_names_what_did_not_happen() -> None:
    script = Script(deviations=[parse("the 9th send of client:1 -> server:80 takes 1 byte")])
    world = World(net=Network(script))
    opener, _ = world.pair()
    opener.send(b"x")
    assert world.net.unmet() == script.deviations


def test_an_opener_whose_answers_all_got_lost_asks_again() -> None:
    """SYN+ACKs leave after 0, 1, 3, 7, 15 and 31 s, and at 63 s the listener's kernel gives up.

    SYNs leave after 0 to 5, 7, 11, 19, 35 and 67 s (tcp_syn_linear_timeouts): the last is answered in 40 ms.
    """
    world = World()
    world.kept.append(world.listener())
    world.net.block("server", "client", "64s")
    opener = world.dial()
    assert world.until(opener, OUT) == ms(67_040)
    assert opener.getsockopt(std.SOL_SOCKET, std.SO_ERROR) == 0


def test_an_opener_whom_no_answer_reaches_times_out() -> None:
    world = World()
    world.kept.append(world.listener())
    world.net.block("server", "client")
    opener = world.dial()
    world.until(opener, ERR)
    assert world.net.now == pytest.approx(131)
    assert opener.getsockopt(std.SOL_SOCKET, std.SO_ERROR) == errno.ETIMEDOUT
