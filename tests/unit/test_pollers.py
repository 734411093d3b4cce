"""The contract of `Poller`: one body for select, poll, epoll, kqueue and the poller of a virtual host.

kqueue is this system's where it has one, and a stand-in on top of poll(2) elsewhere.
"""

import errno
import fcntl
import os
import signal
import socket
import sys
import threading
import time

import pytest

from simnet import Network, RealTransport, UsageError
from simnet.real.pollers import KINDS as REAL_POLLERS
from simnet.real.pollers import best_kind, make_poller
from simnet.real.pollers.by_kqueue import KqueuePoller
from simnet.transport import ERR, HUP, IN, OUT, PRI
from tests.unit import fake_kqueue
from tests.unit.stages import reset_socket

ON_THIS_COMPUTER = [*REAL_POLLERS, *(["kqueue"] if "kqueue" not in REAL_POLLERS else [])]
KINDS = ["virtual", *ON_THIS_COMPUTER]


class Machine:
    """Connected pairs of non-blocking sockets on one transport, and a poller of one kind."""

    def __init__(self, kind):
        self.kind = kind
        self.transport = Network().host("machine") if kind == "virtual" else RealTransport()
        if kind == "kqueue" and kind not in REAL_POLLERS:
            self.poller = KqueuePoller(fake_kqueue)
        else:
            self.poller = self.transport.poller(None if kind == "virtual" else kind)
        self.sockets = []

    def socket(self):
        sock = self.transport.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        self.sockets.append(sock)
        return sock

    def listener(self):
        sock = self.socket()
        sock.bind(("127.0.0.1", 0))
        sock.listen(5)
        return sock

    def pair(self):
        """Both ends of a connection over loopback."""
        listener, client = self.listener(), self.socket()
        client.connect_ex(listener.getsockname())
        self.poller.watch(listener.fileno(), IN)
        assert self.poll(1) == {listener.fileno(): IN}
        self.poller.forget(listener.fileno())
        served, _ = listener.accept()
        served.setblocking(False)
        self.sockets.append(served)
        return client, served

    def poll(self, timeout):
        """Who is ready, and for what."""
        return dict(self.poller.poll(timeout))

    def until(self, fd, events):
        """Poll, in bounded waits, until `fd` reports all of `events`: a real machine takes its time."""
        for _ in range(100):
            seen = self.poll(0.05).get(fd, 0)
            if seen & events == events:
                return seen
        raise AssertionError(f"{fd} does not report {events}, but {seen}")

    def close(self):
        self.poller.close()
        for sock in self.sockets:
            sock.close()


@pytest.fixture(params=KINDS)
def machine(request):
    made = Machine(request.param)
    yield made
    made.close()


def test_nothing_watched_is_nothing_ready(machine):
    assert machine.poll(0) == {}


def test_readiness_is_level_triggered(machine):
    client, served = machine.pair()
    machine.poller.watch(served.fileno(), IN)
    assert machine.poll(0) == {}
    client.send(b"ab")
    assert machine.poll(1) == {served.fileno(): IN}
    assert served.recv(1) == b"a"
    assert machine.poll(0) == {served.fileno(): IN}
    assert served.recv(1) == b"b"
    assert machine.poll(0) == {}


def test_what_was_ready_before_it_was_watched_is_reported(machine):
    client, served = machine.pair()
    client.send(b"x")
    machine.poller.watch(served.fileno(), IN)
    assert machine.poll(1) == {served.fileno(): IN}


def test_interest_can_be_changed_and_given_up(machine):
    client, served = machine.pair()
    fd = served.fileno()
    client.send(b"x")
    machine.poller.watch(fd, IN | OUT | PRI)
    assert machine.until(fd, IN | OUT) == IN | OUT
    machine.poller.watch(fd, OUT)
    assert machine.poll(0) == {fd: OUT}
    machine.poller.watch(fd, IN)
    assert machine.poll(0) == {fd: IN}
    machine.poller.watch(fd, 0)
    assert machine.poll(0) == {}
    machine.poller.watch(fd, IN)
    assert machine.poll(0) == {fd: IN}


