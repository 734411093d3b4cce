"""AF_UNIX on virtual hosts: names of one host are nobody else's, what a crash leaves, labels and traces.

What Linux does, too, is in tests/conformance.
"""

from __future__ import annotations

import array
import errno
import socket as std
import struct
from typing import Any

import pytest

from simnet import Deadlock, Network, dispatcher, dispatcher_with_send
from simnet.report.ladder import ladder
from simnet.transport import IN
from tests.conformance.machine import outcome

PATH = "/run/app.sock"


@pytest.fixture
def net() -> Network:
    return Network()


@pytest.fixture
def host(net: Network) -> Any:
    return net.host("machine")


def unix(host: Any, kind: int = std.SOCK_STREAM) -> Any:
    sock = host.modules.socket.socket(std.AF_UNIX, kind)
    sock.setblocking(False)
    return sock


def listener(host: Any, name: str = PATH) -> Any:
    sock = unix(host)
    sock.bind(name)
    sock.listen(5)
    return sock


def connected(host: Any, served: Any) -> tuple[Any, Any]:
    sock = unix(host)
    sock.connect(served.getsockname())
    return sock, served.accept()[0]


# --- names ---------------------------------------------------------------------------------------


def test_a_path_of_one_host_is_none_of_another(net: Network) -> None:
    one, other = net.host("one"), net.host("other")
    served = [listener(host) for host in (one, other)]
    assert outcome(unix(net.host("third")).connect, PATH) == "ENOENT"
    sock, _ = connected(one, served[0])
    assert outcome(served[1].accept) == "EAGAIN"
    assert sock.getpeername() == PATH


def test_a_crash_leaves_files_and_takes_abstract_names(net: Network, host: Any) -> None:
    """A file is on a disk, an abstract name is in the kernel."""
    listener(host)
    kept = listener(host, "\0abstract")
    host.crash()
    host.restart()
    assert host.modules.os.path.exists(PATH)
    assert outcome(unix(host).connect, PATH) == "ECONNREFUSED"
    assert outcome(unix(host).bind, PATH) == "EADDRINUSE"
    assert outcome(unix(host).bind, "\0abstract") == "ok"
    assert kept is not None


def test_a_server_that_unlinks_its_path_serves_again_after_a_crash(net: Network, host: Any) -> None:
    """What every server of AF_UNIX has to do, and a test can find missing."""
    served: list[Any] = []

    def program() -> None:
        if host.modules.os.path.exists(PATH):
            host.modules.os.unlink(PATH)
        served.append(listener(host))

    host.boot(program)
    host.crash()
    host.restart()
    assert outcome(unix(host).connect, PATH) == "ok"
    assert outcome(served[1].accept) != "EAGAIN"


def test_automatic_names_are_the_same_in_every_run() -> None:
    """Linux begins with a random number."""

    def name() -> Any:
        sock = unix(Network().host("machine"))
        sock.bind("")
        return sock.getsockname()

    assert name() == name() == b"\0" + b"00000"


# --- the os module -------------------------------------------------------------------------------


def test_a_host_begins_with_the_directories_that_systems_have(host: Any) -> None:
    os = host.modules.os
    assert [os.path.isdir(path) for path in ("/", "/run", "/tmp", "/var/run", "/app")] == [True] * 4 + [False]
    os.makedirs("/srv/app/run")
    assert outcome(unix(host).bind, "/srv/app/run/s") == "ok"
    assert os.listdir("/srv/app") == ["run"]
    assert outcome(os.rmdir, "/srv/app/run") == "ENOTEMPTY"
    os.remove("/srv/app/run/s")
    os.rmdir("/srv/app/run")
    assert os.listdir(b"/srv/app") == []


def test_a_relative_path_begins_at_the_root(host: Any) -> None:
    sock = unix(host)
    sock.bind("s")
    assert sock.getsockname() == "s"
    assert outcome(unix(host).connect, "/run/../s") == "ECONNREFUSED"


def test_stat_knows_a_socket(host: Any) -> None:
    """As servers ask before they remove a file that is in their way."""
    import stat

    kept = listener(host)
    os = host.modules.os
    assert stat.S_ISSOCK(os.stat(PATH).st_mode)
    assert stat.S_ISDIR(os.lstat("/run").st_mode)
    assert not os.path.isfile(PATH)
    assert os.stat(PATH).st_ino != os.fstat(kept.fileno()).st_ino


