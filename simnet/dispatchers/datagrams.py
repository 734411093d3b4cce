"""A dispatcher of datagrams: UDP over IPv4 and IPv6, and AF_UNIX.

asyncore knows streams only, and its dispatcher takes an empty datagram for the end of a connection, and a
refusal that ICMP brings for the end of the channel.  Here whole datagrams go in and out:

* `handle_datagram` is called once for each that came, empty ones too.  One event is as many as there are, up
  to `datagrams_at_once`, so that a flood does not keep the others waiting.
* `sendto` hands one to the kernel, or keeps it until there is room; they go out in order.
* `handle_datagram_error` tells that one did not arrive or could not be sent.  The channel lives on.

Linux tells a socket of refusals only if it is connected, or has IP_RECVERR (IPV6_RECVERR) set; then it keeps
them in a queue with the addresses that refused (ip(7)), which is read here.

Owns what waits to be sent, and what an error means.  The options of a socket, such as SO_BROADCAST and
IP_ADD_MEMBERSHIP, are set on `socket`.
"""

from __future__ import annotations

import errno
import os
import socket as std
import struct
from collections import deque
from typing import Any, ClassVar

from ..timers import Timer
from ..transport import Address
from .dispatcher import dispatcher

NETWORK_ERRORS = frozenset(
    {
        *(errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENOPROTOOPT),
        *(errno.EHOSTDOWN, errno.ENETDOWN, errno.ENOBUFS, errno.ENOENT, errno.EPROTO),
    }
)
"""What the network or the peer did; other errors are mistakes of the program."""

_NO_SOCKET = frozenset({errno.EBADF, errno.ENOTSOCK})
_WITH_ERROR_QUEUE = frozenset({std.AF_INET, std.AF_INET6})  # others take MSG_ERRQUEUE for nothing
_RECVERR = frozenset({(0, 11), (41, 25)})  # (SOL_IP, IP_RECVERR), (SOL_IPV6, IPV6_RECVERR)
_BY_ICMP = frozenset({2, 3})  # SO_EE_ORIGIN_ICMP, _ICMP6; of what was local, sendto() has told
_NEVER_TELLS_OF_ROOM = 0.01  # seconds until another try; see _flush


