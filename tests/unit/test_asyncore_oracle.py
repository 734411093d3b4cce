"""The dispatcher against the standard library's asyncore, on real loopback: the same handlers are told the
same, in the same order.  What differs is meant to, and is all in `DIFFERENCES`.

Python 3.12 has no asyncore: there these tests are skipped.
"""

import errno
import importlib
import select
import socket
import struct
import sys
import warnings

import pytest

import simnet
from simnet import RealTransport

DIFFERENCES = {
    "writable": "simnet's default is True only while connecting or with a handle_write: asyncore spins",
    "hup by poll": "asyncore calls handle_close for HUP besides the read event: twice, and with data unread",
    "disconnected by select": "a connection that a handler reports lost is an error there, a close by poll",
    "refused": "asyncore prints an error for a refused connection, simnet a warning, which is off",
    "eagain": "simnet takes EAGAIN out of a handler for a spurious event; for asyncore it is an error",
    "closed when connected": "asyncore goes on to the read or write handler of the closed channel",
    "order": "asyncore's select calls all readers first; simnet goes channel by channel, as asyncore's poll",
}
"""Everything in which a program can tell the two apart, as far as these tests look."""

pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="asyncore left the standard library with Python 3.12"
)

PASSES_MAX = 400


class Asyncore:
    """The standard library's."""

    def __init__(self, use_poll):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self.module = importlib.import_module("asyncore")
        self.map, self.use_poll = {}, use_poll
        self.dispatcher, self.with_send = self.module.dispatcher, self.module.dispatcher_with_send
        self.ExitNow = self.module.ExitNow

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        for channel in list(self.map.values()):
            channel.close()

    def once(self):
        self.module.loop(timeout=0.02, use_poll=self.use_poll, map=self.map, count=1)


class Simnet:
    """Ours, on this computer."""

    def __init__(self, use_poll):
        self.machine, self.map, self.use_poll = RealTransport(), {}, use_poll
        self.dispatcher, self.with_send = simnet.dispatcher, simnet.dispatcher_with_send
        self.ExitNow = simnet.ExitNow

    def __enter__(self):
        self.machine.__enter__()
        return self

    def __exit__(self, *exc_info):
        self.machine.__exit__(*exc_info)
        for channel in list(self.map.values()):
            channel.close()
        self.machine.close()

    def once(self):
        simnet.loop(timeout=0.02, use_poll=self.use_poll, map=self.map, count=1)


class World:
    """One of the two, with handlers that write down what they are told, channel by channel."""

    def __init__(self, library):
        self.library, self.told, self.served = library, {}, []

    def kind(self, name, base="dispatcher", **handlers):
        """A class whose handlers note their names; `handlers` are called after that, or may replace it."""
        told = self.told.setdefault(name, [])
        world = self

        def noting(event, default=None):
            def handler(channel, *args):
                told.append(event)
                action = handlers.get(event, default)
                if action is not None:
                    action(channel, *args)

            return handler

        def error(channel):
            told.append(sys.exc_info()[0].__name__)
            channel.close()

        def accepted(channel, sock, address):
            world.served.append(world.server_kind(sock, map=world.library.map))

        methods = {
            "handle_read": noting("read", lambda channel: told.append(channel.recv(4096))),
            "handle_connect": noting("connect"),
            "handle_close": noting("close", lambda channel: channel.close()),
            "handle_expt": noting("expt"),
            "handle_accepted": noting("accepted", accepted),
            "handle_error": error,
            "writable": lambda channel: channel.connecting,
        }
        if base == "with_send":
            del methods["writable"]
        if "write" in handlers or "writable" in handlers:
            methods["handle_write"] = noting("write")
            methods["writable"] = handlers.get("writable", lambda channel: True)
        if "readable" in handlers:
            methods["readable"] = handlers["readable"]
        return type(name, (getattr(self.library, base),), methods)

    def listen(self):
        self.listener = self.kind("listener")(map=self.library.map)
        self.listener.create_socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(5)
        return self.listener.socket.getsockname()

    def connect(self, kind, address):
        client = kind(map=self.library.map)
        client.create_socket()
        client.connect(address)
        return client

    def until(self, condition):
        for _ in range(PASSES_MAX):
            if condition():
                return
            self.library.once()
        raise AssertionError(f"not reached: {self.told}")

    def settle(self):
        """A few passes in which nothing more should be told."""
        for _ in range(3):
            self.library.once()

    def pair(self, client_kind, server_kind):
        self.server_kind = server_kind
        address = self.listen()
        client = self.connect(client_kind, address)
        self.until(lambda: client.connected and self.served)
        return client, self.served[0]


# --- programs: each leaves in `world.told` who was told what ---------------------------------------


