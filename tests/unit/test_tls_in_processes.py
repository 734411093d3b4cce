"""TLS for blocking code: `ssl.SSLSocket` over a virtual socket says what it says over one of this computer.

Each body is run twice, as it stands: on this computer, and as a process of a virtual host.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import struct
import tempfile

import pytest

from simnet import Network
from tests.unit.tls_channels import HOSTNAME, authority, client_context, server_context

LIMIT_SECONDS = 10
RST_ON_CLOSE = struct.pack("ii", 1, 0)
BODIES = []


def body(function):
    BODIES.append(function)
    return function


def said(call, *args, **kwargs):
    """What a call returns, or the kind of its exception and what it says, but for lines of _ssl.c."""
    try:
        return call(*args, **kwargs)
    except Exception as error:
        text = re.sub(r"_ssl\.c:\d+: |_ssl\.c: | ?\(_ssl\.c:\d+\)", "", str(error))
        return type(error).__name__, getattr(error, "errno", None), text


def plain_pair():
    """The two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        server, _ = listening.accept()
    return client, server


def wait_for(sock, writing=False):
    if writing:
        assert select.select([], [sock], [], LIMIT_SECONDS)[1]
    else:
        assert select.select([sock], [], [], LIMIT_SECONDS)[0]


def is_readable(sock):
    return bool(select.select([sock], [], [], 0)[0])


def unshaken(of_client=None, of_server=None, **options):
    """Both ends with TLS and no handshake yet."""
    client, server = plain_pair()
    client.setblocking(False)
    server.setblocking(False)
    settings = {"do_handshake_on_connect": False, **options}
    return (
        (of_client or client_context()).wrap_socket(client, server_hostname=HOSTNAME, **settings),
        (of_server or server_context()).wrap_socket(server, server_side=True, **settings),
    )


def step(sock):
    """Go on with a handshake, as far as that goes."""
    try:
        sock.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def shake(client, server):
    done = {client: False, server: False}
    while not all(done.values()):
        for sock, other in ((client, server), (server, client)):
            done[sock] = done[sock] or step(sock)
            if not done[other]:
                wait_for(other)


def pair(of_client=None, of_server=None, **options):
    """Both ends of a connection with TLS, that wait in their calls."""
    client, server = unshaken(of_client, of_server, **options)
    shake(client, server)
    for sock in (client, server):
        sock.settimeout(LIMIT_SECONDS)
    return client, server


# --- bodies ------------------------------------------------------------------------------------------


@body
def what_it_is():
    of_client, of_server = client_context(), server_context()
    of_client.set_alpn_protocols(["h2", "http/1.1"])
    of_server.set_alpn_protocols(["http/1.1"])
    client, server = pair(of_client, of_server)
    with client, server:
        for sock in (client, server):
            yield isinstance(sock, ssl.SSLSocket), isinstance(sock, socket.socket), type(sock).__name__
            yield sock.version(), sock.cipher(), sock.compression(), sock.pending()
            yield sock.selected_alpn_protocol(), sock.session_reused
            yield sock.server_side, sock.server_hostname, sock.gettimeout()
            yield sock.do_handshake_on_connect, sock.suppress_ragged_eofs
            yield said(sock.get_channel_binding, "tls-none"), type(sock.get_channel_binding())
            yield sock.family, sock.type, sock.fileno() >= 0
            yield sorted(sock.getpeercert() or ())
        yield client.context is of_client, server.context is of_server
        yield client.getpeercert(True) == authority() or len(client.getpeercert(True)) > 100
        yield server.getpeercert(), server.getpeercert(True), len(server.shared_ciphers()) > 0
        yield client.get_channel_binding() == server.get_channel_binding()


@body
def what_is_refused():
    client, server = pair()
    with client, server:
        yield said(client.send, b"a", 1), said(client.sendall, b"a", 1), said(client.recv, 1, 1)
        yield said(client.recv_into, bytearray(1), 1, 1), said(client.sendto, b"a", ("127.0.0.1", 1))
        for call in (client.recvfrom, client.recvmsg):
            yield said(call, 1)[0]
        yield said(client.recvfrom_into, bytearray(1))[0], said(client.recvmsg_into, [bytearray(1)])[0]
        yield said(client.sendmsg, [b"a"])[0], said(client.dup)[0]
        yield said(client.recv, -1), said(client.recv, 0), said(client.read, 0), said(client.send, "a")
        yield said(client.connect, ("127.0.0.1", 1)), said(server.connect, ("127.0.0.1", 1))
        yield said(ssl.SSLSocket)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        yield said(client_context().wrap_socket, datagrams, server_hostname=HOSTNAME)
    one, other = plain_pair()
    with one, other:
        one.setblocking(False)
        yield said(client_context().wrap_socket, one, server_hostname=HOSTNAME)
        yield said(client_context().wrap_socket, other)