class datagram_dispatcher(dispatcher):
    """A datagram socket with handlers.

    Attributes:
        waiting: the datagrams that the kernel has not taken yet, as (data, address).
    """

    declares_interest = True

    datagram_bytes_max: ClassVar[int] = 262_144
    """How long a datagram may be; the rest of a longer one is lost (recvfrom(2))."""

    datagrams_at_once: ClassVar[int] = 32
    """How many one read event may bring."""

    waiting_max: ClassVar[int] = 1_000
    """How many may wait to be sent; what comes then is dropped, and `handle_datagram_error` told ENOBUFS."""

    _again: Timer | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.waiting: deque[tuple[bytes, Address]] = deque()
        super().__init__(*args, **kwargs)

    def create_socket(self, family: int = std.AF_INET, type: int = std.SOCK_DGRAM) -> None:
        """Make the socket, non-blocking."""
        super().create_socket(family, type)

    def close(self) -> None:
        """Close the socket and leave the map; what waits to be sent is dropped."""
        self.waiting.clear()
        self._hold(None)
        super().close()

    # --- sending ---------------------------------------------------------------------------------

    def sendto(self, data: bytes, address: Address = None) -> None:
        """Send one datagram to `address`; without one, to the address that the socket is connected to.

        It never waits.  What fails is told to `handle_datagram_error`, before this returns or later.
        """
        if not self.waiting:
            if not self._send(data, address):
                self.waiting.append((bytes(data), address))
                self.touch()
        elif len(self.waiting) < self.waiting_max:
            self.waiting.append((bytes(data), address))
        else:
            self.handle_datagram_error(OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS)), address)

    def _send(self, data: bytes, address: Address) -> bool:
        """Hand one to the kernel; False if there is no room.

        A socket that was told of a refusal says so once, instead of sending what has nothing to do with it.
        So the first error is not believed to be about this datagram, before a second try says so.
        """
        former: OSError | None = None
        while True:
            try:
                if address is None:
                    self.socket.send(data)
                else:
                    self.socket.sendto(data, address)
            except BlockingIOError:
                done = False
            except OSError as error:
                if error.errno in _NO_SOCKET:
                    raise
                if former is None:
                    former = error
                    continue
                if former.errno != error.errno:
                    self.handle_datagram_error(former, None)
                self.handle_datagram_error(error, address)
                return True
            else:
                done = True
            if former is not None and not self._read_errors():
                self.handle_datagram_error(former, None)
            return done

    def _flush(self) -> None:
        """Send what the kernel takes of what waits.

        A socket of AF_UNIX that is not connected is always said to be writable, though a receiver may have
        enough (unix_dgram_poll in net/unix/af_unix.c): it tries again after a while, or it would spin.
        """
        before = len(self.waiting)
        while self.waiting:
            data, address = self.waiting.popleft()
            if not self._send(data, address):
                if self._fileno is not None:  # else a handler has closed the channel
                    self.waiting.appendleft((data, address))
                break
        if self.waiting and len(self.waiting) == before:
            self._hold(self.call_later(_NEVER_TELLS_OF_ROOM, self._try_again))
        if not self.waiting or self._again is not None:
            self.touch()

    def _try_again(self) -> None:
        self._again = None
        self._flush()
        self.touch()

    def _hold(self, again: Timer | None) -> None:
        if self._again is not None:
            self._again.cancel()
        self._again = again

    # --- events ----------------------------------------------------------------------------------

    def writable(self) -> bool:
        """Whether to be told that there is room: while something waits."""
        return bool(self.waiting) and self._again is None

    def handle_write(self) -> None:
        """There is room: what waits is sent."""
        self._flush()

    def handle_read(self) -> None:
        """Datagrams have come, or errors: each is told to its handler."""
        sock = self.socket
        for _ in range(self.datagrams_at_once):
            try:
                data, address = sock.recvfrom(self.datagram_bytes_max)
            except BlockingIOError:
                self._read_errors()
                return
            except OSError as error:
                if error.errno in _NO_SOCKET:
                    raise
                if not self._read_errors():
                    self.handle_datagram_error(error, self.addr if self.connected else None)
            else:
                self.handle_datagram(data, address)
            if self._fileno is None or self.socket is not sock:
                return  # the handler has closed the channel

    def handle_expt_event(self) -> None:
        """Errors wait: SO_SELECT_ERR_QUEUE shows them so."""
        self._read_errors()

    def _read_errors(self) -> bool:
        """Tell of what waits in the queue of errors, which is empty without IP_RECVERR; True if any did."""
        sock, told = self.socket, False
        flag = getattr(self._transport.modules.socket, "MSG_ERRQUEUE", None)  # Linux has it
        if flag is None or sock.family not in _WITH_ERROR_QUEUE:
            return False
        for _ in range(self.datagrams_at_once):
            try:
                _, control, _, address = sock.recvmsg(0, 512, flag)
            except OSError:  # EAGAIN: it is empty; EBADF: a handler has closed the channel
                break
            for level, kind, value in control:
                if (level, kind) not in _RECVERR:
                    continue
                reason, origin = struct.unpack_from("IB", value)  # the head of a sock_extended_err
                if origin in _BY_ICMP:
                    told = True
                    self.handle_datagram_error(OSError(reason, os.strerror(reason)), address)
        return told

    # --- handlers, to be overridden --------------------------------------------------------------

    def handle_datagram(self, data: bytes, addr: Address) -> None:
        """One datagram has come from `addr`; it may be empty.  asyncio calls this datagram_received."""
        self.log_info("unhandled datagram", "warning")

    def handle_datagram_error(self, error: OSError, addr: Address) -> None:
        """A datagram did not arrive or could not be sent; asyncio calls this error_received.

        `addr` is where it was to go, None if nobody knows.  The default logs what the network did
        (`NETWORK_ERRORS`) as a warning, and raises anything else, such as EMSGSIZE: that is a mistake.
        """
        if error.errno not in NETWORK_ERRORS:
            raise error
        self.log_info(f"datagram error: {error} {addr}", "warning")
