"""The comparison notices when the virtual kernel breaks a rule: each of these is told from Linux."""

from __future__ import annotations

import pytest

from simnet.oracle.generate import generate
from simnet.oracle.live import LiveKernel
from simnet.oracle.lockstep import Difference
from simnet.oracle.program import Program
from simnet.oracle.selftest import BATCH
from simnet.oracle.simulated import VirtualKernel
from simnet.virtual.kernel.sock import SocketEnd

from .infidelities import Infidelity, changed

PATIENCE_S = 0.02

TCP = [
    Infidelity(
        "a socket that was never connected shows no HUP",
        "tcp.TcpEnd.poll_mask",
        "if state is CLOSED:\n        mask |= HUP",
        "if state is CLOSED:\n        mask |= 0",
        "tcp",
    ),
    Infidelity(
        "an end of stream shows no RDHUP",
        "tcp.TcpEnd.poll_mask",
        "mask |= IN | RDHUP",
        "mask |= IN",
        "tcp-data",
    ),
    Infidelity(
        "what is shut on both sides shows no HUP",
        "tcp.TcpEnd.poll_mask",
        "if self.send_shut:\n            mask |= HUP",
        "if self.send_shut:\n            mask |= 0",
        "tcp-data",
    ),
    Infidelity(
        "a pending error shows no ERR", "tcp.TcpEnd.poll_mask", "mask |= ERR", "mask |= 0", "tcp-connecting"
    ),
    Infidelity(
        "a listener can be written to",
        "tcp.TcpEnd.poll_mask",
        "return IN if self.pending else 0",
        "return IN | OUT if self.pending else OUT",
        "tcp-accepting",
    ),
    Infidelity(
        "a full socket that is shut cannot be written to",
        "tcp.TcpEnd.poll_mask",
        "(self.send_shut or not self.waiting)",
        "not self.waiting",
        "tcp-full",
    ),
    Infidelity(
        "a connection that was reset still has a peer",
        "tcp.TcpEnd.getpeername",
        "(CLOSED, LISTEN, SYN_SENT)",
        "(LISTEN, SYN_SENT)",
        "tcp",
    ),
    Infidelity(
        "a port that the kernel chose is kept as one that was asked for",
        "tcp.TcpEnd.bind",
        "True, port != 0",
        "True, True",
        "tcp-ports",
    ),
    Infidelity("a bound socket may be bound again", "tcp.TcpEnd.bind", "or self._port_held", "", "tcp-ports"),
    Infidelity(
        "an address of nobody may be bound",
        "tcp.TcpEnd.bind",
        "errno.EADDRNOTAVAIL",
        "errno.EINVAL",
        "tcp-ports",
    ),
    Infidelity(
        "a backlog of n admits n", "tcp.TcpEnd.on_syn", "> self.backlog", ">= self.backlog", "tcp-accepting"
    ),
    Infidelity(
        "an accepted socket does not inherit SO_REUSEADDR",
        "tcp.TcpEnd.on_syn",
        "= self.reuse_address,",
        "= False,",
        "tcp-ports",
    ),
    Infidelity(
        "the last to come is accepted first",
        "tcp.TcpEnd.accept",
        "self.pending.popleft()\n    child",
        "self.pending.pop()\n    child",
        "tcp-accepting",
    ),
    Infidelity(
        "accept() of what does not listen says EOPNOTSUPP",
        "tcp.TcpEnd.accept",
        "errno.EINVAL",
        "errno.EOPNOTSUPP",
        "tcp",
    ),
    Infidelity(
        "the success of connect() is not told",
        "tcp.TcpEnd._connect_again",
        "self.calls = CONNECTED",
        "self.calls = CONNECTED\n    raise self.failed('connect', errno.EISCONN)",
        "tcp-connecting",
    ),
    Infidelity(
        "a refusal that was told already is told again",
        "tcp.TcpEnd._connect_again",
        "or errno.ECONNABORTED",
        "or errno.ECONNREFUSED",
        "tcp-connecting",
    ),
    Infidelity(
        "a connect() under way says EINPROGRESS again",
        "tcp.TcpEnd._connect_again",
        "errno.EALREADY",
        "errno.EINPROGRESS",
        "tcp-accepting",
    ),
    Infidelity(
        "connect() of a listener says EINVAL",
        "tcp.TcpEnd.connect",
        "errno.EISCONN",
        "errno.EINVAL",
        "tcp-connecting",
    ),
    Infidelity(
        "send() of what is not connected says ENOTCONN",
        "tcp.TcpEnd._send_slowly",
        "if waits else errno.EPIPE",
        "if waits else errno.ENOTCONN",
        "tcp",
    ),
    Infidelity(
        "send() tells an error and does not clear it",
        "tcp.TcpEnd._send_slowly",
        "self.take_error() or",
        "self.so_error or",
        "tcp-data",
    ),
    Infidelity(
        "an error comes before an end of stream",
        "tcp.TcpEnd._recv_slowly",
        "if self.fin_seen:",
        "if self.fin_seen and not self.so_error:",
        "tcp-data",
    ),
    Infidelity(
        "an error comes before queued data",
        "tcp.TcpEnd._recv_slowly",
        "if self.queue is not None:",
        "if self.queue is not None and not self.so_error:",
        "tcp-data",
    ),
    Infidelity(
        "recv() after SHUT_RD would wait",
        "tcp.TcpEnd._recv_slowly",
        'if self.receive_shut:\n        return b""',
        "if self.receive_shut:\n        raise self.failed('recv', errno.EAGAIN)",
        "tcp-data",
    ),
    Infidelity(
        "what is peeked at is gone",
        "tcp.TcpEnd._recv_queued",
        "queue.peek(size)",
        "self._take(size)",
        "tcp-data",
    ),
    Infidelity(
        "a listener has bytes to read",
        "tcp.TcpEnd.readable_bytes",
        'raise self.failed("ioctl", errno.EINVAL)',
        "return len(self.pending)",
        "tcp-accepting",
    ),
    Infidelity(
        "a shutdown() that fails has no effect",
        "tcp.TcpEnd.shutdown",
        "was = self.state",
        "was = self.state\n    if was is CLOSED:\n        raise self.failed('shutdown', errno.ENOTCONN)",
        "tcp-connecting",
    ),
    Infidelity(
        "shutdown(SHUT_WR) ends a listener",
        "tcp.TcpEnd.shutdown",
        "(was is LISTEN and reading)",
        "was is LISTEN",
        "tcp-accepting",
    ),
    Infidelity("close() with unread data sends a FIN", "tcp.TcpEnd.close", "unread or", "", "tcp-data"),
    Infidelity(
        "close() with SO_LINGER of no seconds sends a FIN",
        "tcp.TcpEnd.close",
        "or self.linger_seconds == 0",
        "",
        "tcp-data",
    ),
    Infidelity(
        "who waits at a listener that is closed is told an end of stream",
        "tcp.TcpEnd._reject",
        "self.linger_seconds = 0",
        "self.linger_seconds = None",
        "tcp-accepting",
    ),
    Infidelity(
        "a reset after an end of stream says ECONNRESET",
        "tcp_segments.SegmentEnd._on_rst",
        "CLOSE_WAIT: errno.EPIPE",
        "CLOSE_WAIT: errno.ECONNRESET",
        "tcp-data",
    ),
    Infidelity(
        "data for a socket that was shut and closed is not answered by a reset",
        "tcp_segments.SegmentEnd._on_data",
        "(self.orphan or self.send_shut)",
        "False",
        "tcp-data",
    ),
    Infidelity(
        "SO_ERROR is not cleared by reading it",
        "sock.SocketEnd.take_error",
        "self.so_error, 0",
        "self.so_error, self.so_error",
        "tcp",
    ),
    Infidelity(
        "SO_REUSEADDR of one socket is enough to share a port",
        "ports.Ports.conflicts",
        "(other.reuse_address and holder.reuse_address)",
        "(other.reuse_address or holder.reuse_address)",
        "tcp-ports",
    ),
    Infidelity(
        "a port may be had beside a listener with SO_REUSEADDR",
        "ports.Ports.conflicts",
        "other.is_listening or ",
        "",
        "tcp-ports",
    ),
    Infidelity(
        "TIME_WAIT bars nobody",
        "ports.Ports.linger",
        "self._waiting.setdefault",
        "{}.setdefault",
        "tcp-ports",
    ),
    Infidelity(
        "a wildcard and an address do not conflict",
        "ports.Ports._overlap",
        "one == other or ANY in (one, other)",
        "one == other",
        "tcp-ports",
    ),
]