def test_forget_is_harmless_whatever_it_is_told(machine):
    client, served = machine.pair()
    machine.poller.forget(served.fileno())  # never watched
    machine.poller.watch(served.fileno(), IN)
    machine.poller.watch(client.fileno(), IN)
    fd = served.fileno()
    machine.poller.forget(fd)
    machine.poller.forget(fd)
    machine.poller.forget(9999)
    client_fd = client.fileno()
    client.close()
    machine.poller.forget(client_fd)  # closed before
    assert machine.poll(0) == {}


def test_a_descriptor_that_is_not_open_is_ebadf_at_the_latest_from_poll(machine):
    sock = machine.socket()
    fd = sock.fileno()
    sock.close()

    def watch_and_poll():
        machine.poller.watch(fd, IN)
        machine.poller.poll(0)

    with pytest.raises(OSError) as caught:
        watch_and_poll()
    assert caught.value.errno == errno.EBADF
    machine.poller.forget(fd)
    assert machine.poll(0) == {}


def test_a_number_that_was_closed_and_opened_again_can_be_watched_again(machine):
    client, served = machine.pair()
    fd = client.fileno()
    machine.poller.watch(fd, IN)
    client.close()
    successor = machine.transport.socket(socket.AF_INET, socket.SOCK_DGRAM)  # always writable
    machine.sockets.append(successor)
    assert successor.fileno() == fd
    machine.poller.watch(fd, OUT)  # without a forget in between
    assert machine.poll(0)[fd] & OUT
    machine.poller.forget(fd)
    machine.poller.watch(served.fileno(), IN)
    assert machine.until(served.fileno(), IN)


def test_the_end_of_the_stream_is_readable(machine):
    client, served = machine.pair()
    machine.poller.watch(served.fileno(), IN)
    client.close()
    assert machine.until(served.fileno(), IN) == IN
    assert served.recv(10) == b""
    assert machine.poll(0) == {served.fileno(): IN}


def test_hup_and_err_come_unasked(machine):
    """A reset, to a channel that only wants to write: select shows it as writable, the others by name."""
    client, served = machine.pair()
    fd = served.fileno()
    while True:  # no room: OUT alone would say nothing
        try:
            served.send(bytes(65536))
        except BlockingIOError:
            break
    machine.poller.watch(fd, OUT)
    reset_socket(client)
    seen = machine.until(fd, OUT if machine.kind == "select" else OUT | ERR | HUP)
    assert seen & IN == 0


def test_a_socket_that_is_neither_connected_nor_connecting_hangs_up(machine):
    sock = machine.socket()
    machine.poller.watch(sock.fileno(), IN | OUT)
    expected = {"select": {sock.fileno(): IN | OUT}, "kqueue": {}}.get(
        machine.kind, {sock.fileno(): OUT | HUP}
    )
    assert machine.poll(0) == expected


def test_a_refused_connection_is_readable_and_writable(machine):
    listener = machine.listener()
    address = listener.getsockname()
    listener.close()
    client = machine.socket()
    client.connect_ex(address)
    machine.poller.watch(client.fileno(), IN | OUT)
    seen = machine.until(client.fileno(), IN | OUT)
    assert machine.kind == "select" or seen == IN | OUT | ERR | HUP


def test_a_full_buffer_is_not_writable_until_the_peer_reads(machine):
    client, served = machine.pair()
    machine.poller.watch(client.fileno(), OUT)
    sent = 0
    while machine.poll(0):  # not writable while less than a third of the buffer is free, though a bit may fit
        sent += client.send(bytes(65536))
    received = 0
    for _ in range(10_000):
        try:
            received += len(served.recv(1 << 20))
        except BlockingIOError:
            if received == sent:
                break
    assert machine.until(client.fileno(), OUT) == OUT


def test_all_that_is_ready_is_reported_in_an_order_that_does_not_change(machine):
    pairs = [machine.pair() for _ in range(5)]
    for client, served in pairs:
        machine.poller.watch(served.fileno(), IN)
        client.send(b"x")
    fds = [served.fileno() for _, served in pairs]
    for fd in fds:
        machine.until(fd, IN)
    first = [fd for fd, _ in machine.poller.poll(0)]
    assert sorted(first) == sorted(fds)
    if machine.kind not in ("epoll", "kqueue"):  # which take turns
        assert first == fds
        assert [fd for fd, _ in machine.poller.poll(0)] == first


