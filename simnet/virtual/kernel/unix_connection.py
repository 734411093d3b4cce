"""AF_UNIX sockets that are connected (SOCK_STREAM and SOCK_SEQPACKET): listen, connect, accept and the end.

A connection is complete when connect() returns, whether it was accepted or not: there is no handshake, and a
queue that is full is an error at once (unix_stream_connect).  Whoever closes, or shuts a direction, has done
so for both ends.

Owns the states of a connection and what its ends learn of each other.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterable
from enum import Enum, auto
from typing import TYPE_CHECKING

from ...trace import Kind
from ...transport import Address
from .. import linux as std
from . import unix_control
from .file import DATA, SPACE, File
from .unix import PASSCRED, UnixEnd

if TYPE_CHECKING:
    from ..host import Host

BACKLOG_MAX = 4096  # net.core.somaxconn

_LISTEN, _CONNECT, _ACCEPT = map(int, (Kind.LISTEN, Kind.CONNECT, Kind.ACCEPT))


class State(Enum):
    """sk_state; what closed is not connected again."""

    CLOSED = auto()
    LISTEN = auto()
    ESTABLISHED = auto()


class UnixConnectionEnd(UnixEnd):
    """An end of a connection, or a listener."""

    __slots__ = ("backlog", "listener", "pending", "state")

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.state = State.CLOSED
        self.backlog = 0
        self.pending: deque[UnixConnectionEnd] = deque()  # a listener's: connected, not accepted
        self.listener: UnixConnectionEnd | None = None  # where this end waits to be accepted

    @property
    def is_listening(self) -> bool:
        return self.state is State.LISTEN

    @property
    def state_name(self) -> str:
        return self.state.name

    @property
    def is_over(self) -> bool:
        return self.peer is not None and self.peer.is_dead

    # --- listening -------------------------------------------------------------------------------

    def listen(self, backlog: int) -> None:
        """unix_listen."""
        if not self.name or self.state is State.ESTABLISHED:
            raise self.failed("listen", errno.EINVAL)
        if self.state is State.CLOSED:
            self.host.unix_labels.bound(self)
        self.backlog = min(backlog, BACKLOG_MAX)
        self.tell_waiting(SPACE)
        self.state = State.LISTEN
        self.peer_credentials = unix_control.OWN_CREDENTIALS
        self.note(_LISTEN, self.backlog)

    def accept(self) -> tuple[UnixConnectionEnd, Address]:
        """unix_accept."""
        if self.state is not State.LISTEN:
            raise self.failed("accept", errno.EINVAL)
        if not self.pending:
            # Who waits learns that nobody will come; who does not wait is not told (skb_recv_datagram).
            is_vain = self.receive_shut and not self.is_nonblocking
            raise self.failed("accept", errno.EINVAL if is_vain else errno.EAGAIN)
        self._touched += 1
        child = self.pending.popleft()
        child.listener = None
        self.tell_waiting(SPACE)
        if self.wants_credentials:
            child.setsockopt(*PASSCRED, 1)  # unix_sock_inherit_flags
        child.note(_ACCEPT, 0)
        return child, child.getpeername()

    @property
    def wants_credentials(self) -> bool:
        """Before it is accepted nobody can know whether it will (unix_passcred_enabled)."""
        return self.listener is not None or super().wants_credentials

    # --- connecting ------------------------------------------------------------------------------

    def connect(self, address: bytes) -> None:
        """unix_stream_connect."""
        listener = self.look_up("connect", address)
        assert isinstance(listener, UnixConnectionEnd)
        if not listener.is_listening or listener.receive_shut:
            raise self.failed("connect", errno.ECONNREFUSED)
        if len(listener.pending) > listener.backlog:
            if not self.is_nonblocking:
                self.wait_for(listener)
            raise self.failed("connect", errno.EAGAIN)
        if self.state is not State.CLOSED:
            raise self.failed("connect", errno.EISCONN if self.state is State.ESTABLISHED else errno.EINVAL)
        child = type(self)(self.host)
        child.name = listener.name
        child.listener = listener
        child.peer_credentials = unix_control.OWN_CREDENTIALS
        self.peer_credentials = listener.peer_credentials
        self.host.unix_labels.connected(self, child)
        self.note(_CONNECT, 0)
        self.join(child)
        listener.pending.append(child)
        listener.wake(DATA)

    def pair_with(self, other: UnixEnd) -> None:
        assert isinstance(other, UnixConnectionEnd)
        super().pair_with(other)
        self.host.unix_labels.paired(self, other)
        self.join(other)

    def join(self, other: UnixConnectionEnd) -> None:
        """The two ends are one connection from now on."""
        for one, peer in ((self, other), (other, self)):
            one.peer, one.state = peer, State.ESTABLISHED

    # --- ending ----------------------------------------------------------------------------------

    def tell_shutdown(self, peer: UnixEnd, how: int) -> None:
        if how != std.SHUT_RD and not peer.receive_shut:
            peer.note_end(0)
        peer.receive_shut |= how != std.SHUT_RD
        peer.send_shut |= how != std.SHUT_WR
        peer.wake()

    @property
    def leaves_unread(self) -> bool:
        """Whether the peer has sent what nobody will read.

        A first piece that is empty does not count: it is the place of an urgent byte that was read, or a
        record without a byte.
        """
        return len(self.queue) > 1 or (len(self.queue) == 1 and self.queue[0].unread > 0)

    def tell_close(self, peer: UnixEnd) -> None:
        """The peer is told of a reset if something was left unread, or nobody has accepted."""
        if self.leaves_unread or self.listener is not None:
            peer.so_error = errno.ECONNRESET
        if not peer.receive_shut or peer.so_error:
            peer.note_end(peer.so_error)
        peer.send_shut = peer.receive_shut = True
        peer.wake()

    def close(self) -> None:
        super().close()
        self.state = State.CLOSED
        pending, self.pending = self.pending, deque()
        for child in pending:
            child.close()

    # --- for reports -----------------------------------------------------------------------------

    def readable_bytes(self) -> int:
        """unix_inq_len: EINVAL for a listener."""
        if self.is_listening:
            raise self.failed("ioctl", errno.EINVAL)
        return sum(piece.unread for piece in self.queue)

    def without_descriptors(self) -> Iterable[File]:
        return self.pending

    def queues(self) -> tuple[int, int]:
        """Of a listener: who waits to be accepted, and its backlog."""
        return (len(self.pending), self.backlog) if self.is_listening else super().queues()