DESCRIPTORS = [
    Infidelity(
        "a freed descriptor is not used again",
        "descriptors.Descriptors.close",
        "heappush(self._free, fd)",
        "pass",
        "descriptors",
    ),
    Infidelity(
        "the first descriptor that was freed is used first",
        "descriptors.Descriptors.open",
        "heappop(self._free)",
        "self._free.pop()",
        "descriptors",
    ),
    Infidelity(
        "a file is closed with its first descriptor",
        "descriptors.Descriptors.close",
        "file.drop()",
        "file.close()",
        "descriptors",
    ),
]

UDP = [
    Infidelity("a UDP socket is not writable", "udp.UdpEnd.poll_mask", "mask = OUT", "mask = 0", "udp"),
    Infidelity(
        "an end of a UDP socket that is shut shows no HUP",
        "udp.UdpEnd.poll_mask",
        "mask |= HUP",
        "mask |= 0",
        "udp",
    ),
    Infidelity(
        "a UDP socket that is shut for reading says end of stream",
        "udp.UdpEnd.receive_message",
        "if datagram is None:",
        "if datagram is None and self.receive_shut:\n        return Message(b'')\n    if datagram is None:",
        "udp",
    ),
    Infidelity(
        "queued datagrams come before a refusal",
        "udp.UdpEnd.receive_message",
        "if self.so_error:",
        "if self.so_error and not self.queue.waiting:",
        "udp",
    ),
    Infidelity(
        "a datagram that is cut has no MSG_TRUNC",
        "udp.UdpEnd.receive_message",
        "flags=_TRUNC if len(data) < len(datagram.data) else 0",
        "flags=0",
        "flags",
    ),
    Infidelity(
        "MSG_TRUNC does not tell the real length",
        "udp.UdpEnd.receive_message",
        "len(datagram.data) if flags & _TRUNC else len(data)",
        "len(data)",
        "udp",
    ),
    Infidelity(
        "what is left of a datagram can be read",
        "udp.UdpEnd.receive_message",
        "is_peek = flags & _PEEK",
        "is_peek = flags & _PEEK or size == 1",
        "udp",
    ),
    Infidelity(
        "a refusal is not told",
        "udp.UdpEnd.refuse",
        "errno.ECONNREFUSED\n    self.wake",
        "0\n    self.wake",
        "udp",
    ),
    Infidelity(
        "a sender that is not connected is told of a refusal",
        "udp_layer.UdpLayer._refused",
        "and end.is_connected",
        "",
        "udp",
    ),
    Infidelity(
        "send() without a destination says ENOTCONN",
        "udp.UdpEnd.send_message",
        "errno.EDESTADDRREQ",
        "errno.ENOTCONN",
        "udp",
    ),
    Infidelity(
        "a datagram that is too long goes through",
        "udp.UdpEnd.send_message",
        "if len(data) > PAYLOAD_MAX:",
        "if len(data) > LENGTH_MAX:",
        "udp",
    ),
    Infidelity("a connected socket hears everybody", "udp.UdpEnd.score", "return 0", "return 1", "udp"),
    Infidelity(
        "connect() does not choose an address",
        "udp.UdpEnd.connect",
        "if self.local[0] == ANY:",
        "if False:",
        "udp",
    ),
    Infidelity(
        "a shutdown() of a UDP socket that fails has no effect",
        "udp.UdpEnd.shutdown",
        "self.receive_shut |= how != std.SHUT_WR",
        "self.receive_shut |= how != std.SHUT_WR and self.is_connected",
        "udp",
    ),
    Infidelity(
        "FIONREAD counts all datagrams",
        "udp.UdpEnd.readable_bytes",
        "len(datagram.data) if datagram is not None else 0",
        "sum(len(each.data) for each in self.queue.waiting)",
        "udp",
    ),
    Infidelity(
        "of two sockets on a port the first one gets the datagram",
        "udp_ports.UdpPorts._newest",
        "reversed(self._held.get(port, {}))",
        "iter(self._held.get(port, {}))",
        "udp",
    ),
]