def talk(world):
    client, served = world.pair(world.kind("client"), world.kind("server"))
    client.send(b"hello")
    world.until(lambda: b"hello" in world.told["server"])
    served.send(b"answer")
    world.until(lambda: b"answer" in world.told["client"])
    client.close()
    world.until(lambda: "close" in world.told["server"])
    world.settle()


def half_close(world):
    def goodbye(channel):
        channel.send(b"goodbye")
        channel.close()

    client, _ = world.pair(world.kind("client"), world.kind("server", close=goodbye))

    client.socket.shutdown(socket.SHUT_WR)
    world.until(lambda: "close" in world.told["client"])
    world.settle()


def write(world):
    def count(channel):
        channel.left -= 1

    kind = world.kind("client", write=count, writable=lambda channel: channel.left > 0)
    kind.left = 3
    client, _ = world.pair(kind, world.kind("server"))
    world.until(lambda: client.left == 0)
    world.settle()


def reset(world):
    client, _ = world.pair(world.kind("client"), world.kind("server"))
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    world.until(lambda: "close" in world.told["server"])
    world.settle()


def refused(world):
    probe = socket.socket()
    probe.bind(("127.0.0.1", 0))
    address = probe.getsockname()
    probe.close()
    world.connect(world.kind("client"), address)
    world.until(lambda: world.told["client"])
    world.settle()


def handler_fails(world):
    def fail(channel):
        raise ZeroDivisionError

    client, _ = world.pair(world.kind("client"), world.kind("server", read=fail))
    client.send(b"x")
    world.until(lambda: "ZeroDivisionError" in world.told["server"])
    world.until(lambda: "close" in world.told["client"])
    world.settle()


def connect_handler_fails(world):
    def fail(channel):
        raise ZeroDivisionError

    world.server_kind = world.kind("server")
    world.connect(world.kind("client", connect=fail), world.listen())
    world.until(lambda: "ZeroDivisionError" in world.told["client"])
    world.until(lambda: world.told["server"])
    world.settle()


def exit_now(world):
    def leave(channel):
        channel.recv(10)
        raise world.library.ExitNow

    client, _ = world.pair(world.kind("client"), world.kind("server", read=leave))
    client.send(b"x")
    with pytest.raises(world.library.ExitNow):
        world.until(lambda: False)


def small_reads(world):
    def sip(channel):
        world.told["server"].append(channel.recv(2))

    client, _ = world.pair(world.kind("client"), world.kind("server", read=sip))
    client.send(b"abcde")
    world.until(lambda: b"e" in world.told["server"])
    world.settle()


def closes_itself_while_reading(world):
    client, _ = world.pair(world.kind("client"), world.kind("server", read=lambda channel: channel.close()))
    client.send(b"x")
    world.until(lambda: "close" in world.told["client"])
    world.settle()


def not_readable(world):
    kind = world.kind("server", readable=lambda channel: channel.open)
    kind.open = False
    client, served = world.pair(world.kind("client"), kind)
    client.send(b"x")
    world.settle()
    world.told["server"].append("opened")
    served.open = True
    world.until(lambda: b"x" in world.told["server"])
    world.settle()


def out_of_band(world):
    def urgent(channel):
        world.told["server"].append(channel.socket.recv(1, socket.MSG_OOB))

    client, _ = world.pair(world.kind("client"), world.kind("server", expt=urgent))
    client.socket.send(b"!", socket.MSG_OOB)
    world.until(lambda: b"!" in world.told["server"])
    client.send(b"after")
    world.until(lambda: b"after" in world.told["server"])


def large_payload(world):
    """How often somebody is told depends on the kernel: what arrives does not."""
    payload = bytes(range(256)) * 2048
    received = bytearray()

    def take(channel):
        received.extend(channel.recv(65536))

    client, _ = world.pair(world.kind("client", "with_send"), world.kind("server", read=take))
    client.send(payload)
    world.until(lambda: len(received) == len(payload))
    world.told = {"server": [bytes(received) == payload], "client": [client.out_buffer]}


def several_clients(world):
    world.server_kind = world.kind("server")
    address = world.listen()
    clients = [world.connect(world.kind(f"client {number}"), address) for number in range(3)]
    world.until(lambda: all(client.connected for client in clients) and len(world.served) == 3)
    for number, client in enumerate(clients):
        client.send(b"%d" % number)
        world.until(lambda number=number: b"%d" % number in world.told["server"])
    for client in clients:
        client.close()
    world.until(lambda: world.told["server"].count("close") == 3)
    world.settle()


PROGRAMS = (
    talk,
    half_close,
    write,
    reset,
    refused,
    handler_fails,
    connect_handler_fails,
    exit_now,
    small_reads,
    closes_itself_while_reading,
    not_readable,
    out_of_band,
    large_payload,
    several_clients,
)