def test_errors_of_paths_name_the_file(host: Any) -> None:
    with pytest.raises(FileNotFoundError, match="/run/none") as caught:
        host.modules.os.unlink("/run/none")
    assert caught.value.filename == "/run/none"
    assert outcome(host.modules.os.unlink, "/run") == "EISDIR"
    assert outcome(host.modules.os.mkdir, "/run") == "EEXIST"
    assert outcome(host.modules.os.rmdir, "/") == "EBUSY"


# --- credentials ---------------------------------------------------------------------------------


def test_every_program_of_a_host_is_process_1_and_root(host: Any) -> None:
    """As in a container; the same number that os.getpid() says."""
    one, other = host.modules.socket.socketpair()
    own = struct.pack("iII", host.modules.os.getpid(), 0, 0)
    assert one.getsockopt(std.SOL_SOCKET, std.SO_PEERCRED, 12) == own
    other.setsockopt(std.SOL_SOCKET, std.SO_PASSCRED, 1)
    one.send(b"x")
    assert other.recvmsg(10, 100)[1] == [(std.SOL_SOCKET, std.SCM_CREDENTIALS, own)]


def test_a_descriptor_in_a_queue_lives_as_long_as_the_queue(host: Any) -> None:
    socket, os = host.modules.socket, host.modules.os
    one, other = socket.socketpair()
    reader, writer = os.pipe()
    one.sendmsg([b"x"], [(std.SOL_SOCKET, std.SCM_RIGHTS, array.array("i", [writer]))])
    os.close(writer)
    os.set_blocking(reader, False)
    assert outcome(os.read, reader, 1) == "EAGAIN"
    other.close()
    assert os.read(reader, 1) == b""


# --- waiting -------------------------------------------------------------------------------------


def test_a_blocking_connect_waits_for_room_in_the_backlog(net: Network, host: Any) -> None:
    served = unix(host)
    served.bind(PATH)
    served.listen(0)
    waiting = [unix(host) for _ in range(2)]
    waiting[0].connect(PATH)
    net.at("2s").call(served.accept)
    waiting[1].setblocking(True)
    waiting[1].connect(PATH)
    assert net.now == 2


def test_a_read_that_nobody_will_ever_answer_is_a_deadlock(host: Any) -> None:
    one, _ = pair = host.modules.socket.socketpair()
    with pytest.raises(Deadlock, match="machine:pair1a -> machine:pair1b"):
        one.recv(1)
    assert len(pair) == 2


def test_a_read_for_all_of_it_takes_what_a_full_sender_has_first(net: Network, host: Any) -> None:
    """MSG_WAITALL for more than a buffer holds: what was read makes room, or neither would go on."""
    one, other = host.modules.socket.socketpair()
    one.setblocking(False)
    whole = bytes(range(256)) * 4096
    sent = 0

    def feed() -> None:
        nonlocal sent
        while sent < len(whole) and (count := outcome(one.send, whole[sent:])) != "EAGAIN":
            sent += count

    for tick in range(1, 20):
        net.at(f"{tick}ms").call(feed)
    assert other.recv(len(whole), std.MSG_WAITALL) == whole


# --- labels and traces ---------------------------------------------------------------------------


def test_connections_are_called_as_those_of_tcp_with_a_path_for_the_port(net: Network, host: Any) -> None:
    served = listener(host)
    ends = [*connected(host, served), *connected(host, served)]
    abstract = listener(host, "\0name")
    table = net.netstat()
    for label in (
        "machine:/run/app.sock\n",
        "machine:1 -> machine:/run/app.sock",
        "machine:/run/app.sock -> machine:2",
        "machine:@name\n",
    ):
        assert label in table + "\n"
    assert len(ends) == 4
    assert abstract.getsockname() == b"\0name"


def test_netstat_shows_who_waits_to_be_accepted_and_what_is_unread(net: Network, host: Any) -> None:
    served, sock = listener(host), unix(host)
    sock.connect(PATH)
    sock.send(b"early")
    rows = [line.split() for line in net.netstat().splitlines()[2:]]
    assert rows[0][1:7] == ["3", "1", "5", PATH, "*", "LISTEN"]
    assert rows[1][1:7] == ["4", "0", "768", "*", PATH, "ESTABLISHED"]
    assert rows[2][1:7] == ["-", "5", "0", PATH, "*", "ESTABLISHED"]
    assert served.accept()[1] == ""


