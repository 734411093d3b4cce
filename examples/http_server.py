"""An HTTP/1.1 server: the parser is h11, everything else is a dispatcher.

``python -m examples.http_server 8080`` serves on this computer; on a virtual host the same classes serve
a test.  It knows keep-alive, pipelining, bodies with a length and in chunks, HEAD, 100-continue and
half-closed clients.  What it guards against:

* a head or a body without end: `HEAD_BYTES_MAX`, then 431, and `BODY_BYTES_MAX`, then 413;
* a client that asks and does not read: above `OUTPUT_BYTES_MAX` it is neither read nor parsed further;
* a client that is silent: after `IDLE_MAX` the connection is closed;
* an answer that is lost because bytes of the client were still unread (RFC 9112, section 9.6): the
  sending side is closed first, and what still comes is discarded, for `LINGER_MAX` at most.

The time of the ``Date`` field is that of the transport's clock: on a virtual host, virtual time.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from enum import Enum, auto
from typing import Any, TypeAlias

import attrs
import h11

from examples.listener import Listener
from simnet import Timer, Transport, current, dispatcher_with_send, loop
from simnet.transport import Address
from simnet.units import SECOND_NS, duration_ns

HEAD_BYTES_MAX = 1 << 14
BODY_BYTES_MAX = 1 << 20
OUTPUT_BYTES_MAX = 1 << 16
IDLE_MAX = "5min"
LINGER_MAX = "2s"
_RECV_BYTES = 1 << 16

REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
}
"""The reason phrases (RFC 9110, section 15); http.HTTPStatus words some differently from Python to Python."""


@attrs.frozen
class Answer:
    """What an application returns: the body is sent for every method but HEAD."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


Application: TypeAlias = Callable[[h11.Request, bytes], Answer]
"""Takes a request and its whole body."""


def pages(request: h11.Request, body: bytes) -> Answer:
    """The application of this example: a greeting at ``/``, and ``/echo`` returns what is posted."""
    methods = {b"/": (b"GET", b"HEAD"), b"/echo": (b"POST",)}.get(request.target.partition(b"?")[0])
    if methods is None:
        return Answer(404, b"not found\n")
    if request.method not in methods:
        return Answer(405, b"method not allowed\n", headers=(("Allow", b", ".join(methods).decode()),))
    if request.method == b"POST":
        return Answer(200, body, "application/octet-stream")
    return Answer(200, b"<!doctype html><title>simnet</title><p>hello, network\n", "text/html; charset=utf-8")


class Phase(Enum):
    """What a connection is about; it only ever goes down this list."""

    SERVING = auto()  # reading requests and answering them
    FINISHING = auto()  # the last answer is on its way; nothing more is parsed
    LINGERING = auto()  # our FIN has left; what the client still sends is discarded
    CLOSED = auto()


class Server(Listener):
    """Serves `application` at `address`.  Arguments as for `Listener`."""

    def __init__(
        self, address: Address, application: Application = pages, transport: Transport | None = None
    ) -> None:
        machine = transport or current()
        super().__init__(address, lambda sock: Connection(sock, application, machine), machine)


