"""What every AF_UNIX socket has (unix(7)): a name, a peer on the same host, and a queue.

Both ends of a connection are here, and so nothing is ever under way: what is sent is in the peer's queue when
the call returns, and close() is known to the peer at once.  A peer that has closed stays the peer, dead.

Follows net/unix/af_unix.c, whose functions the methods name, as Linux 6.18 has them.

Owns names, shutdown, the end of a socket, and what its buffer is charged with.  How data is sent and received
is the business of the kinds.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

from ...trace import Kind
from ...transport import Address
from .. import linux as std
from . import unix_control, unix_names
from .file import SPACE, File
from .options import Option, Value, flag, number
from .sock import Message, SocketEnd
from .unix_control import Outgoing
from .unix_pieces import Piece

if TYPE_CHECKING:
    from ..host import Host
    from .paths import SocketFile

BUFFER_BYTES = 106_496  # half of net.core.wmem_default, which counts the kernel's bookkeeping

_SOL = int(std.SOL_SOCKET)
PASSCRED, _PEERCRED, _REUSEPORT = (_SOL, 16), (_SOL, 17), (_SOL, int(std.SO_REUSEPORT))
_PEEK, _DONTWAIT = int(std.MSG_PEEK), int(std.MSG_DONTWAIT)
_SEND, _ARRIVE, _RECV, _FIN = map(int, (Kind.SEND, Kind.ARRIVE, Kind.RECV, Kind.FIN))
_SHUTDOWN, _CLOSE, _RESET = map(int, (Kind.SHUTDOWN, Kind.CLOSE, Kind.RESET))


def _refuse_reuse_port(end: SocketEnd, value: Value) -> None:
    if number(value):  # sk_setsockopt: there are no ports to share
        raise end.failed("setsockopt", errno.EOPNOTSUPP)


class UnixEnd(SocketEnd):
    """An AF_UNIX socket below its descriptors."""

    __slots__ = (
        "_touched",
        "charged",
        "file",
        "is_dead",
        "label",
        "name",
        "number",
        "peer",
        "peer_credentials",
        "queue",
        "receive_shut",
        "send_shut",
        "waited_for",
        "waiting",
        "waits_for_room",
    )

    family = std.AF_UNIX
    has_write_band = True

    own_options: ClassVar[dict[tuple[int, int], Option]] = {
        PASSCRED: Option(accept=flag),
        _PEERCRED: Option(get=lambda end: end.peer_credentials),
        _REUSEPORT: Option(get=lambda end: 0, set=_refuse_reuse_port),
    }

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.send_buffer = self.receive_buffer = BUFFER_BYTES
        self.label = ""
        self.number = host.number  # in the trace, until it has a name of its own
        self.name = b""
        self.file: SocketFile | None = None  # behind which it is, if its name is a path
        self.peer: UnixEnd | None = None
        self.peer_credentials = unix_control.NO_PEER
        self.is_dead = False
        self.send_shut = self.receive_shut = False
        self.queue: deque[Piece] = deque()
        self.charged = 0  # for what it sent and nobody has read (sk_wmem_alloc)
        self.waiting: dict[UnixEnd, None] = {}  # senders to be told when something is read here (peer_wait)
        self.waited_for: UnixEnd | None = None  # whose `waiting` has this one
        self.waits_for_room = False  # a send() that may wait is waiting
        self._touched = 0

    @property
    def touched(self) -> int:
        return self._touched

    # --- names -----------------------------------------------------------------------------------

    def given(self, call: str, address: Any) -> bytes:
        return unix_names.given(address)

    def getsockname(self) -> Address:
        return unix_names.shown(self.name)

    def getpeername(self) -> Address:
        if self.peer is None:
            raise self.failed("getpeername", errno.ENOTCONN)
        return unix_names.shown(self.peer.name)

    def bind(self, address: bytes) -> None:
        try:
            self.host.unix_names.bind(self, address)
        except OSError as error:
            raise self.failed("bind", error.errno or 0) from None

    def look_up(self, call: str, name: bytes) -> UnixEnd:
        """Who has a name.  A socket that wants credentials gets a name of its own, so as to have a face."""
        if name and self.wants_credentials:
            self.host.unix_names.bind_somewhere(self)
        try:
            return self.host.unix_names.find(name, int(self.kind))
        except OSError as error:
            raise self.failed(call, error.errno or 0) from None

    def pair_with(self, other: UnixEnd) -> None:
        """socketpair(2)."""
        for one, peer in ((self, other), (other, self)):
            one.peer = peer
            one.peer_credentials = unix_control.OWN_CREDENTIALS

    # --- what is sent, and what it costs ---------------------------------------------------------

    @property
    def send_buffer_bytes(self) -> int:
        """sk_sndbuf: what SO_SNDBUF says."""
        return 2 * self.send_buffer

    @property
    def is_writable(self) -> bool:
        """Whether so much is free that waiting was worth while (unix_writable)."""
        return (self.charged + 1) << 2 <= self.send_buffer_bytes

    def outgoing(self, control: list[tuple[int, int, Any]]) -> Outgoing:
        """What control messages give to a message on its way."""
        try:
            return unix_control.sent(self.host, control) if control else Outgoing()
        except OSError as error:
            raise self.failed("sendmsg", error.errno or 0) from None

    def lacks_room(self, flags: int) -> int:
        """The errno of a send that gets no buffer, 0 if it gets one (sock_alloc_send_pskb).

        A call that waits here is not asked again what it was asked before.
        """
        self.waits_for_room = False
        if self.so_error:
            return self.take_error()
        if self.send_shut:
            return errno.EPIPE
        if self.charged >= self.send_buffer_bytes:
            self.waits_for_room = not self.is_nonblocking and not flags & _DONTWAIT
            return errno.EAGAIN
        return 0

    def put(self, piece: Piece) -> None:
        """A piece was sent to this socket; who sent it pays."""
        sender = piece.sender
        sender.charged += piece.truesize
        if piece.credentials is None and (sender.wants_credentials or self.wants_credentials):
            piece.credentials = unix_control.OWN_CREDENTIALS
        sender.note(_SEND, len(piece.data), piece.data)
        self.note(_ARRIVE, len(piece.data), piece.data)
        self.queue.append(piece)

    @property
    def is_full(self) -> bool:
        """Whether senders that are not its peer have to wait."""
        return False

    def take_back(self, size: int) -> None:
        """The peer has read what this socket sent (sock_wfree, unix_write_space)."""
        self.charged -= size
        if self.is_writable:
            self.wake(SPACE)

    def unsent_bytes(self) -> int:
        """unix_outq_len."""
        return self.charged

    def purge(self) -> bool:
        """Throw the queue away; whether there was anything in it."""
        pieces, self.queue = self.queue, deque()
        for piece in pieces:
            piece.free()
        return bool(pieces)

    # --- what is received ------------------------------------------------------------------------

    @property
    def wants_credentials(self) -> bool:
        return self.settings is not None and bool(self.setting(*PASSCRED))

    def recv(self, size: int, flags: int = 0) -> bytes:
        return self.receive_message(size, flags, 0).data

    def credentials_of(self, piece: Piece) -> bytes | None:
        """Who sent it, if this socket wants to know."""
        return (piece.credentials or unix_control.UNKNOWN) if self.wants_credentials else None

    def files_of(self, piece: Piece, flags: int) -> list[File]:
        """What came with a piece, held for the program; who only peeks has it once more (unix_peek_fds)."""
        files = piece.files
        if flags & _PEEK:
            for file in files:
                file.hold()
        else:
            piece.files = []
        return list(files)

    def message(
        self,
        data: bytes,
        sender: UnixEnd | None,
        flags: int,
        control: tuple[list[File], bytes | None],
        room: int,
    ) -> Message:
        """What a program gets: `control` is the files and the credentials that came, `room` is for them."""
        messages, added = unix_control.received(self.host, *control, room, flags)
        address = unix_names.shown(sender.name) if sender is not None and sender.name else None
        return Message(data, address, added, messages)

    def took(self, size: int) -> None:
        """The program has read something."""
        self._touched += 1
        self.note(_RECV, size)

    # --- ending ----------------------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        """unix_shutdown: never fails for want of a peer."""
        if how not in (std.SHUT_RD, std.SHUT_WR, std.SHUT_RDWR):
            raise self.failed("shutdown", errno.EINVAL)
        self.note(_SHUTDOWN, how)
        self._touched += 1
        self.receive_shut |= how != std.SHUT_WR
        self.send_shut |= how != std.SHUT_RD
        self.wake()
        if self.peer is not None:
            self.tell_shutdown(self.peer, how)

    def tell_shutdown(self, peer: UnixEnd, how: int) -> None:
        """Let the peer of a connection know; between datagram sockets there is none."""

    def close(self) -> None:
        """unix_release_sock."""
        self.note(_CLOSE, 0)
        self.watchers = ()
        if self.name:
            self.host.unix_names.forget(self)
        self.is_dead = True
        self.send_shut = self.receive_shut = True
        peer, self.peer = self.peer, None
        self.tell_waiting(0)
        if peer is not None:
            self.tell_close(peer)
        self.wait_no_more()
        self.purge()

    def tell_close(self, peer: UnixEnd) -> None:
        """Let the peer of a connection know."""

    def vanish(self) -> None:
        self.watchers = ()
        self.queue = deque()

    # --- senders that wait -----------------------------------------------------------------------

    def wait_for(self, other: UnixEnd) -> None:
        """Be told when something is read there (unix_dgram_peer_wake_connect)."""
        if self.waited_for is None:
            self.waited_for = other
            other.waiting[self] = None

    def wait_no_more(self) -> None:
        """unix_dgram_peer_wake_disconnect."""
        if self.waited_for is not None:
            self.waited_for.waiting.pop(self, None)
            self.waited_for = None

    def tell_waiting(self, key: int) -> None:
        """Wake who waits, once each (unix_dgram_peer_wake_relay)."""
        waiting, self.waiting = self.waiting, {}
        for sender in waiting:
            sender.waited_for = None
            sender.wake(key)

    # --- for reports -----------------------------------------------------------------------------

    def note_end(self, reason: int) -> None:
        """The peer ended the connection: in order, or with an error."""
        self.note(_RESET if reason else _FIN, reason)

    def queues(self) -> tuple[int, int]:
        return sum(piece.unread for piece in self.queue), self.charged

    def names(self) -> tuple[str, str]:
        peer = self.peer
        return unix_names.printed(self.name), unix_names.printed(peer.name) if peer is not None else "*"