def test_a_closed_poller_may_be_closed_and_told_to_forget(machine):
    _, served = machine.pair()
    machine.poller.watch(served.fileno(), IN)
    machine.poller.close()
    machine.poller.close()
    machine.poller.forget(served.fileno())


def test_a_thousand_ready_descriptors_are_all_reported():
    machine = Machine("virtual")
    socks = [machine.socket() for _ in range(1000)]
    for sock in socks:
        machine.poller.watch(sock.fileno(), OUT)
    assert len(machine.poll(0)) == 1000


# --- descriptors that were closed before anybody said so -----------------------------------------


@pytest.fixture
def epoll():
    if "epoll" not in REAL_POLLERS:
        pytest.skip("epoll is Linux's")
    made = Machine("epoll")
    yield made
    made.close()


def test_a_file_that_is_still_open_elsewhere_is_not_reported_after_its_descriptor_was_closed(epoll):
    """epoll goes on reporting it, and does not let itself be told to stop."""
    client, served = epoll.pair()
    other_client, other = epoll.pair()
    fd, duplicate = served.fileno(), served.dup()
    epoll.poller.watch(fd, IN)
    epoll.poller.watch(other.fileno(), IN)
    client.send(b"x")
    assert epoll.poll(1) == {fd: IN}
    served.close()
    epoll.poller.forget(fd)
    epoll.poll(0)
    assert epoll.poll(0) == {}
    other_client.send(b"x")
    assert epoll.poll(1) == {other.fileno(): IN}
    duplicate.close()


def test_events_of_a_file_that_had_the_number_before_are_not_told_to_its_successor(epoll):
    client, served = epoll.pair()
    fd, duplicate = served.fileno(), served.dup()
    epoll.poller.watch(fd, IN)
    client.send(b"x")
    served.close()
    listener = epoll.listener()
    assert listener.fileno() == fd
    epoll.poller.watch(fd, IN)  # without a forget in between
    assert epoll.poll(0) == {}
    visitor = epoll.socket()
    visitor.connect_ex(listener.getsockname())
    assert epoll.until(fd, IN) == IN
    duplicate.close()


def test_numbers_that_are_closed_before_they_are_forgotten_do_not_pile_up(epoll):
    _, served = epoll.pair()
    epoll.poller.watch(served.fileno(), OUT)
    for number in range(200):
        duplicate = fcntl.fcntl(served.fileno(), fcntl.F_DUPFD_CLOEXEC, 300 + number)
        epoll.poller.watch(duplicate, OUT)
        os.close(duplicate)
        epoll.poller.forget(duplicate)
        assert set(epoll.poll(0)) <= {served.fileno()}
    assert len(epoll.poller._suspects) <= 1 + 64
    assert epoll.until(served.fileno(), OUT) == OUT


