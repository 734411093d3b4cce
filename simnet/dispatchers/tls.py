"""TLS for any dispatcher, on any transport.

`tls_channel` is a mixin that goes in front of a handler's class::

    class SecureEcho(tls_channel, dispatcher_with_send): ...

and gives it `start_tls`, at once or in the middle of the stream (STARTTLS).  The handlers stay as they
are: `handle_read` is called when there is plaintext, `recv` and `send` are those of a plain channel.  It
overrides what asyncore documents as override points and nothing else, so it serves the dispatchers of
simnet and the compatible ones alike.

What goes over the wire is the business of `tls_socket.TLSSocket`, which takes the place of the channel's
socket; what the loop is answered, of `tls_interest`; what becomes of plain bytes in buffers, of
`tls_upgrade`.  This module owns what a channel is told and when, also that plaintext which lies in memory
is delivered although no poller knows of it.
"""

from __future__ import annotations

import socket as std
import ssl
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import UsageError
from ..loop import DISCONNECTED, GIVEN_UP
from ..timers import Timer
from .lingering import Lingering, is_abortive
from .tls_interest import Wanted, behind_tls, is_behind_tls, is_readable, is_writable, wants
from .tls_phases import Phase
from .tls_socket import TLSSocket
from .tls_upgrade import begin_behind_plain, discard_plain

if TYPE_CHECKING:
    from .dispatcher import dispatcher as _Channel
else:
    _Channel = object