def run(library, program, use_poll):
    with library(use_poll) as made:
        world = World(made)
        program(world)
        return world.told


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_handlers_are_told_what_asyncore_tells_them_by_select(program):
    assert run(Simnet, program, use_poll=False) == run(Asyncore, program, use_poll=False)


ENDED_BY_HUP = (half_close, reset, handler_fails, closes_itself_while_reading)


def without_the_end(told):
    """What was told, without how often the end was: see "hup by poll"."""
    return {
        name: [event for event in events if event not in ("read", "close", b"")]
        for name, events in told.items()
    }


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_handlers_are_told_what_asyncore_tells_them_by_poll(program):
    ours, theirs = (run(library, program, use_poll=True) for library in (Simnet, Asyncore))
    if program in ENDED_BY_HUP:
        ours, theirs = without_the_end(ours), without_the_end(theirs)
    assert ours == theirs


# --- the differences -----------------------------------------------------------------------------


def both(program, use_poll=False):
    return run(Simnet, program, use_poll), run(Asyncore, program, use_poll)


def test_difference_writable():
    with Simnet(False) as ours, Asyncore(False) as theirs:
        assert not ours.dispatcher().writable()
        assert theirs.dispatcher(map={}).writable()


def test_difference_hup_by_poll():
    ours, theirs = both(closes_itself_while_reading, use_poll=True)
    assert ours["client"].count("close") == 1
    assert theirs["client"].count("close") == 2


def test_difference_disconnected_by_select():
    def lost(world):
        def lose(channel):
            raise ConnectionResetError(errno.ECONNRESET, "lost")

        client, _ = world.pair(world.kind("client"), world.kind("server", read=lose))
        client.send(b"x")
        world.until(lambda: len(world.told["server"]) == 2)

    ours, theirs = both(lost)
    assert ours["server"] == ["read", "close"]
    assert theirs["server"] == ["read", "ConnectionResetError"]
    assert run(Asyncore, lost, use_poll=True) == ours


@pytest.mark.parametrize(("library", "printed"), [(Simnet, 0), (Asyncore, 1)])
def test_difference_refused(library, printed, capsys):
    with library(False) as made:
        probe = socket.socket()
        probe.bind(("127.0.0.1", 0))
        channel = made.dispatcher(map=made.map)
        channel.create_socket()
        channel.connect(probe.getsockname())
        for _ in range(PASSES_MAX):
            if made.map:
                made.once()
        probe.close()
    assert capsys.readouterr().out.count("uncaptured python exception") == printed


def test_difference_eagain():
    def greedy(world):
        def take_all(channel):
            while True:
                world.told["server"].append(channel.recv(2))

        client, _ = world.pair(world.kind("client"), world.kind("server", read=take_all))
        client.send(b"abcd")
        world.until(lambda: b"cd" in world.told["server"])
        world.settle()

    ours, theirs = both(greedy)
    assert ours["server"] == ["read", b"ab", b"cd"]
    assert theirs["server"] == ["read", b"ab", b"cd", "BlockingIOError"]


def test_difference_closed_when_connected():
    def fickle(world):
        world.server_kind = world.kind("server")
        kind = world.kind("client", connect=lambda channel: channel.close(), write=None)
        world.connect(kind, world.listen())
        world.until(lambda: "close" in world.told["server"])

    ours, theirs = both(fickle)
    assert ours["client"] == ["connect"]
    assert theirs["client"] == ["connect", "write"]


def test_difference_order():
    def two_ready_channels(world):
        def number(event):
            return lambda channel: world.order.append((event, world.served.index(channel)))

        def read(channel):
            channel.recv(10)
            number("read")(channel)

        def write(channel):
            number("write")(channel)
            channel.wants = False

        kind = world.kind("server", read=read, write=write, writable=lambda channel: channel.wants)
        kind.wants = False
        world.order, world.server_kind = [], kind
        address = world.listen()
        clients = [world.connect(world.kind("client"), address) for _ in range(2)]
        world.until(lambda: all(client.connected for client in clients) and len(world.served) == 2)
        for client in clients:
            client.send(b"x")
        for channel in world.served:
            channel.wants = True
            assert select.select([channel.socket], [], [], 5)[0]
        world.until(lambda: len(world.order) == 4)
        world.told = world.order

    ours, theirs = both(two_ready_channels)
    assert ours == [("read", 0), ("write", 0), ("read", 1), ("write", 1)]
    assert theirs == [("read", 0), ("read", 1), ("write", 0), ("write", 1)]


def test_every_difference_is_shown():
    shown = {name.removeprefix("test_difference_").replace("_", " ") for name in globals()}
    assert DIFFERENCES.keys() <= shown
