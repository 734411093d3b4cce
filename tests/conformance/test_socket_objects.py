"""What the socket module itself does with sockets: attributes, helpers, files that are sent."""

from __future__ import annotations

import io
import pickle
import socket as std
import warnings

import pytest

from simnet.transport import IN, OUT

from .machine import Machine, outcome
from .sockets import STREAMS, connected, pair, udp


def test_a_socket_is_tcp_over_ipv4_unless_said_otherwise(machine: Machine) -> None:
    """socket.socket: the default family, type and protocol."""
    with machine.modules.socket.socket() as sock:
        assert (sock.family, sock.type, sock.proto) == (std.AF_INET, std.SOCK_STREAM, 0)
        assert (type(sock.family), type(sock.type)) == (std.AddressFamily, std.SocketKind)


def test_numbers_are_shown_by_their_names(machine: Machine) -> None:
    """socket.family, socket.type: members of AddressFamily and SocketKind."""
    for family, kind in ((2, 1), (10, 2), (1, 5)):
        with machine.modules.socket.socket(family, kind) as sock:
            assert (sock.family, sock.type) == (family, kind)
            assert (type(sock.family), type(sock.type)) == (std.AddressFamily, std.SocketKind)


def test_a_kind_of_socket_is_three_ints(machine: Machine) -> None:
    """socket.socket, socket.socketpair: TypeError, OverflowError."""
    socket = machine.modules.socket
    for make in (socket.socket, socket.socketpair):
        for wrong in (("x",), (2.0,), (2, "x"), (2, 1.0), (2, 1, "x")):
            with pytest.raises(TypeError):
                make(*wrong)
        with pytest.raises(OverflowError):
            make(1 << 40)


def test_flags_of_the_type_are_no_part_of_it(machine: Machine) -> None:
    """socket.type: SOCK_NONBLOCK and SOCK_CLOEXEC are not shown."""
    kind = std.SOCK_DGRAM | std.SOCK_NONBLOCK | std.SOCK_CLOEXEC
    with machine.modules.socket.socket(std.AF_INET, kind) as sock:
        assert sock.type == std.SOCK_DGRAM
        assert sock.gettimeout() == 0.0


def test_a_socket_shows_its_descriptor_and_names(machine: Machine) -> None:
    """socket.__repr__."""
    sock = machine.open(std.AF_INET, std.SOCK_STREAM)
    sock.bind((machine.address, 0))
    text = repr(sock)
    assert f"fd={sock.fileno()}" in text
    assert f"laddr={sock.getsockname()!r}" in text
    assert "raddr" not in text
    sock.close()
    assert "[closed]" in repr(sock)


def test_a_connected_socket_shows_its_peer(machine: Machine) -> None:
    """socket.__repr__."""
    sock = machine.open(std.AF_INET, std.SOCK_DGRAM)
    sock.connect(udp(machine).getsockname())
    assert f"raddr={sock.getpeername()!r}" in repr(sock)


def test_sockets_cannot_be_pickled(machine: Machine) -> None:
    """socket.__getstate__: TypeError."""
    sock = machine.socket()
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(sock)


def test_socketpair_is_of_af_unix_and_blocks(machine: Machine) -> None:
    """socket.socketpair: AF_UNIX where it is defined; SOCK_STREAM."""
    one, other = machine.modules.socket.socketpair()
    for sock in (one, other):
        assert (sock.family, sock.type) == (std.AF_UNIX, std.SOCK_STREAM)
        assert sock.getblocking()
        machine.keep(sock)
    one.send(b"x")
    assert other.recv(1) == b"x"


def test_socketpair_of_the_internet_is_not_supported(machine: Machine) -> None:
    """socketpair(2), EOPNOTSUPP: the specified protocol does not support creation of socket pairs."""
    for kind in (std.SOCK_STREAM, std.SOCK_DGRAM):
        assert outcome(machine.modules.socket.socketpair, std.AF_INET, kind) == "ENOTSUP"


def test_fromfd_duplicates(machine: Machine) -> None:
    """socket.fromfd: the descriptor is duplicated; family and type are those given."""
    one, other = machine.pair()
    copy = machine.keep(machine.modules.socket.fromfd(one.fileno(), std.AF_INET, std.SOCK_STREAM))
    assert copy.fileno() != one.fileno()
    one.close()
    assert copy.send(b"x") == 1
    machine.wait_for(other, IN | OUT)


def test_socket_close_closes_a_number(machine: Machine) -> None:
    """socket.close: of a descriptor; what os.close() does elsewhere."""
    socket = machine.modules.socket
    number = machine.socket().detach()
    assert socket.close(number) is None
    assert outcome(socket.close, number) == "EBADF"


def test_socket_dup_gives_a_number(machine: Machine) -> None:
    """The socket module: dup(fd)."""
    sock = machine.socket()
    number = machine.modules.socket.dup(sock.fileno())
    assert number != sock.fileno()
    again = machine.keep(machine.modules.socket.socket(fileno=number))
    assert again.family == sock.family


