"""os and fcntl of a virtual host: descriptors, pipes, and requests to files.

What Linux does, too, is in tests/conformance.
"""

from __future__ import annotations

import array
import errno
import os as std_os
import stat
import struct
from typing import Any

import pytest

from simnet import Deadlock, Network
from simnet.virtual.kernel.file import FIONREAD
from simnet.virtual.modules.fcntl import FIOCLEX, FIONBIO, FIONCLEX


@pytest.fixture
def net() -> Network:
    return Network()


@pytest.fixture
def host(net: Network) -> Any:
    return net.host("machine")


@pytest.fixture
def os(host: Any) -> Any:
    return host.modules.os


@pytest.fixture
def fcntl(host: Any) -> Any:
    return host.modules.fcntl


def errno_of(call: Any, *arguments: Any) -> str:
    with pytest.raises(OSError, match=r".") as raised:
        call(*arguments)
    return errno.errorcode[raised.value.errno or 0]


# --- waiting -------------------------------------------------------------------------------------


def test_a_read_waits_while_time_passes(net: Network, os: Any) -> None:
    reader, writer = os.pipe()
    net.at("2s").call(lambda: os.write(writer, b"x"))
    assert (os.read(reader, 10), net.now) == (b"x", 2.0)


def test_a_write_waits_until_everything_is_written(net: Network, os: Any) -> None:
    reader, writer = os.pipe()
    for second in (1, 2):
        net.at(f"{second}s").call(lambda: os.read(reader, 65_536))
    assert os.write(writer, bytes(150_000)) == 150_000  # 65,536 now, after 1 s, and the rest after 2 s
    assert net.now == 2.0


def test_a_read_that_nobody_can_end_is_a_deadlock(os: Any) -> None:
    reader, _ = os.pipe()
    with pytest.raises(Deadlock, match=r"read\(\) waits(.|\n)*FIFO"):
        os.read(reader, 1)


def test_a_read_that_has_to_wait_inside_a_handler_is_named(net: Network, os: Any) -> None:
    reader, _ = os.pipe()
    net.at("1s").call(lambda: os.read(reader, 1))
    with pytest.raises(NotImplementedError, match=r"read\(\) that has to wait inside a handler"):
        net.run()


def test_o_nonblock_decides_and_not_the_time_out_of_a_socket(host: Any, os: Any) -> None:
    sock = host.modules.socket.create_server(("", 7))
    client = host.modules.socket.create_connection(("machine", 7))
    client.settimeout(5)  # which sets O_NONBLOCK, and waits in poll()
    assert errno_of(os.read, client.fileno(), 1) == "EAGAIN"
    os.write(client.fileno(), b"x")
    served, _ = sock.accept()
    assert os.read(served.fileno(), 10) == b"x"
    os.set_blocking(served.fileno(), False)
    assert served.gettimeout() is None
    assert errno_of(served.recv, 1) == "EAGAIN"
    os.set_blocking(client.fileno(), True)
    assert client.gettimeout() == 5
    with pytest.raises(TimeoutError):
        client.recv(1)


# --- descriptors ---------------------------------------------------------------------------------


def test_two_hosts_have_descriptors_of_their_own(net: Network, os: Any) -> None:
    other = net.host("other").modules.os
    assert os.pipe() == other.pipe() == (3, 4)
    other.close(3)
    assert os.get_blocking(3)


def test_dup2_leaves_the_numbers_between_free(os: Any) -> None:
    reader, _ = os.pipe()
    assert os.dup2(reader, 9) == 9
    assert [os.dup(reader) for _ in range(5)] == [5, 6, 7, 8, 10]


def test_dup2_closes_what_was_there(os: Any) -> None:
    reader, writer = os.pipe()
    other, _ = os.pipe()
    os.dup2(other, writer)
    assert os.read(reader, 1) == b""


def test_dup2_onto_a_free_low_number_takes_it(os: Any) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, reader)
    assert os.pipe() == (5, 6)


def test_a_pipe_that_finds_one_free_number_only_takes_none(host: Any, os: Any) -> None:
    host.descriptors_max = 4
    assert errno_of(os.pipe) == "EMFILE"
    host.descriptors_max = 5
    assert os.pipe() == (3, 4)


def test_closerange_closes_what_there_is(os: Any) -> None:
    os.pipe()
    reader, _ = os.pipe()
    os.closerange(0, reader)
    assert os.pipe() == (3, 4)


def test_fstat_tells_kinds_of_files_and_files_apart(host: Any, os: Any) -> None:
    reader, writer = os.pipe()
    sock = host.modules.socket.socket()
    assert stat.S_ISFIFO(os.fstat(reader).st_mode)
    assert stat.S_ISSOCK(os.fstat(sock.fileno()).st_mode)
    files = [reader, writer, sock.fileno()]
    assert len({os.fstat(fd).st_ino for fd in files}) == 3
    assert os.fstat(os.dup(reader)).st_ino == os.fstat(reader).st_ino


def test_a_socket_whose_descriptor_was_closed_acts_on_whatever_has_its_number(host: Any, os: Any) -> None:
    socket = host.modules.socket
    first = socket.create_server(("", 7))
    os.close(first.fileno())
    for call in (first.accept, first.listen, first.getsockname, lambda: first.recv(1)):
        assert errno_of(call) == "EBADF"
    second = socket.create_server(("", 8))
    assert first.getsockname() == second.getsockname() == ("0.0.0.0", 8)
    first.close()
    assert errno_of(second.getsockname) == "EBADF"
    assert os.pipe()[0] == second.fileno()
    assert errno_of(second.getsockname) == "ENOTSOCK"


