"""A TCP socket that listens: SYNs come in, connections go out by accept().

As inet_listen, tcp_conn_request, inet_csk_accept and inet_csk_listen_stop answer.

Owns the queue of a listener, and what a connection takes over from it.  Which of several listeners is asked
is the business of the table of ports.
"""

from __future__ import annotations

import errno
from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from ...trace import Kind
from . import addresses
from .file import DATA
from .tcp_keepalive import Keepalive
from .tcp_opening import CONNECTED, UNCONNECTED, OpeningEnd
from .tcp_states import ABORTED, CALLED_LISTEN, CLOSED, GOT_SYN, LISTEN
from .tcp_wire import SYN_ACK, Syn

if TYPE_CHECKING:
    from ..host import Host

_LISTEN, _ACCEPT = int(Kind.LISTEN), int(Kind.ACCEPT)
_NOBODY: deque[Any] = deque()  # the queue of all who do not listen


class ListeningEnd(OpeningEnd):
    """A TCP socket that may listen."""

    __slots__ = ("accepts", "backlog", "half_open", "listener", "pending")

    def __init__(self, host: Host, family: int) -> None:
        super().__init__(host, family)
        self.listener: ListeningEnd | None = None  # who made this end, until it is accepted
        self.pending: deque[Self] = _NOBODY  # a listener's: established, not accepted
        self.half_open = 0  # a listener's: handshakes under way
        self.backlog = 0
        self.accepts = 0  # for anchors

    @property
    def is_listening(self) -> bool:
        return self.state is LISTEN

    def listen(self, backlog: int) -> None:
        if self.calls is not UNCONNECTED or self.state not in (CLOSED, LISTEN):
            raise self.failed("listen", errno.EINVAL)
        if self._has_spoken_ipv4:
            raise NotImplementedError(
                "listen() of a socket of IPv6 that has connected by IPv4 is not simulated"
            )
        if self.state is CLOSED:
            if self._port_held:
                self._ask_to_listen()
            else:
                self.host.ports.take(self, self.local[0], 0, self.net.now_ns)
                self._port_held = True
            self.net.register_listener(self)
        if self.pending is _NOBODY:
            self.pending = deque()
        self.backlog = max(backlog, 0)
        self._change(CALLED_LISTEN)
        self.host.ports.listening(self)
        self.note(_LISTEN, self.backlog)

    def _ask_to_listen(self) -> None:
        try:
            self.host.ports.take_to_listen(self, self.net.now_ns)
        except OSError:
            raise self.failed("listen", errno.EADDRINUSE) from None

    def on_syn(self, syn: Syn) -> None:
        """A SYN arrived: make an end for it, unless the queue is full.  The queue holds backlog + 1."""
        if len(self.pending) + self.half_open > self.backlog:
            syn.opener.syn_dropped(syn)
            return
        opener = syn.opener
        child = self._child()
        child.peer = opener
        child.local, child.remote = (syn.address, syn.port), opener.local
        child.path = self.net.path(self.host, opener.host)
        child._hold_shared_port()
        self.half_open += 1
        child._change(GOT_SYN)
        former, opener.peer = opener.peer, child
        child.fill_window()
        opener.fill_window()
        self.net.register_acceptor(child, opener)
        if former is not None and former.label == child.label:
            child.count_on(former)
        child.transmit(SYN_ACK)

    def _child(self) -> Self:
        """An end with everything that a program has set on its listener (sk_clone)."""
        child = type(self)(self.host, self.family)
        child.listener, child.calls = self, CONNECTED
        child.reuse_address, child.reuse_port, child.v6only = self.reuse_address, self.reuse_port, self.v6only
        child.linger_seconds, child.settings = self.linger_seconds, self.settings
        child.keepalive = None if self.keepalive is None else Keepalive(child)
        child.least_readable = self.least_readable
        child.send_buffer, child.receive_buffer = self.send_buffer, self.receive_buffer
        child.send_shut, child.receive_shut = self.send_shut, self.receive_shut
        return child

    def _became_ready(self) -> None:
        listener = self.listener
        if listener is None:  # a crossing SYN made this connection
            self.wake()
            return
        listener.half_open -= 1
        if listener.state is LISTEN:
            listener.pending.append(self)
            listener.wake(DATA)
        else:
            self._reject()

    def _reject(self) -> None:
        """Nobody will ever accept this connection: its opener gets a RST."""
        self.linger_seconds = 0
        self.close()

    def accept(self) -> tuple[Self, Any]:
        """The first connection of the queue; ECONNABORTED never comes of itself on Linux."""
        if self.state is not LISTEN:
            raise self.failed("accept", errno.EINVAL)
        if not self.pending:
            raise self.failed("accept", errno.EAGAIN)
        self.accepts += 1
        nth = self.host.count_accept(self.label)  # whoever watches: a rule may come later
        if self.watched:
            effect = self.net.choose("accept", self, nth, 0)
            match effect:
                case None:
                    pass
                case ("reset", _):
                    self.pending[0].cut_off()
                case ("fails", errno.ECONNABORTED):
                    self.pending.popleft()._reject()
                    raise self.failed("accept", errno.ECONNABORTED)
                case ("again", _):
                    self.wake(DATA)  # somebody waits, and no event to come would tell it (EPOLLET)
                    raise self.failed("accept", errno.EAGAIN)
                case (_, reason):
                    raise self.failed("accept", reason)
        child = self.pending.popleft()
        child.listener = None
        child.note(_ACCEPT, child.remote[1])
        return child, addresses.shown(self.family, child.remote)

    def _stop_listening(self) -> None:
        if self.net.witness is not None:
            self.net.witness.stops_listening(self)
        self.host.ports.not_listening(self)
        pending, self.pending = self.pending, _NOBODY
        for child in pending:
            child._reject()
        self._change(ABORTED)
        self.send_shut = self.receive_shut = False

    @abstractmethod
    def close(self) -> None:
        """The last descriptor is gone; the connection may live on until its data is delivered."""
