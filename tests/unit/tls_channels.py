"""Channels that speak TLS and write down what they are told, and certificates for them: for tests of TLS."""

import ssl
from functools import cache
from types import MappingProxyType

import pytest

from simnet import dispatcher, dispatcher_with_send
from simnet.dispatchers.tls import tls_channel

trustme = pytest.importorskip("trustme", reason="the test extra is not installed: no certificates")
x509 = pytest.importorskip("cryptography.x509", reason="cryptography is not installed, which trustme needs")

HOSTNAME = "server.example"
SERIAL_BYTES = 20
"""How long trustme's serial numbers are in DER: 159 random bits and a sign."""


@cache
def authority():
    return trustme.CA(key_type=trustme.KeyType.RSA)


@cache
def certificate(serial_bytes=SERIAL_BYTES):
    """Its serial number is drawn, and one in 256 is a byte shorter than `SERIAL_BYTES`.

    That makes every server's first flight shorter, and with it each trace another one.
    """
    while True:
        issued = authority().issue_cert(HOSTNAME, key_type=trustme.KeyType.RSA)
        (leaf,) = issued.cert_chain_pems
        serial = x509.load_pem_x509_certificate(leaf.bytes()).serial_number
        if serial.bit_length() // 8 + 1 == serial_bytes:
            return issued


def server_context(**settings):
    """Without session tickets, unless `num_tickets` says so: who closes before it has read them resets."""
    settings = {"num_tickets": 0, **settings}
    return configured(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate().configure_cert, settings)


def client_context(**settings):
    return configured(ssl.create_default_context(), authority().configure_trust, settings)


def configured(context, configure, settings):
    configure(context)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


class Secured(tls_channel, dispatcher_with_send):
    """Writes down what it is told, and what it reads, `at_once` bytes at a time."""

    context = None
    options = MappingProxyType({})
    at_once = 65536

    def __init__(self, sock=None):
        self.told, self.received = [], b""
        super().__init__(sock)
        if sock is not None and self.context is not None:
            self.start_tls(self.context, server_side=True, **self.options)

    def handle_read(self):
        self.told.append("read")
        data = self.recv(self.at_once)
        self.received += data
        self.answer(data)

    def answer(self, data):
        pass

    def handle_connect(self):
        self.told.append("connect")

    def handle_handshake(self):
        self.told.append("handshake")

    def handle_tls_error(self, error):
        self.told.append(type(error))

    def handle_close(self):
        self.told.append("close")
        self.close()

    def events(self):
        """What it was told, but for reading."""
        return [what for what in self.told if what != "read"]


class Echoing(Secured):
    """Sends back what it reads."""

    def answer(self, data):
        if data:
            self.send(data)


class Door(dispatcher):
    """Makes a channel of `kind` of every connection."""

    def __init__(self, address, kind):
        super().__init__()
        self.kind, self.channels = kind, []
        self.create_socket()
        self.set_reuse_addr()
        self.bind(address)
        self.listen(5)

    def handle_accepted(self, sock, addr):
        self.channels.append(self.kind(sock))


def serve(stage, kind=Echoing, context=None, **attributes):
    """A listener whose channels speak TLS from the first byte on."""
    kind = type(kind.__name__, (kind,), {"context": context or server_context(), **attributes})
    with stage.server:
        return Door(stage.address, kind)


def call(stage, door, kind=Secured, context=None, **attributes):
    """A client that speaks TLS from the first byte on."""
    kind = type(kind.__name__, (kind,), attributes)
    with stage.client:
        client = kind()
        client.create_socket()
        client.start_tls(context or client_context(), server_hostname=HOSTNAME, **client.options)
        client.connect(stage.reach(door.socket))
    return client


def secured(stage, kind=Secured, server_kind=Echoing, **attributes):
    """A client and the channel that serves it, after the handshake of both."""
    door = serve(stage, server_kind)
    client = call(stage, door, kind, **attributes)
    stage.run(lambda: client.connected and door.channels and "handshake" in door.channels[0].told)
    return client, door.channels[0]