# --- the module ----------------------------------------------------------------------------------


def test_what_asks_no_machine_is_the_standard_library_s(os: Any) -> None:
    assert os.strerror(errno.EPIPE) == std_os.strerror(errno.EPIPE)
    assert os.fspath is std_os.fspath
    assert os.path.join("a", "b") == "a/b"
    assert os.O_NONBLOCK == std_os.O_NONBLOCK


def test_a_program_is_the_only_process_of_its_host(os: Any) -> None:
    assert os.getpid() == 1


@pytest.mark.parametrize("name", ["open", "fork", "environ", "urandom", "rename", "kill"])
def test_what_is_not_simulated_is_named(os: Any, name: str) -> None:
    with pytest.raises(NotImplementedError, match=f"os.{name} is not simulated"):
        getattr(os, name)


# --- fcntl ---------------------------------------------------------------------------------------


def test_every_form_of_argument_of_ioctl(os: Any, fcntl: Any) -> None:
    """fcntl.ioctl of the library: bytes give bytes, a buffer that can be written is, if it may be."""
    reader, writer = os.pipe()
    os.write(writer, b"abc")
    three = struct.pack("i", 3)
    assert fcntl.ioctl(reader, FIONREAD, bytes(4)) == three
    assert fcntl.ioctl(reader, FIONREAD, bytes(8)) == three + bytes(4)
    buffer = bytearray(4)
    assert fcntl.ioctl(reader, FIONREAD, buffer, False) == three
    assert buffer == bytes(4)
    assert fcntl.ioctl(reader, FIONREAD, buffer) == 0
    assert buffer == three
    numbers = array.array("i", [0])
    assert fcntl.ioctl(reader, FIONREAD, numbers) == 0
    assert list(numbers) == [3]
    assert errno_of(fcntl.ioctl, reader, FIONREAD) == "EFAULT"
    with pytest.raises(ValueError, match="ioctl string arg too long"):
        fcntl.ioctl(reader, FIONREAD, bytes(1025))


def test_ioctl_sets_flags_of_the_file_and_of_the_descriptor(os: Any, fcntl: Any) -> None:
    reader, _ = os.pipe()
    fcntl.ioctl(reader, FIONBIO, struct.pack("i", 1))
    assert not os.get_blocking(os.dup(reader))
    fcntl.ioctl(reader, FIONCLEX)
    assert os.get_inheritable(reader)
    fcntl.ioctl(reader, FIOCLEX)
    assert not os.get_inheritable(reader)


def test_fcntl_reads_and_sets_flags(os: Any, fcntl: Any) -> None:
    reader, writer = os.pipe()
    assert fcntl.fcntl(writer, fcntl.F_GETFL) == os.O_WRONLY
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
    assert fcntl.fcntl(writer, fcntl.F_GETFL) == os.O_WRONLY | os.O_NONBLOCK
    assert fcntl.fcntl(reader, fcntl.F_GETFD) == fcntl.FD_CLOEXEC
    assert fcntl.fcntl(reader, fcntl.F_DUPFD, 20) == 20
    assert fcntl.fcntl(20, fcntl.F_GETFD) == 0
    assert fcntl.fcntl(reader, fcntl.F_DUPFD_CLOEXEC, 20) == 21


@pytest.mark.parametrize(
    ("command", "value", "name"), [("F_GETOWN", 0, "F_GETOWN"), ("F_SETFL", 0o2000, "0o2000 of F_SETFL")]
)
def test_a_command_that_is_not_simulated_is_named(
    os: Any, fcntl: Any, command: str, value: int, name: str
) -> None:
    reader, _ = os.pipe()
    with pytest.raises(NotImplementedError, match=name):
        fcntl.fcntl(reader, getattr(fcntl, command), value)


def test_a_request_that_only_sockets_have_is_named(host: Any, fcntl: Any) -> None:
    sock = host.modules.socket.socket()
    with pytest.raises(NotImplementedError, match="0x8912 is not simulated"):  # SIOCGIFCONF
        fcntl.ioctl(sock, 0x8912, bytes(16))


# --- pollers of loops ----------------------------------------------------------------------------


def test_a_loop_s_poller_watches_pipes_and_epolls(host: Any, os: Any) -> None:
    select = host.modules.select
    reader, writer = os.pipe()
    epoll = select.epoll()
    epoll.register(reader, select.EPOLLIN)
    poller = host.poller()
    for fd, events in ((reader, select.POLLIN), (writer, select.POLLOUT), (epoll.fileno(), select.POLLIN)):
        poller.watch(fd, events)
    assert poller.poll(0) == [(writer, select.POLLOUT)]
    os.write(writer, b"x")
    assert dict(poller.poll(0)) == {
        writer: select.POLLOUT,
        epoll.fileno(): select.POLLIN,
        reader: select.POLLIN,
    }
    poller.forget(writer)
    os.close(writer)
    os.read(reader, 1)
    assert dict(poller.poll(0)) == {epoll.fileno(): select.POLLIN, reader: select.POLLHUP}
