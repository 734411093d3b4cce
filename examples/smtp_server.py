"""An SMTP server: lines and replies are async_chat's, what they mean is in `smtp_session`.

``python -m examples.smtp_server 2525`` takes mail on this computer and prints it; on a virtual host the
same classes serve a test.  Subclass `Server` and give it a `process_message`, as with the old smtpd.

What it guards against:

* lines, messages and lists of recipients without end: each has a limit, and no more than that is kept;
* a client that asks and does not read: above `REPLIES_WAITING_MAX` it is not read either;
* a client that is silent: asyncore has no timers, so whoever runs the loop calls `Server.close_idle`;
* a computer without a descriptor left: old smtpd closed its listener; this one waits until there is room;
* a client that closes its sending side behind its last command: it is still answered;
* commands that somebody else has put behind a STARTTLS, in plain (CVE-2011-0411): they are not obeyed, and
  nothing that was said before TLS counts after it;
* a message that ends too early.  Only CRLF ends a line, and only a line with a single dot ends a message.
  Where one server takes LF, or a dot between LF and CRLF, for such an end and another one does not, a
  message can hide a second one with a forged sender (CVE-2023-51764).  To pass a bare LF on would make
  this server the first half of that trick, so a message with a CR or an LF alone is refused: RFC 5321,
  section 2.3.8, forbids to send it, and smtplib does not send it in a text or an email.message.
"""

from __future__ import annotations

import argparse
import errno
import ssl
from contextlib import suppress
from typing import Any

from examples.smtp_session import Session
from simnet import asyncore
from simnet.transport import Address

OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""What accept(2) fails with while the connection stays in the queue: it succeeds once there is room."""


class Server(asyncore.dispatcher):
    """Takes mail at `address`, (host, port); the clients know it as `name`.

    With a `context`, which has a certificate, it offers them TLS.
    """

    message_bytes_max = 1 << 20
    recipients_max = 100
    sessions_max = 100
    idle_seconds_max = 300.0

    def __init__(
        self, address: Address, name: str | None = None, context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__()
        self.context = context
        self._sessions_when_full: int | None = None
        self.name = name or asyncore.socket.gethostname()
        self.create_socket()
        self.set_reuse_addr()
        self.bind(address)
        self.listen(128)

    # --- for subclasses --------------------------------------------------------------------------

    def process_message(self, peer: Address, mailfrom: str, rcpttos: list[str], data: bytes) -> str | None:
        """Take a message: from now on it is this server's to deliver.

        Args:
            peer: the client's address.
            mailfrom: where to report that it cannot be delivered; empty in such a report itself.
            rcpttos: one or more mailboxes, as `check_recipient` was shown them.
            data: headers and body as the client meant them; every line ends in CRLF.

        Returns:
            None if it was taken, else a reply with its code: ``"451 try again later"``.
        """
        raise NotImplementedError

    def check_recipient(self, mailbox: str) -> str | None:
        """None to take mail for `mailbox`, else a reply: ``"550 nobody of that name"``."""
        return None

    # --- connections -----------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self.socket.getsockname()[1]
        return port

    @property
    def sessions(self) -> list[Session]:
        """Those that are open, the oldest first."""
        return [each for each in self._map.values() if isinstance(each, Session) and each.server is self]

    def readable(self) -> bool:
        sessions = len(self.sessions)
        return sessions < self.sessions_max and sessions != self._sessions_when_full

    def handle_accept(self) -> None:
        try:
            super().handle_accept()
        except OSError as error:
            if error.errno not in OUT_OF_RESOURCES:
                raise
            # The connection stays in the queue, and to try again at once, and again, is to spin.  It is
            # tried when a session has ended, or `close_idle` is called.
            self._sessions_when_full = len(self.sessions) or None

    def handle_accepted(self, sock: Any, addr: Address) -> None:
        Session(self, sock, addr)

    def close_idle(self) -> None:
        """Say 421 to whoever was silent for `idle_seconds_max` (RFC 5321, section 4.5.3.2), and close."""
        self._sessions_when_full = None
        for session in self.sessions:
            if session.idle_seconds >= self.idle_seconds_max:
                session.time_out()


class Printer(Server):
    """Shows every message, and forgets it."""

    def process_message(self, peer: Address, mailfrom: str, rcpttos: list[str], data: bytes) -> str | None:
        print(f"--- from <{mailfrom}> to <{'>, <'.join(rcpttos)}>")
        print(data.decode("utf-8", "replace").replace("\r\n", "\n"), flush=True)
        return None


def main() -> None:
    """Take mail on this computer until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.smtp_server", description="Print mail.")
    parser.add_argument("port", type=int, nargs="?", default=2525, help="0 takes a free one; default 2525")
    parser.add_argument("--certificate", metavar="PEM", help="key and certificates of a server with TLS")
    arguments, context = parser.parse_args(), None
    if arguments.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(arguments.certificate)
    server = Printer(("", arguments.port), context=context)
    print(f"taking mail on port {server.port}", flush=True)
    with suppress(KeyboardInterrupt):
        while True:
            asyncore.loop(timeout=1, count=1)
            server.close_idle()


if __name__ == "__main__":
    main()
