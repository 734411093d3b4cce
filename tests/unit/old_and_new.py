"""The same handlers on asyncore's classes and on the native ones, for tests of what sets them apart."""

import resource
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import simnet
from simnet import asynchat, asyncore, dispatcher
from simnet.loop import loop_for
from simnet.stage import VirtualStage

OLD = SimpleNamespace(
    dispatcher=asyncore.dispatcher,
    dispatcher_with_send=asyncore.dispatcher_with_send,
    async_chat=asynchat.async_chat,
    loop=asyncore.loop,
)
NEW = SimpleNamespace(
    dispatcher=simnet.dispatcher,
    dispatcher_with_send=simnet.dispatcher_with_send,
    async_chat=simnet.async_chat,
    loop=simnet.loop,
)


class Notes:
    """Mixed in before a dispatcher: writes down what it is told, and reads what comes.

    Its `handle_error` does as asyncore's, but prints nothing and ends no virtual run.
    """

    def __init__(self, *args):
        self.told, self.received = [], b""
        super().__init__(*args)

    def handle_connect(self):
        self.told.append("connect")

    def handle_read(self):
        self.told.append("read")
        self.received += self.recv(4096)

    def handle_close(self):
        self.told.append("close")
        self.close()

    def handle_error(self):
        self.told.append(type(sys.exc_info()[1]).__name__)
        self.handle_close()


class Quiet(Notes):
    """Wants to write only while it connects, whatever its dispatcher says by default."""

    def writable(self):
        return self.connecting


class Client(Quiet, dispatcher):
    """The peer of whoever is tested."""


def listener_of(names, kind, **attributes):
    """A class of listeners on these classes; they make a channel of `kind` of every connection."""

    class Listener(Quiet, names.dispatcher):
        def __init__(self, address):
            super().__init__()
            self.channels = []
            self.create_socket()
            self.bind(address)
            self.listen(5)

        def handle_accepted(self, sock, addr):
            self.channels.append(kind(sock))

    for name, value in attributes.items():
        setattr(Listener, name, value)
    return Listener


def listen(stage, names, kind, **attributes):
    with stage.server:
        return listener_of(names, kind, **attributes)(stage.address)


def call(stage, listener, kind=Client):
    """A channel of `kind` on its way from the client's machine to a listener."""
    with stage.client:
        client = kind()
        client.create_socket()
        client.connect(stage.reach(listener.socket))
    return client


def served_by(stage, names, kind):
    """A channel of `kind` on the server's machine, and its peer."""
    listener = listen(stage, names, kind)
    client = call(stage, listener)
    stage.run(lambda: listener.channels and client.connected)
    return listener.channels[0], client


def pass_time(stage, delay="20ms"):
    """Let time pass, in which whatever is on its way arrives."""
    passed = []
    loop_for(stage.server).call_later(delay, passed.append, True)
    stage.run(lambda: passed)


def make_passes(machine, names, until, use_poll=False):
    """Passes of the loop of these classes, 50 at most."""
    with machine:
        for _ in range(50):
            if until():
                return
            names.loop(timeout=0.01, use_poll=use_poll, count=1)


@contextmanager
def no_descriptor_left(stage):
    """The server's machine has as many descriptors as it may have."""
    sock = stage.server.modules.socket.socket()
    lowest_free = sock.fileno()
    sock.close()
    if isinstance(stage, VirtualStage):
        before, stage.server.descriptors_max = stage.server.descriptors_max, lowest_free
        yield
        stage.server.descriptors_max = before
    else:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