class tls_channel(_Channel):
    """A mixin: the channel of the class behind it can speak TLS.

    `handle_connect` says that the connection can be used: if `start_tls` was called before the TCP
    connection stood, it comes after the TLS handshake.
    """

    is_layer: ClassVar[bool] = True

    handshake_limit: ClassVar[str | float | None] = None
    """How long a handshake may take, in seconds or as text (``"10s"``); None is for ever.

    It begins when the TCP connection stands and everything plain was sent.  When it has passed,
    `handle_tls_error` is told so, and `handle_close` follows.  It takes a channel with `call_later`.
    """

    tls_error: ssl.SSLError | None = None
    """Why TLS has failed; None if it has not."""

    # Two underscores: the class behind this one has private names of its own, and does not know these.
    __needs: object = None
    __patience: Timer | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        places = [place for place, each in enumerate(cls.__mro__) if "add_channel" in vars(each)]
        if places and places[0] < cls.__mro__.index(tls_channel):
            raise UsageError(
                f"{cls.__name__}: tls_channel goes in front of the dispatcher, as the first base"
            )
        # A class that answers the loop itself stands in front of this one; TLS is asked before it.
        for name, answer in (("readable", cls.__is_readable), ("writable", cls.__is_writable)):
            own = getattr(cls, name)
            if own is not getattr(tls_channel, name) and not is_behind_tls(own):
                setattr(cls, name, behind_tls(own, answer))

    # --- TLS -------------------------------------------------------------------------------------

    @property
    def tls(self) -> ssl.SSLObject | None:
        """What knows the version, the cipher, the peer's certificate ...; None while all is plain."""
        return self.socket.ssl_object if isinstance(self.socket, TLSSocket) else None

    def start_tls(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        session: ssl.SSLSession | None = None,
        suppress_ragged_eofs: bool = False,
    ) -> None:
        """Speak TLS from here on; `handle_handshake` tells when both sides have agreed.

        Before `connect`, or in the constructor of a channel that was accepted: TLS from the first byte on.
        Later: what was queued to be sent goes out in plain first, and what was received in plain and not
        handled yet is discarded, since it was not said under TLS.  Call it where the command is handled.

        Args:
            context: certificates, versions and what else `ssl.SSLContext` says.
            server_side: whether to wait for the peer to begin.
            server_hostname: the name that the peer's certificate must have, for a client.
            session: one of an earlier connection, to be resumed.
            suppress_ragged_eofs: take the end of the TCP stream without close_notify as an end like any
                other.  An attacker can cause it; but some peers know no better.

        Raises:
            UsageError: there is no socket, TLS was started already, or `handshake_limit` has no timers.
            ValueError: the context wants a `server_hostname`.
        """
        if self.handshake_limit is not None and not hasattr(self, "call_later"):
            raise UsageError("handshake_limit needs timers, and channels of asyncore have none")
        if self.socket is None or self.accepting:
            raise UsageError("start_tls is for a channel with a socket that does not listen")
        if context.check_hostname and not server_side and not server_hostname:
            raise ValueError("the context checks the peer's name: start_tls needs its server_hostname")
        if not isinstance(self.socket, TLSSocket):
            self.socket = TLSSocket(self.socket)
        sock = self.socket
        if sock.phase is not Phase.PLAIN:
            raise UsageError("TLS was started already")
        sock.start(
            context,
            suppress_ragged_eofs,
            server_side=server_side,
            server_hostname=server_hostname,
            session=session,
        )
        if self.connected:
            discard_plain(self)
            begin_behind_plain(self, sock, partial(self.__begin, sock))
        elif not self.connecting and sock.getsockopt(std.SOL_SOCKET, std.SO_ERROR):
            self.__begin(sock)  # accepted, and reset before anybody looked: the handshake finds it out
        self.touch()

    def shutdown_tls(self) -> None:
        """Say by close_notify that nothing more will be sent.  What the peer still sends is read."""
        sock = self.__secured()
        if sock is None:
            raise UsageError("TLS was not started")
        sock.end()
        self.__settle(sock)

    def handle_handshake(self) -> None:
        """Both sides have agreed: `tls` knows on what.  To be overridden."""

    def handle_tls_error(self, error: ssl.SSLError) -> None:
        """TLS has failed: a certificate, a version, bytes that are no TLS, an end without close_notify.

        The peer was sent the alert, and `handle_close` follows.  The default prints a line.
        """
        self.log_info(f"TLS failed: {error}", "error")

    # --- the beginning ---------------------------------------------------------------------------

    def __begin(self, sock: TLSSocket) -> None:
        sock.begin()
        if self.handshake_limit is not None:
            self.__patience = self.call_later(self.handshake_limit, self.__give_up, sock)
        self.__shake(sock, fresh=False)
        self.__settle(sock)

    def __shake(self, sock: TLSSocket, fresh: bool) -> bool:
        """Go on with the handshake; True when it is over and the channel still is of use."""
        try:
            if not sock.handshake(fresh):
                return False
        except ssl.SSLError as error:
            self.__fail(sock, error)
            return False
        except OSError as error:
            self.__lose(error)
            return False
        self.handle_handshake()
        if self.__has(sock) and self.connecting:
            super().handle_connect_event()
        return self.__has(sock)

    def __give_up(self, sock: TLSSocket) -> None:
        if self.__has(sock) and sock.phase is Phase.HANDSHAKE:
            self.__fail(sock, sock.give_up(f"the handshake took longer than {self.handshake_limit}"))
            self.__settle(sock)

    def __stop_waiting(self) -> None:
        if self.__patience is not None:
            self.__patience.cancel()
            self.__patience = None

    # --- override points: what the loop asks and tells -------------------------------------------

    def set_socket(self, sock: Any, map: dict[int, Any] | None = None) -> None:
        self.tls_error = self.__needs = None
        super().set_socket(sock if isinstance(sock, TLSSocket) else TLSSocket(sock), map)

    def readable(self) -> bool:
        return self.__is_readable(super().readable)

    def writable(self) -> bool:
        return self.__is_writable(super().writable)

    def handle_read_event(self) -> None:
        sock = self.__secured()
        if sock is None or sock.phase is Phase.UPGRADING:
            super().handle_read_event()
        elif sock.phase is Phase.WAITING:
            if not self.__is_up(sock):
                super().handle_read_event()
        elif sock.phase is Phase.HANDSHAKE:
            if self.__shake(sock, fresh=True):
                self.__deliver(sock, fresh=False)
        else:
            if sock.write_needs_read:
                self.__fill(sock, fresh=True)
            self.__deliver(sock, fresh=True)
        self.__settle(sock)

    def handle_write_event(self) -> None:
        sock = self.__secured()
        if sock is None or sock.phase is Phase.UPGRADING:
            super().handle_write_event()
        elif sock.phase is Phase.WAITING:
            if not self.__is_up(sock):
                super().handle_write_event()
        elif self.__flush(sock) and sock.phase is not Phase.HANDSHAKE and sock.error is None:
            if sock.has_pending:
                self.__deliver(sock, fresh=False)
            if self.__has(sock) and self.__wants_to_write():
                super().handle_write_event()
        self.__settle(sock)

    def handle_connect_event(self) -> None:
        sock = self.__secured()
        if sock is None or sock.phase is not Phase.WAITING or not self.__is_up(sock):
            super().handle_connect_event()
            sock = self.__secured()
            if sock is not None and sock.phase is Phase.WAITING and self.connected:
                self.__is_up(sock)  # handle_connect has started TLS

    def touch(self) -> None:
        declared = getattr(super(), "touch", None)  # the old dispatcher is asked in every pass anyway
        if declared is not None:
            declared()

    # --- override points: what handlers call -----------------------------------------------------

    def recv(self, buffer_size: int) -> bytes:
        sock = self.__secured()
        try:
            return super().recv(buffer_size)
        except ssl.SSLError as error:
            self.__fail(sock, error)
            return b""
        finally:
            self.__settle(sock)

    def send(self, data: bytes) -> int:
        sock = self.__secured()
        try:
            return super().send(data)
        except ssl.SSLError as error:
            self.__fail(sock, error)
            return 0
        finally:
            self.__settle(sock)

    def close(self) -> None:
        """Close the channel, after close_notify; what `send` took and the kernel did not is sent still."""
        sock, rest = self.__secured(), b""
        if sock is not None and self._fileno is not None and not is_abortive(sock.raw):
            rest = sock.hand_over()
        self.__stop_waiting()
        super().close()
        if sock is not None and rest:
            Lingering(sock.raw, rest, self._map, getattr(self, "call_later", None))

    # --- between the two -------------------------------------------------------------------------

    def __secured(self) -> TLSSocket | None:
        """The socket if TLS was started on it."""
        sock = self.socket
        return sock if isinstance(sock, TLSSocket) and sock.phase is not Phase.PLAIN else None

    def __is_readable(self, wants_to_read: Wanted) -> bool:
        return is_readable(self.__secured(), self.connecting, wants_to_read)

    def __is_writable(self, wants_to_write: Wanted) -> bool:
        return is_writable(self.__secured(), self.connecting, wants_to_write, self.__wants_to_read)

    def __wants_to_read(self) -> bool:
        return wants(self, "readable", super().readable)

    def __wants_to_write(self) -> bool:
        return wants(self, "writable", super().writable)

    def __has(self, sock: TLSSocket) -> bool:
        """Whether no handler has closed the channel or given it another socket."""
        return self.socket is sock and not sock.closed

    def __is_up(self, sock: TLSSocket) -> bool:
        """Begin, if the TCP connection stands; False if it does not."""
        try:
            sock.getpeername()
        except OSError:
            return False
        self.__begin(sock)
        return True

    def __deliver(self, sock: TLSSocket, fresh: bool) -> None:
        """Tell of plaintext, and of the end, until nothing is left in memory or nobody takes any."""
        while self.__wants_to_read() and self.__fill(sock, fresh):
            taken_bytes, fresh = sock.taken_bytes, False
            super().handle_read_event()
            if not self.__has(sock) or sock.taken_bytes == taken_bytes:
                return

    def __fill(self, sock: TLSSocket, fresh: bool) -> bool:
        try:
            return not sock.end_was_told and sock.fill(fresh)
        except ssl.SSLError as error:
            self.__fail(sock, error)
        except OSError as error:
            self.__lose(error)
        return False

    def __flush(self, sock: TLSSocket) -> bool:
        """Send what waits; whether nothing waits any more."""
        try:
            sock.flush()
        except OSError as error:
            self.__lose(error)
            return False
        return not sock.has_unsent

    def __settle(self, sock: TLSSocket | None) -> None:
        """After whatever may have changed what TLS needs of the loop."""
        if sock is None or not self.__has(sock):
            return
        if sock.phase is not Phase.HANDSHAKE:
            self.__stop_waiting()
        with suppress(OSError):  # it is told by the next event
            sock.flush()
        needs = (sock.phase, sock.has_unsent, sock.has_pending, sock.write_needs_read)
        if needs != self.__needs:
            self.__needs = needs
            self.touch()

    def __lose(self, error: OSError) -> None:
        """The connection below is gone."""
        if error.errno not in DISCONNECTED | GIVEN_UP:
            raise error
        self.handle_close()

    def __fail(self, sock: TLSSocket | None, error: ssl.SSLError) -> None:
        """TLS has failed: tell it, once, and close."""
        if sock is None or error is not sock.error:
            raise error  # somebody else's
        if self.tls_error is not error:
            self.tls_error = error
            with suppress(OSError):
                sock.flush()  # the alert
            self.handle_tls_error(error)
            if self.__has(sock):
                self.handle_close()
