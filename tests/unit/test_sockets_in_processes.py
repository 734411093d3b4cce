"""The socket class in a process, as programs use it: subclassed, by its methods, copied, and looked at."""

from __future__ import annotations

import _socket
import copy
import gc
import pickle
import socket
import ssl
import weakref

import pytest

from simnet import fence
from tests.unit.in_a_process import run


def test_methods_of_the_class_serve_its_objects(network, client):
    def use() -> object:
        left, right = socket.socketpair()
        with left, right:
            socket.socket.settimeout(right, 1)
            socket.socket.sendall(left, b"by the class")
            first = socket.socket.recv(right, 6)
            send, recv = _socket.socket.send, socket.SocketType.recv
            sent = send(left, b", and by what it is made of")
            rest = recv(right, 100)
            assert socket.socket.fileno(left) == left.fileno()
            assert socket.socket.getsockopt(left, socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
            socket.socket.close(left)
            with pytest.raises(OSError, match="Bad file descriptor"):
                left.send(b"x")
            return first, sent, rest, right.recv(1)

    assert run(network, client, use) == (b"by the", 27, b" class, and by what it is made of", b"")


def test_methods_of_the_class_serve_real_sockets_as_before(network, client):
    left, right = socket.socketpair()
    run(network, client, lambda: None)
    with left, right:
        assert socket.socket.send(left, b"real") == _socket.socket.send(left, b"real") == 4
        assert socket.socket.recv(right, 100) == b"realreal"
        assert socket.socket.detach(right) >= 0


def test_they_are_the_real_ones_when_the_fence_is_down(network, client):
    fence.take_down()
    before = {name: vars(_socket.socket)[name] for name in vars(_socket.socket)}
    run(network, client, lambda: None)
    assert vars(_socket.socket)["send"] is not before["send"]
    fence.take_down()
    assert dict(vars(_socket.socket)) == before
    assert socket.socket.send is _socket.socket.send


def test_base_classes_are_called_by_their_names(network, client):
    class Old(socket.socket):
        def __init__(self, *args: object, **kwargs: object) -> None:
            socket.socket.__init__(self, *args, **kwargs)
            self.log: list[str] = []

        def send(self, data, *flags):
            self.log.append("send")
            return socket.socket.send(self, data, *flags)

        def close(self):
            self.log.append("close")
            socket.socket.close(self)

    def use() -> object:
        sock = Old(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(("127.0.0.1", 7))
        sock.send(b"x")
        sock.close()
        return sock.log, sock.fileno()

    assert run(network, client, use) == (["send", "close"], -1)


class Slotted(socket.socket):
    __slots__ = ("name", "sent_bytes")

    def __new__(cls, name: str, *args: object) -> Slotted:
        made = super().__new__(cls)
        made.sent_bytes = 0
        return made

    def __init__(self, name: str, *args: object) -> None:
        super().__init__(*args)
        self.name = name

    def send(self, data, *flags):
        sent = super().send(data, *flags)
        self.sent_bytes += sent
        return sent


class Doubly(Slotted):
    __slots__ = ("other",)


@pytest.mark.parametrize("cls", [Slotted, Doubly])
def test_a_subclass_may_have_slots_and_a_new_of_its_own(network, client, cls):
    def use() -> object:
        with cls("mine", socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("", 9))
            sock.connect(("127.0.0.1", 9))
            sock.send(b"four")
            with pytest.raises(AttributeError):
                sock.something_else = 1
            return sock.name, sock.sent_bytes, sock.recv(100), type(sock).__name__, type(sock).__qualname__

    assert run(network, client, use) == ("mine", 4, b"four", cls.__name__, cls.__qualname__)


def test_a_subclass_on_both_sides_of_a_process(network, client):
    with Slotted("real") as real:
        assert run(network, client, lambda: Slotted("virtual").name) == "virtual"
        assert type(real) is Slotted
    with Slotted("real again") as again:
        assert type(again) is Slotted


def test_objects_of_descriptors(network, client):
    def use() -> object:
        left, right = socket.socketpair()
        again = socket.socket(fileno=left.detach())
        third = socket.fromfd(again.fileno(), again.family, again.type)
        fourth = third.dup()
        fourth.settimeout(2)
        fifth = fourth.dup()
        found = [left.fileno(), again.family, third.type, fifth.gettimeout(), len(client.descriptors.items())]
        assert (again.family.name, again.type.name) == ("AF_UNIX", "SOCK_STREAM")
        for sock in (again, third, fourth):
            sock.close()
        fifth.send(b"still open")
        fifth.close()
        with right:
            found += [right.recv(100), right.recv(100)]
        with pytest.raises(OSError, match="Bad file descriptor"):
            socket.socket(fileno=again.detach() if again.fileno() >= 0 else 9_999)
        return found

    expected = [-1, socket.AF_UNIX, socket.SOCK_STREAM, 2.0, 5, b"still open", b""]
    assert run(network, client, use) == expected


def test_what_programs_ask_of_an_object(network, client):
    def use() -> object:
        with socket.socket() as sock:
            reference = weakref.ref(sock)
            assert isinstance(sock, socket.socket)
            assert isinstance(sock, socket.SocketType)
            assert issubclass(type(sock), socket.socket)
            assert hash(sock) == hash(sock)
            assert type(sock).__name__ == "socket"
            assert (sock.type & socket.SOCK_STREAM, sock.proto) == (socket.SOCK_STREAM, 0)
            for copied in (copy.copy, pickle.dumps):
                with pytest.raises(TypeError, match="cannot pickle 'socket' object"):
                    copied(sock)
            text = repr(sock)
        assert reference() is sock
        del sock
        return text, reference()

    assert run(network, client, use) == (
        "<socket.socket fd=2000000003, family=2, type=1, proto=0, laddr=('0.0.0.0', 0)>",
        None,
    )


def test_tls_sockets_are_sockets_too(network, client):
    def use() -> object:
        context = ssl.create_default_context()
        left, right = socket.socketpair()
        with right, context.wrap_socket(left, server_hostname="x", do_handshake_on_connect=False) as sock:
            return isinstance(sock, ssl.SSLSocket), isinstance(sock, socket.socket), type(sock).__name__

    assert run(network, client, use) == (True, True, "SSLSocket")


def test_a_closed_socket_is_collected_with_all_that_it_held(network, client):
    def use() -> object:
        sock = socket.socket()
        file = sock.makefile("rb")
        sock.close()
        open_still = sock.fileno() >= 0
        file.close()
        return open_still, sock.fileno()

    assert run(network, client, use) == (True, -1)
    gc.collect()
    assert client.descriptors.items() == []