@body
def data_of_every_shape():
    client, server = pair()
    with client, server:
        yield (
            client.send(b"abc"),
            client.write(b"def"),
            client.sendall(b"ghi"),
            client.sendall(bytearray(b"j")),
        )
        yield server.recv(2), server.pending(), is_readable(server)
        yield server.read(9), server.recv(1000), server.recv()
        buffer = bytearray(8)
        yield said(server.recv_into, buffer) if is_readable(server) else b"", bytes(buffer)
        yield client.send(memoryview(b"0123456789")[2:]), server.recv_into(buffer, 3), bytes(buffer)
        with memoryview(buffer) as view:
            yield server.recv_into(view[4:]), bytes(buffer), server.pending()
        yield server.recv(100), client.send(b"")
        with tempfile.TemporaryFile() as file:
            file.write(b"from a file")
            file.seek(0)
            yield client.sendfile(file), server.recv(100)
        with client.makefile("rwb") as lines, server.makefile("r") as answers:
            lines.write(b"one line\nand another\n")
            lines.flush()
            yield answers.readline(), answers.readline()


@body
def what_select_knows():
    client, server = pair()
    with client, server:
        for piece in (b"first", b"second", b"third"):
            client.send(piece)
        wait_for(server)
        yield server.recv(1), server.pending(), is_readable(server)
        yield server.recv(100), server.pending(), is_readable(server)
        yield server.recv(100), server.recv(2), server.pending(), is_readable(server)
        yield server.recv(100), server.pending(), is_readable(server)


@body
def nothing_waits():
    client, server = unshaken()
    with client, server:
        yield (
            said(client.do_handshake),
            said(client.do_handshake),
            said(client.recv, 1),
            said(client.send, b"a"),
        )
        wait_for(server)
        yield said(server.do_handshake), said(client.pending), client.version(), client.cipher()
        shake(client, server)
        yield said(client.recv, 1), said(server.read, 1), said(client.recv_into, bytearray(2))
        data = bytes(range(256)) * 40_000
        yield said(client.send, data), said(client.send, data)
        received, sent = bytearray(), False
        while len(received) < len(data):
            wait_for(server)
            try:
                while True:
                    received += server.recv(65_536)
            except ssl.SSLWantReadError:
                pass
            sent = sent or said(client.send, data)
            sent = sent if isinstance(sent, int) else False
        yield sent, received == data, said(server.recv, 1)


@body
def less_than_was_tried_before():
    client, server = pair()
    with client, server:
        client.setblocking(False)
        yield said(client.send, bytes(10_000_000)), said(client.send, b"less")


@body
def both_say_goodbye():
    client, server = pair()
    with client, server:
        client.send(b"last words")
        client.settimeout(0)
        yield said(client.unwrap), said(client.send, b"more")
        yield server.recv(100), server.recv(100), server.recv(100)
        plain = server.unwrap()
        yield plain is server, said(server.unwrap)[0]
        plain.sendall(b"in plain")
        client.settimeout(LIMIT_SECONDS)
        yield client.unwrap() is client, client.recv(100)
        yield client.version(), client.cipher(), client.pending(), said(client.read), said(client.write, b"a")
        yield client.send(b"plain too"), server.recv(100)


def _ends_without_a_word(suppress):
    client, server = pair(suppress_ragged_eofs=suppress)
    with client:
        with server:
            server.send(b"half a")
        yield (
            client.recv(100),
            said(client.recv, 1),
            said(client.recv, 1),
            said(client.recv_into, bytearray(9)),
        )
        yield said(client.unwrap)


@body
def an_end_without_a_word_that_is_suppressed():
    return _ends_without_a_word(True)


@body
def an_end_without_a_word():
    return _ends_without_a_word(False)


@body
def a_reset():
    client, server = pair()
    with client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
        server.close()
        wait_for(client)
        yield said(client.recv, 1), said(client.recv, 1)


@body
def a_reset_before_it_is_sent():
    client, server = pair()
    with client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
        server.close()
        wait_for(client)
        yield said(client.send, b"a"), said(client.send, b"a"), said(client.recv, 1)


@body
def a_handshake_that_is_cut():
    for linger in (RST_ON_CLOSE, None):
        for bytes_said in (0, 3, 5, 40):
            one, other = plain_pair()
            with one, other:
                if linger:
                    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                other.sendall(b"\x16\x03\x03\x01\x00\x02\x00\x00\x4c\x03\x03".ljust(40, b"a")[:bytes_said])
                one.settimeout(LIMIT_SECONDS)
                wrapped = client_context().wrap_socket(
                    one, server_hostname=HOSTNAME, do_handshake_on_connect=False
                )
                with wrapped:
                    wrapped.settimeout(0)
                    yield said(wrapped.do_handshake)
                    wrapped.settimeout(LIMIT_SECONDS)
                    if linger or bytes_said:
                        other.recv(2000)
                    other.close()
                    yield said(wrapped.do_handshake), said(wrapped.do_handshake)


@body
def no_tls():
    for words in (
        b"GET / HTTP/1.0\r\n\r\n",
        b"220 mail.example\r\n",
        b"\x00" * 20,
        b"\x15\x03\x01\x00\x02\x02\x28",
    ):
        client, server = plain_pair()
        with server:
            server.sendall(words)
            yield said(client_context().wrap_socket, client, server_hostname=HOSTNAME)
        client, server = plain_pair()
        with client:
            client.sendall(words)
            yield said(server_context().wrap_socket, server, server_side=True)


