"""The comparison notices when the virtual kernel breaks a rule: each of these is told from Linux."""

from __future__ import annotations

import pytest

from simnet.oracle.generate import generate
from simnet.oracle.live import LiveKernel
from simnet.oracle.lockstep import Difference
from simnet.oracle.program import Program
from simnet.oracle.selftest import BATCH
from simnet.oracle.simulated import VirtualKernel
from simnet.virtual.kernel.descriptors import Descriptors
from simnet.virtual.kernel.ports import Ports
from simnet.virtual.kernel.sock import SocketEnd
from simnet.virtual.kernel.tcp import TcpEnd
from simnet.virtual.kernel.tcp_segments import SegmentEnd

from .infidelities import Infidelity, changed

PATIENCE_S = 0.02

TCP = [
    Infidelity(
        "a socket that was never connected shows no HUP",
        TcpEnd.poll_mask,
        "if state is CLOSED:\n        mask |= HUP",
        "if state is CLOSED:\n        mask |= 0",
        "tcp",
    ),
    Infidelity(
        "an end of stream shows no RDHUP", TcpEnd.poll_mask, "mask |= IN | RDHUP", "mask |= IN", "tcp-data"
    ),
    Infidelity(
        "what is shut on both sides shows no HUP",
        TcpEnd.poll_mask,
        "if self.send_shut:\n            mask |= HUP",
        "if self.send_shut:\n            mask |= 0",
        "tcp-data",
    ),
    Infidelity(
        "a pending error shows no ERR", TcpEnd.poll_mask, "mask |= ERR", "mask |= 0", "tcp-connecting"
    ),
    Infidelity(
        "a listener can be written to",
        TcpEnd.poll_mask,
        "return IN if self.pending else 0",
        "return IN | OUT if self.pending else OUT",
        "tcp-accepting",
    ),
    Infidelity(
        "a full socket that is shut cannot be written to",
        TcpEnd.poll_mask,
        "(self.send_shut or not self.waiting)",
        "not self.waiting",
        "tcp-full",
    ),
    Infidelity(
        "a connection that was reset still has a peer",
        TcpEnd.getpeername,
        "(CLOSED, LISTEN, SYN_SENT)",
        "(LISTEN, SYN_SENT)",
        "tcp",
    ),
    Infidelity(
        "a port that the kernel chose is kept as one that was asked for",
        TcpEnd.bind,
        "True, port != 0",
        "True, True",
        "tcp-ports",
    ),
    Infidelity("a bound socket may be bound again", TcpEnd.bind, "or self._port_held", "", "tcp-ports"),
    Infidelity(
        "an address of nobody may be bound", TcpEnd.bind, "errno.EADDRNOTAVAIL", "errno.EINVAL", "tcp-ports"
    ),
    Infidelity(
        "a backlog of n admits n", TcpEnd.on_syn, "> self.backlog", ">= self.backlog", "tcp-accepting"
    ),
    Infidelity(
        "an accepted socket does not inherit SO_REUSEADDR",
        TcpEnd.on_syn,
        "= self.reuse_address,",
        "= False,",
        "tcp-ports",
    ),
    Infidelity(
        "the last to come is accepted first",
        TcpEnd.accept,
        "self.pending.popleft()\n    child",
        "self.pending.pop()\n    child",
        "tcp-accepting",
    ),
    Infidelity(
        "accept() of what does not listen says EOPNOTSUPP",
        TcpEnd.accept,
        "errno.EINVAL",
        "errno.EOPNOTSUPP",
        "tcp",
    ),
    Infidelity(
        "the success of connect() is not told",
        TcpEnd._connect_again,
        "self.calls = CONNECTED",
        "self.calls = CONNECTED\n    raise self.failed('connect', errno.EISCONN)",
        "tcp-connecting",
    ),
    Infidelity(
        "a refusal that was told already is told again",
        TcpEnd._connect_again,
        "or errno.ECONNABORTED",
        "or errno.ECONNREFUSED",
        "tcp-connecting",
    ),
    Infidelity(
        "a connect() under way says EINPROGRESS again",
        TcpEnd._connect_again,
        "errno.EALREADY",
        "errno.EINPROGRESS",
        "tcp-accepting",
    ),
    Infidelity(
        "connect() of a listener says EINVAL",
        TcpEnd.connect,
        "errno.EISCONN",
        "errno.EINVAL",
        "tcp-connecting",
    ),
    Infidelity(
        "send() of what is not connected says ENOTCONN",
        TcpEnd._send_slowly,
        "if waits else errno.EPIPE",
        "if waits else errno.ENOTCONN",
        "tcp",
    ),
    Infidelity(
        "send() tells an error and does not clear it",
        TcpEnd._send_slowly,
        "self.take_error() or",
        "self.so_error or",
        "tcp-data",
    ),
    Infidelity(
        "an error comes before an end of stream",
        TcpEnd._recv_slowly,
        "if self.fin_seen:",
        "if self.fin_seen and not self.so_error:",
        "tcp-data",
    ),
    Infidelity(
        "an error comes before queued data",
        TcpEnd._recv_slowly,
        "if self.queue is not None:",
        "if self.queue is not None and not self.so_error:",
        "tcp-data",
    ),
    Infidelity(
        "recv() after SHUT_RD would wait",
        TcpEnd._recv_slowly,
        'if self.receive_shut:\n        return b""',
        "if self.receive_shut:\n        raise self.failed('recv', errno.EAGAIN)",
        "tcp-data",
    ),
    Infidelity(
        "what is peeked at is gone", TcpEnd._recv_queued, "queue.peek(size)", "self._take(size)", "tcp-data"
    ),
    Infidelity(
        "a listener has bytes to read",
        TcpEnd.readable_bytes,
        'raise self.failed("ioctl", errno.EINVAL)',
        "return len(self.pending)",
        "tcp-accepting",
    ),
    Infidelity(
        "a shutdown() that fails has no effect",
        TcpEnd.shutdown,
        "was = self.state",
        "was = self.state\n    if was is CLOSED:\n        raise self.failed('shutdown', errno.ENOTCONN)",
        "tcp-connecting",
    ),
    Infidelity(
        "shutdown(SHUT_WR) ends a listener",
        TcpEnd.shutdown,
        "(was is LISTEN and reading)",
        "was is LISTEN",
        "tcp-accepting",
    ),
    Infidelity("close() with unread data sends a FIN", TcpEnd.close, "unread or", "", "tcp-data"),
    Infidelity(
        "close() with SO_LINGER of no seconds sends a FIN",
        TcpEnd.close,
        "or self.linger_seconds == 0",
        "",
        "tcp-data",
    ),
    Infidelity(
        "who waits at a listener that is closed is told an end of stream",
        TcpEnd._reject,
        "self.linger_seconds = 0",
        "self.linger_seconds = None",
        "tcp-accepting",
    ),
    Infidelity(
        "a reset after an end of stream says ECONNRESET",
        SegmentEnd._on_rst,
        "CLOSE_WAIT: errno.EPIPE",
        "CLOSE_WAIT: errno.ECONNRESET",
        "tcp-data",
    ),
    Infidelity(
        "data for a socket that was shut and closed is not answered by a reset",
        SegmentEnd._on_data,
        "(self.orphan or self.send_shut)",
        "False",
        "tcp-data",
    ),
    Infidelity(
        "SO_ERROR is not cleared by reading it",
        SocketEnd.take_error,
        "self.so_error, 0",
        "self.so_error, self.so_error",
        "tcp",
    ),
    Infidelity(
        "SO_REUSEADDR of one socket is enough to share a port",
        Ports.conflicts,
        "(other.reuse_address and holder.reuse_address)",
        "(other.reuse_address or holder.reuse_address)",
        "tcp-ports",
    ),
    Infidelity(
        "a port may be had beside a listener with SO_REUSEADDR",
        Ports.conflicts,
        "other.is_listening or ",
        "",
        "tcp-ports",
    ),
    Infidelity(
        "TIME_WAIT bars nobody", Ports.linger, "self._waiting.setdefault", "{}.setdefault", "tcp-ports"
    ),
    Infidelity(
        "a wildcard and an address do not conflict",
        Ports._overlap,
        "one == other or ANY in (one, other)",
        "one == other",
        "tcp-ports",
    ),
]

DESCRIPTORS = [
    Infidelity(
        "a freed descriptor is not used again",
        Descriptors.close,
        "heappush(self._free, fd)",
        "pass",
        "descriptors",
    ),
    Infidelity(
        "the first descriptor that was freed is used first",
        Descriptors.open,
        "heappop(self._free)",
        "self._free.pop()",
        "descriptors",
    ),
    Infidelity(
        "a file is closed with its first descriptor",
        Descriptors.close,
        "file.drop()",
        "file.close()",
        "descriptors",
    ),
]

INFIDELITIES = [*TCP, *DESCRIPTORS]


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
            patch.setattr(infidelity.function, "__code__", infidelity.code())
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