EPOLL = [
    Infidelity(
        "an edge is reported until it is gone",
        "epoll.EpollFile.events",
        "elif not item.events & EDGE:",
        "else:",
        "epoll",
    ),
    Infidelity(
        "what is level-triggered is reported once",
        "epoll.EpollFile.events",
        "elif not item.events & EDGE:",
        "elif False:",
        "epoll",
    ),
    Infidelity(
        "one shot is not the last", "epoll.EpollFile.events", "item.events &= PRIVATE", "pass", "epoll"
    ),
    Infidelity(
        "what is level-triggered keeps its place",
        "epoll.EpollFile.events",
        "ready.extend(again)",
        "ready.extendleft(reversed(again))",
        "epoll",
    ),
    Infidelity(
        "registering twice is allowed",
        "epoll.EpollFile.add",
        "raise _failed(errno.EEXIST)",
        "return",
        "epoll",
    ),
    Infidelity(
        "what was not registered can be modified",
        "epoll.EpollFile._item",
        "raise _failed(errno.ENOENT)",
        "raise _failed(errno.EBADF)",
        "epoll",
    ),
    Infidelity(
        "HUP and ERR must be asked for",
        "epoll.EpollFile.add",
        "Item(self, fd, file, events | ERR | HUP)",
        "Item(self, fd, file, events)",
        "epoll",
    ),
    Infidelity(
        "modify() of what is ready waits for the next event",
        "epoll.EpollFile.modify",
        "self._link_if_ready(item)",
        "pass",
        "epoll",
    ),
    Infidelity(
        "an epoll that has something to report is not readable",
        "epoll.EpollFile.poll_mask",
        "return IN",
        "return 0",
        "epoll",
    ),
]