@body
def a_certificate_that_is_not_trusted():
    client, server = unshaken(of_client=ssl.create_default_context())
    with client, server:
        yield step(client)
        wait_for(server)
        yield step(server)
        wait_for(client)
        failure = said(client.do_handshake)
        yield failure
        wait_for(server)
        yield said(server.do_handshake), said(server.do_handshake)


@body
def a_client_without_a_certificate():
    client, server = unshaken(of_server=server_context(verify_mode=ssl.CERT_REQUIRED))
    with client, server:
        yield step(client)
        wait_for(server)
        yield step(server)
        wait_for(client)
        yield said(client.do_handshake)
        wait_for(server)
        yield said(server.do_handshake)
        wait_for(client)
        yield said(client.recv, 1)


@body
def time_outs():
    client, server = unshaken()
    with client, server:
        client.settimeout(0.02)
        yield said(client.do_handshake), said(client.do_handshake), client.gettimeout()
        client.settimeout(0)
        server.settimeout(0)
        wait_for(server)
        shake(client, server)
        client.settimeout(0.02)
        yield said(client.recv, 1), said(client.recv_into, bytearray(2)), said(client.unwrap)
        client.settimeout(LIMIT_SECONDS)
        server.settimeout(0.02)
        yield server.recv(1), server.send(b"a")
        yield said(server.sendall, b"x" * 10_000_000), said(server.send, b"x")


@body
def nothing_is_left():
    client, server = pair()
    with server:
        client.close()
        yield said(client.recv, 1)[0], said(client.send, b"a")[0], said(client.read), said(client.write, b"a")
        yield client.version(), client.cipher(), client.pending(), client.fileno(), said(client.unwrap)[0]
        yield said(client.getpeercert)[0], said(client.do_handshake)[0], client.session
    client, server = pair()
    with client, server:
        yield client.shutdown(socket.SHUT_WR), said(client.read), client.version()
        yield said(server.recv, 10), said(client.unwrap)[0]
    client, server = pair()
    with server, socket.socket(fileno=client.detach()) as again:
        yield client.fileno(), again.getpeername() == server.getsockname()


@body
def one_that_listens():
    context = server_context()
    with socket.create_server(("127.0.0.1", 0)) as plain:
        listening = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        with listening, socket.socket() as raw:
            yield (
                plain.fileno(),
                isinstance(listening, ssl.SSLSocket),
                listening.version(),
                listening.pending(),
            )
            yield said(listening.do_handshake), said(listening.read), said(listening.getpeercert)
            client = client_context().wrap_socket(
                raw, server_hostname=HOSTNAME, do_handshake_on_connect=False
            )
            with client:
                yield client.version(), said(client.getpeercert), said(client.recv, 1)[0]
                yield client.connect(listening.getsockname()), said(client.connect, listening.getsockname())
                server, address = listening.accept()
                with server:
                    yield address == client.getsockname(), type(server).__name__, server.context is context
                    client.setblocking(False)
                    server.setblocking(False)
                    shake(client, server)
                    yield client.version(), server.version()
    with client_context().wrap_socket(socket.socket(), server_hostname=HOSTNAME) as refused:
        yield said(refused.connect_ex, ("127.0.0.1", 1)), said(refused.connect, ("127.0.0.1", 1))


@body
def versions_and_sessions():
    of_client, of_server = client_context(), server_context(num_tickets=2)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        of_client.maximum_version = version
        client, server = pair(of_client, of_server)
        with client, server:
            server.send(b"so that tickets are read")
            yield client.version(), client.recv(100), client.session_reused
            session = client.session
            yield type(session).__name__, session.has_ticket, said(setattr, client, "session", session)
        one, other = plain_pair()
        one.setblocking(False)
        other.setblocking(False)
        settings = {"do_handshake_on_connect": False}
        again = of_client.wrap_socket(one, server_hostname=HOSTNAME, session=session, **settings)
        server = of_server.wrap_socket(other, server_side=True, **settings)
        with again, server:
            shake(again, server)
            yield again.session_reused, server.session_reused


@body
def a_name_that_chooses_a_context():
    asked, other = [], server_context()
    of_server = server_context()

    def choose(sock, name, context):
        asked.append((type(sock).__name__, name, context is of_server))
        sock.context = other

    of_server.sni_callback = choose
    client, server = pair(of_server=of_server)
    with client, server:
        yield asked, server.context is other


@body
def a_class_of_its_own():
    class Counting(ssl.SSLSocket):
        count = 0

        def recv(self, *args):
            self.count += 1
            return super().recv(*args)

    of_client = client_context()
    of_client.sslsocket_class = Counting
    client, server = pair(of_client)
    with client, server:
        server.send(b"hello")
        yield isinstance(client, Counting), type(client).__name__, client.recv(100), client.count


# --- tests -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_it_says_what_it_says_on_this_computer(body):
    real = list(body())
    process = Network().host("host").spawn(lambda: list(body()))
    assert process.join()
    assert process.result == real
