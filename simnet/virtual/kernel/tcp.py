"""One end of a TCP connection, or a listener, as a program sees it: readiness, queues and endings.

Every method is a system call on a socket that does not block: it returns what Linux returns, or raises
the OSError that Linux would (tcp_poll, tcp_ioctl, inet_shutdown, tcp_close).

A TCP socket is built up floor by floor, from what is on the wire to what a program calls: `tcp_window`,
`tcp_retransmit`, `tcp_segments`, `tcp_urgent`, `tcp_opening`, `tcp_listener`, `tcp_data`, and this.

Simplified, and what a program could notice of it: SO_LINGER with a time makes close() wait only outside of
handlers; inside one, what is queued is sent all the same.
"""

from __future__ import annotations

import errno

from ...trace import Kind
from ...transport import ERR, HUP, IN, OUT, PRI, RDHUP
from ...units import SECOND_NS
from .. import linux as std
from . import tcp_states
from .tcp_data import DataEnd
from .tcp_keepalive import Keepalive
from .tcp_opening import CONNECTED, CONNECTING, DISCONNECTING, UNCONNECTED
from .tcp_states import (
    ABORTED,
    CLOSED,
    FIN_WAIT_2,
    LISTEN,
    SENT_FIN,
    STATE_NUMBERS,
    SYN_RECEIVED,
    SYN_SENT,
    SYNCHRONIZED,
    State,
)
from .tcp_window import FIN_UNDER_WAY
from .tcp_wire import FIN, FIN_TIMEOUT, RST, WINDOW

_LOSS = 4  # TCP_CA_Loss
FIN_TIMEOUT_S = 60  # tcp_fin_timeout

_SHUTDOWN, _CLOSE = int(Kind.SHUTDOWN), int(Kind.CLOSE)