def test_create_connection_binds_to_the_source_address(machine: Machine) -> None:
    """socket.create_connection: source_address."""
    socket, listener = machine.modules.socket, machine.listener()
    source = (machine.address, 0)
    sock = machine.keep(socket.create_connection(listener.getsockname(), 30, source_address=source))
    assert sock.getsockname()[0] == machine.address
    assert sock.getpeername() == listener.getsockname()


def test_create_server_listens_with_reuse_of_its_address(machine: Machine) -> None:
    """socket.create_server: SO_REUSEADDR on POSIX; the second server gets EADDRINUSE and says where."""
    socket = machine.modules.socket
    server = machine.keep(socket.create_server((machine.address, 0), backlog=3))
    assert server.getsockopt(std.SOL_SOCKET, std.SO_ACCEPTCONN) == 1
    with pytest.raises(OSError, match="while attempting to bind on address"):
        socket.create_server(server.getsockname())


def test_create_server_of_ipv6_is_for_ipv6_only_unless_dualstack(machine: Machine) -> None:
    """socket.create_server: IPV6_V6ONLY is set for AF_INET6, and cleared with dualstack_ipv6."""
    machine.needs_ipv6()
    socket = machine.modules.socket
    assert socket.has_dualstack_ipv6()
    for dualstack in (False, True):
        server = machine.keep(socket.create_server(("", 0), family=std.AF_INET6, dualstack_ipv6=dualstack))
        assert server.getsockopt(std.IPPROTO_IPV6, std.IPV6_V6ONLY) == int(not dualstack)


@STREAMS
def test_sendfile_sends_a_file_from_where_it_stands(machine: Machine, stream: str) -> None:
    """socket.sendfile: returns the number of bytes, and moves the position of the file."""
    one, other = connected(machine, stream)
    one.settimeout(30)
    file = io.BytesIO(b"0123456789")
    assert one.sendfile(file, offset=2, count=5) == 5
    assert file.tell() == 7
    assert one.sendfile(file) == 3
    other.settimeout(30)
    assert other.recv(8, std.MSG_WAITALL) == b"23456789"


def test_sendfile_is_for_blocking_streams(machine: Machine) -> None:
    """socket.sendfile: ValueError for a non-blocking socket and for datagrams."""
    one, _ = pair(machine)
    with pytest.raises(ValueError, match="non-blocking sockets are not supported"):
        one.sendfile(io.BytesIO(b"x"))
    datagram = udp(machine)
    datagram.settimeout(30)
    with pytest.raises(ValueError, match="SOCK_STREAM"):
        datagram.sendfile(io.BytesIO(b"x"))


def test_errors_of_the_module_are_those_of_the_language(machine: Machine) -> None:
    """The socket module: error is OSError, timeout is TimeoutError; herror and gaierror are OSErrors."""
    socket = machine.modules.socket
    assert socket.error is OSError
    assert socket.timeout is TimeoutError
    assert issubclass(socket.gaierror, OSError)
    assert issubclass(socket.herror, OSError)


def test_sockets_that_are_forgotten_are_closed(machine: Machine) -> None:
    """socket.socket: with the last reference the descriptor goes; CPython warns of it (ResourceWarning)."""
    sock = machine.modules.socket.socket()
    number = sock.fileno()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del sock
    replacement = machine.socket()
    assert replacement.fileno() == number


def test_constants_of_the_module_are_those_of_the_system(machine: Machine) -> None:
    """The socket module: constants are numbers, whoever answers the calls."""
    socket = machine.modules.socket
    for name in ("AF_INET", "AF_INET6", "AF_UNIX", "SOCK_STREAM", "SOCK_DGRAM", "SOL_SOCKET", "SO_REUSEADDR"):
        assert getattr(socket, name) == getattr(std, name)
    assert socket.SOMAXCONN == std.SOMAXCONN
    assert socket.has_ipv6
    with pytest.raises(AttributeError):
        _ = socket.no_such_name


def test_arguments_are_read_before_the_descriptor_is_asked(machine: Machine) -> None:
    """getsockaddrarg and PyArg_Parse come first, on a closed socket too."""
    sock = machine.socket()
    sock.close()
    for call in (sock.bind, sock.connect, sock.connect_ex):
        for wrong in (None, "name", b"name", ("127.0.0.1",), ("127.0.0.1", "x")):
            with pytest.raises(TypeError):
                call(wrong)
        for port in (-1, 65536):
            with pytest.raises(OverflowError):
                call(("127.0.0.1", port))
    for backlog in (1 << 31, -(1 << 31) - 1):
        with pytest.raises(OverflowError):
            sock.listen(backlog)
    with pytest.raises(TypeError):
        sock.sendto(b"x", 0, None)
    with pytest.raises(TypeError, match="bytes-like"):
        sock.sendto("text", ("no such host", 1))
    for arguments in (("x", 1), (1, "x"), (1, 1.5), (1, 2, "x")):
        with pytest.raises(TypeError):
            sock.getsockopt(*arguments)
    assert outcome(sock.bind, ("127.0.0.1", 0)) == "EBADF"
