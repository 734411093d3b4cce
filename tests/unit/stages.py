"""Every kind of stage by name, and a handler that writes down what it is told: for tests that run on both
transports."""

import socket
import struct
from collections.abc import Callable
from functools import partial

import pytest

from simnet import dispatcher
from simnet.real.pollers import KINDS as REAL_POLLERS
from simnet.stage import RealStage, Stage, VirtualStage

ABORTIVE = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

STAGES: dict[str, Callable[[], Stage]] = {
    "virtual": VirtualStage,
    **{f"real-{kind}": partial(RealStage, kind) for kind in REAL_POLLERS},
}

everywhere = pytest.mark.parametrize("stage", STAGES, indirect=True)
on_this_computer = pytest.mark.parametrize(
    "stage", [name for name in STAGES if name != "virtual"], indirect=True
)


class Told(dispatcher):
    """Writes down the names of the handlers that are called, and what it reads; answers nothing."""

    def __init__(self, *args, **kwargs):
        self.told, self.received = [], b""
        super().__init__(*args, **kwargs)

    def handle_read(self):
        self.told.append("read")
        self.received += self.recv(65536)

    def handle_connect(self):
        self.told.append("connect")

    def handle_close(self):
        self.told.append("close")
        self.close()

    def handle_expt(self):
        self.told.append("expt")


class Listener(Told):
    """Makes a channel of `kind` of every connection, and keeps it in `channels`."""

    def __init__(self, address, kind=Told):
        super().__init__()
        self.kind, self.channels = kind, []
        self.create_socket()
        self.set_reuse_addr()
        self.bind(address)
        self.listen(5)

    def handle_accepted(self, sock, addr):
        self.told.append("accepted")
        self.channels.append(self.kind(sock))


def listen(stage, kind=Told):
    with stage.server:
        return Listener(stage.address, kind)


def connect(stage, listener, kind=Told):
    """A client of `kind` on its way to a listener."""
    with stage.client:
        client = kind()
        client.create_socket()
        client.connect(stage.reach(listener.socket))
    return client


def connected(stage, client_kind=Told, server_kind=Told):
    """A client and the channel that serves it, both told that they are connected."""
    listener = listen(stage, server_kind)
    client = connect(stage, listener, client_kind)
    stage.run(lambda: listener.channels and client.connected)
    return client, listener.channels[0]


def reset(channel):
    """Close a channel so that its peer is told by RST."""
    channel.socket.setsockopt(*ABORTIVE)
    channel.close()


def reset_socket(sock):
    """The same with a bare socket."""
    sock.setsockopt(*ABORTIVE)
    sock.close()