class Connection(dispatcher_with_send):
    """One client.  h11 keeps the state of the protocol; `phase` is what it does not know."""

    declares_interest = True

    def __init__(
        self, sock: Any, application: Application = pages, transport: Transport | None = None
    ) -> None:
        machine = transport or current()
        super().__init__(sock, transport=machine)
        self._application = application
        self._clock = machine.clock
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        self._body = bytearray()
        self._request: h11.Request | None = None
        self._client_is_done = False  # its FIN has come
        self.phase = Phase.SERVING
        self._active_ns = self._clock.monotonic_ns()
        self._timer: Timer = self.call_later(IDLE_MAX, self._close_if_idle)

    # --- events ----------------------------------------------------------------------------------

    def readable(self) -> bool:
        return not self._client_is_done and not self._is_congested

    def handle_read(self) -> None:
        # Not self.recv(): at the end of the stream that would call handle_close, and a client that has
        # closed its sending side only still waits for an answer.
        data = self.socket.recv(_RECV_BYTES)
        self._active_ns = self._clock.monotonic_ns()
        if not data:
            self._client_is_done = True
            self.touch()
        if self.phase is Phase.SERVING:
            self._http.receive_data(data)
            self._serve()
        self._finish_if_flushed()

    def handle_write(self) -> None:
        super().handle_write()
        self._active_ns = self._clock.monotonic_ns()
        self._serve()
        self._finish_if_flushed()
        self.touch()

    def handle_close(self) -> None:
        self.close()

    def close(self) -> None:
        self.phase = Phase.CLOSED
        self._timer.cancel()
        super().close()

    @property
    def _is_congested(self) -> bool:
        return len(self.out_buffer) >= OUTPUT_BYTES_MAX

    def _close_if_idle(self) -> None:
        """One timer a connection, which asks when it fires how long nothing has happened."""
        idle_ns = self._clock.monotonic_ns() - self._active_ns
        left_ns = duration_ns(IDLE_MAX) - idle_ns
        if left_ns > 0:
            self._timer = self.call_later(left_ns / SECOND_NS, self._close_if_idle)
        else:
            self.close()

    # --- requests --------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Answer what has come whole, until more is needed or the client does not take its answers."""
        while self.phase is Phase.SERVING and not self._is_congested:
            waiting = len(self._http.trailing_data[0])
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                self._refuse(error.error_status_hint)
                return
            match event:
                case h11.Request():
                    self._begin(event, waiting - len(self._http.trailing_data[0]))
                case h11.Data(data=data):
                    self._body += data
                    if len(self._body) > BODY_BYTES_MAX:
                        self._refuse(413)
                case h11.EndOfMessage():
                    assert self._request is not None
                    self._reply(self._application(self._request, bytes(self._body)))
                case h11.ConnectionClosed():
                    self.phase = Phase.FINISHING
                case _:
                    return

    def _begin(self, request: h11.Request, head_bytes: int) -> None:
        self._request = request
        self._body.clear()
        lengths = [int(value) for name, value in request.headers if name == b"content-length"]
        if head_bytes > HEAD_BYTES_MAX:
            # h11 refuses it only if it did not come whole, and an answer must not depend on that.
            self._refuse(431)
        elif lengths and lengths[0] > BODY_BYTES_MAX:
            self._refuse(413)
        elif self._http.they_are_waiting_for_100_continue:
            self._emit(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))

    def _refuse(self, status: int) -> None:
        """Answer with an error, and then no more: where the next request begins is not known."""
        body = f"{REASONS[status].lower()}\n".encode()
        self._reply(Answer(status, body, headers=(("Connection", "close"),)))

    def _reply(self, answer: Answer) -> None:
        headers = [
            ("Date", formatdate(self._clock.time_ns() // SECOND_NS, usegmt=True)),
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            *answer.headers,
        ]
        reason = REASONS.get(answer.status, "").encode()
        self._emit(h11.Response(status_code=answer.status, headers=headers, reason=reason))
        if self._request is None or self._request.method != b"HEAD":
            self._emit(h11.Data(data=answer.body))
        self._emit(h11.EndOfMessage())
        self._next_request()

    def _next_request(self) -> None:
        self._request = None
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        elif self.phase is Phase.SERVING:
            self.phase = Phase.FINISHING

    def _emit(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data and self.phase is Phase.SERVING:
            self.send(data)

    # --- the end ---------------------------------------------------------------------------------

    def _finish_if_flushed(self) -> None:
        """When the last answer has left: close, but not so that it is lost."""
        if self.phase not in (Phase.FINISHING, Phase.LINGERING) or self.out_buffer:
            return
        if self._client_is_done:
            self.close()
        elif self.phase is Phase.FINISHING:
            self.phase = Phase.LINGERING
            self.socket.shutdown(socket.SHUT_WR)
            self._timer.cancel()
            self._timer = self.call_later(LINGER_MAX, self.close)


def main() -> None:
    """Serve on this computer until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.http_server", description="Serve HTTP.")
    parser.add_argument("port", type=int, nargs="?", default=8080, help="0 takes a free one; default 8080")
    server = Server(("", parser.parse_args().port))
    print(f"serving HTTP on port {server.port}", flush=True)
    with suppress(KeyboardInterrupt):
        loop()


if __name__ == "__main__":
    main()
