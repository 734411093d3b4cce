"""Programs of `scenarios/` about the faults of asyncore: the same handlers on its classes and on ours.

Each program has two arms.  `is_native` takes the native classes, which mend the fault, with the switch where
they have one; without it they are asyncore's, to the letter.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

from examples.stories import PORT, Client, Server
from simnet import Network, async_chat, asynchat, asyncore, dispatcher, dispatcher_with_send
from simnet.transport import Address


class Channel:
    """What the programs here use of a dispatcher, of either kind."""

    socket: Any
    accept: Any
    bind: Any
    close: Any
    connect: Any
    create_socket: Any
    handle_close: Any
    listen: Any
    push: Any
    recv: Any
    send: Any
    set_terminator: Any

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)


# --- no descriptor is left for a connection ------------------------------------------------------


class Greeter(Channel):
    """Greets whoever comes, and hangs up."""

    def __init__(self) -> None:
        super().__init__()
        self.create_socket()
        self.bind(("", PORT))
        self.listen(5)

    def writable(self) -> bool:
        return False

    def handle_accepted(self, sock: Any, addr: Address) -> None:
        sock.send(b"welcome\r\n")
        sock.close()


class OldGreeter(Greeter, asyncore.dispatcher):
    def handle_error(self) -> None:
        self.handle_close()  # as asyncore's, which ends no run on a real machine


class NewGreeter(Greeter, dispatcher):
    pass


def welcome(net: Network, is_native: bool) -> None:
    """Two clients come, one after the other, and both are welcome."""
    with net.host("server"):
        NewGreeter() if is_native else OldGreeter()
    with net.host("client"):
        first = Client()
        net.run()
        second = Client()
        net.run()
    answers = [client.received for client in (first, second)]
    assert answers == [b"welcome\r\n"] * 2, f"the clients were told {answers}"


# --- a peer that has said all and still listens --------------------------------------------------


class Echo(Channel):
    """Says what it hears."""

    def handle_read(self) -> None:
        data = self.recv(1024)
        if data:
            self.send(data)

    def handle_close(self) -> None:
        self.close()


class OldEcho(Echo, asyncore.dispatcher_with_send):
    pass


class NewEcho(Echo, dispatcher_with_send):
    half_close = True


class Asker(Client):
    """Shuts down its half of the connection when it has asked (shutdown(2), SHUT_WR)."""

    def handle_connect(self) -> None:
        super().handle_connect()
        self.socket.shutdown(socket.SHUT_WR)


def last_word(net: Network, is_native: bool) -> None:
    """A client that has said all still gets its whole answer."""
    with net.host("server"):
        Server(NewEcho if is_native else OldEcho)
    with net.host("client"):
        asker = Asker(b"how are you?")
    net.run()
    assert asker.received == b"how are you?", f"the client was told {asker.received!r}"


# --- a client that is connected too late ---------------------------------------------------------


class Impatient(Channel):
    """Has no use for a connection that took longer than half a second."""

    connected: bool

    def __init__(self, net: Network) -> None:
        super().__init__()
        self.net = net
        self.create_socket()
        self.connect(("server", PORT))

    def handle_connect(self) -> None:
        if self.net.now > 0.5:
            self.close()

    def handle_write(self) -> None:
        pass

    def handle_read(self) -> None:
        self.recv(1024)

    def writable(self) -> bool:
        return not self.connected


class OldImpatient(Impatient, asyncore.dispatcher):
    pass


class NewImpatient(Impatient, dispatcher):
    pass


def late(net: Network, is_native: bool) -> None:
    """A client that says that it is connected has a socket."""
    with net.host("server"):
        Server(lambda sock: None)
    with net.host("client"):
        client = NewImpatient(net) if is_native else OldImpatient(net)
    net.run(until="5s")
    assert not client.connected or client.socket.fileno() >= 0, "connected, without a socket"


# --- nobody listens ------------------------------------------------------------------------------


class Watched(Channel):
    """Keeps what went wrong: mistakes of the program, for somebody to look at, and failures to connect."""

    def __init__(self) -> None:
        super().__init__()
        self.mistakes: list[str] = []
        self.failures: list[str] = []
        self.create_socket()
        self.connect(("server", PORT))

    def writable(self) -> bool:
        return False

    def handle_connect(self) -> None:
        pass

    def handle_read(self) -> None:
        self.recv(1024)

    def handle_connect_failed(self, error: OSError) -> None:
        self.failures.append(type(error).__name__)

    def handle_error(self) -> None:
        self.mistakes.append(str(sys.exc_info()[1]))
        self.handle_close()


class OldWatched(Watched, asyncore.dispatcher):
    pass


class NewWatched(Watched, dispatcher):
    pass


def refusal(net: Network, is_native: bool) -> None:
    """That nobody listens is no mistake of a client's."""
    with net.host("server"):
        Server(lambda sock: None)
    with net.host("client"):
        client = NewWatched() if is_native else OldWatched()
    net.run(until="5s")
    assert not client.mistakes, f"somebody is called out of bed for {client.mistakes}"


# --- a read event for nothing --------------------------------------------------------------------


def spurious(net: Network, is_native: bool) -> None:
    """A client is answered."""
    with net.host("server"):
        Server(NewEcho if is_native else OldEcho)
    with net.host("client"):
        client = Client(b"hello")
    net.run()
    assert client.received == b"hello", f"the client was told {client.received!r}"


# --- commands behind the last one ----------------------------------------------------------------


class Commands(Channel):
    """``quit`` ends the session; every other line is a command, and is done."""

    def __init__(self, sock: Any, done: list[bytes]) -> None:
        self.done = done
        self.line = b""
        super().__init__(sock)
        self.set_terminator(b"\r\n")

    def collect_incoming_data(self, data: bytes) -> None:
        self.line += data

    def found_terminator(self) -> None:
        line, self.line = self.line, b""
        if line == b"quit":
            self.close()
        else:
            self.done.append(line)


class OldCommands(Commands, asynchat.async_chat):
    pass


class NewCommands(Commands, async_chat):
    pass


class Typist(Client):
    """Says one thing when it is connected, and another a while later."""

    def handle_connect(self) -> None:
        self.send(b"quit\r\n")
        self.call_later("10ms", self.send, b"remove all\r\n")


def farewell(net: Network, is_native: bool) -> None:
    """Nothing is done after the end of a session."""
    done: list[bytes] = []
    kind: Callable[..., object] = NewCommands if is_native else OldCommands
    with net.host("server"):
        Server(lambda sock: kind(sock, done))
    with net.host("client"):
        Typist()
    net.run()
    assert not done, f"done after the end: {done}"


# --- the end is told again and again -------------------------------------------------------------


class Polite(Channel):
    """Says goodbye to whoever has said all, and closes when that is sent."""

    out_buffer: Any
    initiate_send: Any

    def handle_read(self) -> None:
        self.recv(1024)

    def handle_close(self) -> None:
        self.send(b"goodbye\r\n")
        self.close_when_sent()

    def handle_write(self) -> None:
        self.initiate_send()
        self.close_when_sent()

    def close_when_sent(self) -> None:
        if not self.out_buffer:
            self.close()


class OldPolite(Polite, asyncore.dispatcher_with_send):
    pass


class NewPolite(Polite, dispatcher_with_send):
    close_once = True


def goodbye(net: Network, is_native: bool) -> None:
    """Goodbye is said once."""
    with net.host("server"):
        Server(NewPolite if is_native else OldPolite)
    with net.host("client"):
        asker = Asker(b"that is all")
    net.run()
    assert asker.received == b"goodbye\r\n", f"the client was told {asker.received!r}"