def test_a_poller_that_was_forked_does_not_change_its_parents():
    """The child forgets what the parent watches, and goes on seeing what it watches itself."""
    machine = Machine(best_kind())
    client, served = machine.pair()
    fd = served.fileno()
    machine.poller.watch(fd, IN)
    client.send(b"x")
    child = os.fork()
    if not child:
        seen = machine.poll(1)
        machine.poller.forget(fd)
        os._exit(0 if seen == {fd: IN} and machine.poll(0) == {} else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert machine.poll(1) == {fd: IN}
    machine.close()


def test_a_regular_file_is_always_ready(tmp_path):
    for kind in REAL_POLLERS:
        poller = make_poller(kind)
        with (tmp_path / "text").open("w+b") as file:
            poller.watch(file.fileno(), IN | OUT)
            assert poller.poll(None) == [(file.fileno(), IN | OUT)], kind
            poller.watch(file.fileno(), IN)
            assert poller.poll(None) == [(file.fileno(), IN)], kind
            poller.forget(file.fileno())
            assert poller.poll(0) == [], kind
        poller.close()


# --- what only kqueue has ------------------------------------------------------------------------


@pytest.fixture
def kqueue():
    made = Machine("kqueue")
    made.poller.close()
    made.poller = KqueuePoller(fake_kqueue)
    yield made
    made.close()


def test_kqueue_is_told_only_what_changed(kqueue):
    _, served = kqueue.pair()
    fd = served.fileno()
    changes = kqueue.poller._kqueue.changes
    changes.clear()
    kqueue.poller.watch(fd, IN)
    kqueue.poller.watch(fd, IN | OUT)
    kqueue.poller.watch(fd, OUT)
    kqueue.poller.forget(fd)
    kqueue.poll(0)
    read, write = fake_kqueue.KQ_FILTER_READ, fake_kqueue.KQ_FILTER_WRITE
    add, delete = fake_kqueue.KQ_EV_ADD, fake_kqueue.KQ_EV_DELETE
    assert changes == [
        (fd, read, add),
        *((fd, which, add) for which in (read, write)),
        (fd, read, delete),
        (fd, write, add),
        (fd, write, delete),
    ]


def test_kqueue_shows_data_before_the_end_of_the_stream(kqueue):
    client, served = kqueue.pair()
    kqueue.poller.watch(served.fileno(), IN)
    client.send(b"x")
    client.shutdown(socket.SHUT_WR)
    assert kqueue.until(served.fileno(), IN) == IN
    assert (served.recv(10), served.recv(10)) == (b"x", b"")


# --- what only a real poller can do --------------------------------------------------------------


@pytest.fixture(params=ON_THIS_COMPUTER)
def real(request):
    made = Machine(request.param)
    yield made
    made.close()


def test_a_wait_without_end_ends_when_something_is_ready(real):
    client, served = real.pair()
    real.poller.watch(served.fileno(), IN)
    thread = threading.Thread(target=client.send, args=(b"x",))
    thread.start()
    assert real.poll(None) == {served.fileno(): IN}
    thread.join()


def test_a_wait_ends_not_before_its_time_out(real):
    _, served = real.pair()
    real.poller.watch(served.fileno(), IN)
    for timeout in (0.0005, 0.002, 0.0101):
        start = time.monotonic()
        assert real.poll(timeout) == {}
        assert time.monotonic() - start >= timeout


def test_an_endless_number_of_seconds_is_no_overflow(real):
    client, served = real.pair()
    client.send(b"x")
    real.poller.watch(served.fileno(), IN)
    assert real.poll(1e12) == {served.fileno(): IN}


def test_out_of_band_data_is_an_exceptional_condition(real):
    if real.kind == "kqueue":
        pytest.skip("Python's select has no EVFILT_EXCEPT")
    client, served = real.pair()
    real.poller.watch(served.fileno(), IN | PRI)
    client.send(b"!", socket.MSG_OOB)
    assert real.until(served.fileno(), PRI)
    assert served.recv(1, socket.MSG_OOB) == b"!"


def test_a_signal_does_not_end_a_wait(real):
    """The handler runs, and the wait goes on (PEP 475)."""
    _, served = real.pair()
    real.poller.watch(served.fileno(), IN)
    seen = []
    former = signal.signal(signal.SIGALRM, lambda *args: seen.append(True))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        start = time.monotonic()
        assert real.poll(0.05) == {}
        assert time.monotonic() - start >= 0.05
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert seen


def test_a_descriptor_above_1023_is_watched_or_refused_by_name(real):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2000
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this machine allows {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    client, served = real.pair()
    high = fcntl.fcntl(served.fileno(), fcntl.F_DUPFD_CLOEXEC, 1500)
    try:
        client.send(b"x")
        real.poller.watch(high, IN)
        if real.kind == "select":
            with pytest.raises(UsageError, match=f"descriptor {high}: take the poller 'epoll', 'kqueue'"):
                real.poll(1)
        else:
            assert real.poll(1) == {high: IN}
        real.poller.forget(high)
    finally:
        os.close(high)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(sys.platform != "linux", reason="epoll is Linux's")
def test_every_real_poller_of_linux_is_there_and_the_best_one_is_taken():
    assert list(REAL_POLLERS) == ["epoll", "poll", "select"]
    assert best_kind() == "epoll"
    assert type(RealTransport().poller()) is type(make_poller("epoll"))
    assert type(RealTransport("poll").poller()) is type(make_poller("poll"))


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="no poller is called 'iocp'; there are epoll"):
        make_poller("iocp")
    with pytest.raises(UsageError, match="no poller is called 'iocp'"):
        Network().host("a").poller("iocp")