class TcpEnd(DataEnd):
    """A TCP socket below its descriptors."""

    __slots__ = ()

    kind = std.SOCK_STREAM
    proto = std.IPPROTO_TCP
    send_buffer_default, receive_buffer_default = 16_384, 131_072  # tcp_wmem and tcp_rmem

    @property
    def touched(self) -> int:
        return self.sends + self.recvs + self.accepts

    # --- readiness -------------------------------------------------------------------------------

    def poll_mask(self) -> int:
        """What poll(2) would say, with every event asked for (tcp_poll)."""
        if self.ordinary:
            if self.queue is None:
                return 0 if self.waiting else OUT
            return IN if self.waiting else IN | OUT
        state = self.state
        if state is LISTEN:
            return IN if self.pending else 0
        mask = 0
        if (self.queue is not None or self.mark is not None) and self._held_bytes() >= self._least_pollable():
            mask = IN
        if self.mark is not None and not self.mark.is_read:
            mask |= PRI
        if state is not SYN_SENT and state is not SYN_RECEIVED and (self.send_shut or not self.waiting):
            mask |= OUT
        if self.receive_shut:
            mask |= IN | RDHUP
            if self.send_shut:
                mask |= HUP
        if state is CLOSED:
            mask |= HUP
        if self.so_error:
            mask |= ERR
        return mask

    # --- queues ------------------------------------------------------------------------------------

    def _least_pollable(self) -> int:
        """How many bytes make the end readable (SO_RCVLOWAT); an urgent byte that is next does not count."""
        return self.least_readable + (self.is_at_mark() and not self._is_inline)

    def readable_bytes(self) -> int:
        """tcp_ioctl, SIOCINQ: what is before the mark; EINVAL for a listener."""
        if self.state is LISTEN:
            raise self.failed("ioctl", errno.EINVAL)
        if self.mark is None or self._is_inline:
            return self._held_bytes()
        return self._held_bytes() - self.mark.size

    def unsent_bytes(self) -> int:
        """tcp_ioctl, SIOCOUTQ: none until a connection is there, EINVAL for a listener."""
        if self.state is LISTEN:
            raise self.failed("ioctl", errno.EINVAL)
        return 0 if self.state in (SYN_SENT, SYN_RECEIVED) else self._unacknowledged_bytes()

    def info(self) -> bytes:
        """The first four bytes of `struct tcp_info`: the state, and what is sent again."""
        attempts = min(self._attempts, 0xFF) if self._unsent else 0
        return bytes([STATE_NUMBERS[self.state], _LOSS if attempts else 0, attempts, 0])

    def queues(self) -> tuple[int, int]:
        """Of a listener: who waits to be accepted, and its backlog; else what waits here, and at the peer."""
        if self.state is LISTEN:
            return len(self.pending), self.backlog
        unread = 0
        if self.peer is not None and self.state is not CLOSED:
            unread = self._unread_bytes()
        return self._held_bytes(), unread

    # --- options ---------------------------------------------------------------------------------

    def keep(self, level: int, number: int, value: int) -> None:
        super().keep(level, number, value)
        match level, number:
            case (std.SOL_SOCKET, std.SO_RCVLOWAT):
                self.least_readable = value
                self.refit()
                self.wake()
            case (std.SOL_SOCKET, std.SO_KEEPALIVE):
                self.keepalive = (self.keepalive or Keepalive(self)) if value else None
                self.refit()
            case (std.IPPROTO_TCP, std.TCP_USER_TIMEOUT):
                if self.peer is not None and self.peer._overflow is not None:
                    self.window_closed()
        if self.keepalive is not None:
            self.keepalive.suspect()

    def resize_buffers(self) -> None:
        """The host has other sizes than before: whoever waits for room hears of it, here and at the peer."""
        self.fit_buffers()
        if self.peer is not None and self.state in SYNCHRONIZED:
            self._on_window()
            if self.peer.waiting:
                self.transmit(WINDOW)

    # --- ending ----------------------------------------------------------------------------------

    def end_early(self) -> None:
        from .tcp_middlebox import part  # which few connections meet

        part(self)

    def shutdown(self, how: int) -> None:
        """As inet_shutdown: a call that fails has effects all the same."""
        if how not in (std.SHUT_RD, std.SHUT_WR, std.SHUT_RDWR):
            raise self.failed("shutdown", errno.EINVAL)
        reading, writing = how != std.SHUT_WR, how != std.SHUT_RD
        was = self.state
        if self.calls is CONNECTING:
            early = was in (SYN_SENT, SYN_RECEIVED, CLOSED)
            self.calls = DISCONNECTING if early else CONNECTED
        self.note(_SHUTDOWN, how)
        if was is SYN_SENT or (was is LISTEN and reading):
            self._disconnect()
        elif was is not LISTEN:
            self.receive_shut |= reading
            if writing:
                self.send_shut = True
                self._finish()
            self.refit()
        self.wake()  # also where nothing was done, as edge-triggered epoll can tell
        if was is CLOSED:
            raise self.failed("shutdown", errno.ENOTCONN)

    def _finish(self) -> None:
        """Our FIN leaves, behind whatever was sent."""
        if tcp_states.allows(self.state, SENT_FIN):
            self._change(SENT_FIN)
            self.transmit(FIN)

    def close(self) -> None:
        """The last descriptor is gone; the connection may live on until its data is delivered."""
        self.orphan = True
        self.watchers = ()
        self.note(_CLOSE, 0)
        unread = self._drop_unread()
        if self.state is LISTEN:
            self._stop_listening()
        elif self.state in (SYN_SENT, CLOSED):
            if self.state is SYN_SENT:
                self._unsent.clear()  # a SYN that got lost is not sent again
            self._change(ABORTED)
        elif unread or self.linger_seconds == 0 or self.state is SYN_RECEIVED:
            self._launch(RST, 0)
            self.abort(errno.ECONNRESET)
        else:
            self.send_shut = self.receive_shut = True
            if self.state is FIN_WAIT_2:
                self._await_fin()
            self._finish()
            self.refit()
        if self.state is CLOSED:
            self._release_port()

    @property
    def is_over(self) -> bool:
        return self.peer is not None and (self.fin_seen or self.state is CLOSED)

    @property
    def lingers(self) -> bool:
        """Whether close() waits: SO_LINGER is set, and our FIN has not arrived (sk_stream_wait_close)."""
        return bool(self.linger_seconds) and self.orphan and self.state in FIN_UNDER_WAY

    def _drop_unread(self) -> bool:
        """Forget what nobody has read; whether there was any."""
        unread = self._overflow is not None
        if self.queue is not None or self.mark is not None:
            held_bytes = self._held_bytes()
            if self.peer is not None:
                self.peer.owed += held_bytes  # it was delivered
            unread |= held_bytes > 0
            self.queue = self.mark = None
        return unread

    def _disconnect(self) -> None:
        """Back to a socket as new (tcp_disconnect), with the error that the program will be told."""
        if self.state is LISTEN:
            self._stop_listening()
        elif self.state is not CLOSED:
            if self.state is not SYN_SENT:
                self._launch(RST, 0)
            self.abort(errno.ECONNRESET)
        self.queue = self.mark = None
        self._excess_bytes, self.waiting = 0, False
        self._undelivered_bytes += 2  # by which the sequence numbers move on, as SIOCOUTQ shows
        self._forget_address()
        self.send_shut = self.receive_shut = self.fin_seen = False
        self.calls = UNCONNECTED
        self.refit()
        self.wake()

    def _await_fin(self) -> None:
        """The peer's FIN is awaited for a while only (tcp_fin_timeout; tcp(7), TCP_LINGER2)."""
        seconds = self.kept(std.IPPROTO_TCP, std.TCP_LINGER2, FIN_TIMEOUT_S)
        if seconds < 0:
            self._launch(RST, 0)
            self.abort(errno.ECONNRESET)
        else:
            self.net.schedule.plan(self.net.now_ns + seconds * SECOND_NS, self, FIN_TIMEOUT)

    def _on_fin_timeout(self) -> None:
        if self.orphan and self.state is FIN_WAIT_2:
            self.abort(errno.ETIMEDOUT)

    def _fell(self, was: State, lingers: bool) -> None:
        if lingers:
            self.host.ports.linger(self, self.net.now_ns)
        if not self._port_given or self.orphan:
            self._release_port()
        if was is SYN_RECEIVED and self.listener is not None:
            self.listener.half_open -= 1