def test_a_ladder_shows_what_two_programs_of_one_host_said(net: Network, host: Any) -> None:
    sock, accepted = connected(host, listener(host))
    sock.send(b"question")
    accepted.recv(100)
    accepted.close()
    text = ladder(net.trace, {})
    assert "conversation machine:1 -> machine:/run/app.sock" in text
    assert '"question"' in text
    assert "end of stream" in text
    assert "SYN" not in text


def digest(data: bytes) -> str:
    net = Network()
    one, other = net.host("machine").modules.socket.socketpair()
    one.send(data)
    other.recv(100)
    return net.trace.digest()


def test_the_digest_covers_the_data() -> None:
    assert digest(b"same") == digest(b"same") != digest(b"SAME")


# --- handlers ------------------------------------------------------------------------------------


class Server(dispatcher):
    """Accepts on a path, and answers in capitals."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.create_socket(std.AF_UNIX, std.SOCK_STREAM)
        self.bind(path)
        self.listen(5)
        self.peers: list[Any] = []

    def handle_accepted(self, sock: Any, address: Any) -> None:
        self.peers.append(address)
        Answers(sock)


class Answers(dispatcher_with_send):
    def handle_read(self) -> None:
        self.send(self.recv(100).upper())

    def handle_close(self) -> None:
        self.close()


class Client(dispatcher_with_send):
    def __init__(self, path: str, text: bytes) -> None:
        super().__init__()
        self.create_socket(std.AF_UNIX, std.SOCK_STREAM)
        self.heard = b""
        self.connect(path)
        self.send(text)

    def handle_read(self) -> None:
        self.heard += self.recv(100)
        self.close()


def test_handlers_talk_over_a_path(net: Network, host: Any) -> None:
    """Between two sockets of one host nothing takes time."""
    with host:
        server, client = Server(PATH), Client(PATH, b"hello")
    net.run()
    assert client.heard == b"HELLO"
    assert server.peers == [""]
    assert net.now == 0


def test_a_handler_that_nobody_serves_is_told_at_once(host: Any) -> None:
    with host, pytest.raises(OSError) as caught:
        Client(PATH, b"hello")
    assert caught.value.errno == errno.ENOENT


def test_the_close_of_one_handler_reaches_the_other(net: Network, host: Any) -> None:
    closed = []

    class Told(dispatcher):
        def handle_read(self) -> None:
            self.recv(100)

        def handle_close(self) -> None:
            closed.append(net.now)
            self.close()

    one, other = host.modules.socket.socketpair()
    with host:
        Told(one)
    net.at("1s").call(other.close)
    net.run()
    assert closed == [1]


def test_a_poller_is_woken_by_what_comes(net: Network, host: Any) -> None:
    one, other = host.modules.socket.socketpair(std.AF_UNIX, std.SOCK_DGRAM)
    poll = host.modules.select.poll()
    poll.register(other, IN)
    net.at("3s").call(one.send, b"x")
    assert poll.poll() == [(other.fileno(), IN)]
    assert net.now == 3


# --- what a sender pays --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "size", "cost"),
    [
        (std.SOCK_STREAM, 1, 768),
        (std.SOCK_STREAM, 192, 768),
        (std.SOCK_STREAM, 193, 1280),
        (std.SOCK_STREAM, 3776, 4352),
        (std.SOCK_STREAM, 3777, 4864),  # a page beside an empty head
        (std.SOCK_STREAM, 4289, 5376),
        (std.SOCK_STREAM, 102_465, 105_216),  # two pieces of 36 544 bytes, and a rest
        (std.SOCK_DGRAM, 0, 768),
        (std.SOCK_DGRAM, 3777, 8448),
        (std.SOCK_DGRAM, 7873, 16_640),
        (std.SOCK_DGRAM, 85_697, 102_656),
        (std.SOCK_DGRAM, 102_081, 135_424),
    ],
)
def test_what_a_message_costs_was_measured(host: Any, kind: int, size: int, cost: int) -> None:
    """SIOCOUTQ of Linux 6.18 on x86-64, before anything is read."""
    one, other = host.modules.socket.socketpair(std.AF_UNIX, kind)
    one.send(bytes(size))
    assert struct.unpack("i", host.modules.fcntl.ioctl(one, 0x5411, bytes(4))) == (cost,)
    other.close()
    assert struct.unpack("i", host.modules.fcntl.ioctl(one, 0x5411, bytes(4))) == (0,)