INFIDELITIES = [*TCP, *DESCRIPTORS, *UDP, *EPOLL]


@pytest.mark.parametrize("infidelity", INFIDELITIES, ids=lambda infidelity: infidelity.name.replace(" ", "-"))
def test_a_broken_rule_is_noticed(infidelity: Infidelity, live: LiveKernel) -> None:
    calls = 0
    for first in range(0, 500, BATCH):
        programs = [generate(seed, infidelity.profile) for seed in range(first, first + BATCH)]
        for program, found in zip(programs, _differences(live, programs, infidelity), strict=True):
            calls += len(program)
            if found is not None and _differences(live, [program]) == [None]:
                return
    pytest.fail(f"not within {calls} calls")


def _differences(
    live: LiveKernel, programs: list[Program], infidelity: Infidelity | None = None
) -> list[Difference | None]:
    """Where the live kernel parts from the virtual one, whole or with a rule broken."""
    virtual = VirtualKernel()
    with pytest.MonkeyPatch.context() as patch:
        if infidelity is not None:
            function = infidelity.resolved()
            patch.setattr(function, "__code__", changed(function, infidelity.old, infidelity.new))
        requests = [(program, virtual.log(program), PATIENCE_S) for program in programs]
    live.ask(requests)
    return [answer if isinstance(answer, Difference) else None for answer in live.answers()]


def test_there_are_at_least_thirty_and_no_two_are_the_same() -> None:
    broken = [(infidelity.function, infidelity.old, infidelity.new) for infidelity in INFIDELITIES]
    assert (
        len(set(broken)) == len({infidelity.name for infidelity in INFIDELITIES}) == len(INFIDELITIES) >= 30
    )


def test_a_rule_that_is_not_where_it_was_is_missed() -> None:
    """A table that has lost touch with the kernel breaks nothing, and would prove nothing."""
    with pytest.raises(AssertionError, match="take_error has 'no such rule' 0 times"):
        changed(SocketEnd.take_error, "no such rule", "")  # type: ignore[arg-type]
